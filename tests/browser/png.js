// SPDX-License-Identifier: Apache-2.0
/* png.js - a PNG of at most 256 colours, for pictures that documents show: a third of the size of what the browser writes. Colours that are seldom become the
 * nearest that are not. */
import {deflateSync} from 'node:zlib';

const COLOURS = 256;

function crc32(bytes) {
    let crc = ~0;
    for (const byte of bytes) {
        crc ^= byte;
        for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
    }
    return ~crc >>> 0;
}

function chunk(name, data) {
    const body = Buffer.concat([Buffer.from(name, 'latin1'), data]);
    const length = Buffer.alloc(4), crc = Buffer.alloc(4);
    length.writeUInt32BE(data.length);
    crc.writeUInt32BE(crc32(body));
    return Buffer.concat([length, body, crc]);
}

const distance = (a, b) => ((a >> 16) - (b >> 16)) ** 2 + (((a >> 8) & 255) - ((b >> 8) & 255)) ** 2 + ((a & 255) - (b & 255)) ** 2;

/* The colours that occur most, but none so near to another that it says nothing new. */
function choose(counts) {
    const palette = [];
    for (let apart = 300; palette.length < COLOURS && apart >= 1; apart /= 3) {
        for (const [colour] of counts) {
            if (palette.length === COLOURS) break;
            if (palette.every((chosen) => distance(chosen, colour) >= apart)) palette.push(colour);
        }
    }
    return palette;
}

/* `rgba`: width * height * 4 bytes. */
export function indexedPng(width, height, rgba) {
    const counts = new Map();
    for (let i = 0; i < rgba.length; i += 4) {
        const colour = (rgba[i] << 16) | (rgba[i + 1] << 8) | rgba[i + 2];
        counts.set(colour, (counts.get(colour) ?? 0) + 1);
    }
    const palette = choose([...counts].sort((a, b) => b[1] - a[1]).slice(0, 4096));
    const nearest = new Map(palette.map((colour, i) => [colour, i]));
    const index = (colour) => {
        let found = nearest.get(colour);
        if (found === undefined) {
            found = palette.reduce((best, one, i) => (distance(one, colour) < distance(palette[best], colour) ? i : best), 0);
            nearest.set(colour, found);
        }
        return found;
    };
    const rows = Buffer.alloc((width + 1) * height); /* each begins with its filter, 0: none */
    for (let y = 0; y < height; y++)
        for (let x = 0; x < width; x++) {
            const i = 4 * (y * width + x);
            rows[y * (width + 1) + 1 + x] = index((rgba[i] << 16) | (rgba[i + 1] << 8) | rgba[i + 2]);
        }
    const head = Buffer.alloc(13);
    head.writeUInt32BE(width);
    head.writeUInt32BE(height, 4);
    head.set([8, 3, 0, 0, 0], 8); /* 8 bits, by a palette */
    return Buffer.concat([
        Buffer.from('89504e470d0a1a0a', 'hex'), chunk('IHDR', head),
        chunk('PLTE', Buffer.from(palette.flatMap((colour) => [colour >> 16, (colour >> 8) & 255, colour & 255]))),
        chunk('IDAT', deflateSync(rows, {level: 9})), chunk('IEND', Buffer.alloc(0)),
    ]);
}
