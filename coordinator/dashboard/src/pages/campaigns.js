// SPDX-License-Identifier: Apache-2.0
/* campaigns.js - all campaigns in a table, and the chosen one below: its kinds of boards (kind_card.js), what can be done about it, and the points
 * that were given up, with their errors. */
import {el, replace, setAttr, setText} from '../../../../common/web/dom.js';
import {count, DASH, duration, percent} from '../../../../common/web/format.js';
import {makeTable} from '../../../../common/web/table.js';
import {actionButton, CAMPAIGN_STATES, meter, stateMark} from '../parts.js';
import {href} from '../router.js';
import {makeKindCard, progress} from './kind_card.js';
import {makePoisoned} from './poisoned.js';

const sum = (campaign, name) => campaign.boards.reduce((total, b) => total + (b[name] ?? 0), 0);

function timeLeft(campaign) {
    if (campaign.state !== 'running') return DASH;
    const left = campaign.boards.filter((b) => b.stage !== 'done' && b.stage !== 'failed').map((b) => b.seconds_left);
    return left.length && left.every((s) => typeof s === 'number') ? duration(Math.max(...left)) : DASH;
}

function errors(campaign) {
    const known = campaign.boards.map((b) => b.mape_percent).filter((m) => typeof m === 'number');
    if (!known.length) return DASH;
    const low = Math.min(...known), high = Math.max(...known);
    return percent(low) === percent(high) ? percent(low) : `${percent(low)} to ${percent(high)}`;
}

const columns = [
    {id: 'name', title: 'Campaign', head: true, value: (c) => c.name, same: (c) => c.name, draw: (c) => el('a', {href: href('campaigns', {campaign: c.name})}, c.name)},
    {id: 'state', title: 'State', value: (c) => c.state, same: (c) => c.state, draw: (c) => stateMark(c.state, CAMPAIGN_STATES)},
    {id: 'progress', title: 'Measured', class: 'num', same: (c) => `${sum(c, 'measured') + sum(c, 'reused')}/${sum(c, 'planned')}`,
        draw: (c) => el('div', {class: 'with-meter'}, meter(progress(sum(c, 'measured') + sum(c, 'reused'), sum(c, 'planned'))),
            `${count(sum(c, 'measured') + sum(c, 'reused'))} of ${count(sum(c, 'planned'))}`)},
    {id: 'mape', title: 'MAPE', class: 'num', text: errors},
    {id: 'left', title: 'Time left', class: 'num wide', text: timeLeft},
    {id: 'time', title: 'Time', class: 'num wide', value: (c) => c.seconds, down: true, text: (c) => duration(c.seconds)},
    {id: 'kinds', title: 'Boards', class: 'wide', text: (c) => c.boards.map((b) => b.kind).join(', ')},
];

/* Which orders make sense in a state: docs/states.md. */
const ORDERS = {pause: ['running'], resume: ['paused'], cancel: ['running', 'paused'], refresh: ['done']};

function makeOrders(ctx, chosen) {
    const order = (op, text, confirm) => async () => {
        if (confirm && !(await ctx.ask({title: confirm.title(chosen()), text: confirm.text, yes: confirm.yes, danger: confirm.danger}))) return null;
        const done = await ctx.api.post(op, {campaign: chosen()});
        return text(done);
    };
    const buttons = {
        pause: actionButton('Pause', ctx, order('pause', () => `${chosen()} is paused: boards finish what they have in hand.`)),
        resume: actionButton('Resume', ctx, order('resume', () => `${chosen()} goes on.`)),
        refresh: actionButton('Refresh …', ctx, order('refresh', () => `${chosen()} measures some layers again.`,
            {title: (name) => `Refresh ${name}`, text: 'Some of what its models were trained on is measured again. Where boards have drifted, they are measured anew.', yes: 'Refresh'})),
        retry: actionButton('Retry poisoned', ctx, order('retry', (done) => `${count(done.cleared)} points are tried again.`)),
        cancel: actionButton('Cancel …', ctx, order('cancel', () => `${chosen()} is cancelled.`,
            {title: (name) => `Cancel ${name}`, text: 'It measures nothing more. What was measured stays, and submitting the same file again goes on from there.', yes: 'Cancel the campaign', danger: true}),
            {danger: true}),
    };
    return {
        nodes: Object.values(buttons),
        set(campaign) {
            for (const [op, states] of Object.entries(ORDERS)) setAttr(buttons[op], 'hidden', !states.includes(campaign.state));
            setAttr(buttons.retry, 'hidden', sum(campaign, 'poisoned') === 0);
        },
    };
}

function mount(root, ctx) {
    const table = makeTable({caption: 'Campaigns', bare: true, columns, key: (c) => c.name, empty: 'No campaign yet. Submit one: prfarm submit FILE.yaml'});
    const title = el('h2'), state = el('span'), line = el('p', {class: 'lead'}), error = el('p', {class: 'note bad', hidden: true});
    const cards = el('div', {class: 'cards'});
    const poisoned = makePoisoned(ctx);
    let shown = null, byKind = new Map();
    const orders = makeOrders(ctx, () => shown);
    const detail = el('section', {'aria-label': 'The chosen campaign', hidden: true},
        el('div', {class: 'title-line'}, title, state, el('div', {class: 'actions'}, orders.nodes)), line, error, cards, poisoned.node);

    function choose(all) {
        return all.find((c) => c.name === ctx.params.get('campaign')) ?? all.find((c) => c.state === 'running') ?? all[all.length - 1];
    }

    function showChosen(campaign) {
        if (shown !== campaign.name) {
            shown = campaign.name;
            for (const card of byKind.values()) card.stop();
            byKind = new Map();
            replace(cards);
        }
        setText(title, campaign.name);
        if (state.dataset.state !== campaign.state) replace(state, stateMark(campaign.state, CAMPAIGN_STATES));
        state.dataset.state = campaign.state;
        const left = timeLeft(campaign);
        setText(line, `${campaign.state === 'running' ? 'Running for' : 'Ran for'} ${duration(campaign.seconds)}${left === DASH ? '' : `, about ${left} left`}`);
        setText(error, campaign.error);
        setAttr(error, 'hidden', !campaign.error);
        for (const board of campaign.boards) {
            let card = byKind.get(board.kind);
            if (!card) {
                byKind.set(board.kind, (card = makeKindCard(board.kind)));
                cards.append(card.node);
            }
            card.update(board, campaign);
        }
        orders.set(campaign);
        poisoned.set(campaign.name, sum(campaign, 'poisoned'));
    }

    function show(all) {
        table.update(all);
        const campaign = all.length ? choose(all) : null;
        setAttr(detail, 'hidden', !campaign);
        if (campaign) showChosen(campaign);
    }

    async function firstAnswer() {
        try {
            show((await ctx.api.get('status')).campaigns);
        } catch (failure) {
            ctx.toast(failure.message, 'error');
        }
    }

    replace(root, table.node, detail);
    if (ctx.live.campaigns) show(ctx.live.campaigns);
    else firstAnswer();
    return {
        update(topic, data) {
            if (topic === 'campaigns') show(data);
        },
        navigate() {
            if (ctx.live.campaigns) show(ctx.live.campaigns);
        },
        unmount() {
            for (const card of byKind.values()) card.stop();
            poisoned.stop();
        },
    };
}

export const campaigns = {id: 'campaigns', title: 'Campaigns', mount};
