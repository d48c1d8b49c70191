// SPDX-License-Identifier: Apache-2.0
/* results.js - the error of each board's model beside what it must be compared with, and how it fell. */
import {historyChart, makeBars} from '../../common/web/charts.js';
import {el} from '../../common/web/dom.js';
import {count, percent} from '../../common/web/format.js';
import {boardsOf, charts} from './parts.js';

function verdict(board) {
    const {kind, mape_percent: mape, repeatability_percent: repeated, random_baseline_mape_percent: random} = board;
    if (typeof mape !== 'number') return `${kind}: no model${board.error ? ` (${board.error})` : ''}.`;
    return `${kind}: off by ${percent(mape)} on average with ${count(board.samples)} samples; two measurements differ by ${percent(repeated)}, a model of as many random layers is off by ${percent(random)}.`;
}

function errorBars(boards) {
    const bars = makeBars({
        title: 'Error on layers that the model never saw', head: 'board', measure: 'MAPE, with repeatability (thick mark) and random sampling (dashed)',
        columns: [
            {title: 'MAPE', class: 'num', text: (row) => percent(row.value)},
            {title: 'repeatability', class: 'num', text: (row) => percent(row.board.repeatability_percent)},
            {title: 'random sampling', class: 'num', text: (row) => percent(row.board.random_baseline_mape_percent)},
            {title: 'within ±10 %', class: 'num', text: (row) => percent(row.board.validation?.within_10_percent)},
            {title: 'samples', class: 'num', text: (row) => count(row.board.samples)},
        ],
    });
    bars.update({
        rows: boards.map((board) => ({
            board, label: board.kind, value: board.mape_percent,
            marks: [{value: board.repeatability_percent}, {value: board.random_baseline_mape_percent, thin: true}],
        })),
        finding: 'MAPE is the mean of |estimate − measurement| / measurement over the validation layers. Repeatability is the same between two measurements of them: no model can be told to be better. Random sampling is the MAPE of the same kind of model made of as many layers drawn at random.',
    });
    return bars;
}

export function results(doc) {
    const boards = boardsOf(doc);
    const parts = [el('ul', {class: 'verdicts'}, boards.map((board) => el('li', {}, verdict(board)))), charts(errorBars(boards))];
    const fell = boards.filter((board) => board.history?.length > 1);
    if (fell.length) {
        const history = historyChart('Error against samples');
        history.update(fell);
        parts.push(charts(history));
    }
    return parts;
}
