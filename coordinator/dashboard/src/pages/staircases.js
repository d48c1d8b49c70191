// SPDX-License-Identifier: Apache-2.0
/* staircases.js - the sweeps of a campaign's board, a chart for each line, and the step widths that were found in them. While a campaign sweeps, its
 * points appear as they are measured. */
import {staircaseChart, stepWords} from '../../../../common/web/charts.js';
import {el, replace, setAttr, setText} from '../../../../common/web/dom.js';
import {sweepLines} from '../../../../common/web/sweeps.js';
import {campaignsOf, followCampaign, makeChoice} from '../choice.js';
import {makeRefresher} from '../refresher.js';

const LIVE_MS = 2000; /* between two looks at a campaign that measures */
const keyOf = (line) => [line.kind, line.layer, line.param, line.base].join(' ');

/* "conv2d: steps of 16 in c, 99.4 % sure; ..." of all kinds that are shown. */
function findings(board, layer, param) {
    return Object.entries(board.steps ?? {}).filter(([kind]) => !layer || kind === layer).map(([kind, widths]) => {
        const all = Object.entries(widths).filter(([name]) => !param || name === param);
        return [kind, all.map(([name, width]) => stepWords({param: name, width, confidence: board.step_confidence?.[kind]?.[name]}))];
    }).filter(([, words]) => words.length);
}

function mount(root, ctx) {
    const choice = makeChoice(ctx, [{id: 'campaign', label: 'Campaign'}, {id: 'kind', label: 'Board'}, {id: 'layer', label: 'Layer kind', all: 'all'}, {id: 'param', label: 'Parameter', all: 'all'}], chosen);
    const log = el('input', {type: 'checkbox', onchange: () => {
        ctx.setParams({log: log.checked ? '1' : null});
        draw();
    }});
    const found = el('dl', {class: 'facts plain'}), none = el('p', {class: 'lead', hidden: true}), grid = el('div', {class: 'cards', role: 'group', 'aria-label': 'Sweeps'});
    const refresher = makeRefresher(load), follow = followCampaign(choice, refresher, LIVE_MS);
    let boards = [], figures = new Map();

    choice.node.append(el('label', {class: 'check'}, log, 'logarithmic'));

    async function load(signal) {
        try {
            const campaigns = await campaignsOf(ctx, signal);
            choice.offer('campaign', campaigns.map((campaign) => campaign.name));
            const name = choice.get('campaign');
            follow.note(campaigns);
            boards = name ? (await ctx.api.get('summary', {campaign: name}, signal)).boards : [];
            draw();
        } catch (error) {
            if (error.name === 'AbortError') throw error;
            setText(none, error.message);
            setAttr(none, 'hidden', false);
        }
    }

    function chosen(id) {
        if (id === 'campaign') refresher.now();
        else draw();
    }

    function draw() {
        choice.offer('kind', boards.map((board) => board.kind));
        const board = boards.find((one) => one.kind === choice.get('kind'));
        const lines = board ? sweepLines(board) : [];
        choice.offer('layer', [...new Set(Object.keys(board?.steps ?? {}))]);
        const layer = choice.get('layer');
        choice.offer('param', [...new Set(Object.entries(board?.steps ?? {}).filter(([kind]) => !layer || kind === layer).flatMap(([, widths]) => Object.keys(widths)))]);
        const param = choice.get('param');
        log.checked = ctx.params.get('log') === '1';
        replace(found, board ? findings(board, layer, param).map(([kind, words]) => el('div', {}, el('dt', {}, kind), words.map((text) => el('dd', {}, text)))) : []);
        drawLines(lines.filter((line) => (!layer || line.layer === layer) && (!param || line.param === param)));
        const given = board && Object.keys(board.steps ?? {}).length > 0 && board.stage === 'done';
        setText(none, !board ? 'No campaign yet. Submit one: prfarm submit FILE.yaml' : given ? 'Nothing was swept: the step widths were given, or too few layers were asked for to look for them.' : 'No sweep has three points yet.');
        setAttr(none, 'hidden', grid.childElementCount > 0);
    }

    /* Figures stay where they are while their points come in. */
    function drawLines(lines) {
        const wanted = new Set(lines.map(keyOf));
        for (const [key, figure] of figures) {
            if (wanted.has(key)) continue;
            figure.destroy();
            figure.card.remove();
            figures.delete(key);
        }
        for (const line of lines) {
            const key = keyOf(line), data = {...line, log: log.checked};
            if (figures.has(key)) {
                figures.get(key).update(data);
            } else {
                const figure = staircaseChart(data, {choices: {}});
                figures.set(key, {...figure, card: el('div', {class: 'card'}, figure.node)});
            }
            grid.append(figures.get(key).card);
        }
    }

    replace(root, choice.node, found, none, grid);
    refresher.now();
    return {
        update: follow.update,
        navigate: () => refresher.now(),
        unmount() {
            refresher.stop();
            for (const figure of figures.values()) figure.destroy();
        },
    };
}

export const staircases = {id: 'staircases', title: 'Staircases', mount};
