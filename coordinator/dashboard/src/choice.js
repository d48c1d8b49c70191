// SPDX-License-Identifier: Apache-2.0
/* choice.js - select boxes whose choice stands in the address, so that a link shows the same to others. What is not offered (any more) counts as
 * not chosen: then it is the first. */
import {el, replace} from '../../../common/web/dom.js';
import {field} from './parts.js';

/* `fields`: [{id, label, all?: text of a first option that stands for everything}]. offer(id, values) says what there is, get(id) is the choice: a
 * value, null for all, or for nothing offered. `changed(id)` is told when the reader chose. Returns {node, offer, get}. */
export function makeChoice(ctx, fields, changed) {
    const boxes = new Map(fields.map((one) => [one.id, {...one, values: [], select: el('select', {id: `choice-${one.id}`, onchange: (event) => choose(one.id, event.target.value)})}]));
    const node = el('div', {class: 'filters'}, [...boxes.values()].map((box) => field(box.label, box.select)));

    function choose(id, value) {
        ctx.setParams({[id]: value || null});
        changed(id);
    }

    function get(id) {
        const {values, all} = boxes.get(id), wanted = ctx.params.get(id);
        if (values.includes(wanted)) return wanted;
        return all ? null : values[0] ?? null;
    }

    return {
        node, get,
        offer(id, values) {
            const box = boxes.get(id);
            if (values.join('\n') !== box.values.join('\n') || !box.select.options.length) {
                box.values = values;
                replace(box.select, box.all && el('option', {value: ''}, box.all), values.map((value) => el('option', {value}, value)));
            }
            box.select.value = get(id) ?? '';
            box.select.disabled = values.length < (box.all ? 1 : 2);
        },
    };
}

/* Campaigns as the live stream has them, or asked for while it has not come yet; what runs comes first, then the newest. */
export async function campaignsOf(ctx, signal) {
    const all = ctx.live.campaigns ?? (await ctx.api.get('status', {}, signal)).campaigns;
    return [...all].reverse().sort((a, b) => (b.state === 'running') - (a.state === 'running'));
}

/* What is worth asking for a summary again: how much of it is measured and trained. */
function progressOf(campaign) {
    return campaign ? JSON.stringify(campaign.boards.map((board) => [board.kind, board.stage, board.measured, board.model_version, board.samples])) : '';
}

/* For a page about the chosen campaign: note(campaigns) says what it is shown as of, update(topic, data) has the refresher ask again at most `ms` later once
 * it has come further. */
export function followCampaign(choice, refresher, ms) {
    const progress = (campaigns) => progressOf(campaigns.find((campaign) => campaign.name === choice.get('campaign')));
    let seen = null;
    return {
        note(campaigns) {
            seen = progress(campaigns);
        },
        update(topic, campaigns) {
            if (topic === 'campaigns' && progress(campaigns) !== seen) refresher.within(ms);
        },
    };
}
