// SPDX-License-Identifier: Apache-2.0
/* fleet.js - the whole farm in four figures, its kinds of boards in a table, and its boards page by page. Kinds come with the live stream, made up by
 * the coordinator: their size does not depend on the farm's. Of the boards a page of 50 is asked for, at once when the fleet's states changed, and
 * every two seconds for figures that only creep. */
import {el, replace} from '../../../../common/web/dom.js';
import {count, counted, DASH, percent, rate, temperature} from '../../../../common/web/format.js';
import {makeTable} from '../../../../common/web/table.js';
import {BOARD_STATES, figure, meter, stateBar, two} from '../parts.js';
import {href} from '../router.js';
import {makeBoards} from './boards.js';

const STATES = Object.keys(BOARD_STATES);

function adoption(k) {
    return k.current_version ? `on ${count(k.on_current)} of ${count(k.live)}` : 'none yet';
}

/* Two lines a cell: what counts, and below what explains it. */
const columns = [
    {id: 'kind', title: 'Kind', head: true, value: (k) => k.kind, same: (k) => `${k.kind} ${k.boards}`,
        draw: (k) => two(el('a', {href: href('fleet', {kind: k.kind})}, k.kind), counted(k.boards, 'board'))},
    {id: 'states', title: 'States', class: 'states', value: (k) => k.quarantined + k.lost, down: true, same: (k) => STATES.map((s) => k[s]).join(), draw: stateBar},
    {id: 'use', title: 'Utilisation', class: 'num wide', value: (k) => k.utilisation_percent, down: true, same: (k) => percent(k.utilisation_percent),
        draw: (k) => two(percent(k.utilisation_percent), meter(k.utilisation_percent))},
    {id: 'rate', title: 'Measured', class: 'num', value: (k) => k.jobs_per_second, down: true, same: (k) => `${rate(k.jobs_per_second)} ${k.done} ${k.failed}`,
        draw: (k) => two(rate(k.jobs_per_second), `${count(k.done)} done, ${count(k.failed)} failed`)},
    {id: 'model', title: 'Model', class: 'num wide', value: (k) => k.current_version, down: true, same: (k) => `${k.current_version} ${adoption(k)}`,
        draw: (k) => two(k.current_version ? el('a', {href: href('models', {kind: k.kind})}, `v${k.current_version}`) : DASH, adoption(k))},
    {id: 'heat', title: 'Temperature', class: 'num wide', value: (k) => k.temperature_c?.max, down: true, same: (k) => JSON.stringify(k.temperature_c),
        draw: (k) => two(temperature(k.temperature_c?.median), k.temperature_c ? `${temperature(k.temperature_c.min)} to ${temperature(k.temperature_c.max)}` : 'not told')},
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
        el('section', {class: 'kinds', 'aria-label': 'Kinds of boards'}, kinds.node),
        list.node);
    if (ctx.live.fleet) show(ctx.live.fleet);
    else list.within(0);
    return {
        update(topic, data) {
            if (topic === 'fleet') show(data);
            else if (topic === 'events') list.within(0); /* a board may be what it was, for another reason */
        },
        navigate: list.choose,
        unmount: list.stop,
    };
}

export const fleet = {id: 'fleet', title: 'Fleet', mount};
