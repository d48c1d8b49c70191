// SPDX-License-Identifier: Apache-2.0
/* boards.js - the fleet's boards, 50 at a time, by kind, state and name; each opens to what is known of it and to what can be done about it. */
import {el, replace, setAttr, setText} from '../../../../common/web/dom.js';
import {clock, count, DASH, duration, percent, rate, temperature} from '../../../../common/web/format.js';
import {makeTable} from '../../../../common/web/table.js';
import {actionButton, BOARD_STATES, facts, field, meter, stateMark, two} from '../parts.js';
import {makeRefresher} from '../refresher.js';

const PAGE = 50, TYPING_MS = 200;

function modelText(b) {
    if (!b.model_version) return b.current_version ? `none, v${b.current_version} is current` : 'none yet';
    return b.model_version === b.current_version ? `v${b.model_version}` : `v${b.model_version}, v${b.current_version} is current`;
}

function failureTexts(failures) {
    return Object.entries(failures ?? {}).filter(([, n]) => n > 0).map(([what, n]) => `${count(n)} ${what}`).join(', ');
}

function columnsFor(toggle) {
    return [
        {id: 'board', title: 'Board', head: true, same: (b) => `${b.board} ${b.kind}`,
            draw: (b) => two(el('button', {type: 'button', class: 'disclose', 'aria-expanded': 'false', onclick: () => toggle(b.board)}, b.board), b.kind)},
        {id: 'state', title: 'State', class: 'noted', same: (b) => `${b.state} ${b.note}`, draw: (b) => two(stateMark(b.state), b.note)},
        {id: 'rate', title: 'Measured', class: 'num wide', same: (b) => `${rate(b.jobs_per_second)} ${b.done} ${b.failed}`,
            draw: (b) => two(rate(b.jobs_per_second), `${count(b.done)} done, ${count(b.failed)} failed`)},
        {id: 'use', title: 'Utilisation', class: 'num wide', same: (b) => percent(b.utilisation_percent), draw: (b) => two(percent(b.utilisation_percent), meter(b.utilisation_percent))},
        {id: 'heat', title: 'Temperature', class: 'num wide', same: (b) => `${temperature(b.temperature_c)} ${clock(b.clock_mhz)}`,
            draw: (b) => two(temperature(b.temperature_c), typeof b.clock_mhz === 'number' ? `at ${clock(b.clock_mhz)}` : '')},
        {id: 'model', title: 'Model', class: 'num wide', same: (b) => `${b.model_version} ${b.current_version}`,
            draw: (b) => two(b.model_version ? `v${b.model_version}` : DASH, b.model_version === b.current_version ? '' : `v${b.current_version} is current`)},
    ];
}

/* What can be done about a board, and what is known of it. */
function drawDetail(ctx, changed) {
    return (first) => {
        let board = first;
        const order = async (op, args, text) => {
            await ctx.api.post(op, {board: board.board, ...args});
            changed();
            return text;
        };
        const quarantine = actionButton('Quarantine …', ctx, async () => {
            const why = await ctx.ask({
                title: `Quarantine ${board.board}`, text: 'It gets no more jobs until it is released. What it has in hand is given to others.', yes: 'Quarantine', danger: true,
                field: {label: 'Why', hint: 'Whoever looks at the board next reads this.', required: true},
            });
            return why === null ? null : order('quarantine', {why}, `${board.board} is in quarantine.`);
        }, {danger: true});
        const release = actionButton('Release', ctx, () => order('release', {}, `${board.board} is released.`));
        const power = actionButton('Power-cycle …', ctx, async () => {
            const sure = await ctx.ask({title: `Power-cycle ${board.board}`, text: 'The farm’s hook for this board is run: it loses what it is measuring and connects again.',
                yes: 'Power-cycle', danger: true});
            return sure ? order('power-cycle', {}, `${board.board} is being power-cycled.`) : null;
        }, {danger: true});
        const known = el('div');
        const node = el('div', {class: 'board-detail'}, known, el('div', {class: 'actions'}, quarantine, release, power));
        let texts = '';

        function update(b) {
            board = b;
            const entries = [
                ['Kind', b.kind], ['Software', b.software], ['Runtime', b.fingerprint], ['Model', modelText(b)],
                ['Done', count(b.done)], ['Failed', failureTexts(b.failures) || count(b.failed)], ['Running', count(b.running)],
                ['Measured', rate(b.jobs_per_second)], ['Utilisation', percent(b.utilisation_percent)], ['Temperature', temperature(b.temperature_c)], ['Clock', clock(b.clock_mhz)],
                ['Load', percent(b.load_percent)], ['Last heard', b.seconds_silent === null ? 'not since the coordinator started' : `${duration(b.seconds_silent)} ago`], ['Note', b.note],
            ];
            const now = JSON.stringify(entries);
            if (now !== texts) replace(known, facts(entries));
            texts = now;
            setAttr(quarantine, 'hidden', b.state === 'quarantined');
            setAttr(release, 'hidden', b.state !== 'quarantined');
        }
        return {node, update};
    };
}

