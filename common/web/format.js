// SPDX-License-Identifier: Apache-2.0
/* format.js - numbers as people read them, with their units. Unknown (null, undefined, not finite) is a dash everywhere. Digits
 * as the command line has them (cli/output.c), so that the same figure reads the same in both. */

export const DASH = '–';

const known = (x) => typeof x === 'number' && Number.isFinite(x);
const grouped = new Intl.NumberFormat('en-US', {maximumFractionDigits: 0});

/* Two decimals below 10, one below 100, none above: 0.35, 9.87, 34.2, 1,234. */
export function number(x) {
    if (!known(x)) return DASH;
    const size = Math.abs(x);
    return size >= 99.95 ? grouped.format(x) : x.toFixed(size < 9.995 ? 2 : 1);
}

/* A whole number with its thousands marked. */
export function count(x) {
    return known(x) ? grouped.format(x) : DASH;
}

/* 1,234 boards; 1 board */
export function counted(x, one, many = `${one}s`) {
    return known(x) ? `${count(x)} ${x === 1 ? one : many}` : DASH;
}

export function percent(x) {
    return known(x) ? `${number(x)} %` : DASH;
}

/* Latencies: 64.0 ns, 1.23 µs, 34.2 ms, 2.00 s. */
export function latency(ns) {
    if (!known(ns)) return DASH;
    const units = ['ns', 'µs', 'ms', 's'];
    let unit = 0;
    for (; Math.abs(ns) >= 999.5 && unit < units.length - 1; unit++) ns /= 1000;
    return `${number(ns)} ${units[unit]}`;
}

/* A span of time: 5 s, 3 min 20 s, 2 h 5 min, 3 d 4 h. */
export function duration(seconds) {
    if (!known(seconds)) return DASH;
    const s = Math.max(0, Math.round(seconds));
    const units = [[86400, 'd'], [3600, 'h'], [60, 'min'], [1, 's']];
    const first = units.findIndex(([length]) => s >= length);
    if (first < 0 || first === units.length - 1) return `${s} s`;
    const [length, unit] = units[first], [shorter, finer] = units[first + 1];
    const rest = Math.floor((s % length) / shorter);
    return rest ? `${Math.floor(s / length)} ${unit} ${rest} ${finer}` : `${Math.floor(s / length)} ${unit}`;
}

export function bytes(x) {
    if (!known(x)) return DASH;
    const units = ['B', 'kB', 'MB', 'GB', 'TB'];
    let unit = 0;
    for (; x >= 999.5 && unit < units.length - 1; unit++) x /= 1000;
    return `${unit ? number(x) : x} ${units[unit]}`;
}

/* A rate: 0.25 / s, 1,234 / s. */
export function rate(x) {
    return known(x) ? `${number(x)} / s` : DASH;
}

export function temperature(celsius) {
    return known(celsius) ? `${celsius.toFixed(celsius < 10 ? 1 : 0)} °C` : DASH;
}

export function clock(mhz) {
    return known(mhz) ? (mhz >= 1000 ? `${(mhz / 1000).toFixed(2)} GHz` : `${Math.round(mhz)} MHz`) : DASH;
}

const two = (n) => String(n).padStart(2, '0');

/* The reader's own time: 2026-11-27 13:05:09; today's without the date. */
export function time(wall_ms, now_ms = Date.now()) {
    if (!known(wall_ms) || wall_ms <= 0) return DASH;
    const t = new Date(wall_ms), now = new Date(now_ms);
    const hour = `${two(t.getHours())}:${two(t.getMinutes())}:${two(t.getSeconds())}`;
    if (t.toDateString() === now.toDateString()) return hour;
    return `${t.getFullYear()}-${two(t.getMonth() + 1)}-${two(t.getDate())} ${hour}`;
}

/* The same, always whole, for <time datetime>. */
export function timestamp(wall_ms) {
    return known(wall_ms) && wall_ms > 0 ? new Date(wall_ms).toISOString() : null;
}
