// SPDX-License-Identifier: Apache-2.0
/* results.js - the error of each board's model beside what it must be compared with, and how it fell. */
import {errorBars, historyChart} from '../../common/web/charts.js';
import {el} from '../../common/web/dom.js';
import {count, percent} from '../../common/web/format.js';
import {boardsOf, charts} from './parts.js';

/* Of campaigns that asked for it. */
function energyOf({energy}) {
    if (!energy) return '';
    if (!energy.told) return ' It does not tell its energy.';
    return typeof energy.mape_percent === 'number' ? ` Energy: MAPE ${percent(energy.mape_percent)} (repeatability ${percent(energy.repeatability_percent)}).` : ' Too few of its measurements tell the energy.';
}

function verdict(board) {
    const {kind, mape_percent: mape, repeatability_percent: repeated, random_baseline_mape_percent: random} = board;
    if (typeof mape !== 'number') return `${kind}: no model${board.error ? ` (${board.error})` : ''}.`;
    return `${kind}: MAPE ${percent(mape)} with ${count(board.samples)} samples (repeatability ${percent(repeated)}, random sampling ${percent(random)}).${energyOf(board)}`;
}

export function results(doc) {
    const boards = boardsOf(doc), bars = errorBars('Error on layers that the model never saw');
    bars.update(boards);
    const parts = [el('ul', {class: 'verdicts'}, boards.map((board) => el('li', {}, verdict(board)))), charts(bars)];
    const fell = boards.filter((board) => board.history?.length > 1);
    if (fell.length) {
        const history = historyChart('Error against samples');
        history.update(fell);
        parts.push(charts(history));
    }
    return parts;
}
