// SPDX-License-Identifier: Apache-2.0
/* parts.js - what several sections of the report show. */
import {el} from '../../common/web/dom.js';
import {DASH} from '../../common/web/format.js';
import {makeTable} from '../../common/web/table.js';

/* Always whole and in UTC: a report is read elsewhere and later. */
export function date(wall_ms) {
    return typeof wall_ms === 'number' && wall_ms > 0 ? `${new Date(wall_ms).toISOString().slice(0, 16).replace('T', ' ')} UTC` : DASH;
}

/* A table that stays as it is. A heading above it says what it is to those who see it. */
export function table(caption, columns, rows) {
    const made = makeTable({caption, bare: true, columns, key: (row) => rows.indexOf(row)});
    made.update(rows);
    return made.node;
}

export const textColumn = (title, text, more = {}) => ({id: title, title, text, ...more});
export const numberColumn = (title, text, value) => ({id: title, title, class: 'num', text, value, down: true});

export function charts(...figures) {
    return el('div', {class: 'charts'}, figures.map((figure) => el('div', {class: 'card'}, figure.node)));
}

export const boardsOf = (doc) => doc.summary.boards ?? [];