/* Returns {node, setKinds(names), choose(), within(ms), stop()}: choose() shows what the address says, within() asks again that soon. */
export function makeBoards(ctx) {
    const opened = () => ctx.params.get('board');
    const refresher = makeRefresher(load);
    let answer = null, before = [], typing = 0;

    function toggle(board) {
        ctx.setParams({board: opened() === board ? null : board}, {replace: true});
        paint();
    }
    const table = makeTable({
        caption: 'Boards', columns: columnsFor(toggle), key: (b) => b.board, empty: 'No board matches.',
        detail: {is: (board) => opened() === board, draw: drawDetail(ctx, () => refresher.within(0))},
    });

    const search = el('input', {type: 'search', id: 'boards-search', placeholder: 'Name or note', autocomplete: 'off', spellcheck: 'false', value: ctx.params.get('search') ?? '',
        oninput: () => {
            clearTimeout(typing);
            typing = setTimeout(() => choose({search: search.value.trim()}, true), TYPING_MS);
        }});
    const kind = el('select', {id: 'boards-kind', onchange: () => choose({kind: kind.value})});
    const state = el('select', {id: 'boards-state', onchange: () => choose({state: state.value})},
        el('option', {value: ''}, 'All states'), Object.keys(BOARD_STATES).map((name) => el('option', {value: name}, name)));
    state.value = ctx.params.get('state') ?? '';
    setKinds([]);

    const range = el('span', {role: 'status', 'aria-live': 'polite', class: 'range'});
    const back = el('button', {type: 'button', class: 'button', onclick: () => turn(before.pop() ?? 0)}, 'Previous');
    const on = el('button', {type: 'button', class: 'button', onclick: () => {
        before.push(Number(ctx.params.get('after') ?? 0));
        turn(answer.next);
    }}, 'Next');

    function setKinds(names) {
        const wanted = ctx.params.get('kind') ?? '';
        const all = [...new Set([...names, wanted])].filter(Boolean).sort();
        const text = all.join('\n');
        if (kind.dataset.names === text) return;
        kind.dataset.names = text;
        replace(kind, el('option', {value: ''}, 'All kinds'), all.map((name) => el('option', {value: name}, name)));
        kind.value = wanted;
    }

    /* The address says something else than what is shown: a link was followed. */
    function readAddress() {
        before = [];
        search.value = ctx.params.get('search') ?? '';
        state.value = ctx.params.get('state') ?? '';
        kind.dataset.names = '-';
        setKinds([...kind.options].map((option) => option.value));
        refresher.now();
        node.scrollIntoView({block: 'nearest'});
    }

    function choose(changes, replaceAddress = false) {
        before = [];
        ctx.setParams({...changes, after: null}, {replace: replaceAddress});
        refresher.now();
    }

    function turn(after) {
        ctx.setParams({after: after || null});
        refresher.now();
    }

    async function load(signal) {
        const args = Object.fromEntries(['after', 'kind', 'state', 'search'].map((name) => [name, ctx.params.get(name)]));
        try {
            answer = await ctx.api.get('boards', {...args, limit: PAGE}, signal);
        } catch (error) {
            if (error.name === 'AbortError') throw error;
            setText(range, error.message);
            return;
        }
        paint();
    }

    function paint() {
        if (!answer) return;
        table.update(answer.boards);
        const first = Math.min(before.length ? before.length * PAGE + 1 : 1, answer.total ?? 1);
        const page = before.length || !ctx.params.get('after') ? `${count(first)}–${count(first + answer.boards.length - 1)} of ${count(answer.total)}` : `${count(answer.boards.length)} of ${count(answer.total)}`;
        setText(range, answer.total ? page : '');
        setAttr(back, 'disabled', !Number(ctx.params.get('after')));
        setAttr(on, 'disabled', answer.next === null);
    }

    const node = el('section', {class: 'boards', 'aria-label': 'Boards'},
        el('div', {class: 'filters', role: 'search', 'aria-label': 'Choose boards'},
            field('Search', search), field('Kind', kind), field('State', state),
            el('span', {class: 'pager'}, range, back, on)),
        table.node);
    return {
        node,
        setKinds,
        choose: readAddress,
        within: refresher.within,
        stop() {
            clearTimeout(typing);
            refresher.stop();
        },
    };
}
