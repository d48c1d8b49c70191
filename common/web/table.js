// SPDX-License-Identifier: Apache-2.0
/* table.js - a table that is shown again and again with other values: rows are known by their key, and only cells whose content changed are
 * touched, so that focus and selection stay where they are and a page of rows costs well under a frame.
 *
 * A column is {id, title, class?, text(row)} or, where a cell is more than text, {..., same(row), draw(row)}: draw() is called only when the text that
 * same() returns has changed. {value(row)} makes a column sortable; a column {head: true} names its row. */
import {el, replace, setAttr, setText} from './dom.js';

function header(column, onSort) {
    if (!column.value) return el('th', {scope: 'col', class: column.class}, column.title);
    return el('th', {scope: 'col', class: column.class}, el('button', {type: 'button', class: 'sort', onclick: () => onSort(column)}, column.title));
}

function by(column, down) {
    return (a, b) => {
        const x = column.value(a), y = column.value(b);
        if (x === y) return 0;
        if (x === null || x === undefined) return 1; /* unknown comes last, whichever way */
        if (y === null || y === undefined) return -1;
        return (x < y ? -1 : 1) * (down ? -1 : 1);
    };
}

/* `detail`, if there is one, is {id, is(key), draw(row)}: draw() makes {node, update(row)} that stands below a row while is(its key); what opens
 * it is an element with aria-expanded in the row, kept right here. `sort` is
 * {column, down} or null, onSort gets it changed. `bare`: the caption is for screen readers only, since a heading above says the same.
 * Returns {node, update(rows)}; rows come as they are to be shown if nothing is sorted. */
export function makeTable({caption, columns, key, bare = false, empty = 'Nothing to show.', detail = null, sort = null, onSort = null}) {
    const heads = columns.map((column) => header(column, sorted));
    const body = el('tbody');
    const none = el('p', {class: 'empty', hidden: true}, empty);
    const table = el('table', {}, el('caption', {class: bare ? 'hidden' : null}, caption), el('thead', {}, el('tr', {}, heads)), body);
    /* Wider than the screen, it scrolls by itself: with the keyboard too. */
    const node = el('div', {class: 'table'}, el('div', {class: 'scroll', role: 'region', tabindex: '0', 'aria-label': caption}, table), none);
    const shown = new Map(); /* key -> {tr, cells, texts, more} */
    let last = [];

    function sorted(column) {
        sort = sort?.column === column.id ? {column: column.id, down: !sort.down} : {column: column.id, down: Boolean(column.down)};
        onSort?.(sort);
        update(last);
    }

    function make() {
        const cells = columns.map((column) => (column.head ? el('th', {scope: 'row', class: column.class}) : el('td', {class: column.class})));
        return {tr: el('tr', {}, cells), cells, texts: new Array(columns.length).fill(null), more: null};
    }

    function paint(line, row) {
        columns.forEach((column, i) => {
            const text = column.same ? column.same(row) : column.text(row);
            if (line.texts[i] === text) return;
            line.texts[i] = text;
            if (column.draw) replace(line.cells[i], column.draw(row));
            else setText(line.cells[i], text);
        });
    }

    function openDetail(line, row) {
        if (!line.more) {
            const made = detail.draw(row);
            line.more = {tr: el('tr', {class: 'detail'}, el('td', {colspan: columns.length}, made.node)), update: made.update};
        }
        line.more.update?.(row);
    }

    function put(tr, before) {
        if (before === tr) return before.nextSibling;
        body.insertBefore(tr, before);
        return before;
    }

    function update(rows) {
        last = rows;
        const chosen = sort && columns.find((column) => column.id === sort.column);
        columns.forEach((column, i) => {
            if (column.value) setAttr(heads[i], 'aria-sort', column === chosen ? (sort.down ? 'descending' : 'ascending') : 'none');
        });
        const order = chosen ? [...rows].sort(by(chosen, sort.down)) : rows;
        const wanted = new Set(order.map(key));
        const spare = []; /* rows of what is gone: taken over rather than made anew */
        for (const [id, line] of shown) {
            if (wanted.has(id)) continue;
            line.more?.tr.remove();
            line.more = null;
            spare.push(line);
            shown.delete(id);
        }
        let next = body.firstChild; /* where the row at hand belongs, or what stands there */
        for (const row of order) {
            const id = key(row);
            let line = shown.get(id);
            if (!line) shown.set(id, (line = spare.shift() ?? make()));
            paint(line, row);
            next = put(line.tr, next);
            const open = detail?.is(id) ?? false;
            setAttr(line.tr, 'class', open ? 'open' : null);
            const opener = detail && line.tr.querySelector('[aria-expanded]');
            if (opener) setAttr(opener, 'aria-expanded', String(open));
            if (open) {
                openDetail(line, row);
                next = put(line.more.tr, next);
            } else if (line.more) {
                if (next === line.more.tr) next = next.nextSibling;
                line.more.tr.remove();
                line.more = null;
            }
        }
        for (const line of spare) line.tr.remove();
        setAttr(none, 'hidden', rows.length > 0);
        setAttr(table, 'hidden', rows.length === 0);
    }
    return {node, update};
}
