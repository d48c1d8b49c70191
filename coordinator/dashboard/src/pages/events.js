// SPDX-License-Identifier: Apache-2.0
/* events.js - what happened to boards, points, models and campaigns, newest first. The stream tells that there is something new; what, is asked for from
 * the last that is here, so that nothing is missed after a lost connection. */
import {el, replace, setAttr, setText} from '../../../../common/web/dom.js';
import {count, counted, time, timestamp} from '../../../../common/web/format.js';
import {makeTable} from '../../../../common/web/table.js';
import {field} from '../parts.js';
import {makeRefresher} from '../refresher.js';

const KEPT = 1000; /* as many as the coordinator keeps */
const SHOWN = 200, TYPING_MS = 200;

const words = (event) => event.replaceAll('_', ' ');

const columns = [
    {id: 'time', title: 'Time', class: 'num time', same: (e) => time(e.wall_ms), draw: (e) => el('time', {datetime: timestamp(e.wall_ms)}, time(e.wall_ms))},
    {id: 'event', title: 'Event', text: (e) => words(e.event)},
    {id: 'subject', title: 'Of', head: true, text: (e) => e.subject},
    {id: 'text', title: 'What', class: 'note-cell', text: (e) => e.text},
];

function matches(event, filter) {
    const text = `${words(event.event)} ${event.subject} ${event.text}`.toLowerCase();
    return filter.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}

function mount(root, ctx) {
    const refresher = makeRefresher(load);
    const table = makeTable({caption: 'Events', bare: true, columns, key: (e) => e.number, empty: 'Nothing has happened that matches.'});
    const range = el('span', {class: 'range', role: 'status', 'aria-live': 'polite'});
    const more = el('button', {type: 'button', class: 'button', hidden: true, onclick: () => {
        limit += SHOWN;
        paint();
    }}, 'Show earlier ones');
    let events = [], limit = SHOWN, typing = 0;
    const filter = el('input', {type: 'search', id: 'events-filter', placeholder: 'Board, campaign, word', autocomplete: 'off', spellcheck: 'false', value: ctx.params.get('filter') ?? '',
        oninput: () => {
            clearTimeout(typing);
            typing = setTimeout(() => {
                ctx.setParams({filter: filter.value.trim()}, {replace: true});
                limit = SHOWN;
                paint();
            }, TYPING_MS);
        }});

    function paint() {
        const wanted = ctx.params.get('filter') ?? '';
        const found = (wanted ? events.filter((e) => matches(e, wanted)) : events);
        table.update(found.slice(-limit).reverse());
        setText(range, wanted ? `${count(found.length)} of ${counted(events.length, 'event')}` : '');
        setAttr(more, 'hidden', found.length <= limit);
    }

    async function load(signal) {
        try {
            for (let next = events.at(-1)?.number ?? 0; next !== null;) {
                const answer = await ctx.api.get('events', {after: next || null}, signal);
                events.push(...answer.events);
                next = answer.next;
            }
            events = events.slice(-KEPT);
            paint();
        } catch (error) {
            if (error.name === 'AbortError') throw error;
            setText(range, error.message);
        }
    }

    replace(root, el('div', {class: 'filters', role: 'search', 'aria-label': 'Choose events'}, field('Filter', filter), range), table.node, more);
    refresher.now();
    return {
        update(topic) {
            if (topic === 'events') refresher.within(0);
        },
        navigate() {
            filter.value = ctx.params.get('filter') ?? '';
            paint();
        },
        unmount() {
            clearTimeout(typing);
            refresher.stop();
        },
    };
}

export const events = {id: 'events', title: 'Events', mount};
