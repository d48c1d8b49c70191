// SPDX-License-Identifier: Apache-2.0
/* staircases.js - what steps were found, and the sweep of each parameter that has some; lines at other base points and of parameters without
 * steps are folded away. */
import {staircaseChart} from '../../common/web/charts.js';
import {el} from '../../common/web/dom.js';
import {counted, DASH} from '../../common/web/format.js';
import {sweepLines} from '../../common/web/sweeps.js';
import {boardsOf, charts, table, textColumn} from './parts.js';

/* "16 (99.6 %)": a step's width, or nothing, and how sure the search was. */
function sure(board, layer, param) {
    const confidence = board.step_confidence?.[layer]?.[param];
    if (typeof confidence !== 'number') return '';
    return confidence > 0.999 ? ' (> 99.9 %)' : ` (${(100 * confidence).toFixed(1)} %)`;
}

/* A row a layer kind: which of its parameters have steps, which have none, and which nobody could tell. */
function widthRows(boards) {
    return boards.flatMap((board) => Object.entries(board.steps ?? {}).map(([layer, widths]) => {
        const list = (wanted, words) => Object.entries(widths).filter(([, width]) => wanted(width)).map(([param, width]) => `${param}${words(width)}${width === null ? '' : sure(board, layer, param)}`).join(', ') || DASH;
        return {
            kind: board.kind, layer,
            steps: list((width) => width > 1, (width) => ` = ${width}`),
            none: list((width) => width !== null && width <= 1, () => ''),
            unknown: list((width) => width === null, () => ''),
        };
    }));
}

function ofBoard(board) {
    const lines = sweepLines(board), shown = new Set();
    const first = lines.filter((line) => line.width > 1 && !shown.has(`${line.layer} ${line.param}`) && shown.add(`${line.layer} ${line.param}`));
    const others = lines.filter((line) => !first.includes(line));
    if (lines.length === 0) return null;
    return [
        el('h3', {}, board.kind),
        first.length ? charts(...first.map((line) => staircaseChart(line))) : el('p', {}, 'No steps were found.'),
        others.length ? el('details', {}, el('summary', {}, `${counted(others.length, 'more sweep')}: other base points, and parameters without steps`), charts(...others.map((line) => staircaseChart(line)))) : null,
    ];
}

export function staircases(doc) {
    const boards = boardsOf(doc), rows = widthRows(boards);
    if (rows.length === 0) return null;
    return [
        el('p', {}, 'A machine that computes in tiles takes no longer while a tile fills up, and jumps where the next one begins. The width of these steps was given or found by sweeping one parameter at a time; a confidence is told where it was searched for.'),
        table('Step widths', [
            textColumn('board', (row) => row.kind, {head: true}), textColumn('layer', (row) => row.layer), textColumn('step widths', (row) => row.steps),
            textColumn('no step', (row) => row.none), textColumn('could not be told', (row) => row.unknown),
        ], rows),
        boards.map(ofBoard),
    ];
}
