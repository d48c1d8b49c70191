// SPDX-License-Identifier: Apache-2.0
/* networks.js - whole networks, estimated and measured; and what makes blocks of layers: fusion rules, and what lies between blocks. */
import {makeBars} from '../../common/web/charts.js';
import {el} from '../../common/web/dom.js';
import {count, latency, percent} from '../../common/web/format.js';
import {boardsOf, charts, numberColumn, table, textColumn} from './parts.js';

export function fusion(doc) {
    const boards = boardsOf(doc), rules = boards.flatMap((board) => (board.fusion ?? []).map((rule) => ({board: board.kind, ...rule})));
    const between = boards.filter((board) => board.between_ns > 0);
    if (rules.length === 0 && between.length === 0) return null;
    return [
        el('p', {}, 'What an activation adds to the layer before it: nothing where the board executes both as one.'),
        table('Fusion rules', [
            textColumn('board', (row) => row.board, {head: true}), textColumn('layer', (row) => row.layer), textColumn('followed by', (row) => row.follower), textColumn('rule', (row) => row.rule),
            numberColumn('measured', (row) => count(row.measured), (row) => row.measured), numberColumn('adds', (row) => percent(row.added_percent), (row) => row.added_percent),
        ], rules),
        between.map((board) => el('p', {}, `On ${board.kind} each block of a network after the first takes ${latency(board.between_ns)} besides its own time, as ${count(board.between_chains)} chains tell.`)),
    ];
}

/* "2.1 % too high" */
function off(error) {
    return Math.abs(error) < 0.005 ? 'as measured' : `${percent(Math.abs(error))} too ${error > 0 ? 'high' : 'low'}`;
}

function ofNetwork(name, rows) {
    const bars = makeBars({
        title: name, head: 'board', measure: 'estimate, with the measured latency (mark)',
        columns: [
            {title: 'estimated', class: 'num', text: (row) => latency(row.value)},
            {title: 'measured', class: 'num', text: (row) => latency(row.of.measured_ns)},
            {title: 'error', class: 'num', text: (row) => percent(row.of.error_percent)},
            {title: 'blocks modelled', class: 'num', text: (row) => `${count(row.of.modelled_blocks)} of ${count(row.of.blocks)}`},
        ],
    });
    const known = rows.filter((row) => Number.isFinite(row.error_percent));
    bars.update({
        rows: [...rows].sort((a, b) => a.estimated_ns - b.estimated_ns).map((of) => ({of, label: of.kind, value: of.estimated_ns, marks: [{value: of.measured_ns}]})),
        finding: known.map((row) => `${row.kind}: the sum of the estimates is ${off(row.error_percent)}${Number.isFinite(row.energy_error_percent) ? `, that of their energy ${off(row.energy_error_percent)}` : ''}.`).join(' '),
    });
    return bars;
}

export function networks(doc) {
    const all = doc.summary.networks ?? [];
    if (all.length === 0) return null;
    const names = [...new Set(all.map((network) => network.name))];
    return [
        el('p', {}, 'The blocks that a board’s model covers, estimated and summed, against the same blocks measured back to back.'),
        charts(...names.map((name) => ofNetwork(name, all.filter((network) => network.name === name)))),
    ];
}
