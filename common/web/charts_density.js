// SPDX-License-Identifier: Apache-2.0
/* charts_density.js - imported before uPlot, which looks once at how many dots a pixel has: at least two, so that a chart on paper is as sharp as
 * the text beside it. */
window.devicePixelRatio = Math.max(2, window.devicePixelRatio);
