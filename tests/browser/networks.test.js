// SPDX-License-Identifier: Apache-2.0
/* networks.test.js - an ONNX file dropped on the page: its estimate is the command line's, its weights stay in the browser, what no model covers is said and can
 * be measured, and what is no ONNX file is refused. */
import assert from 'node:assert/strict';
import {execFileSync} from 'node:child_process';
import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {after, before, test} from 'node:test';
import {latency} from '../../common/web/format.js';
import {assertAccessible, assertSilent, launch, open} from './browser.js';
import {bin, Farm} from './farm.js';

const NETWORK = new URL('../../docs/examples/networks/tcresnet8.onnx', import.meta.url).pathname;
const CAMPAIGN = `campaign: networks
boards:
  - kind: zcu102
  - kind: ncs2
layers:
  - kind: conv1d
    params: {c: 8..64, k: 8..64, w: 16..128, f: [1, 3, 9], stride: [1, 2], pad: f/2}
    knowledge: white
    steps: {c: 8, k: 8}
budget: {samples: 60}
validation: {layers: 20}
baseline: false
`;
let farm, browser;

before(async () => {
    farm = await Farm.start('networks');
    for (const kind of ['zcu102', 'ncs2']) farm.worker(`${kind}-1`, kind);
    await farm.submit(CAMPAIGN);
    await farm.until('status', {}, (answer) => answer.campaigns[0].state === 'done', 'the campaign');
    browser = await launch();
});

after(async () => {
    await browser?.close();
    farm?.stop();
});

/* As a hand does it: files on the drag, over the place, let go. */
async function drop(page, name, bytes) {
    const data = await page.evaluateHandle(({name: called, text}) => {
        const transfer = new DataTransfer();
        transfer.items.add(new File([Uint8Array.from(atob(text), (c) => c.charCodeAt(0))], called));
        return transfer;
    }, {name, text: bytes.toString('base64')});
    for (const event of ['dragenter', 'dragover', 'drop']) await page.dispatchEvent('.drop', event, {dataTransfer: data});
}

test('a_dropped_network_is_estimated_as_by_the_command_line', async () => {
    const page = await open(browser, `${farm.url}/#/networks`);
    await drop(page, 'tcresnet8.onnx', readFileSync(NETWORK));
    await page.getByRole('heading', {name: 'tcresnet8', level: 2}).waitFor();
    for (const kind of ['zcu102', 'ncs2']) {
        const said = JSON.parse(execFileSync(join(bin, 'prfarm'), ['estimate', '--json', '--board', kind, '--farm', farm.endpoints, NETWORK], {encoding: 'utf8'}));
        await page.locator('main').getByText(latency(said.total_ns), {exact: true}).first().waitFor({timeout: 5000});
    }
    await page.getByText(/not covered by the model of/).waitFor();
    await assertAccessible(page, 'an estimated network');
    assertSilent(page);
    await page.context().close();
});

test('what_is_no_network_is_refused_with_the_reason', async () => {
    const page = await open(browser, `${farm.url}/#/networks`, {expected: /status of 4/});
    await drop(page, 'holiday.onnx', Buffer.from('this is no protobuf at all'));
    await page.locator('.note.bad').getByText(/holiday/).waitFor();
    assertSilent(page);
    await page.context().close();
});

test('missing_blocks_are_measured_with_the_token', async () => {
    const page = await open(browser, `${farm.url}/#token=${farm.token}`);
    await page.goto(`${farm.url}/#/networks`);
    await drop(page, 'tcresnet8.onnx', readFileSync(NETWORK));
    await page.getByRole('button', {name: 'Measure what is missing'}).click();
    await page.getByText(/[1-9]\d* measured/).first().waitFor();
    assertSilent(page);
    await page.context().close();
});
