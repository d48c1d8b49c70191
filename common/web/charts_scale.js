// SPDX-License-Identifier: Apache-2.0
/* charts_scale.js - from values to an axis: where it begins and ends, and which values are written along it. */

/* [from, to] around the finite `values`, with some room. A logarithmic axis takes what is above 0, a linear one begins at 0 if `zero`. */
export function extent(values, {log = false, zero = false} = {}) {
    const usable = values.filter((v) => Number.isFinite(v) && (!log || v > 0));
    if (usable.length === 0) return log ? [1, 10] : [0, 1];
    let from = Math.min(...usable), to = Math.max(...usable);
    if (log) {
        const room = Math.max(to / from, 1.2) ** 0.04;
        return [from / room, to * room];
    }
    if (zero) [from, to] = [Math.min(0, from), Math.max(0, to)];
    const room = (to - from || Math.abs(to) || 1) * 0.05;
    return [zero && from === 0 ? 0 : from - room, zero && to === 0 ? 0 : to + room];
}

function even(from, to, count) {
    const rough = (to - from) / Math.max(1, count), power = 10 ** Math.floor(Math.log10(rough));
    const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough * 0.999);
    const ticks = [];
    for (let i = Math.ceil(from / step - 1e-9); i * step <= to + step * 1e-9; i++) ticks.push(Number((i * step).toPrecision(12)));
    return ticks;
}

/* About `count` round values between. On a logarithmic axis 1, 2, 5 of each power of ten, or 1 alone, or every second, third... power. */
export function ticks(from, to, count, log) {
    if (!log) return even(from, to, count);
    const decades = Math.log10(to / from), every = Math.max(1, Math.ceil(decades / Math.max(1, count)));
    const factors = decades * 3 <= count * 1.1 ? [1, 2, 5] : [1];
    const found = [];
    for (let power = Math.floor(Math.log10(from)); power <= Math.log10(to); power++) {
        if (factors.length === 1 && power % every !== 0) continue;
        for (const factor of factors) found.push(Number((factor * 10 ** power).toPrecision(12)));
    }
    const inside = found.filter((tick) => tick >= from * 0.9999 && tick <= to * 1.0001);
    return inside.length >= 3 ? inside : even(from, to, count);
}
