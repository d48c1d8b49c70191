// SPDX-License-Identifier: Apache-2.0
/* crowd.test.js - a farm of 10,000 boards that work, watched and leafed through: no frame takes more than 100 ms. */
import assert from 'node:assert/strict';
import {join} from 'node:path';
import {after, before, test} from 'node:test';
import {assertSilent, launch, open, watchFrames} from './browser.js';
import {Farm, tests} from './farm.js';

const BOARDS = 10000, FRAME_MS = 100;
let farm, browser;

before(async () => {
    farm = await Farm.start('crowd', {args: ['--heartbeat-ms', '1000', '--sentinel-s', '0']});
    const crowd = farm.spawn('crowd', join(tests, 'crowd'), [String(BOARDS), farm.endpoints.split(',')[0]]);
    await crowd.ready;
    await farm.submit('campaign: crowd\nboards:\n  - kind: bench\nlayers:\n  - kind: fc\n    params: {in: 1..4096, out: 1..4096}\n    knowledge: white\n    steps: {in: 1, out: 1}\nbudget: {samples: 100000}\n');
    browser = await launch();
});

after(async () => {
    await browser?.close();
    farm?.stop();
});

test('ten_thousand_boards_without_a_frame_over_100_ms', async (t) => {
    const page = await open(browser, `${farm.url}/#/fleet`);
    await page.getByText(`1–50 of 10,000`).waitFor({timeout: 30000});
    await page.locator('.figure .value', {hasText: '10,000'}).waitFor();
    const frames = await watchFrames(page);
    const rates = new Set(), rate = page.locator('.figure .value').nth(1);
    for (let i = 0; i < 20; i++) {
        await page.getByRole('button', {name: 'Next'}).click();
        await page.getByText(`${50 * i + 51}–${(50 * i + 100).toLocaleString('en-US')} of 10,000`.replace(/^(\d)(\d{3})–/, '$1,$2–')).waitFor();
        rates.add(await rate.textContent());
    }
    await page.getByLabel('Search').fill('bench-0999');
    await page.getByText('1–10 of 10').waitFor();
    await page.getByLabel('State', {exact: true}).selectOption('lost');
    await page.getByText('No board matches.').waitFor();
    await page.getByRole('navigation').getByText('Campaigns').click();
    await page.getByRole('article', {name: 'bench'}).waitFor();
    await page.getByRole('navigation').getByText('Fleet').click();
    await page.getByText(`1–50 of 10,000`).waitFor();
    const seen = await frames.stop();
    t.diagnostic(`${seen.frames} frames, the longest ${seen.frame.toFixed(0)} ms; the longest task ${seen.task.toFixed(0)} ms`);
    assert.ok(seen.task <= FRAME_MS, `a task took ${seen.task} ms`);
    assert.ok(seen.frame <= FRAME_MS, `a frame took ${seen.frame} ms`);
    assert.ok(rates.size > 1, 'figures moved while it was leafed through');
    assertSilent(page);
});
