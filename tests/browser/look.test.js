// SPDX-License-Identifier: Apache-2.0
/* look.test.js - pictures of every page in light, dark and narrow, for people to look at: in the build tree, tests/browser/out. Those that documents show
 * are in out/images, small; docs/images has copies of them. */
import assert from 'node:assert/strict';
import {mkdirSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {after, before, test} from 'node:test';
import {assertSilent, launch, open, PAGES} from './browser.js';
import {campaign, Farm, out} from './farm.js';
import {indexedPng} from './png.js';

const LOOKS = {
    light: {colorScheme: 'light', viewport: {width: 1280, height: 900}},
    dark: {colorScheme: 'dark', viewport: {width: 1280, height: 900}},
    narrow: {colorScheme: 'light', viewport: {width: 400, height: 860}},
};
const DOCUMENTS = {'dashboard-fleet': ['fleet', 'light'], 'dashboard-campaign': ['campaigns', 'dark'], 'dashboard-staircases': ['staircases', 'light']};
const ADDRESS = {campaigns: 'campaigns?campaign=weekly'};
const KINDS = {vta: 4, systolic: 3, ultratrail: 3, zcu102: 2, ncs2: 2};
const SLOW = ['noise=1', 'pace=real', 'speed=100']; /* so that there is something to see while they measure */
const IMAGE_BYTES = 150000;
let farm, browser;

before(async () => {
    farm = await Farm.start('look');
    const boards = Object.entries(KINDS).flatMap(([kind, n]) => Array.from({length: n}, (_, i) => [`${kind}-${i + 1}`, kind]));
    const workers = new Map(boards.map(([board, kind]) => [board, farm.worker(board, kind, {options: SLOW})]));
    await farm.submit(campaign('weekly', {kinds: Object.keys(KINDS), samples: 80, swept: true}));
    await farm.until('status', {}, (answer) => answer.campaigns[0].state === 'done', 'the first campaign', 120000);
    await farm.call('quarantine', {board: 'systolic-2', why: 'its fan is loud'});
    await farm.kill(workers.get('zcu102-2'));
    await farm.submit(campaign('nightly', {kinds: ['vta', 'systolic', 'ultratrail'], samples: 400, seed: 2}));
    await farm.until('status', {campaign: 'nightly'}, ({campaigns: [one]}) => one.boards.some((b) => b.history.length > 0), 'half a campaign', 120000);
    browser = await launch();
});

after(async () => {
    await browser?.close();
    farm?.stop();
});

/* What the browser's PNG shows, as bytes: decoded by the browser. */
async function pixels(png) {
    const page = await browser.newPage();
    const {width, height, text} = await page.evaluate(async (coded) => {
        const bitmap = await createImageBitmap(await (await fetch(`data:image/png;base64,${coded}`)).blob());
        const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext('2d');
        context.drawImage(bitmap, 0, 0);
        const {data} = context.getImageData(0, 0, bitmap.width, bitmap.height);
        let binary = '';
        for (let i = 0; i < data.length; i += 32768) binary += String.fromCharCode(...data.subarray(i, i + 32768));
        return {width: bitmap.width, height: bitmap.height, text: btoa(binary)};
    }, png.toString('base64'));
    await page.close();
    return {width, height, rgba: Buffer.from(text, 'base64')};
}

for (const [id, sign] of Object.entries(PAGES)) {
    test(`${id}_is_pictured`, async () => {
        mkdirSync(join(out, 'images'), {recursive: true});
        for (const [look, options] of Object.entries(LOOKS)) {
            const page = await open(browser, `${farm.url}/#/${ADDRESS[id] ?? id}`, options);
            await page.getByText('Live', {exact: true}).waitFor();
            await page.locator(sign).first().waitFor();
            const png = await page.screenshot({path: join(out, `${id}-${look}.png`)});
            for (const [name, [of, as]] of Object.entries(DOCUMENTS)) {
                if (of !== id || as !== look) continue;
                const {width, height, rgba} = await pixels(png);
                const small = indexedPng(width, height, rgba);
                assert.ok(small.length <= IMAGE_BYTES, `${name}.png has ${small.length} bytes`);
                writeFileSync(join(out, 'images', `${name}.png`), small);
            }
            assertSilent(page);
            await page.context().close();
        }
    });
}
