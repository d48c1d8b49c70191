// SPDX-License-Identifier: Apache-2.0
/* orders.test.js - who may change the farm from the page: whoever has the token, asked for where it is missing or wrong, kept in the tab alone. */
import assert from 'node:assert/strict';
import {after, before, test} from 'node:test';
import {assertSilent, launch, open} from './browser.js';
import {campaign, Farm} from './farm.js';

const REFUSED = /status of 401/; /* the browser itself notes each on its console */
let farm, browser;

const over = (name) => (answer) => answer.campaigns.find((c) => c.name === name)?.state === 'done';

before(async () => {
    farm = await Farm.start('orders');
    farm.worker('vta-1', 'vta');
    for (const [name, seed] of [['one', 1], ['two', 2]]) {
        await farm.submit(campaign(name, {seed}));
        await farm.until('status', {}, over(name), name);
    }
    browser = await launch();
});

after(async () => {
    await browser?.close();
    farm?.stop();
});

const board = async () => (await farm.call('boards')).boards[0];
const current = async () => (await farm.call('models')).models.find((m) => m.current).version;

async function enter(page, token) {
    const dialog = page.getByRole('dialog', {name: 'Token'});
    await dialog.getByLabel('The coordinator’s token').fill(token);
    await dialog.getByRole('button', {name: 'Use it'}).click();
}

test('quarantine_asks_for_the_token_until_it_is_right', async () => {
    const page = await open(browser, `${farm.url}/#/fleet?board=vta-1`, {expected: REFUSED});
    await page.getByRole('button', {name: 'Quarantine …'}).click();
    await page.getByLabel('Why').fill('loose cable');
    await page.getByRole('button', {name: 'Quarantine', exact: true}).click();
    await page.getByText('This takes the coordinator’s token.').waitFor();
    assert.notEqual((await board()).state, 'quarantined');
    await enter(page, 'not the token at all');
    await page.getByText('The coordinator refused this token.').waitFor();
    assert.notEqual((await board()).state, 'quarantined');
    await enter(page, farm.token);
    await page.getByText('vta-1 is in quarantine.').waitFor();
    assert.equal((await board()).state, 'quarantined');
    await page.getByRole('button', {name: 'Release'}).click(); /* asks no more */
    await page.getByText('vta-1 is released.').waitFor();
    assert.notEqual((await board()).state, 'quarantined');
    assertSilent(page);
    await page.context().close();
});

test('roll_back_without_a_token_changes_nothing', async () => {
    const page = await open(browser, `${farm.url}/#/models?model=vta%2F1`, {expected: REFUSED});
    await page.getByRole('button', {name: 'Roll back to this version …'}).click();
    await page.getByRole('button', {name: 'Roll back', exact: true}).click();
    await page.getByRole('dialog', {name: 'Token'}).getByRole('button', {name: 'Cancel'}).click();
    await page.getByText('Not done:').waitFor();
    assert.equal(await current(), 2);
    assertSilent(page);
    await page.context().close();
});

test('roll_back_with_the_token_of_the_address', async () => {
    const page = await open(browser, `${farm.url}/#token=${farm.token}`);
    await page.getByText('Token ✓').waitFor();
    assert.ok(!page.url().includes(farm.token), 'the token has left the address');
    await page.goto(`${farm.url}/#/models?model=vta%2F1`);
    await page.getByRole('button', {name: 'Roll back to this version …'}).click();
    await page.getByRole('button', {name: 'Roll back', exact: true}).click();
    await page.getByText('vta runs v1 now.').waitFor();
    assert.equal(await current(), 1);
    await page.locator('tr', {hasText: 'v1'}).getByText('✓ current').waitFor();
    assert.equal((await page.context().cookies()).length, 0);
    assertSilent(page);
    const other = await page.context().newPage();
    await other.goto(`${farm.url}/#/models`);
    await other.getByRole('button', {name: 'Token', exact: true}).waitFor(); /* another tab has none */
    await page.context().close();
});

test('a_campaign_is_paused_resumed_and_cancelled', async () => {
    await farm.call('quarantine', {board: 'vta-1', why: 'so that the campaign waits'});
    await farm.submit(campaign('three', {samples: 300, seed: 3}));
    const page = await open(browser, `${farm.url}/#token=${farm.token}`);
    await page.goto(`${farm.url}/#/campaigns?campaign=three`);
    const state = (name) => farm.until('status', {campaign: 'three'}, (answer) => answer.campaigns[0].state === name, name);
    await page.getByRole('button', {name: 'Pause'}).click();
    await state('paused');
    await page.getByRole('button', {name: 'Resume'}).click();
    await state('running');
    await page.getByRole('button', {name: 'Cancel …'}).click();
    await page.getByRole('button', {name: 'Cancel the campaign'}).click();
    await state('cancelled');
    await page.getByText('three is cancelled.').waitFor();
    await page.getByRole('button', {name: 'Pause'}).waitFor({state: 'hidden'});
    assertSilent(page);
    await page.context().close();
    await farm.call('release', {board: 'vta-1'});
});

test('what_cannot_be_done_says_why', async () => {
    const page = await open(browser, `${farm.url}/#token=${farm.token}`, {expected: /status of 4/});
    await page.goto(`${farm.url}/#/fleet?board=vta-1`);
    await page.getByRole('button', {name: 'Power-cycle …'}).click();
    await page.getByRole('button', {name: 'Power-cycle', exact: true}).click();
    await page.getByText('Not done:').waitFor();
    await page.getByText(/hook/).waitFor();
    assertSilent(page);
    await page.context().close();
});
