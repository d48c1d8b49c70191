// SPDX-License-Identifier: Apache-2.0
/* header.js - what stands above every page: where one is, whether the farm gives out work and the page is live, the token and the theme. */
import {el, replace, setAttr, setText} from '../../../common/web/dom.js';
import {duration} from '../../../common/web/format.js';
import {setTheme, theme} from '../../../common/web/theme.js';
import {token} from './api.js';
import {href} from './router.js';

const THEMES = {auto: 'Auto', light: 'Light', dark: 'Dark'};

/* `pages` are listed in the navigation; onToken() is called when the reader wants to enter or forget the token. */
export function makeHeader(pages, onToken) {
    const links = pages.map((page) => el('a', {href: href(page.id), 'data-page': page.id}, page.title));
    const state = el('span', {class: 'state-text'}), dot = el('span', {class: 'dot', 'aria-hidden': 'true'});
    const pill = el('div', {class: 'pill'}, dot, state);
    const key = el('button', {type: 'button', class: 'button quiet', onclick: onToken});
    const themes = el('select', {id: 'theme', onchange: () => setTheme(themes.value)},
        Object.entries(THEMES).map(([name, title]) => el('option', {value: name, selected: name === theme()}, title)));
    const note = el('div', {class: 'notes', role: 'status', 'aria-live': 'polite'});
    const node = el('header', {class: 'top'},
        el('div', {class: 'bar'},
            el('a', {class: 'brand', href: href(pages[0].id)}, mark(), 'prfarm'),
            el('nav', {'aria-label': 'Pages'}, el('ul', {}, links.map((link) => el('li', {}, link)))),
            el('div', {class: 'tools'}, pill, key,
                el('label', {for: 'theme', class: 'hidden'}, 'Colours'), themes)),
        note);
    let said = '';

    function say(kind, text) {
        if (said === text) return;
        said = text;
        replace(note, text && el('p', {class: `note ${kind}`}, text));
    }

    return {
        node,
        setPage(id) {
            for (const link of links) {
                setAttr(link, 'aria-current', link.dataset.page === id ? 'page' : null);
                if (link.dataset.page === id) link.scrollIntoView({block: 'nearest', inline: 'nearest'}); /* on narrow screens not all are seen */
            }
        },
        setToken() {
            setText(key, token.get() ? 'Token ✓' : 'Token');
            setAttr(key, 'title', token.get() ? 'This tab has a token: it can change things' : 'Enter the coordinator’s token, to change things');
        },
        /* connection: {open, code, retry_ms}; coordinator: as in status, or undefined. */
        setState(connection, coordinator) {
            if (!connection.open) {
                setAttr(dot, 'class', 'dot bad');
                setText(state, 'Not connected');
                say('bad', lost(connection));
            } else if (coordinator && !coordinator.granting) {
                setAttr(dot, 'class', 'dot warn');
                setText(state, 'No work is given out');
                say('warn', `No work is given out: ${coordinator.note || 'the coordinator does not say why'}`);
            } else {
                setAttr(dot, 'class', 'dot good');
                setText(state, 'Live');
                say('', '');
            }
            setAttr(pill, 'title', coordinator ? `prfarm ${coordinator.version}, running for ${duration(coordinator.uptime_seconds)}` : null);
        },
    };
}

function lost({code, retry_ms}) {
    if (code === 401) return 'The coordinator wants a token before it shows anything: use “Token” above.';
    if (code === 403) return 'The coordinator refuses this page’s address: open it by the address that its ready line told, or give it a token file (--http-token).';
    if (code) return `The coordinator answered ${code}; trying again. What is shown may be old.`;
    return retry_ms === undefined ? 'Connecting …' : 'The coordinator does not answer; trying again. What is shown may be old.';
}

/* A staircase: what prfarm looks for. */
function mark() {
    return el('span', {class: 'mark', 'aria-hidden': 'true'}, el('i'), el('i'), el('i'));
}
