// SPDX-License-Identifier: Apache-2.0
/* app.js - puts header, page and live state together. A page is {id, title, mount(root, ctx)}; mount builds it into `root` and returns
 * {update(topic, data)?, navigate()?, unmount()?}. navigate() is called when the reader goes to the same page with other ctx.params, by a link or
 * back and forth; without it the page is mounted anew. update comes for each live topic that changed, at most once a frame, and never for one whose last state
 * stood in ctx.live already when the page was mounted: a page shows ctx.live first.
 *   ctx.api        get(op, args), list(op, args, rows), post(op, args): the coordinator's operations; a token is asked for where it takes one
 *   ctx.live       the last state of each topic: coordinator, fleet, campaigns, models, events; undefined until it came
 *   ctx.params     what the address chooses (URLSearchParams); setParams({name: value or null}, {replace}) changes it
 *   ctx.ask        asks the reader (dialog.js); ctx.toast(text, 'info' | 'error') tells what happened
 *   ctx.token      get(): the token of this tab, or null */
import './style.css';
import {el, replace} from '../../../common/web/dom.js';
import {applyTheme} from '../../../common/web/theme.js';
import {makeApi, takeTokenFromAddress, token} from './api.js';
import {ask} from './dialog.js';
import {makeHeader} from './header.js';
import {connectLive} from './live.js';
import {pages} from './pages/index.js';
import {changeParams, startRouter} from './router.js';
import {makeToasts} from './toast.js';

const live = {};
const connection = {open: false};
const dirty = new Set();
const toasts = makeToasts();
const main = el('main', {id: 'main', tabindex: '-1'});
const header = makeHeader(pages, enterToken);
let page = null, shown = null, stream = null, asking = null;

/* One dialog for however many requests want a token. */
function askToken(message) {
    asking ??= ask({
        title: 'Token', text: message, yes: 'Use it',
        field: {label: 'The coordinator’s token', type: 'password', required: true,
            hint: 'The first line of its --http-token file. It is kept in this tab only.'},
    }).then((value) => {
        asking = null;
        if (value === null) return false;
        setToken(value);
        return true;
    });
    return asking;
}

function setToken(value) {
    token.set(value);
    header.setToken();
    stream?.restart();
}

async function enterToken() {
    if (!token.get()) {
        await askToken('Whatever changes the farm takes it; on an address that other machines can reach, reading too.');
    } else if (await ask({title: 'Token', text: 'This tab has a token.', yes: 'Forget it', no: 'Keep it'})) {
        setToken(null);
    }
}

const ctx = {
    api: makeApi(askToken),
    live,
    params: new URLSearchParams(),
    setParams(changes, {replace: quietly = false} = {}) {
        ctx.params = changeParams(changes, quietly);
    },
    token,
    ask,
    toast: toasts.toast,
};

function show({page: id, params}) {
    const next = pages.find((one) => one.id === id) ?? pages[0];
    const turned = page !== null && next !== page;
    ctx.params = params;
    if (next === page && shown?.navigate) {
        shown.navigate();
        return;
    }
    shown?.unmount?.();
    page = next;
    dirty.clear();
    const heading = el('h1', {tabindex: '-1'}, page.title), body = el('div', {class: `page ${page.id}`});
    replace(main, heading, body);
    shown = page.mount(body, ctx) ?? {};
    header.setPage(page.id);
    document.title = `${page.title} · prfarm`;
    if (turned) {
        heading.focus({preventScroll: true});
        scrollTo(0, 0);
    }
}

function paint() {
    header.setState(connection, live.coordinator);
    const topics = [...dirty];
    dirty.clear();
    for (const topic of topics) shown?.update?.(topic, live[topic]);
}

function soon() {
    if (soon.pending) return;
    soon.pending = true;
    requestAnimationFrame(() => {
        soon.pending = false;
        paint();
    });
}

applyTheme();
takeTokenFromAddress();
document.body.append(
    el('a', {class: 'skip', href: '#main', onclick: (event) => {
        event.preventDefault(); /* the hash is the router's */
        main.focus();
    }}, 'Skip to the page'),
    header.node, main, toasts.node);
header.setToken();
header.setState(connection, undefined);
startRouter(show);
stream = connectLive({
    topic(name, data) {
        live[name] = name === 'coordinator' ? data.coordinator ?? data : name === 'campaigns' ? data.campaigns ?? data : data;
        dirty.add(name);
        soon();
    },
    open() {
        Object.assign(connection, {open: true, code: 0});
        soon();
    },
    lost({code, retry_ms}) {
        Object.assign(connection, {open: false, code, retry_ms});
        soon();
        if (code === 401) askToken('The coordinator shows nothing without its token.');
    },
});
