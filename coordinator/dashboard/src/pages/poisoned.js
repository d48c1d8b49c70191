// SPDX-License-Identifier: Apache-2.0
/* poisoned.js - the points that a campaign gave up after several boards failed on them, with what each board said. Asked for only if there are any, and
 * again when their number changes. */
import {el, setAttr, setText} from '../../../../common/web/dom.js';
import {counted} from '../../../../common/web/format.js';
import {makeTable} from '../../../../common/web/table.js';
import {makeRefresher} from '../refresher.js';

function drawErrors(point) {
    return el('ul', {class: 'errors'}, point.errors.map((e) => el('li', {}, el('strong', {}, e.board), `: ${e.outcome}`, e.error ? `, ${e.error}` : '')));
}

const columns = [
    {id: 'block', title: 'Layer', head: true, class: 'block', text: (p) => p.block || p.layer || p.point},
    {id: 'kind', title: 'Kind', text: (p) => p.kind},
    {id: 'role', title: 'For', class: 'wide', text: (p) => p.role},
    {id: 'errors', title: 'What the boards said', same: (p) => JSON.stringify(p.errors), draw: drawErrors},
];

/* Returns {node, set(campaign, number), stop()}. */
export function makePoisoned(ctx) {
    const more = el('p', {class: 'hint', hidden: true});
    const table = makeTable({caption: 'Poisoned points', columns, key: (p) => `${p.point}/${p.attempt}`});
    const node = el('section', {class: 'apart', 'aria-label': 'Poisoned points', hidden: true}, table.node, more);
    const refresher = makeRefresher(load);
    let campaign = '', number = 0;

    async function load(signal) {
        try {
            const answer = await ctx.api.get('poisoned', {campaign}, signal);
            table.update(answer.points);
            setText(more, answer.next === null ? '' : `The first ${counted(answer.points.length, 'point')}; all: prfarm poisoned ${campaign}`);
            setAttr(more, 'hidden', answer.next === null);
        } catch (error) {
            if (error.name === 'AbortError') throw error;
            setText(more, error.message);
            setAttr(more, 'hidden', false);
        }
    }

    return {
        node,
        set(name, count) {
            setAttr(node, 'hidden', count === 0);
            if (name === campaign && count === number) return;
            const other = name !== campaign;
            campaign = name;
            number = count;
            if (count === 0) {
                refresher.stop();
                table.update([]);
            } else if (other) {
                refresher.now();
            } else {
                refresher.within(1000);
            }
        },
        stop: refresher.stop,
    };
}
