// SPDX-License-Identifier: Apache-2.0
/* charts.js - every chart of dashboard and report, and their looks. */
import './charts.css';

export {makeBars} from './charts_bars.js';
export {byLayerKind, coverage, errorPercent, mape, repeatability, residualChart, scatterChart} from './charts_accuracy.js';
export {errorBars, layerBars, samplingColumns, samplingRows} from './charts_layers.js';
export {historyChart} from './charts_history.js';
export {staircaseChart, stepWords} from './charts_staircase.js';
