// SPDX-License-Identifier: Apache-2.0
/* layers.js - the text of a block ("conv2d n=1 c=64 ... dtype=f32 + activation ...", docs/campaign-file.md) taken apart, and layers as people
 * read them. */

/* {kind, dtype, params: {name: value}} of a block's leading layer. */
export function parseLayer(text) {
    const [kind, ...words] = text.split(' + ')[0].trim().split(/\s+/);
    const layer = {kind, dtype: '', params: {}};
    for (const word of words) {
        const [name, value] = word.split('=');
        if (name === 'dtype') layer.dtype = value;
        else if (value !== undefined) layer.params[name] = Number(value);
    }
    return layer;
}

/* What a parameter has unless a layer says otherwise, and the one that it follows (common/layer/layer.c). */
const USUAL = {n: 1, stride: 1, dilation: 1, groups: 1, pad: 0, fn: 0};
const FOLLOWS = {w: 'h', s: 'r'};

/* "c = 64, k = 128, h = w = 28": without what is as usual, and without the parameters in `but`. */
export function formatParams(params, but = []) {
    const shown = Object.keys(params).filter((name) => !but.includes(name) && params[name] !== USUAL[name]);
    const follows = (name) => shown.includes(FOLLOWS[name]) && params[name] === params[FOLLOWS[name]];
    return shown.filter((name) => !follows(name)).map((name) => {
        const twin = shown.find((other) => FOLLOWS[other] === name && follows(other));
        return `${name} = ${twin ? `${twin} = ` : ''}${params[name]}`;
    }).join(', ');
}
