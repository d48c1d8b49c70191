// SPDX-License-Identifier: Apache-2.0
/* accuracy.js - each board's model against the validation layers, by layer kind, and Performance Representatives against random layers. */
import {byLayerKind, coverage, makeBars, mape, repeatability, residualChart, scatterChart} from '../../common/web/charts.js';
import {el} from '../../common/web/dom.js';
import {count, percent} from '../../common/web/format.js';
import {boardsOf, charts, numberColumn, table, textColumn} from './parts.js';

function kindBars(board, rows) {
    const trained = Object.fromEntries((board.layers ?? []).map((layer) => [layer.kind, layer]));
    const bars = makeBars({
        title: `Error by layer kind on ${board.kind}`, head: 'layer', measure: 'MAPE, with repeatability (mark)',
        columns: [
            {title: 'MAPE', class: 'num', text: (row) => percent(row.value)},
            {title: 'repeatability', class: 'num', text: (row) => percent(row.repeated)},
            {title: 'in 90 % interval', class: 'num', text: (row) => percent(row.covered)},
            {title: 'judged on', class: 'num', text: (row) => count(row.judged)},
            {title: 'trained on', class: 'num', text: (row) => count(trained[row.label]?.samples)},
            {title: 'regressor', text: (row) => trained[row.label]?.regressor ?? ''},
        ],
    });
    const inside = coverage(rows);
    bars.update({
        rows: byLayerKind(rows).map(([label, of]) => ({label, value: mape(of), repeated: repeatability(of), covered: coverage(of), judged: of.length, marks: [{value: repeatability(of)}]})),
        finding: inside === null ? '' : `${percent(inside)} of the validation layers lie within the model's 90 % interval.`,
    });
    return bars;
}

function ofBoard(doc, board) {
    const rows = doc.evaluation[board.kind] ?? [];
    if (rows.length === 0) return null;
    const scatter = scatterChart(`Estimated against measured, ${board.kind}`), residuals = residualChart(`Error over latency, ${board.kind}`);
    for (const figure of [scatter, residuals]) figure.update({kind: board.kind, rows});
    return [el('h3', {}, board.kind), charts(scatter, residuals), charts(kindBars(board, rows))];
}

function samplings(boards) {
    return boards.flatMap((board) => Object.entries(board.sampling ?? {}).map(([layer, of]) => ({kind: board.kind, layer, ...of})));
}

export function accuracy(doc) {
    const boards = boardsOf(doc), compared = samplings(boards).filter((row) => row.compared > 0);
    const parts = boards.map((board) => ofBoard(doc, board)).filter(Boolean);
    if (parts.length === 0 && compared.length === 0) return null;
    return [parts, compared.length === 0 ? null : [
        el('h3', {}, 'Representatives against random layers'),
        el('p', {}, 'Models of equally many layers of each sort, judged on layers that none of them saw; the rest of the sample followed the choice.'),
        table('Representatives against random layers', [
            textColumn('board', (row) => row.kind, {head: true}), textColumn('layer', (row) => row.layer), textColumn('choice', (row) => row.choice),
            numberColumn('layers of each sort', (row) => count(row.compared), (row) => row.compared),
            numberColumn('representatives', (row) => percent(row.representatives_error_percent), (row) => row.representatives_error_percent),
            numberColumn('random', (row) => percent(row.random_error_percent), (row) => row.random_error_percent),
            numberColumn('half of each', (row) => percent(row.mixed_error_percent), (row) => row.mixed_error_percent),
        ], compared),
    ]];
}
