// SPDX-License-Identifier: Apache-2.0
/* accuracy.js - each board's model against the validation layers, by layer kind, and Performance Representatives against random layers. */
import {layerBars, residualChart, samplingColumns, samplingRows, scatterChart} from '../../common/web/charts.js';
import {el} from '../../common/web/dom.js';
import {boardsOf, charts, table} from './parts.js';

function ofBoard(doc, board) {
    const rows = doc.evaluation[board.kind] ?? [];
    if (rows.length === 0) return null;
    const scatter = scatterChart(`Estimated against measured, ${board.kind}`), residuals = residualChart(`Error over latency, ${board.kind}`), bars = layerBars(`Error by layer kind, ${board.kind}`);
    for (const figure of [scatter, residuals]) figure.update({kind: board.kind, rows});
    bars.update({board, rows});
    return [el('h3', {}, board.kind), charts(scatter, residuals), charts(bars)];
}

export function accuracy(doc) {
    const boards = boardsOf(doc), compared = samplingRows(boards);
    const parts = boards.map((board) => ofBoard(doc, board)).filter(Boolean);
    if (parts.length === 0 && compared.length === 0) return null;
    return [parts, compared.length === 0 ? null : [
        el('h3', {}, 'Representatives against random layers'),
        el('p', {}, 'Models of equally many layers of each sort, judged on layers that none of them saw; the rest of the sample followed what was taken.'),
        table('Representatives against random layers', samplingColumns, compared),
    ]];
}
