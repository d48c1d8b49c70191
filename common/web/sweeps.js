// SPDX-License-Identifier: Apache-2.0
/* sweeps.js - the swept layers of a board's summary, sorted into the lines that they were measured for: in one, a single parameter varies (with
 * those tied to it) while the others stay at a base point. docs/steps.md tells why there are several base points. */
import {formatParams, parseLayer} from './layers.js';

const LEAST = 3; /* points that make a line */

/* Equal but for `param` and what follows it (as cli/staircase.c has it). */
function siblings(a, b, param) {
    return Object.keys(a).every((q) => a[q] === b[q] || (a[q] === a[param] && b[q] === b[param]));
}

/* The families of siblings, the largest first. */
function families(layers, param) {
    const found = [];
    let rest = layers.filter((layer) => param in layer.params);
    while (rest.length >= LEAST) {
        const size = (head) => rest.filter((other) => siblings(head.params, other.params, param)).length;
        const head = rest.reduce((best, layer) => (size(layer) > size(best) ? layer : best));
        const family = rest.filter((other) => siblings(head.params, other.params, param));
        if (family.length < LEAST) break;
        found.push(family);
        rest = rest.filter((layer) => !family.includes(layer));
    }
    return found;
}

/* What of the other parameters stays the same in the line: "c = 35, h = w = 28". */
function baseOf(family, param) {
    const first = family[0].params;
    const moving = Object.keys(first).filter((q) => q === param || family.some((layer) => layer.params[q] !== first[q]));
    return {base: formatParams(first, moving), tied: moving.filter((q) => q !== param)};
}

/* All lines of a board (an entry of summary.boards): [{kind, layer, param, tied, base, width, confidence, points: [{value, latency_ns}]}], in the
 * order of its steps. `width`: 1: no step; null: unknown; `confidence` 0..1 or null. */
export function sweepLines(board) {
    const layers = (board.sweeps ?? []).map(({layer, latency_ns}) => ({...parseLayer(layer), latency_ns}));
    const lines = [];
    for (const [kind, widths] of Object.entries(board.steps ?? {})) {
        const ofKind = layers.filter((layer) => layer.kind === kind);
        for (const [param, width] of Object.entries(widths)) {
            for (const family of families(ofKind, param)) {
                const points = family.map(({params, latency_ns}) => ({value: params[param], latency_ns})).sort((a, b) => a.value - b.value);
                lines.push({kind: board.kind, layer: kind, param, ...baseOf(family, param), width, confidence: board.step_confidence?.[kind]?.[param] ?? null, points});
            }
        }
    }
    return lines;
}

const median = (xs) => [...xs].sort((a, b) => a - b)[xs.length >> 1] ?? null;

/* The tiles that a line's points fall into: [{tile, from, to, level_ns, points}], first to last. */
export function tilesOf(line) {
    const tiles = new Map();
    for (const point of line.points) {
        const tile = Math.ceil(point.value / line.width);
        if (!tiles.has(tile)) tiles.set(tile, {tile, from: (tile - 1) * line.width, to: tile * line.width, points: []});
        tiles.get(tile).points.push(point);
    }
    return [...tiles.values()].map((tile) => ({...tile, level_ns: median(tile.points.map((point) => point.latency_ns))}));
}

/* What the line shows, in medians: {spread_percent: by how much latencies of one tile differ, jump_percent: what latency rises by over an edge whose
 * two sides were measured}; null where the points cannot tell. */
export function measureSteps(line) {
    const spreads = tilesOf(line).filter((tile) => tile.points.length > 1).map(({points}) => {
        const all = points.map((point) => point.latency_ns);
        return 100 * (Math.max(...all) / Math.min(...all) - 1);
    });
    const jumps = line.points.slice(1).flatMap((after, i) => {
        const before = line.points[i], edges = Math.ceil(after.value / line.width) - Math.ceil(before.value / line.width);
        const near = after.value - before.value <= Math.max(1, line.width / 4);
        return edges === 1 && near ? [100 * (after.latency_ns / before.latency_ns - 1)] : [];
    });
    return {spread_percent: median(spreads), jump_percent: median(jumps)};
}
