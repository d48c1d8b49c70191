// SPDX-License-Identifier: Apache-2.0
/* networks.js - an ONNX file, dropped or chosen, on every kind of board that has a model: totals side by side, the layers on one of them, what no model
 * knows, and a way to have that measured. The weights stay where the file is (onnx_strip.js); only what is left of it goes to the coordinator. */
import {makeBars} from '../../../../common/web/charts.js';
import {el, replace, setAttr, setText} from '../../../../common/web/dom.js';
import {bytes, count, counted, latency, percent} from '../../../../common/web/format.js';
import {formatParams} from '../../../../common/web/layers.js';
import {OnnxError, stripOnnx, toBase64} from '../../../../common/web/onnx_strip.js';
import {makeTable} from '../../../../common/web/table.js';
import {field} from '../parts.js';
import {makeMissing} from './missing.js';

const FILE_BYTES = 2 ** 31; /* no ONNX file is larger: protobuf's own limit */
const SENT_BYTES = 760 * 1024; /* as base64 it fits into a request */
const DTYPES = ['f32', 'f16', 'bf16', 'i8'];
const BLOCKS = 8; /* tones that kinds of layers can have */

/* Boards that model all of the network come first, the fastest of them at the top. */
function ranked(boards) {
    const missing = (board) => board.blocks - board.covered;
    return [...boards].sort((a, b) => missing(a) - missing(b) || (a.latency_ns ?? Infinity) - (b.latency_ns ?? Infinity));
}

function verdict(order) {
    const whole = order.filter((board) => board.covered === board.blocks);
    if (order.length === 0) return 'No kind of board has a model yet.';
    if (whole.length === 0) return 'No model covers all of the network: the sums below are of the blocks that each one covers.';
    const [best, next] = whole;
    const outside = best.outside ? ` ${counted(best.outside, 'block lies', 'blocks lie')} outside the range that its model was trained on: expect a larger error.` : '';
    if (!next) return `${best.kind} takes ${latency(best.latency_ns)}.${outside}`;
    return `${best.kind} is the fastest with ${latency(best.latency_ns)}, ${(next.latency_ns / best.latency_ns).toFixed(2)} times as fast as ${next.kind}.${outside}`;
}

const interval = (row) => (row.value === null ? '' : `${latency(row.low)} to ${latency(row.high)}`);

function coverageWords(board) {
    const words = [`${count(board.covered)} of ${count(board.blocks)}`];
    if (board.outside) words.push(`${count(board.outside)} outside`);
    if (board.measured) words.push(`${count(board.measured)} measured`);
    return words.join(', ');
}

function makeTotals() {
    return makeBars({
        title: 'All boards', head: 'board', measure: 'latency of the network, with its 90 % interval',
        columns: [
            {title: 'latency', class: 'num', text: (row) => latency(row.value)},
            {title: '90 % of cases', text: interval},
            {title: 'blocks covered', text: (row) => coverageWords(row.board)},
            {title: 'model', class: 'num', text: (row) => `v${row.board.version}`},
        ],
    });
}

function makeLayers() {
    return makeBars({
        title: 'Block by block', head: 'block', measure: 'latency, with its 90 % interval',
        columns: [
            {title: 'latency', class: 'num', text: (row) => latency(row.value)},
            {title: 'share', class: 'num', text: (row) => percent(row.share)},
            {title: '90 % of cases', text: (row) => row.remark || interval(row)},
            {title: 'kind', text: (row) => row.layer.kind},
            {title: 'parameters', text: (row) => formatParams(row.layer.params)},
        ],
    });
}

function remarkOf(answer) {
    if (answer.measured) return 'measured';
    if (answer.latency_ns === null) return 'not covered';
    return answer.outside ? `${latency(answer.low_ns)} to ${latency(answer.high_ns)}, outside` : '';
}

function layerRows(network, board) {
    const kinds = [...new Set(network.layers.map((layer) => layer.kind))];
    return network.layers.map((layer, i) => {
        const answer = board.layers[i];
        return {
            layer, label: layer.name, value: answer.latency_ns, low: answer.low_ns, high: answer.high_ns, tone: (kinds.indexOf(layer.kind) % BLOCKS) + 1, faint: answer.outside,
            share: answer.latency_ns === null ? null : (100 * answer.latency_ns) / board.latency_ns, remark: remarkOf(answer),
        };
    });
}

/* Where a file comes in: dropped, chosen, or pasted. `take(File)` gets it. */
function makeDrop(take) {
    const input = el('input', {type: 'file', accept: '.onnx', class: 'hidden', id: 'onnx-file', 'aria-describedby': 'onnx-hint', onchange: () => {
        if (input.files.length) take(input.files[0]);
        input.value = ''; /* so that the same file can be chosen again */
    }});
    const over = (is) => (event) => {
        event.preventDefault();
        node.classList.toggle('over', is);
    };
    const node = el('div', {class: 'drop', ondragenter: over(true), ondragover: over(true), ondragleave: over(false), ondrop: (event) => {
        over(false)(event);
        if (event.dataTransfer.files.length) take(event.dataTransfer.files[0]);
    }}, input, el('label', {for: 'onnx-file'}, el('strong', {}, 'Drop an ONNX file here'), ' or ', el('span', {class: 'button'}, 'choose one')),
        el('p', {class: 'hint', id: 'onnx-hint'}, 'Its weights stay on this machine: only what the network consists of is sent to the coordinator.'));
    return node;
}

