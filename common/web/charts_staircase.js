// SPDX-License-Identifier: Apache-2.0
/* charts_staircase.js - latency over one swept parameter, with the tiles that the found step width cuts it into (docs/steps.md). */
import {makeFigure} from './charts_figure.js';
import {latency, percent} from './format.js';
import {measureSteps, tilesOf} from './sweeps.js';

const LEVEL_PERCENT = 2; /* tiles whose points differ by less are drawn level */
const TILES = 80; /* more than that are too narrow to be seen: then none is drawn */

/* "97 % sure", "more than 99.9 % sure" */
function sure(confidence) {
    if (confidence === null || confidence === undefined) return '';
    return confidence > 0.999 ? ', more than 99.9 % sure' : `, ${(100 * confidence).toFixed(confidence > 0.99 ? 1 : 0)} % sure`;
}

/* "k: steps of 16, 99.4 % sure" */
export function stepWords({param, width, confidence}) {
    if (width === null || width === undefined) return `Whether ${param} has steps could not be told`;
    return width > 1 ? `${param}: steps of ${width}${sure(confidence)}` : `${param}: no step${sure(confidence)}`;
}

function finding(line) {
    const what = stepWords(line);
    if (!(line.width > 1)) return `${what}.`;
    const {spread_percent: spread, jump_percent: jump} = measureSteps(line);
    const within = spread === null ? '' : spread < 0.05 ? 'latency is level within a tile' : `latencies within a tile differ by ${percent(spread)}`;
    const over = jump === null ? '' : `where the next one begins it rises by ${percent(jump)}`;
    return `${[what, [within, over].filter(Boolean).join(', and ')].filter(Boolean).join('; ')}.`;
}

/* Every second tile is shaded; a tile that was measured has its level, or a line through its points where they differ. */
function tileMarks(line) {
    if (!(line.width > 1)) return [{type: 'line', points: line.points.map(({value, latency_ns}) => [value, latency_ns]), color: 'series-8', width: 1, dash: [2, 3]}];
    const tiles = tilesOf(line), last = tiles[tiles.length - 1].tile, marks = [];
    const level = (measureSteps(line).spread_percent ?? 0) <= LEVEL_PERCENT;
    if (last <= TILES) for (let i = 1; i <= last; i += 2) marks.push({type: 'band', from: i === 1 ? 0.5 : (i - 1) * line.width + 0.5, to: i * line.width + 0.5, color: 'sunken'});
    tiles.forEach(({tile, from, to, level_ns, points}, i) => {
        const next = tiles[i + 1]?.tile === tile + 1 ? [[to + 0.5, tiles[i + 1].level_ns]] : []; /* up to the next tile, if it was measured */
        const flat = [[from + 0.5, level_ns], [to + 0.5, level_ns], ...next];
        marks.push({type: 'line', points: level ? flat : points.map(({value, latency_ns}) => [value, latency_ns]), color: 'series-2', width: 2});
    });
    return marks;
}

function draw(line, {log = line.log}) {
    return {
        finding: finding(line),
        note: `Measured at ${line.base}${line.tied.length ? `, with ${line.tied.join(' and ')} as large as ${line.param}` : ''}: ${line.points.length} layers.`,
        columns: [
            {id: 'value', title: line.param, head: true, class: 'num', text: (row) => String(row.value)},
            {id: 'latency', title: 'latency', class: 'num', text: (row) => latency(row.latency_ns)},
            ...(line.width > 1 ? [{id: 'tile', title: `tile of ${line.width}`, class: 'num', text: (row) => String(Math.ceil(row.value / line.width))}] : []),
        ],
        rows: line.points,
        spec: {
            x: {label: line.param, format: String, log},
            y: {label: 'latency', format: latency, log, zero: true},
            series: [{shape: 0, points: line.points.map(({value, latency_ns}) => ({x: value, y: latency_ns, text: `${line.param} = ${value}: ${latency(latency_ns)}`}))}],
            marks: tileMarks(line),
        },
    };
}

/* A figure of one line (sweeps.js): update(line). With `choices` {} it has no switch of its own, and line.log tells. */
export function staircaseChart(line, options = {}) {
    const figure = makeFigure({title: `${line.param} of ${line.layer} on ${line.kind}`, draw, choices: {log: 'logarithmic'}, ...options});
    figure.update(line);
    return figure;
}
