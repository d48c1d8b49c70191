// SPDX-License-Identifier: Apache-2.0
/* fleet.js - the whole farm in four figures, its kinds of boards in a table, and its boards page by page. Kinds come with the live stream, made up by
 * the coordinator: their size does not depend on the farm's. Of the boards a page of 50 is asked for, at once when the fleet's states changed, and
 * every two seconds for figures that only creep. */
import {el, replace, setText} from '../../../../common/web/dom.js';
import {count, counted, number, percent, rate, temperature} from '../../../../common/web/format.js';
import {makeTable} from '../../../../common/web/table.js';
import {BOARD_STATES, figure, meter, stateBar} from '../parts.js';
import {href} from '../router.js';
import {makeBoards} from './boards.js';

const STATES = Object.keys(BOARD_STATES);

function modelText(k) {
    if (!k.current_version) return 'none yet';
    return `v${k.current_version} on ${count(k.on_current)} of ${count(k.live)}`;
}

function temperatures(t) {
    if (!t) return temperature(null);
    return t.min === t.max ? temperature(t.median) : `${number(t.min)} / ${number(t.median)} / ${number(t.max)} °C`;
}

const columns = [
    {id: 'kind', title: 'Kind', head: true, value: (k) => k.kind, same: (k) => k.kind, draw: (k) => el('a', {href: href('fleet', {kind: k.kind})}, k.kind)},
    {id: 'boards', title: 'Boards', class: 'num', value: (k) => k.boards, down: true, text: (k) => count(k.boards)},
    {id: 'states', title: 'States', class: 'states', same: (k) => STATES.map((s) => k[s]).join(), draw: stateBar},
    {id: 'rate', title: 'Measured', class: 'num', value: (k) => k.jobs_per_second, down: true, text: (k) => rate(k.jobs_per_second)},
    {id: 'use', title: 'Utilisation', class: 'num', value: (k) => k.utilisation_percent, down: true, same: (k) => percent(k.utilisation_percent),
        draw: (k) => [meter(k.utilisation_percent), percent(k.utilisation_percent)]},
    {id: 'model', title: 'Model', class: 'wide', value: (k) => k.current_version, same: modelText,
        draw: (k) => (k.current_version ? el('a', {href: href('models', {kind: k.kind})}, modelText(k)) : modelText(k))},
    {id: 'done', title: 'Done', class: 'num wide', value: (k) => k.done, down: true, text: (k) => count(k.done)},
    {id: 'failed', title: 'Failed', class: 'num wide', value: (k) => k.failed, down: true, text: (k) => count(k.failed)},
    {id: 'heat', title: 'Temperature, min / median / max', class: 'num wide', value: (k) => k.temperature_c?.max, down: true, text: (k) => temperatures(k.temperature_c)},
];

/* What a change of is worth asking for the boards at once: who is there, in trouble, or on which model. */
function signature(fleet) {
    return fleet.kinds.map((k) => [k.kind, k.live, k.quarantined, k.lost, k.current_version, k.on_current, k.failed].join()).join(';');
}

function trouble(fleet) {
    const sum = (name) => fleet.kinds.reduce((total, k) => total + k[name], 0);
    return {quarantined: sum('quarantined'), lost: sum('lost')};
}

function mount(root, ctx) {
    const boards = figure('Boards connected'), measured = figure('Measured'), use = figure('Utilisation'), alarm = figure('In trouble');
    const kinds = makeTable({
        caption: 'Kinds of boards', columns, key: (k) => k.kind, sort: {column: 'kind', down: false},
        empty: 'No board has connected yet. Start one: prfarm-worker --kind KIND --backend NAME',
    });
    const list = makeBoards(ctx);
    let seen = '';

    function show(fleet) {
        const {quarantined, lost} = trouble(fleet);
        boards.set(count(fleet.live), `of ${count(fleet.boards)} known, ${counted(fleet.kinds.length, 'kind')}`);
        measured.set(rate(fleet.jobs_per_second), 'layers, over the last minute');
        use.set(percent(fleet.utilisation_percent), 'of the boards’ time spent measuring');
        alarm.set(count(quarantined + lost), quarantined + lost ? `${count(quarantined)} in quarantine, ${count(lost)} lost` : 'all boards are well');
        alarm.node.classList.toggle('alarm', quarantined + lost > 0);
        kinds.update(fleet.kinds);
        list.setKinds(fleet.kinds.map((k) => k.kind));
        const now = signature(fleet);
        list.within(now === seen ? 2000 : 0);
        seen = now;
    }

    replace(root,
        el('dl', {class: 'figures'}, [boards, measured, use, alarm].map((one) => one.node)),
        el('section', {'aria-label': 'Kinds of boards'}, kinds.node),
        list.node);
    if (ctx.live.fleet) show(ctx.live.fleet);
    else list.within(0);
    return {
        update(topic, data) {
            if (topic === 'fleet') show(data);
        },
        navigate: list.choose,
        unmount: list.stop,
    };
}

export const fleet = {id: 'fleet', title: 'Fleet', mount};
