// SPDX-License-Identifier: Apache-2.0
/* charts_bars.js - bars beside their numbers: a table whose one column is drawn, so that it needs no other form for those who do not see it. */
import {el, replace, setText, svg} from './dom.js';

/* One row's bar, `most` wide: {value, low, high, marks: [{value, thin?}]}; an interval is a whisker, a mark a tick across. */
function bar({value, low, high, tone = 1, faint = false, marks = []}, most) {
    const at = (x) => `${Math.min(100, Math.max(0, (100 * x) / most))}%`;
    const whisker = Number.isFinite(low) && Number.isFinite(high) && high > low;
    return svg('svg', {class: `chart-bar series-${tone}${faint ? ' faint' : ''}`, width: '100%', height: 18, 'aria-hidden': 'true', focusable: 'false'},
        svg('rect', {class: 'track', x: 0, y: 4, width: '100%', height: 10, rx: 2}),
        Number.isFinite(value) && svg('rect', {class: 'fill', x: 0, y: 4, width: at(value), height: 10, rx: 2}),
        whisker && [
            svg('line', {class: 'whisker', x1: at(low), x2: at(high), y1: 9, y2: 9}),
            svg('line', {class: 'whisker', x1: at(low), x2: at(low), y1: 5, y2: 13}),
            svg('line', {class: 'whisker', x1: at(high), x2: at(high), y1: 5, y2: 13}),
        ],
        marks.filter((mark) => Number.isFinite(mark.value)).map((mark) => svg('line', {class: mark.thin ? 'mark thin' : 'mark', x1: at(mark.value), x2: at(mark.value), y1: 1, y2: 17})));
}

/* `columns`: [{title, text(row), class?}] after the bar. update({rows: [{label, value, low?, high?, tone?: 1..8, faint?, marks?, onclick?}], finding, most?}):
 * `label` names the row, a row with onclick is a button. Returns {node, update}. */
export function makeBars({title, head = '', measure = '', columns}) {
    const finding = el('figcaption', {}), body = el('tbody');
    const node = el('figure', {class: 'chart chart-bars'},
        el('div', {class: 'scroll', tabindex: '0', role: 'region', 'aria-label': title},
            el('table', {}, el('caption', {class: 'chart-title'}, title),
                el('thead', {}, el('tr', {}, el('th', {scope: 'col'}, head), el('th', {scope: 'col', class: 'chart-drawn'}, measure), columns.map((column) => el('th', {scope: 'col', class: column.class}, column.title)))),
                body)),
        finding);

    function line(row, most) {
        const label = row.onclick ? el('button', {type: 'button', 'aria-pressed': String(Boolean(row.pressed)), onclick: row.onclick}, row.label) : row.label;
        return el('tr', {}, el('th', {scope: 'row'}, label), el('td', {class: 'chart-drawn'}, bar(row, most)), columns.map((column) => el('td', {class: column.class}, column.text(row))));
    }

    return {
        node,
        update({rows, finding: text, most}) {
            const widest = most ?? Math.max(...rows.flatMap((row) => [row.value, row.high, ...(row.marks ?? []).map((mark) => mark.value)]).filter(Number.isFinite), 1e-9);
            replace(body, rows.map((row) => line(row, widest)));
            setText(finding, text ?? '');
        },
    };
}
