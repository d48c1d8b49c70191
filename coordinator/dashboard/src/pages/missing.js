// SPDX-License-Identifier: Apache-2.0
/* missing.js - has a board measure the blocks of a network that its model does not cover, or that lie outside what it was trained on, and no others
 * (as `prfarm estimate --measure-missing` does). Their latencies take the estimates' places in the sums. */
import {el, replace, setAttr, setText} from '../../../../common/web/dom.js';
import {count, counted} from '../../../../common/web/format.js';

const POLL_MS = 500;

/* A block's text says the data type that the first board's model has. */
const blockOf = (layer, board) => layer.block.replaceAll(/dtype=\w+/g, `dtype=${board.dtype}`);
const isMissing = (answer) => !answer.measured && (answer.latency_ns === null || answer.outside);

/* The same sum as common/network/estimate.c. */
function addUp(board, between_each_ns) {
    const known = board.layers.filter((answer) => answer.latency_ns !== null), sum = (key) => known.reduce((total, answer) => total + answer[key], 0);
    board.covered = known.length;
    board.outside = known.filter((answer) => answer.outside).length;
    board.measured = known.filter((answer) => answer.measured).length;
    board.between_ns = between_each_ns * Math.max(0, known.length - 1);
    board.latency_ns = known.length ? sum('latency_ns') + board.between_ns : null;
    board.low_ns = known.length ? sum('low_ns') + board.between_ns : null;
    board.high_ns = known.length ? sum('high_ns') + board.between_ns : null;
}

/* [[why, how many blocks]] */
function reasonsOf(board) {
    const counts = new Map();
    for (const answer of board.layers.filter(isMissing)) {
        const why = answer.latency_ns === null ? answer.why : 'outside the range that the model was trained on';
        counts.set(why, (counts.get(why) ?? 0) + 1);
    }
    return [...counts].sort((a, b) => b[1] - a[1]);
}

/* `changed` is called when latencies came. Returns {node, show(network, board), reset()}. */
export function makeMissing(ctx, changed) {
    const words = el('p'), reasons = el('ul', {class: 'reasons'}), why = el('p', {class: 'note warn', hidden: true});
    const button = el('button', {type: 'button', class: 'button', onclick: measure}, 'Measure what is missing');
    const node = el('div', {class: 'missing card', hidden: true}, words, reasons, button, why);
    let network = null, board = null, running = null, failed = [];

    function say() {
        const missing = board ? board.layers.filter(isMissing).length : 0;
        setAttr(node, 'hidden', !missing && !running && !failed.length);
        setText(words, running?.board === board && running ? `Measuring on ${board.kind}: ${count(running.done)} of ${count(running.total)} blocks.`
            : missing ? `${counted(missing, 'block is', 'blocks are')} not covered by the model of ${board.kind}, or outside what it was trained on. A board can measure ${missing === 1 ? 'it' : 'them'}; that takes the operator’s token.`
                : `Nothing is missing on ${board?.kind} any more.`);
        replace(reasons, board ? reasonsOf(board).map(([text, blocks]) => el('li', {}, `${counted(blocks, 'block')}: ${text}`)) : []);
        setAttr(button, 'hidden', !missing || running !== null);
        setText(why, failed.join(' '));
        setAttr(why, 'hidden', failed.length === 0);
    }

    /* Live boards of the kind are needed, or nothing would ever come. */
    function nobody(kind) {
        const known = ctx.live.fleet?.kinds.find((one) => one.kind === kind);
        return ctx.live.fleet && !known?.live ? `No board of kind ${kind} is connected: start a worker, then try again.` : null;
    }

    async function measure() {
        const mine = {network, board, done: 0, aborter: new AbortController()};
        const texts = [...new Set(board.layers.flatMap((answer, i) => (isMissing(answer) ? [blockOf(network.layers[i], board)] : [])))];
        mine.total = texts.length;
        failed = [nobody(board.kind)].filter(Boolean);
        if (failed.length) return say();
        running = mine;
        say();
        try {
            const {between_ns: between} = await ctx.api.get('provenance', {kind: board.kind, version: board.version}, mine.aborter.signal);
            const {points} = await ctx.api.post('measure', {kind: board.kind, items: texts.map((text) => ({blocks: [text]})), protocol: {cache: 'semi-cold'}}, mine.aborter.signal);
            await collect(mine, texts, points, between ?? 0);
        } catch (error) {
            if (error.name !== 'AbortError') failed = [error.message];
        }
        if (running === mine) running = null;
        return say();
    }

    async function collect(mine, texts, points, between) {
        for (const {signal} = mine.aborter; !signal.aborted;) {
            const {results} = await ctx.api.post('results', {points}, signal);
            const before = mine.done;
            mine.done = results.filter(Boolean).length;
            if (mine.done > before) take(mine, texts, results, between);
            if (mine.done === points.length) return;
            await new Promise((resolve) => setTimeout(resolve, POLL_MS));
        }
    }

    function take(mine, texts, results, between) {
        const told = new Map(texts.map((text, i) => [text, results[i]]));
        mine.board.layers.forEach((answer, i) => {
            const result = told.get(blockOf(mine.network.layers[i], mine.board));
            if (!result || answer.measured) return;
            if (result.outcome === 'ok') Object.assign(answer, {latency_ns: result.latency_ns, low_ns: result.latency_ns, high_ns: result.latency_ns, outside: false, measured: true, why: ''});
            else answer.why = result.error || result.outcome;
        });
        failed = [...new Set(results.filter((result) => result && result.outcome !== 'ok').map((result) => `Could not be measured: ${result.error || result.outcome}.`))];
        addUp(mine.board, between);
        changed();
    }

    return {
        node,
        show(next_network, next_board) {
            if (next_board !== board && !running) failed = [];
            [network, board] = [next_network, next_board];
            say();
        },
        reset() {
            running?.aborter.abort();
            running = null;
            failed = [];
        },
    };
}
