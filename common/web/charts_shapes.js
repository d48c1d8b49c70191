// SPDX-License-Identifier: Apache-2.0
/* charts_shapes.js - what series are told apart by besides their colour: a shape around (0, 0), about two units across, filled or hollow. The same
 * outlines serve charts (canvas) and legends (SVG). */
import {svg} from './dom.js';

const OUTLINES = [
    'M1 0A1 1 0 1 1 -1 0A1 1 0 1 1 1 0Z', /* circle */
    'M-.85 -.85H.85V.85H-.85Z', /* square */
    'M0 -1.15L1.1 .8H-1.1Z', /* triangle */
    'M0 -1.25L1.15 0L0 1.25L-1.15 0Z', /* diamond */
    'M0 1.15L1.1 -.8H-1.1Z', /* triangle that points down */
    'M-.4 -1.1H.4V-.4H1.1V.4H.4V1.1H-.4V.4H-1.1V-.4H-.4Z', /* plus */
    'M1.2 0L.6 1.04H-.6L-1.2 0L-.6 -1.04H.6Z', /* hexagon */
    'M0 -1.3L.35 -.4L1.25 -.35L.55 .2L.8 1.1L0 .6L-.8 1.1L-.55 .2L-1.25 -.35L-.35 -.4Z', /* star */
];
export const SERIES = OUTLINES.length; /* that a chart can tell apart */

const paths = OUTLINES.map((outline) => new Path2D(outline));

/* Draws shape `i` at (x, y) of a canvas, `radius` dots in size. */
export function drawShape(context, i, x, y, radius, hollow) {
    context.save();
    context.translate(x, y);
    context.scale(radius, radius);
    context.lineWidth /= radius;
    const path = paths[i % SERIES];
    if (!hollow) context.fill(path);
    context.stroke(path);
    context.restore();
}

/* The same for a legend. */
export function shapeIcon(i, hollow) {
    return svg('svg', {viewBox: '-2 -2 4 4', width: 12, height: 12, class: `chart-shape series-${(i % SERIES) + 1}${hollow ? ' hollow' : ''}`, 'aria-hidden': 'true'},
        svg('path', {d: OUTLINES[i % SERIES]}));
}