function mount(root, ctx) {
    const batch = el('input', {id: 'batch', type: 'number', min: '1', max: '65536', value: ctx.params.get('batch') ?? '1', onchange: () => option('batch', batch.value === '1' ? null : batch.value)});
    const dtype = el('select', {id: 'dtype', onchange: () => option('dtype', dtype.value)}, el('option', {value: ''}, 'each model’s own'), DTYPES.map((name) => el('option', {value: name}, name)));
    const state = el('p', {class: 'lead', role: 'status'}), fault = el('p', {class: 'note bad', role: 'alert', hidden: true});
    const title = el('h2'), lead = el('p', {class: 'lead'});
    const totals = makeTotals(), layers = makeLayers(), missing = makeMissing(ctx, shown);
    const unsupported = makeTable({
        caption: 'Not in the totals: operators that prfarm does not know', key: (row) => `${row.op} ${row.name}`,
        columns: [{id: 'op', title: 'operator', head: true, text: (row) => row.op}, {id: 'name', title: 'name', text: (row) => row.name}, {id: 'why', title: 'what is done with it', text: (row) => row.why}],
    });
    const result = el('section', {'aria-label': 'Estimates', hidden: true}, title, lead, el('div', {class: 'card'}, totals.node), missing.node, el('div', {class: 'card'}, layers.node), unsupported.node);
    let file = null, network = null, asked = null;

    dtype.value = DTYPES.includes(ctx.params.get('dtype')) ? ctx.params.get('dtype') : '';

    function option(name, value) {
        ctx.setParams({[name]: value || null}, {replace: true});
        if (file) ask();
    }

    function fail(text) {
        setText(fault, text);
        setAttr(fault, 'hidden', !text);
        if (text) setText(state, '');
    }

    async function take(chosen) {
        fail('');
        setAttr(result, 'hidden', true);
        file = null;
        try {
            if (chosen.size >= FILE_BYTES) throw new OnnxError('it is larger than 2 GiB: no ONNX file is, save its weights as external data');
            setText(state, `Reading ${chosen.name} …`);
            const {bytes: left, weights} = stripOnnx(await chosen.arrayBuffer());
            if (left.length > SENT_BYTES) throw new OnnxError(`without its weights it still has ${bytes(left.length)}, more than a request may: ask with 'prfarm estimate' on the command line`);
            file = {name: chosen.name.replace(/\.onnx$/i, ''), onnx: toBase64(left), sent: left.length, weights, size: chosen.size};
        } catch (error) {
            return fail(`${chosen.name}: ${error.message}`);
        }
        return ask();
    }

    async function ask() {
        asked?.abort();
        const mine = asked = new AbortController();
        setText(state, `Estimating ${file.name} …`);
        try {
            network = await ctx.api.post('estimate', {onnx: file.onnx, name: file.name, batch: Number(batch.value) || 1, ...(dtype.value ? {dtype: dtype.value} : {})}, mine.signal);
        } catch (error) {
            return error.name === 'AbortError' ? undefined : fail(`${file.name}: ${error.message}`);
        }
        fail('');
        setText(state, file.weights ? `${bytes(file.weights)} of weights stayed here; ${bytes(file.sent)} of ${bytes(file.size)} were sent.` : `${bytes(file.sent)} were sent; the file has no weights to speak of.`);
        missing.reset();
        shown();
        return undefined;
    }

    function choose(kind) {
        ctx.setParams({kind});
        shown();
    }

    function shown() {
        const order = ranked(network.boards), board = order.find((one) => one.kind === ctx.params.get('kind')) ?? order[0];
        setText(title, network.network);
        setText(lead, `${counted(network.layers.length, 'block')}, ${(network.macs / 1e6).toPrecision(4)} million MACs. ${verdict(order)}`);
        totals.update({
            rows: order.map((one) => ({
                board: one, label: one.kind, value: one.latency_ns, low: one.low_ns, high: one.high_ns, faint: one.covered < one.blocks,
                pressed: one === board, onclick: () => choose(one.kind),
            })),
            finding: order.some((one) => one.covered < one.blocks) ? 'Grey: the sum of the blocks that its model covers, not of all.' : 'Choose a board to see its blocks below.',
        });
        setAttr(layers.node.parentNode, 'hidden', !board);
        missing.show(network, board);
        if (board) {
            const rows = layerRows(network, board), slowest = rows.reduce((most, row) => ((row.value ?? 0) > (most.value ?? 0) ? row : most), rows[0]);
            const between = board.between_ns > 0 ? ` Between blocks lie ${latency(board.between_ns)} more.` : '';
            layers.update({rows, finding: `On ${board.kind} ${slowest.label} takes most: ${latency(slowest.value)}, ${percent(slowest.share)} of the network.${between} Colours tell kinds of layers apart; grey ones lie outside the trained range.`});
        }
        unsupported.update(network.unsupported);
        setAttr(unsupported.node, 'hidden', network.unsupported.length === 0);
        setAttr(result, 'hidden', false);
    }

    replace(root,
        el('div', {class: 'card'}, makeDrop(take), el('div', {class: 'filters'}, field('Batch, where the network leaves it open', batch), field('Data type', dtype))),
        state, fault, result);
    return {
        navigate() {
            if (network) shown();
        },
        unmount() {
            asked?.abort();
            missing.reset();
        },
    };
}

export const networks = {id: 'networks', title: 'Networks', mount};
