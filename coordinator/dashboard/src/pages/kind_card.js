// SPDX-License-Identifier: Apache-2.0
/* kind_card.js - how far a campaign is with one kind of board: its stages, what is measured of what is planned, the budget, the error so far. */
import {historyChart} from '../../../../common/web/charts.js';
import {el, replace, setAttr, setText} from '../../../../common/web/dom.js';
import {count, DASH, duration, percent, rate} from '../../../../common/web/format.js';
import {figure} from '../parts.js';
import {href} from '../router.js';

/* As docs/states.md has them; a campaign is in `check` only if a refresh was asked for. */
const STAGES = ['waiting', 'sweep', 'measure', 'train', 'check', 'publish', 'done'];

export function progress(measured, planned) {
    return planned > 0 ? Math.min((100 * measured) / planned, 100) : 0;
}

function stages(stage) {
    const at = STAGES.indexOf(stage);
    return STAGES.filter((name) => name !== 'check' || stage === 'check').map((name) => {
        const i = STAGES.indexOf(name), passed = stage !== 'failed' && (i < at || stage === 'done');
        return el('li', {class: name === stage ? 'now' : passed ? 'passed' : null, 'aria-current': name === stage ? 'step' : null}, passed ? el('span', {class: 'hidden'}, 'passed: ') : null, name);
    });
}

function samplesNote(b) {
    return typeof b.budget === 'number' ? `of a budget of ${count(b.budget)}` : 'sweeps counted in';
}

function measuredNote(b) {
    return [`of ${count(b.planned)} planned`, b.reused && `${count(b.reused)} known before`, b.poisoned && `${count(b.poisoned)} poisoned`].filter(Boolean).join(', ');
}

/* What it is at, where there is no telling how long it takes. */
const UNDER_WAY = {waiting: 'for a first board of the kind', train: 'a model is being trained', publish: 'boards are taking the model over'};

function boardsNote(b) {
    const other = b.other_runtime ? `, ${count(b.other_runtime)} with another runtime` : '';
    return `${count(b.busy ?? 0)} of ${count(b.workers ?? b.boards_live ?? 0)} boards${other}`;
}

/* Returns {node, update(board, campaign), stop()}: `board` is the kind's part of a campaign's status. */
export function makeKindCard(kind) {
    const steps = el('ol', {class: 'stages', 'aria-label': 'Stages'});
    const bar = el('progress', {max: '100', 'aria-label': `${kind}: measured`});
    const measured = figure('Measured'), samples = figure('Samples'), mape = figure('MAPE'), left = figure('Time left');
    const error = el('p', {class: 'note bad', hidden: true}), aside = el('p', {class: 'note warn', hidden: true});
    const model = el('a', {href: href('models', {kind})});
    const node = el('article', {class: 'card', 'aria-label': kind},
        el('div', {class: 'title-line'}, el('h3', {}, kind), model), steps, bar,
        el('dl', {class: 'figures small'}, [measured, samples, mape, left].map((one) => one.node)), error, aside);
    let stage = null, chart = null, drawn = '';

    /* Drawn only once there is a model to judge. */
    function showHistory(b) {
        const now = JSON.stringify(b.history ?? []);
        if (now === drawn || now === '[]') return;
        drawn = now;
        if (!chart) node.append((chart = historyChart('Error against samples')).node);
        chart.update([{kind, history: b.history}]);
    }

    return {
        node,
        update(b, campaign) {
            if (b.stage !== stage) replace(steps, stages(b.stage));
            stage = b.stage;
            const done = b.measured + b.reused;
            setAttr(bar, 'value', String(progress(done, b.planned)));
            measured.set(count(done), measuredNote(b));
            samples.set(count(b.samples), samplesNote(b));
            mape.set(percent(b.mape_percent), b.mape_percent === null ? 'no model yet' : 'on layers it never saw');
            const under_way = campaign.state === 'running' && b.stage !== 'done' && b.stage !== 'failed';
            left.set(under_way ? duration(b.seconds_left) : DASH, under_way ? UNDER_WAY[b.stage] ?? `${rate(b.rate_per_second)}, ${boardsNote(b)}` : campaign.state === 'running' ? b.stage : campaign.state);
            showHistory(b);
            setText(error, b.error);
            setAttr(error, 'hidden', !b.error);
            const notes = [b.stale && 'Boards of this kind drift or differ from each other: a refresh shows whether the model holds.',
                b.quarantined > 0 && `${count(b.quarantined)} in quarantine.`].filter(Boolean).join(' ');
            setText(aside, notes);
            setAttr(aside, 'hidden', !notes);
            setText(model, b.model_version ? `Model v${b.model_version}` : '');
        },
        stop: () => chart?.destroy(),
    };
}
