// SPDX-License-Identifier: Apache-2.0
/* networks.test.js - an ONNX file on the page Networks: the totals are those of `prfarm estimate`, weights never leave the browser, what is no ONNX file is
 * told from one, and what no model covers is measured for whoever has the token. */
import assert from 'node:assert/strict';
import {execFileSync} from 'node:child_process';
import {readFileSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {after, before, test} from 'node:test';
import {fileURLToPath} from 'node:url';
import {latency} from '../../common/web/format.js';
import {stripOnnx} from '../../common/web/onnx_strip.js';
import {assertAccessible, assertSilent, launch, open} from './browser.js';
import {bin, Farm, out} from './farm.js';

const NETWORKS = join(dirname(fileURLToPath(import.meta.url)), '../../docs/examples/networks');
/* Layers enough for all of ResNet-18 but its pooling. */
const CAMPAIGN = `campaign: nets
boards:
  - {kind: zcu102, backend: sim, options: {board: zcu102}}
  - {kind: ncs2, backend: sim, options: {board: ncs2}}
layers:
  - kind: conv2d
    weight: 3
    params: {c: {from: 3, to: 512, scale: log}, k: {from: 16, to: 512, scale: log}, h: [7, 14, 28, 56, 112, 224], w: h, r: [1, 3, 7], s: r, stride: [1, 2], pad: r/2}
    max_macs: 500e6
    knowledge: white
    steps: {c: 16, k: 16}
  - kind: fc
    params: {in: 1..1024, out: 1..1024}
    knowledge: white
    steps: {in: 1, out: 1}
  - kind: add
    params: {c: 32..512, h: [7, 14, 28, 56]}
    knowledge: white
    steps: {c: 1}
budget: {samples: 70}
baseline: false
validation: {layers: 20}
`;

let farm, browser;

before(async () => {
    farm = await Farm.start('networks');
    for (const kind of ['zcu102', 'ncs2']) farm.worker(`${kind}-1`, kind);
    await farm.until('boards', {}, ({boards}) => boards.length === 2, 'boards');
    await farm.submit(CAMPAIGN);
    await farm.until('status', {campaign: 'nets'}, (answer) => answer.campaigns[0].state === 'done', 'the campaign', 300000);
    browser = await launch();
});

after(async () => {
    await browser?.close();
    farm?.stop();
});

async function openNetworks(options = {}, hash = '#/networks') {
    const page = await open(browser, `${farm.url}/${hash}`, options);
    await page.getByText('Live', {exact: true}).waitFor();
    return page;
}

/* As a hand drops it: the event carries the file. */
async function drop(page, name, bytes) {
    const transfer = await page.evaluateHandle(([title, text]) => {
        const data = new DataTransfer(), content = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
        data.items.add(new File([content], title));
        return data;
    }, [name, Buffer.from(bytes).toString('base64')]);
    for (const event of ['dragenter', 'dragover', 'drop']) await page.dispatchEvent('.drop', event, {dataTransfer: transfer});
}

const varint = (value) => (value < 128 ? [value] : [(value % 128) | 128, ...varint(Math.floor(value / 128))]);
const field = (number, bytes) => Buffer.concat([Buffer.from([...varint(number * 8 + 2), ...varint(bytes.length)]), bytes]);

/* A network with one more initializer in its graph, of so many bytes: what an exported network has plenty of. */
function withWeights(network, bytes) {
    const graph = field(5, Buffer.concat([field(8, Buffer.from('more')), field(9, Buffer.alloc(bytes, 0xa5))]));
    return Buffer.concat([network, field(7, graph)]); /* messages that come twice are merged */
}

test('totals_are_those_of_the_command_line', async () => {
    const page = await openNetworks();
    const file = join(NETWORKS, 'resnet18.onnx');
    const answered = page.waitForResponse((response) => response.url().endsWith('/api/v1/estimate'));
    await drop(page, 'resnet18.onnx', readFileSync(file));
    const {boards} = await (await answered).json();
    for (const kind of ['zcu102', 'ncs2']) {
        const told = JSON.parse(execFileSync(join(bin, 'prfarm'), ['estimate', '--board', kind, '--farm', farm.endpoints, file, '--json'], {encoding: 'utf8'}));
        const shown = boards.find((board) => board.kind === kind);
        for (const [key, of] of [['latency_ns', 'total_ns'], ['low_ns', 'low_ns'], ['high_ns', 'high_ns']]) assert.ok(Math.abs(shown[key] / told[of] - 1) < 1e-6, `${kind}: ${shown[key]} is not ${told[of]}`);
        const row = page.locator('figure', {hasText: 'All boards'}).locator('tr', {hasText: kind});
        await row.getByText(latency(told.total_ns), {exact: true}).first().waitFor();
        await row.getByText(`${told.covered} of ${told.layers.length}`).waitFor();
    }
    assert.equal(await page.locator('figure', {hasText: 'Block by block'}).locator('tbody tr').count(), 31);
    await assertAccessible(page, 'Networks with a result');
    assertSilent(page);
    await page.screenshot({path: join(out, 'networks.png'), fullPage: true});
    await page.context().close();
});

test('weights_stay_in_the_browser', async () => {
    const page = await openNetworks(), network = withWeights(readFileSync(join(NETWORKS, 'resnet18.onnx')), 3 << 20);
    const asked = page.waitForRequest((request) => request.url().endsWith('/api/v1/estimate'));
    await drop(page, 'heavy.onnx', network);
    const sent = Buffer.from(JSON.parse((await asked).postData()).onnx, 'base64');
    assert.ok(sent.length < 20000, `${sent.length} bytes were sent`);
    assert.ok(!sent.includes(Buffer.alloc(64, 0xa5)), 'weights were sent');
    await page.getByText('3.15 MB of weights stayed here').waitFor();
    await page.getByRole('heading', {name: 'heavy'}).waitFor();
    const plain = stripOnnx(readFileSync(join(NETWORKS, 'resnet18.onnx')));
    assert.equal(plain.weights, 0);
    await page.context().close();
});

test('what_is_no_network_is_told_so', async () => {
    const page = await openNetworks();
    const fault = page.locator('.note.bad[role=alert]');
    for (const [name, bytes, says] of [
        ['empty.onnx', '', /empty\.onnx: the file is empty/], ['notes.onnx', '{"a": 1}', /but text: an ONNX file is binary/], ['net.pt', 'PK\x03\x04zip', /a zip archive, as PyTorch/],
        ['cut.onnx', readFileSync(join(NETWORKS, 'resnet18.onnx')).subarray(0, 4000), /damaged one: .* cut off at byte/], ['noise.onnx', Buffer.alloc(100, 0xff), /this is no ONNX file/],
    ]) {
        await drop(page, name, bytes);
        await fault.getByText(says).waitFor();
    }
    assertSilent(page);
    await page.context().close();
});

test('what_is_missing_is_measured_with_the_token', async () => {
    const page = await openNetworks({}, `#/networks?kind=ncs2&token=${farm.token}`);
    await drop(page, 'resnet18.onnx', readFileSync(join(NETWORKS, 'resnet18.onnx')));
    const totals = page.locator('figure', {hasText: 'All boards'}).locator('tr', {hasText: 'ncs2'});
    await totals.waitFor();
    await page.getByText(/knows no maxpool2d/).waitFor();
    await page.getByRole('button', {name: 'Measure what is missing'}).click();
    await totals.getByText(/31 of 31, \d+ measured/).waitFor();
    assert.ok((await page.locator('figure', {hasText: 'Block by block'}).getByText('measured', {exact: true}).count()) >= 2);
    assertSilent(page);
    await page.context().close();
});

test('staircases_and_accuracy_keep_their_choice_in_the_address', async () => {
    const page = await openNetworks({}, '#/accuracy?campaign=nets&kind=ncs2');
    await page.getByText(/the model of ncs2 is off by/).waitFor();
    await page.getByLabel('Board', {exact: true}).selectOption('zcu102');
    await page.getByText(/the model of zcu102 is off by/).waitFor();
    assert.match(page.url(), /kind=zcu102/);
    await assertAccessible(page, 'Accuracy');
    await page.goto(`${farm.url}/#/staircases?kind=zcu102&layer=conv2d`);
    await page.getByText('Nothing was swept').waitFor();
    await assertAccessible(page, 'Staircases');
    assertSilent(page);
    await page.context().close();
});
