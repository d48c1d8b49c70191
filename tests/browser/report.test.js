// SPDX-License-Identifier: Apache-2.0
/* report.test.js - the page that `prfarm report` writes, opened as a file: it draws all its figures, asks nobody for anything, says nothing on the console,
 * can be used by everyone in light and dark, and turns into tables and onto paper. */
import assert from 'node:assert/strict';
import {execFileSync} from 'node:child_process';
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, before, test} from 'node:test';
import {pathToFileURL} from 'node:url';
import {assertAccessible, assertSilent, launch, open} from './browser.js';
import {bin, out} from './farm.js';

const CAMPAIGN = `campaign: told
boards:
  - {kind: vta, backend: sim, options: {board: vta, noise: 1, seed: 1}}
  - {kind: zcu102, backend: sim, options: {board: zcu102, noise: 1, seed: 2}}
layers:
  - kind: fc
    params: {in: {from: 8, to: 512, scale: log}, out: {from: 8, to: 512, scale: log}}
    knowledge: grey
    candidates: {in: [8, 16], out: [8, 16]}
budget: {samples: 100}
validation: {layers: 20, repeats: 2}
`;

let folder, browser, address;

before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'prfarm-browser-'));
    const file = join(folder, 'told.yaml'), page = join(folder, 'report.html');
    writeFileSync(file, CAMPAIGN);
    execFileSync(join(bin, 'prfarm'), ['run', file, '--out', join(folder, 'told')], {stdio: 'ignore'});
    execFileSync(join(bin, 'prfarm'), ['report', join(folder, 'told'), '-o', page], {stdio: 'ignore'});
    address = pathToFileURL(page).href;
    browser = await launch();
});

after(async () => {
    await browser?.close();
    rmSync(folder, {recursive: true, force: true});
});

/* The page, and what it asked others for. */
async function openReport(options) {
    const page = await open(browser, 'about:blank', options);
    page.asked = [];
    page.on('request', (request) => {
        if (request.url() !== address && !request.url().startsWith('data:')) page.asked.push(request.url());
    });
    await page.goto(address);
    await page.getByRole('heading', {name: 'Campaign told'}).waitFor();
    return page;
}

/* Whether every chart in view has something on its canvas. */
function blankCharts(page) {
    return page.evaluate(() => [...document.querySelectorAll('.plot')].filter((plot) => plot.checkVisibility()).filter((plot) => {
        const canvas = plot.querySelector('canvas');
        if (!canvas) return true;
        const {data} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
        return !data.some((byte) => byte !== 0);
    }).length);
}

for (const colorScheme of ['light', 'dark']) {
    test(`the_report_is_drawn_by_itself_and_usable_by_everyone_in_${colorScheme}`, async () => {
        const page = await openReport({colorScheme});
        await page.locator('.plot canvas').first().waitFor();
        assert.equal(await blankCharts(page), 0, 'a chart is empty');
        for (const title of ['in of fc on vta', 'Estimated against measured, vta', 'Error over latency, zcu102', 'Error against samples']) await page.getByText(title, {exact: true}).first().waitFor();
        await assertAccessible(page, `the report in ${colorScheme}`);
        assertSilent(page);
        assert.deepEqual(page.asked, [], 'the report asks for something');
        await page.screenshot({path: join(out, `report-${colorScheme}.png`), fullPage: true});
        await page.context().close();
    });
}

test('charts_speak_to_the_keyboard_and_turn_into_tables', async () => {
    const page = await openReport();
    const figure = page.locator('figure', {hasText: 'in of fc on vta'}).first();
    await figure.locator('.plot').focus();
    await page.keyboard.press('ArrowRight');
    const first = await figure.locator('output').textContent();
    assert.match(first, /^in = \d+: [\d.]+ µs$/);
    await page.keyboard.press('ArrowRight');
    assert.notEqual(await figure.locator('output').textContent(), first);
    await figure.getByRole('button', {name: 'Show as table'}).click();
    const rows = figure.locator('tbody tr');
    assert.ok((await rows.count()) >= 3);
    assert.match(await rows.first().textContent(), /µs/);
    await assertAccessible(page, 'a chart as a table');
    await page.context().close();
});

test('the_report_fits_a_narrow_screen_and_paper', async () => {
    const page = await openReport({viewport: {width: 390, height: 800}});
    const wide = () => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.ok((await wide()) <= 0, 'the page is wider than the screen');
    await page.screenshot({path: join(out, 'report-narrow.png'), fullPage: true});
    const paper = await page.pdf({path: join(out, 'report.pdf'), format: 'A4'});
    assert.ok(paper.length > 20000, 'nothing is on paper');
    assertSilent(page);
    await page.context().close();
});
