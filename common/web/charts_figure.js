// SPDX-License-Identifier: Apache-2.0
/* charts_figure.js - the frame of every chart: a title, the drawing, what it shows in a sentence, and the same numbers as a table for those who read
 * rather than look. */
import {shapeIcon} from './charts_shapes.js';
import {makePlot} from './charts_plot.js';
import {el, replace, setAttr, setText} from './dom.js';
import {makeTable} from './table.js';

let serial = 0;

function legend(series) {
    return series.filter((one) => one.name).map(({name, shape, hollow}) => el('li', {}, shapeIcon(shape, hollow), name));
}

/* `draw(data)` makes {spec (charts_plot.js), finding: a sentence, columns and rows of the table (table.js), note?} of what update() is handed.
 * `choices`: {name: label} of switches that draw() is told of as its second argument, {name: bool}; `on`: those that are set at first; `onChoice(name, bool)`
 * is told when one is changed. Returns {node, update(data), destroy()}. */
export function makeFigure({title, draw, choices = {}, on = {}, onChoice = null}) {
    const id = `figure-${++serial}`;
    const set = Object.fromEntries(Object.keys(choices).map((name) => [name, Boolean(on[name])]));
    const finding = el('span', {class: 'finding'}), note = el('span', {class: 'chart-note'}), heading = el('span', {class: 'chart-title'}, title);
    const keys = el('ul', {class: 'chart-legend'}), place = el('div', {class: 'chart-drawing'}), tablePlace = el('div', {class: 'chart-numbers', hidden: true});
    const toggle = el('button', {type: 'button', 'aria-pressed': 'false', onclick: () => asTable(tablePlace.hidden)}, 'Show as table');
    const switches = Object.entries(choices).map(([name, label]) =>
        el('label', {class: 'chart-switch'}, el('input', {type: 'checkbox', checked: set[name], onchange: (event) => choose(name, event.target.checked)}), label));
    const node = el('figure', {class: 'chart', id, 'aria-labelledby': `${id}-title`},
        el('div', {class: 'chart-head'}, el('div', {id: `${id}-title`}, heading), el('div', {class: 'chart-tools'}, switches, toggle)),
        keys, place, tablePlace, el('figcaption', {}, finding, ' ', note));
    let plot = null, table = null, last = null;

    function choose(name, value) {
        set[name] = value;
        onChoice?.(name, value);
        update(last);
    }

    function asTable(wanted) {
        setAttr(tablePlace, 'hidden', !wanted);
        setAttr(place, 'hidden', wanted);
        setAttr(toggle, 'aria-pressed', wanted);
        setText(toggle, wanted ? 'Show as chart' : 'Show as table');
        if (wanted) fillTable(draw(last, set));
    }

    function fillTable({columns, rows}) {
        const numbered = rows.map((row, i) => ({...row, '#': i}));
        if (!table) {
            table = makeTable({caption: title, bare: true, columns, key: (row) => row['#']});
            replace(tablePlace, table.node);
        }
        table.update(numbered);
    }

    function update(data) {
        last = data;
        const drawn = draw(data, set);
        setText(finding, drawn.finding);
        setText(note, drawn.note ?? '');
        const named = legend(drawn.spec.series);
        replace(keys, named);
        setAttr(keys, 'hidden', named.length < 2);
        if (plot) plot.update(drawn.spec);
        else replace(place, (plot = makePlot(title, drawn.spec)).node);
        if (!tablePlace.hidden) fillTable(drawn);
    }
    return {node, update, destroy: () => plot?.destroy()};
}
