// SPDX-License-Identifier: Apache-2.0
/* accuracy.js - a board's model against the layers that a campaign keeps back to judge it: all of them in two charts, by layer kind in bars, and beside
 * each error how well two measurements agree and what random layers would have given. */
import {coverage, errorBars, historyChart, layerBars, residualChart, samplingColumns, samplingRows, scatterChart} from '../../../../common/web/charts.js';
import {el, replace, setAttr, setText} from '../../../../common/web/dom.js';
import {count, percent} from '../../../../common/web/format.js';
import {makeTable} from '../../../../common/web/table.js';
import {campaignsOf, followCampaign, makeChoice} from '../choice.js';
import {figure} from '../parts.js';
import {makeRefresher} from '../refresher.js';

const LIVE_MS = 3000;
const card = (one) => el('div', {class: 'card'}, one.node);

function mount(root, ctx) {
    const choice = makeChoice(ctx, [{id: 'campaign', label: 'Campaign'}, {id: 'kind', label: 'Board'}], () => refresher.now());
    const mape = figure('MAPE'), repeated = figure('Repeatability'), random = figure('Random sampling'), inside = figure('In the 90 % interval');
    const scatter = scatterChart('Estimated against measured'), residuals = residualChart('Error over latency'), kinds = layerBars('Error by layer kind');
    const history = historyChart('Error against samples'), all = errorBars('All boards of the campaign');
    const sampling = makeTable({caption: 'Representatives against random layers', columns: samplingColumns, key: (row) => row.layer, empty: 'Not compared: too few layers, or the campaign has not come so far.'});
    const fell = card(history), none = el('p', {class: 'lead', hidden: true});
    const content = el('div', {class: 'page', hidden: true},
        el('dl', {class: 'figures'}, [mape, repeated, random, inside].map((one) => one.node)),
        el('div', {class: 'cards'}, card(scatter), card(residuals)), card(kinds), fell, card(all), sampling.node);
    const refresher = makeRefresher(load), follow = followCampaign(choice, refresher, LIVE_MS);

    function say(text) {
        setText(none, text);
        setAttr(none, 'hidden', !text);
        setAttr(content, 'hidden', Boolean(text));
    }

    async function load(signal) {
        try {
            const campaigns = await campaignsOf(ctx, signal);
            choice.offer('campaign', campaigns.map((campaign) => campaign.name));
            const name = choice.get('campaign');
            if (!name) return say('No campaign yet. Submit one: prfarm submit FILE.yaml');
            follow.note(campaigns);
            const {boards} = await ctx.api.get('summary', {campaign: name}, signal);
            choice.offer('kind', boards.map((board) => board.kind));
            const board = boards.find((one) => one.kind === choice.get('kind'));
            return show(boards, board, await ctx.api.list('evaluation', {campaign: name, kind: board.kind}, 'rows', signal));
        } catch (error) {
            if (error.name === 'AbortError') throw error;
            return say(error.message);
        }
    }

    function show(boards, board, rows) {
        say('');
        mape.set(percent(board.mape_percent), board.mape_percent === null ? 'no model yet' : `${count(board.samples)} samples, sweeps counted in`);
        repeated.set(percent(board.repeatability_percent), 'between two measurements of a layer');
        random.set(percent(board.random_baseline_mape_percent), 'a model of as many random layers');
        inside.set(percent(coverage(rows)), `of ${count(rows.length)} validation layers`);
        scatter.update({kind: board.kind, rows});
        residuals.update({kind: board.kind, rows});
        kinds.update({board, rows});
        history.update([board]);
        setAttr(fell, 'hidden', !board.history?.length);
        all.update(boards);
        sampling.update(samplingRows([board]));
    }

    replace(root, choice.node, none, content);
    refresher.now();
    return {
        update: follow.update,
        navigate: () => refresher.now(),
        unmount() {
            refresher.stop();
            for (const chart of [scatter, residuals, history]) chart.destroy();
        },
    };
}

export const accuracy = {id: 'accuracy', title: 'Accuracy', mount};
