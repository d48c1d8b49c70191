// SPDX-License-Identifier: Apache-2.0
/* crowd.test.js - a farm of 10,000 boards that work, watched and leafed through: no frame takes more than 100 ms. */
import assert from 'node:assert/strict';
import {join} from 'node:path';
import {after, before, test} from 'node:test';
import {assertSilent, launchFirst, open, watchFrames} from './browser.js';
import {Farm, tests} from './farm.js';

const BOARDS = 10000, FRAME_MS = 100, ROUNDS = 5;
let farm, chromium;

before(async () => {
    farm = await Farm.start('crowd', {args: ['--heartbeat-ms', '5000', '--sentinel-s', '0']});
    const crowd = farm.spawn('crowd', join(tests, 'crowd'), [String(BOARDS), farm.endpoints.split(',')[0]]);
    await crowd.ready;
    await farm.submit('campaign: crowd\nboards:\n  - kind: bench\nlayers:\n  - kind: fc\n    params: {in: 1..4096, out: 1..4096}\n    knowledge: white\n    steps: {in: 1, out: 1}\nbudget: {samples: 100000}\n');
    chromium = await launchFirst();
});

after(async () => {
    await chromium?.close();
    farm?.stop();
});

const first = (i) => (50 * i + 1).toLocaleString('en-US'), last = (i) => (50 * i + 50).toLocaleString('en-US');

/* Ten pages on, a search, a state, another page of the dashboard and back. */
async function leafThrough(page) {
    for (let i = 1; i <= 10; i++) {
        await page.getByRole('button', {name: 'Next'}).click();
        await page.getByText(`${first(i)}–${last(i)} of 10,000`).waitFor();
    }
    await page.getByLabel('Search').fill('bench-0999');
    await page.getByText('1–10 of 10').waitFor();
    await page.getByLabel('State', {exact: true}).selectOption('lost');
    await page.getByText('No board matches.').waitFor();
    await page.getByRole('navigation').getByText('Campaigns').click();
    await page.getByRole('article', {name: 'bench'}).waitFor();
    await page.getByRole('navigation').getByText('Fleet').click();
    await page.getByText('1–50 of 10,000').waitFor();
}

/* Time on the wall, on a machine that others use too: what the page itself needs it needs each time, so the best of a few rounds tells. */
test('ten_thousand_boards_without_a_frame_over_100_ms', async (t) => {
    const page = await open(chromium.browser, `${farm.url}/#/fleet`);
    await page.getByText('1–50 of 10,000').waitFor({timeout: 30000});
    await page.locator('.figure .value', {hasText: '10,000'}).waitFor();
    await page.locator('.kinds').getByText(/^[1-9][\d,]* done/).waitFor({timeout: 60000});
    const kinds = page.locator('.kinds tbody');
    let best = Infinity;
    t.diagnostic(chromium.first ? 'the browser comes first on this machine' : 'the browser shares this machine with others');
    for (let round = 1; round <= ROUNDS && best > FRAME_MS; round++) {
        const frames = await watchFrames(page);
        const before = await kinds.textContent();
        await leafThrough(page);
        await page.waitForFunction((text) => document.querySelector('.kinds tbody').textContent !== text, before, {timeout: 60000}); /* boards finish all at once, every ten seconds */
        const {frames: count, frame, task} = await frames.stop();
        t.diagnostic(`round ${round}: ${count} frames, the longest ${frame.toFixed(0)} ms; the longest task ${task.toFixed(0)} ms`);
        best = Math.min(best, Math.max(frame, task));
    }
    assert.ok(best <= FRAME_MS, `a frame took ${best} ms in the best round`);
    assertSilent(page);
});
