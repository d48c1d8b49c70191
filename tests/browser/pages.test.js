// SPDX-License-Identifier: Apache-2.0
/* pages.test.js - every page of the dashboard, on a farm that has something to show on each: what it says, in light and dark, for the keyboard, for a screen
 * reader, on a narrow screen, and as a link. */
import assert from 'node:assert/strict';
import {readdirSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {after, before, test} from 'node:test';
import {assertAccessible, assertSilent, launch, open, PAGES} from './browser.js';
import {campaign, Farm} from './farm.js';

let farm, browser;

const over = (name) => (answer) => answer.campaigns.find((c) => c.name === name)?.state === 'done';

before(async () => {
    farm = await Farm.start('pages');
    for (const [board, kind] of [['vta-1', 'vta'], ['vta-2', 'vta'], ['systolic-1', 'systolic']]) farm.worker(board, kind);
    await farm.submit(campaign('first', {kinds: ['vta', 'systolic']}));
    await farm.until('status', {}, over('first'), 'the first campaign');
    await farm.submit(campaign('second', {kinds: ['vta'], seed: 2, samples: 80, swept: true}));
    await farm.until('status', {}, over('second'), 'the second campaign');
    await farm.call('quarantine', {board: 'vta-2', why: '<img src=x onerror=alert(1)> & "smoke"'});
    browser = await launch();
});

after(async () => {
    await browser?.close();
    farm?.stop();
});

const CONTENTS = {
    fleet: ['Kinds of boards', 'systolic-1', 'vta-2', '1 quarantined', 'smoke'],
    campaigns: ['first', 'second', '✓done', 'Error against samples'],
    staircases: ['vta', 'fc'],
    accuracy: ['vta', 'fc'],
    networks: ['Drop an ONNX file here'],
    models: ['v1', 'v2', '✓ current', 'first', 'second'],
    events: ['vta-2', 'smoke'],
};

for (const [id, sign] of Object.entries(PAGES)) {
    test(`${id}_shows_the_farm_to_everyone_in_light_and_dark`, async () => {
        for (const colorScheme of ['light', 'dark']) {
            const page = await open(browser, `${farm.url}/#/${id}`, {colorScheme});
            await page.locator(sign).first().waitFor();
            await page.getByText('Live', {exact: true}).waitFor();
            for (const text of CONTENTS[id] ?? []) {
                await page.waitForFunction((wanted) => document.querySelector('main').textContent.includes(wanted), text, {timeout: 10000});
            }
            await assertAccessible(page, `${id} in ${colorScheme}`);
            assertSilent(page);
            await page.context().close();
        }
    });
}

test('the_first_load_is_small_and_has_a_strict_policy', async () => {
    let bytes = 0, packed = 0;
    const policies = new Set(), answers = [];
    const page = await open(browser, 'about:blank');
    page.on('response', (response) => {
        if (!response.url().includes('/api/')) answers.push(response.body().then((body) => ({body, headers: response.headers()})));
    });
    await page.goto(`${farm.url}/`);
    await page.locator(PAGES.fleet).first().waitFor();
    for (const {body, headers} of await Promise.all(answers)) {
        bytes += body.length;
        packed += Number(headers['content-length'] ?? 0);
        policies.add(headers['content-security-policy']);
    }
    assert.ok(bytes > 10000 && bytes <= 300 * 1024, `the first load has ${bytes} bytes`);
    assert.ok(packed > 0 && packed < bytes, `${packed} of ${bytes} bytes were sent`);
    assert.equal(policies.size, 1);
    const [policy] = policies;
    assert.match(policy, /default-src 'none'/);
    assert.doesNotMatch(policy, /unsafe/);
    await page.context().close();
});

test('no_source_of_ours_makes_elements_of_markup', () => {
    const root = new URL('../../', import.meta.url).pathname;
    for (const folder of ['coordinator/dashboard/src', 'common/web', 'cli/report']) {
        for (const name of readdirSync(join(root, folder), {recursive: true})) {
            if (!name.endsWith('.js')) continue;
            const code = readFileSync(join(root, folder, name), 'utf8').replaceAll(/\/\*.*?\*\//gs, '');
            assert.doesNotMatch(code, /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function/, `${folder}/${name}`);
        }
    }
});

test('opened_rows_and_dialogs_are_for_everyone_too', async () => {
    const page = await open(browser, `${farm.url}/#/fleet?board=vta-1`);
    await page.getByRole('button', {name: 'Quarantine …'}).waitFor();
    await assertAccessible(page, 'an opened board');
    await page.getByRole('button', {name: 'Quarantine …'}).click();
    await page.getByRole('dialog', {name: 'Quarantine vta-1'}).waitFor();
    await assertAccessible(page, 'the dialog of a quarantine');
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({state: 'detached'});
    await page.goto(`${farm.url}/#/models?model=vta%2F2`);
    await page.locator('tr.detail').waitFor();
    await assertAccessible(page, 'an opened model');
    assertSilent(page);
    await page.context().close();
});

test('text_of_a_peer_is_shown_as_text', async () => {
    const page = await open(browser, `${farm.url}/#/fleet`);
    await page.getByText('<img src=x onerror=alert(1)> & "smoke"').first().waitFor();
    assert.equal(await page.locator('img').count(), 0);
    assertSilent(page);
    await page.context().close();
});

test('a_link_shows_the_same_to_others_and_back_goes_back', async () => {
    const page = await open(browser, `${farm.url}/#/fleet?kind=vta&state=quarantined`);
    await page.getByRole('button', {name: 'vta-2'}).waitFor();
    assert.equal(await page.getByRole('button', {name: 'vta-1'}).count(), 0);
    await page.getByLabel('State', {exact: true}).selectOption('');
    await page.getByRole('button', {name: 'vta-1'}).waitFor();
    assert.match(page.url(), /#\/fleet\?kind=vta$/);
    await page.goBack();
    await page.getByRole('button', {name: 'vta-1'}).waitFor({state: 'detached'});
    await page.getByLabel('Search').fill('systolic');
    await page.getByText('No board matches.').waitFor();
    await page.getByRole('navigation').getByText('Campaigns').click();
    await page.getByRole('heading', {name: 'Campaigns', level: 1}).waitFor();
    await page.goto(`${farm.url}/#/campaigns?campaign=first`);
    await page.getByRole('heading', {name: 'first', level: 2}).waitFor();
    await page.getByRole('article', {name: 'systolic'}).waitFor();
    assertSilent(page);
    await page.context().close();
});

test('the_keyboard_alone_reaches_everything', async () => {
    const page = await open(browser, `${farm.url}/#/fleet`);
    await page.getByRole('button', {name: 'vta-1'}).waitFor();
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Skip to the page');
    await page.keyboard.press('Enter');
    assert.equal(await page.evaluate(() => document.activeElement.id), 'main');
    const reached = new Set();
    for (let i = 0; i < 60; i++) {
        await page.keyboard.press('Tab');
        reached.add(await page.evaluate(() => {
            const node = document.activeElement, ring = getComputedStyle(node);
            return ring.outlineStyle === 'none' ? `${node.tagName} without a ring` : node.textContent || node.id;
        }));
    }
    assert.ok(reached.has('vta-1'), [...reached].join());
    assert.deepEqual([...reached].filter((text) => text.endsWith('without a ring') && !text.startsWith('BODY')), []);
    await page.getByRole('button', {name: 'vta-1'}).focus();
    await page.keyboard.press('Enter');
    await page.getByRole('button', {name: 'Power-cycle …'}).waitFor();
    assert.equal(await page.evaluate(() => document.activeElement.textContent), 'vta-1', 'the focus stays where it was');
    assertSilent(page);
    await page.context().close();
});

test('the_theme_is_the_readers_and_is_kept', async () => {
    const page = await open(browser, `${farm.url}/#/events`, {colorScheme: 'light'});
    const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const light = await background();
    await page.getByLabel('Colours').selectOption('dark');
    const dark = await background();
    assert.notEqual(dark, light);
    await page.reload();
    await page.locator('h1').waitFor();
    assert.equal(await background(), dark);
    const asked = await page.evaluate(() => Object.fromEntries([...document.styleSheets].flatMap((sheet) => [...sheet.cssRules]).filter((rule) => rule.style?.getPropertyValue('--page'))
        .flatMap((rule) => [...rule.style].map((name) => [name, getComputedStyle(document.documentElement).getPropertyValue(name)]))));
    const system = await open(browser, `${farm.url}/#/events`, {colorScheme: 'dark'});
    for (const [name, value] of Object.entries(asked)) {
        assert.equal(await system.evaluate((wanted) => getComputedStyle(document.documentElement).getPropertyValue(wanted), name), value, `${name} is the same in both dark themes`);
    }
    await page.context().close();
    await system.context().close();
});

test('a_screen_of_400_pixels_is_enough', async () => {
    const page = await open(browser, `${farm.url}/#/fleet`, {viewport: {width: 400, height: 800}});
    for (const [id, sign] of Object.entries(PAGES)) {
        await page.goto(`${farm.url}/#/${id}`);
        await page.locator(sign).first().waitFor();
        assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${id} is wider than the screen`);
    }
    assertSilent(page);
    await page.context().close();
});
