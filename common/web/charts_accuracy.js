// SPDX-License-Identifier: Apache-2.0
/* charts_accuracy.js - a model against the layers that it never saw: `rows` are those of the operation "evaluation". */
import {makeFigure} from './charts_figure.js';
import {SERIES} from './charts_shapes.js';
import {count, latency, percent} from './format.js';
import {formatParams, parseLayer} from './layers.js';

const BAND = 10; /* percent, as papers quote it */

export const errorPercent = (row) => (100 * (row.estimated_ns - row.measured_ns)) / row.measured_ns;
const usable = (rows) => rows.filter((row) => row.measured_ns > 0 && row.estimated_ns > 0);
const mean = (xs) => (xs.length ? xs.reduce((sum, x) => sum + x, 0) / xs.length : null);

export function mape(rows) {
    return mean(usable(rows).map((row) => Math.abs(errorPercent(row))));
}

/* The same between the first two measurements of each layer: what no model can be told to be better than. */
export function repeatability(rows) {
    return mean(rows.filter((row) => row.repeats_ns?.length > 1).map(({repeats_ns: [a, b]}) => (100 * Math.abs(a - b)) / b));
}

/* Share of the layers whose measurement lies within the 90 % interval, in percent. */
export function coverage(rows) {
    return mean(usable(rows).map((row) => (row.measured_ns >= row.low_ns && row.measured_ns <= row.high_ns ? 100 : 0)));
}

/* [[layer kind, its rows]], the most frequent first. */
export function byLayerKind(rows) {
    const groups = new Map();
    for (const row of rows) groups.set(row.layer_kind, [...(groups.get(row.layer_kind) ?? []), row]);
    return [...groups].sort((a, b) => b[1].length - a[1].length);
}

/* A series a layer kind; those beyond what shapes can tell apart share the last one. */
function seriesOf(rows, point) {
    const groups = byLayerKind(usable(rows)), own = groups.slice(0, groups.length > SERIES ? SERIES - 1 : SERIES);
    const others = groups.slice(own.length).flatMap(([, of]) => of);
    return [...own, ...(others.length ? [['others', others]] : [])].map(([name, of], shape) => ({name, shape, size: 3, points: of.map(point)}));
}

function words(row) {
    const error = errorPercent(row);
    return `${row.layer_kind} ${formatParams(parseLayer(row.layer).params)}: measured ${latency(row.measured_ns)}, estimated ${latency(row.estimated_ns)} (${error >= 0 ? '+' : ''}${percent(error)})`;
}

const columns = [
    {id: 'layer', title: 'layer', head: true, text: (row) => `${row.layer_kind} ${formatParams(parseLayer(row.layer).params)}`},
    {id: 'measured', title: 'measured', class: 'num', text: (row) => latency(row.measured_ns), value: (row) => row.measured_ns},
    {id: 'estimated', title: 'estimated', class: 'num', text: (row) => latency(row.estimated_ns), value: (row) => row.estimated_ns},
    {id: 'low', title: '90 % from', class: 'num', text: (row) => latency(row.low_ns)},
    {id: 'high', title: 'to', class: 'num', text: (row) => latency(row.high_ns)},
    {id: 'error', title: 'error', class: 'num', text: (row) => percent(errorPercent(row)), value: (row) => Math.abs(errorPercent(row))},
];

function within(rows, limit) {
    const all = usable(rows);
    return all.length ? (100 * all.filter((row) => Math.abs(errorPercent(row)) <= limit).length) / all.length : null;
}

function drawScatter({kind, rows}) {
    const all = usable(rows), values = all.flatMap((row) => [row.measured_ns, row.estimated_ns]);
    const from = Math.min(...values) / 1.15, to = Math.max(...values) * 1.15;
    const limits = all.length ? {from, to} : {};
    return {
        finding: all.length ? `On ${count(all.length)} layers that it never saw, the model of ${kind} is off by ${percent(mape(rows))} on average; ${percent(within(rows, BAND))} of them are within ±${BAND} %.`
            : `Nothing to compare: no validation layer of ${kind} is measured and estimated yet.`,
        note: all.length ? `The band is ±${BAND} % around the line where estimate and measurement agree.` : '',
        columns, rows: all,
        spec: {
            x: {label: 'measured', format: latency, log: true, ...limits},
            y: {label: 'estimated', format: latency, log: true, ...limits},
            height: 340,
            series: seriesOf(rows, (row) => ({x: row.measured_ns, y: row.estimated_ns, text: words(row)})),
            marks: all.length === 0 ? [] : [
                {type: 'area', points: [from, to].map((x) => [x, x * (1 - BAND / 100), x * (1 + BAND / 100)]), color: 'band'},
                {type: 'line', points: [[from, from], [to, to]], color: 'line-strong', width: 1},
            ],
        },
    };
}

function drawResiduals({kind, rows}) {
    const all = usable(rows), errors = all.map(errorPercent), worst = Math.max(0, ...errors.map(Math.abs));
    const bias = mean(errors), reach = Math.max(1, worst * 1.25);
    const lean = bias === null ? '' : Math.abs(bias) < 0.05 ? 'Estimates lean to neither side' : `Estimates are ${percent(Math.abs(bias))} too ${bias > 0 ? 'high' : 'low'} on average`;
    return {
        finding: all.length ? `${lean}; the worst is off by ${percent(worst)}.` : `Nothing to compare on ${kind} yet.`,
        note: reach > BAND ? `The band is ±${BAND} %.` : '',
        columns, rows: all,
        spec: {
            x: {label: 'measured', format: latency, log: true},
            y: {label: 'error', format: (x) => `${x > 0 ? '+' : ''}${x} %`, from: -reach, to: reach},
            height: 340,
            series: seriesOf(rows, (row) => ({x: row.measured_ns, y: errorPercent(row), text: words(row)})),
            marks: [{type: 'across', from: -BAND, to: BAND, color: 'band'}, {type: 'level', y: 0, color: 'line-strong'}],
        },
    };
}

/* Estimated against measured; update({kind, rows}). */
export function scatterChart(title) {
    return makeFigure({title, draw: drawScatter});
}

/* The error over the latency; update({kind, rows}). */
export function residualChart(title) {
    return makeFigure({title, draw: drawResiduals});
}

