// SPDX-License-Identifier: Apache-2.0
/* charts_plot.js - points and lines over two axes. uPlot has the axes, the pointer and zooming by dragging (a double click goes back); what is drawn
 * between the axes is drawn here, since our charts are of kinds that it lacks: shapes, intervals, bands, levels.
 *
 * Colours are custom properties of palette.css, read anew with each drawing. The pointer and the arrow keys go from point to point, and what the point
 * is stands in words beside it. On paper a chart is light and as wide as the page. */
import './charts_density.js';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import {drawShape} from './charts_shapes.js';
import {extent, ticks} from './charts_scale.js';
import {el, setText} from './dom.js';
import {onThemeChange, token} from './theme.js';

const NEAR = 28; /* pixels around the pointer in which a point is meant */
const PAPER = 640; /* pixels, a page's width */
const FONT = 12;

const printed = new Set(); /* the plots of this page */
let theme_before = null;

addEventListener('beforeprint', () => {
    theme_before = document.documentElement.getAttribute('data-theme');
    document.documentElement.setAttribute('data-theme', 'light');
    for (const plot of printed) plot.draw(PAPER);
});
addEventListener('afterprint', () => {
    if (theme_before === null) document.documentElement.removeAttribute('data-theme');
    else document.documentElement.setAttribute('data-theme', theme_before);
    for (const plot of printed) plot.draw();
});

/* "20 ms" for "20.0 ms", "0" for "0.00 ns": round values need no digits behind the point. */
function short(text) {
    const shorter = text.replace(/(\.\d*?)0+(?!\d)/, '$1').replace(/\.(?!\d)/, '');
    return /^0 (ns|B)$/.test(shorter) ? '0' : shorter;
}

function axis(scale, {label, format, log}, size) {
    const across = scale === 'x';
    return {
        scale, label, size, labelSize: 16, gap: 4, labelGap: across ? 0 : 4,
        font: `${FONT}px ${token('font')}`, labelFont: `${FONT}px ${token('font')}`, stroke: token('muted'),
        grid: {stroke: token('grid'), width: 1}, ticks: {stroke: token('line-strong'), width: 1, size: 4},
        splits: (u, i, from, to) => ticks(from, to, (across ? u.width / 80 : u.height / 45), log),
        values: (u, splits) => splits.map((value) => short(format(value))),
        filter: (u, splits) => splits,
    };
}

/* What a spec's marks are drawn with: places and colours. */
function pen(u) {
    const context = u.ctx, ratio = uPlot.pxRatio;
    return {
        context, ratio, box: u.bbox,
        x: (value) => u.valToPos(value, 'x', true),
        y: (value) => u.valToPos(value, 'y', true),
        color: (name) => token(name),
    };
}

/* Things that are no points. Each takes the pen and the mark. */
const MARKS = {
    /* {from, to, color}: a vertical band */
    band(p, {from, to, color}) {
        p.context.fillStyle = p.color(color);
        p.context.fillRect(p.x(from), p.box.top, p.x(to) - p.x(from), p.box.height);
    },
    /* {from, to, color}: a horizontal one */
    across(p, {from, to, color}) {
        p.context.fillStyle = p.color(color);
        p.context.fillRect(p.box.left, p.y(to), p.box.width, p.y(from) - p.y(to));
    },
    /* {y, color, dash}: a horizontal line */
    level(p, {y, color, width = 1, dash = []}) {
        stroke(p, color, width, dash, [[p.box.left, p.y(y)], [p.box.left + p.box.width, p.y(y)]]);
    },
    /* {points: [[x, y]], color, width, dash}: a line from point to point */
    line(p, {points, color, width = 2, dash = []}) {
        stroke(p, color, width, dash, points.map(([x, y]) => [p.x(x), p.y(y)]));
    },
    /* {points: [[x, low, high]], color}: what lies between two lines */
    area(p, {points, color}) {
        p.context.fillStyle = p.color(color);
        p.context.beginPath();
        for (const [x, low] of points) p.context.lineTo(p.x(x), p.y(low));
        for (const [x, , high] of [...points].reverse()) p.context.lineTo(p.x(x), p.y(high));
        p.context.fill();
    },
    /* {y, text}: words at the left end of a level, where curves seldom begin */
    words(p, {y, text}) {
        p.context.font = `${FONT * p.ratio}px ${token('font')}`;
        p.context.fillStyle = p.color('muted');
        p.context.textAlign = 'left';
        p.context.textBaseline = 'bottom';
        p.context.lineWidth = 4 * p.ratio;
        p.context.lineJoin = 'round';
        p.context.strokeStyle = p.color('surface'); /* readable on a line, too */
        const place = [text, p.box.left + 6 * p.ratio, p.y(y) - 3 * p.ratio];
        p.context.strokeText(...place);
        p.context.fillText(...place);
    },
};

function stroke(p, color, width, dash, places) {
    p.context.strokeStyle = p.color(color);
    p.context.lineWidth = width * p.ratio;
    p.context.setLineDash(dash.map((length) => length * p.ratio));
    p.context.beginPath();
    for (const [x, y] of places) p.context.lineTo(x, y);
    p.context.stroke();
    p.context.setLineDash([]);
}

