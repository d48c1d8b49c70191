// SPDX-License-Identifier: Apache-2.0
/* charts_history.js - how the error falls while layers are measured: a model of each helping, judged by the validation layers. */
import {makeFigure} from './charts_figure.js';
import {count, percent} from './format.js';

const columns = [
    {id: 'board', title: 'board', head: true, text: (row) => row.kind},
    {id: 'samples', title: 'samples', class: 'num', text: (row) => count(row.samples)},
    {id: 'mape', title: 'MAPE', class: 'num', text: (row) => percent(row.mape_percent)},
];

function finding(boards) {
    return boards.filter(({history}) => history.length).map(({kind, history}) => {
        const first = history[0], last = history[history.length - 1];
        if (history.length === 1) return `${kind}: ${percent(last.mape_percent)} with ${count(last.samples)} samples.`;
        return `${kind}: from ${percent(first.mape_percent)} with ${count(first.samples)} samples to ${percent(last.mape_percent)} with ${count(last.samples)}.`;
    }).join(' ') || 'No model has been made yet.';
}

/* What the last model is compared with, drawn as levels where there is one board only. */
function levels(boards, log) {
    if (boards.length !== 1) return [];
    const [{repeatability_percent: repeated, random_baseline_mape_percent: random}] = boards;
    const marks = [];
    const level = (y, text, dash) => {
        if (!Number.isFinite(y) || (log && y <= 0)) return;
        marks.push({type: 'level', y, color: 'series-8', width: 1.5, dash}, {type: 'words', y, text});
    };
    level(repeated, `repeatability ${percent(repeated)}`, [6, 4]);
    level(random, `random sampling ${percent(random)}`, [2, 3]);
    return marks;
}

function draw(boards, {log}) {
    const known = boards.map((board) => ({...board, history: board.history ?? []}));
    const marks = known.map(({history}, shape) => ({type: 'line', points: history.filter(({mape_percent}) => !log || mape_percent > 0).map(({samples, mape_percent}) => [samples, mape_percent]), color: `series-${(shape % 8) + 1}`}));
    const [one] = known.length === 1 ? known : [{}];
    const top = Math.max(...known.flatMap(({history}) => history.map((h) => h.mape_percent)), ...(log ? [] : [one.repeatability_percent ?? 0, one.random_baseline_mape_percent ?? 0]), 0);
    return {
        finding: finding(known),
        note: 'Each point is a model of the layers measured until then, judged on the validation layers.',
        columns,
        rows: known.flatMap(({kind, history}) => history.map((h) => ({kind, ...h}))),
        spec: {
            x: {label: 'samples', format: count, zero: true},
            y: {label: 'MAPE', format: (x) => `${x} %`, zero: true, log, ...(log || top === 0 ? {} : {to: top * 1.12})},
            height: 240,
            series: known.map(({kind, history}, shape) => ({name: kind, shape, size: 4, points: history.map(({samples, mape_percent}) => ({x: samples, y: mape_percent, text: `${kind}, ${count(samples)} samples: MAPE ${percent(mape_percent)}`}))})),
            marks: [...marks, ...levels(known, log)],
        },
    };
}

/* update([{kind, history: [{samples, mape_percent}], repeatability_percent, random_baseline_mape_percent}]) */
export function historyChart(title) {
    return makeFigure({title, draw, choices: {log: 'logarithmic'}});
}
