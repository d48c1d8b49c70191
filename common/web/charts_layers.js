// SPDX-License-Identifier: Apache-2.0
/* charts_layers.js - how well a board's model does by layer kind, and what its sample was made of; in the dashboard and in the report. `board` is
 * one of a summary's, `rows` are those of the operation "evaluation". */
import {byLayerKind, coverage, mape, repeatability} from './charts_accuracy.js';
import {makeBars} from './charts_bars.js';
import {count, percent} from './format.js';

const LEAST_PERCENT = 1; /* a bar of less is short, however short the others are */

/* {node, update({board, rows})} */
export function layerBars(title) {
    const bars = makeBars({
        title, head: 'layer', measure: 'MAPE, with repeatability (mark)',
        columns: [
            {title: 'MAPE', class: 'num', text: (row) => percent(row.value)},
            {title: 'repeatability', class: 'num', text: (row) => percent(row.repeated)},
            {title: 'in 90 % interval', class: 'num', text: (row) => percent(row.covered)},
            {title: 'judged on', class: 'num', text: (row) => count(row.judged)},
            {title: 'trained on', class: 'num', text: (row) => count(row.trained?.samples)},
            {title: 'regressor', text: (row) => row.trained?.regressor ?? ''},
        ],
    });
    return {
        node: bars.node,
        update({board, rows}) {
            const trained = Object.fromEntries((board.layers ?? []).map((layer) => [layer.kind, layer]));
            const lines = byLayerKind(rows).map(([label, of]) => ({
                label, value: mape(of), repeated: repeatability(of), covered: coverage(of), judged: of.length, trained: trained[label], marks: [{value: repeatability(of)}],
            }));
            const inside = coverage(rows);
            bars.update({
                rows: lines, most: Math.max(LEAST_PERCENT, ...lines.flatMap((line) => [line.value ?? 0, line.repeated ?? 0])),
                finding: inside === null ? '' : `${percent(inside)} of the validation layers lie within the model’s 90 % interval.`,
            });
        },
    };
}

/* {node, update(boards)}: each board's error beside what it must be compared with. */
export function errorBars(title) {
    const bars = makeBars({
        title, head: 'board', measure: 'MAPE, with repeatability (mark) and random sampling (dashed)',
        columns: [
            {title: 'MAPE', class: 'num', text: (row) => percent(row.value)},
            {title: 'repeatability', class: 'num', text: (row) => percent(row.board.repeatability_percent)},
            {title: 'random sampling', class: 'num', text: (row) => percent(row.board.random_baseline_mape_percent)},
            {title: 'within ±10 %', class: 'num', text: (row) => percent(row.board.validation?.within_10_percent)},
            {title: 'samples', class: 'num', text: (row) => count(row.board.samples)},
        ],
    });
    return {
        node: bars.node,
        update(boards) {
            const marks = (board) => [{value: board.repeatability_percent}, {value: board.random_baseline_mape_percent, thin: true}];
            bars.update({
                rows: boards.map((board) => ({board, label: board.kind, value: board.mape_percent, marks: marks(board)})),
                most: Math.max(LEAST_PERCENT, ...boards.flatMap((board) => [board.mape_percent ?? 0, ...marks(board).map((mark) => mark.value ?? 0)])),
                finding: 'MAPE is the mean of |estimate − measurement| / measurement over layers that the model never saw. Repeatability is the same between two measurements of them: no model can be told to be better. Random sampling is the MAPE of the same kind of model made of as many layers drawn at random.',
            });
        },
    };
}

/* Performance Representatives against random layers: rows and columns of a table (table.js). */
export function samplingRows(boards) {
    return boards.flatMap((board) => Object.entries(board.sampling ?? {}).filter(([, of]) => of.compared > 0).map(([layer, of]) => ({kind: board.kind, layer, ...of})));
}

const number = (title, text, value) => ({id: title, title, class: 'num', text, value, down: true});
export const samplingColumns = [
    {id: 'board', title: 'board', head: true, text: (row) => row.kind},
    {id: 'layer', title: 'layer', text: (row) => row.layer},
    {id: 'choice', title: 'taken', text: (row) => row.choice},
    number('layers of each sort', (row) => count(row.compared), (row) => row.compared),
    number('representatives', (row) => percent(row.representatives_error_percent), (row) => row.representatives_error_percent),
    number('random', (row) => percent(row.random_error_percent), (row) => row.random_error_percent),
    number('half of each', (row) => percent(row.mixed_error_percent), (row) => row.mixed_error_percent),
];