function drawSeries(p, {shape, points, hollow, size = 3.5}) {
    const color = p.color(`series-${(shape % 8) + 1}`);
    for (const {x, y, low, high} of points) {
        if (Number.isFinite(low) && Number.isFinite(high)) stroke(p, `series-${(shape % 8) + 1}`, 1, [], [[p.x(x), p.y(low)], [p.x(x), p.y(high)]]);
        p.context.fillStyle = color;
        p.context.strokeStyle = hollow ? color : p.color('surface');
        p.context.lineWidth = (hollow ? 1.5 : 1) * p.ratio;
        drawShape(p.context, shape, p.x(x), p.y(y), size * p.ratio, hollow);
    }
}

function drawAll(u, spec) {
    const p = pen(u);
    p.context.save();
    p.context.beginPath();
    p.context.rect(u.bbox.left, u.bbox.top, u.bbox.width, u.bbox.height);
    p.context.clip();
    for (const mark of spec.marks ?? []) MARKS[mark.type](p, mark);
    for (const series of spec.series) drawSeries(p, series);
    p.context.restore();
}

function rangeOf(spec, which, values) {
    const {from, to, log, zero} = spec[which];
    const [least, most] = extent(values, {log, zero});
    return [from ?? least, to ?? most];
}

/* `spec`: {x, y: {label, format(value), log?, zero?, from?, to?}, height?, series: [{shape: 0.., hollow?, size?, points: [{x, y, low?, high?, text}]}],
 * marks?: [{type, ...} of MARKS]}. `label` names the chart for those who do not see it. Returns {node, update(spec), destroy()}. */
export function makePlot(label, spec) {
    const readout = el('output', {class: 'plot-readout', hidden: true});
    const canvas = el('div', {class: 'plot-canvas', 'aria-hidden': 'true'});
    const node = el('div', {class: 'plot', role: 'group', 'aria-roledescription': 'chart', tabindex: '0', 'aria-label': `${label}: chart, the arrow keys go from point to point`,
        onkeydown: onKey, onblur: () => show(null)}, canvas, readout);
    let u = null, points = [], current = null, width = 0;

    function collect() {
        const {x, y} = spec;
        const drawable = (point) => Number.isFinite(point.x) && Number.isFinite(point.y) && (!x.log || point.x > 0) && (!y.log || point.y > 0);
        points = spec.series.flatMap((series) => series.points).filter(drawable).sort((a, b) => a.x - b.x);
        for (const series of spec.series) series.points = series.points.filter(drawable);
    }

    function draw(wide = node.clientWidth) {
        if (wide < 40) return; /* not shown, or not yet */
        width = wide;
        u?.destroy();
        show(null);
        const xs = rangeOf(spec, 'x', points.map((point) => point.x));
        const ys = rangeOf(spec, 'y', points.flatMap((point) => [point.y, point.low, point.high]));
        u = new uPlot({
            width, height: spec.height ?? 260, legend: {show: false}, padding: [10, 26, 0, 0],
            scales: {x: {time: false, distr: spec.x.log ? 3 : 1, range: xs}, y: {distr: spec.y.log ? 3 : 1, range: ys}},
            axes: [axis('x', spec.x, 26), axis('y', spec.y, 64)],
            series: [{}, {show: true, paths: () => null, points: {show: false}}],
            cursor: {x: false, y: false, points: {show: false}, drag: {x: true, y: true, uni: 30}, bind: {dblclick: () => () => zoom(xs, ys)}},
            hooks: {draw: [(self) => drawAll(self, spec)], setCursor: [(self) => follow(self)]},
        }, [xs, ys], canvas);
    }

    function zoom([from, to], [low, high]) {
        u.setScale('x', {min: from, max: to});
        u.setScale('y', {min: low, max: high});
    }

    function show(point) {
        current = point;
        readout.hidden = point === null;
        if (!point) return;
        setText(readout, point.text);
        const left = u.valToPos(point.x, 'x') + u.bbox.left / uPlot.pxRatio, top = u.valToPos(point.y, 'y') + u.bbox.top / uPlot.pxRatio;
        readout.classList.toggle('left', left > width / 2);
        readout.style.setProperty('--left', `${left}px`);
        readout.style.setProperty('--top', `${top}px`);
    }

    function follow(self) {
        const {left, top} = self.cursor;
        if (left === undefined || left < 0) return show(null);
        const far = (point) => Math.hypot(self.valToPos(point.x, 'x') - left, self.valToPos(point.y, 'y') - top);
        const nearest = points.reduce((best, point) => (best === null || far(point) < far(best) ? point : best), null);
        return show(nearest && far(nearest) <= NEAR ? nearest : null);
    }

    function onKey(event) {
        const at = points.indexOf(current), last = points.length - 1;
        const to = {ArrowRight: Math.min(last, at + 1), ArrowLeft: at < 0 ? last : Math.max(0, at - 1), Home: 0, End: last}[event.key];
        if (event.key === 'Escape') show(null);
        if (to === undefined || !u || last < 0) return;
        event.preventDefault();
        show(points[to]);
    }

    const resized = new ResizeObserver(() => {
        if (node.clientWidth !== width) draw();
    });
    const themed = onThemeChange(() => draw());
    const plot = {
        node,
        draw,
        update(next) {
            const same = JSON.stringify(next) === JSON.stringify(spec); /* a live page hands the same in twice a second */
            spec = next;
            if (same) return;
            collect();
            draw();
        },
        destroy() {
            resized.disconnect();
            themed();
            u?.destroy();
            printed.delete(plot);
        },
    };
    printed.add(plot);
    collect();
    resized.observe(node);
    return plot;
}
