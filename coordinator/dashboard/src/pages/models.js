// SPDX-License-Identifier: Apache-2.0
/* models.js - every version of every kind's model: its error, where it comes from, which boards run it; and back to an earlier one. */
import {el, replace, setText} from '../../../../common/web/dom.js';
import {bytes, count, percent, time, timestamp} from '../../../../common/web/format.js';
import {makeTable} from '../../../../common/web/table.js';
import {actionButton, facts, field} from '../parts.js';
import {makeRefresher} from '../refresher.js';
import {href} from '../router.js';

const id = (m) => `${m.kind}/${m.version}`;

/* What the model file knows of itself, whatever that is: names become words, and what has parts becomes a table of its own. */
function words(name) {
    return name.replace(/_percent$/, ' (%)').replace(/_ns$/, ' (ns)').replace(/_ms$/, ' (ms)').replaceAll('_', ' ').replace(/\bmape\b/, 'MAPE');
}

function plain(name, value) {
    if (typeof value !== 'number') return String(value);
    if (name.endsWith('wall_ms')) return time(value);
    return Number.isInteger(value) ? count(value) : String(Number(value.toPrecision(4)));
}

function drawProvenance(known) {
    const isPart = (value) => value !== null && typeof value === 'object';
    const own = Object.entries(known).filter(([, value]) => value !== null && !isPart(value));
    const parts = Object.entries(known).filter(([, value]) => isPart(value) && Object.keys(value).length > 0);
    return [
        facts(own.map(([name, value]) => [words(name), plain(name, value)])),
        parts.map(([name, value]) => el('details', {}, el('summary', {}, Array.isArray(value) ? `${words(name)} (${count(value.length)})` : words(name)),
            el('div', {class: 'nested'}, Array.isArray(value)
                ? value.slice(0, 100).map((one) => (isPart(one) ? drawProvenance(one) : el('p', {}, String(one))))
                : drawProvenance(value)))),
    ];
}

function mount(root, ctx) {
    const opened = () => ctx.params.get('model');
    const refresher = makeRefresher(load);
    const kind = el('select', {id: 'models-kind', onchange: () => {
        ctx.setParams({kind: kind.value});
        paint();
    }});
    const trouble = el('p', {class: 'note bad', hidden: true, role: 'status'});
    const provenances = new Map(); /* a version's never change */
    let all = [];

    function toggle(m) {
        ctx.setParams({model: opened() === id(m) ? null : id(m)}, {replace: true});
        paint();
    }

    function drawDetail(first) {
        let model = first;
        const known = el('div', {}, el('p', {class: 'hint'}, 'Asking …'));
        const back = actionButton('Roll back to this version …', ctx, async () => {
            const sure = await ctx.ask({title: `${model.kind}: back to v${model.version}`, yes: 'Roll back', danger: true,
                text: `All boards of kind ${model.kind} and all who ask get v${model.version}, until a version newer than those that are there appears.`});
            if (!sure) return null;
            await ctx.api.post('rollback', {kind: model.kind, version: model.version});
            refresher.within(0);
            return `${model.kind} runs v${model.version} now.`;
        });
        const node = el('div', {class: 'board-detail'}, known, el('div', {class: 'actions'}, back));
        async function ask() {
            try {
                if (!provenances.has(id(model))) provenances.set(id(model), await ctx.api.get('provenance', {kind: model.kind, version: model.version}));
                replace(known, drawProvenance(provenances.get(id(model))));
            } catch (error) {
                replace(known, el('p', {class: 'hint'}, error.message));
            }
        }
        ask();
        return {
            node,
            update(m) {
                model = m;
                back.hidden = m.current;
            },
        };
    }

    const columns = [
        {id: 'kind', title: 'Kind', head: true, value: (m) => m.kind, same: (m) => m.kind, draw: (m) => el('button', {type: 'button', class: 'disclose',
            'aria-expanded': 'false', 'aria-label': `${m.kind} v${m.version}`, onclick: () => toggle(m)}, m.kind)},
        {id: 'version', title: 'Version', class: 'num', text: (m) => `v${m.version}`},
        {id: 'current', title: 'Current', same: (m) => String(m.current), draw: (m) => (m.current ? el('span', {class: 'badge good'}, '✓ current') : '')},
        {id: 'runs', title: 'Boards that run it', class: 'num', value: (m) => m.runs_on, down: true, text: (m) => `${count(m.runs_on)} of ${count(m.workers)}`},
        {id: 'mape', title: 'MAPE', class: 'num', value: (m) => m.mape_percent, text: (m) => percent(m.mape_percent)},
        {id: 'campaign', title: 'Campaign', class: 'wide', same: (m) => m.campaign, draw: (m) => (m.campaign ? el('a', {href: href('campaigns', {campaign: m.campaign})}, m.campaign) : '')},
        {id: 'published', title: 'Published', class: 'num wide', value: (m) => m.published_ms, down: true, same: (m) => time(m.published_ms),
            draw: (m) => el('time', {datetime: timestamp(m.published_ms)}, time(m.published_ms))},
        {id: 'bytes', title: 'Size', class: 'num wide', value: (m) => m.bytes, down: true, text: (m) => bytes(m.bytes)},
    ];
    const table = makeTable({caption: 'Models', bare: true, columns, key: id, detail: {is: (key) => opened() === key, draw: drawDetail},
        empty: 'No model yet: a campaign publishes one when it is done.'});

    function paint() {
        const kinds = [...new Set(all.map((m) => m.kind))].sort(), chosen = ctx.params.get('kind') ?? '';
        if (kind.dataset.names !== kinds.join('\n')) replace(kind, el('option', {value: ''}, 'All kinds'), kinds.map((name) => el('option', {value: name}, name)));
        kind.dataset.names = kinds.join('\n');
        kind.value = chosen;
        table.update(all.filter((m) => !chosen || m.kind === chosen).sort((a, b) => a.kind.localeCompare(b.kind) || b.version - a.version));
    }

    async function load(signal) {
        try {
            all = await ctx.api.list('models', {}, 'models', signal);
            trouble.hidden = true;
            paint();
        } catch (error) {
            if (error.name === 'AbortError') throw error;
            setText(trouble, error.message);
            trouble.hidden = false;
        }
    }

    replace(root, el('div', {class: 'filters'}, field('Kind', kind)), trouble, table.node);
    refresher.now();
    return {
        update(topic) {
            if (topic === 'models') refresher.within(0);
            else if (topic === 'fleet') refresher.within(2000); /* who runs which */
        },
        navigate: paint,
        unmount: refresher.stop,
    };
}

export const models = {id: 'models', title: 'Models', mount};
