// SPDX-License-Identifier: Apache-2.0
/* parts.js - small pieces that several pages show: figures, facts, states with their shapes, meters. */
import {el, setText} from '../../../common/web/dom.js';
import {count} from '../../../common/web/format.js';

/* States of boards: each has a shape besides its colour. */
export const BOARD_STATES = {busy: '●', idle: '○', quarantined: '◆', lost: '✕'};
export const CAMPAIGN_STATES = {running: '▶', paused: 'Ⅱ', done: '✓', cancelled: '■', failed: '✕'};

export function stateMark(state, shapes = BOARD_STATES) {
    return el('span', {class: `state ${state}`}, el('span', {class: 'shape', 'aria-hidden': 'true'}, shapes[state] ?? '·'), state);
}

/* A number that matters, with what it is: {node, set(value, note)}. */
export function figure(title) {
    const value = el('dd', {class: 'value'}), note = el('dd', {class: 'note-line'});
    return {
        node: el('div', {class: 'figure'}, el('dt', {}, title), value, note),
        set(text, more = '') {
            setText(value, text);
            setText(note, more);
        },
    };
}

/* Names and values, in two columns; those without a value are left out. */
export function facts(entries) {
    return el('dl', {class: 'facts'}, entries.filter(([, value]) => value !== null && value !== undefined && value !== '')
        .map(([name, value]) => el('div', {}, el('dt', {}, name), el('dd', {}, value))));
}

/* How much of something: the number stands beside it, so that nobody needs to see the bar. */
export function meter(percent) {
    const share = Math.min(Math.max(percent ?? 0, 0), 100) / 100;
    return el('span', {class: 'meter', 'aria-hidden': 'true', style: {'--share': String(share)}}, el('i'));
}

/* How the boards of a kind are: a bar with a segment a state, and the counts. */
export function stateBar(counts) {
    const names = Object.keys(BOARD_STATES).filter((name) => counts[name] > 0);
    return [
        el('span', {class: 'state-bar', 'aria-hidden': 'true'}, names.map((name) => el('i', {class: name, style: {'flex-grow': String(counts[name])}}))),
        el('span', {class: 'state-counts'}, names.map((name) => el('span', {class: `state ${name}`},
            el('span', {class: 'shape', 'aria-hidden': 'true'}, BOARD_STATES[name]), `${count(counts[name])} ${name}`))),
    ];
}

/* A control with an id, below its name. */
export const field = (name, control) => el('div', {class: 'field'}, el('label', {for: control.id}, name), control);

/* A cell of two lines: what counts, and what explains it. */
export const two = (first, second) => [el('div', {}, first), el('div', {class: 'second'}, second)];

/* A button that is busy while what it does is under way, and tells what came of it: `act` resolves to the text to show, null if the reader gave up. */
export function actionButton(title, ctx, act, {danger = false} = {}) {
    const button = el('button', {type: 'button', class: danger ? 'button danger' : 'button', onclick: async () => {
        if (button.getAttribute('aria-disabled')) return;
        button.setAttribute('aria-disabled', 'true');
        try {
            const text = await act();
            if (text) ctx.toast(text);
        } catch (error) {
            ctx.toast(error.message, 'error');
        } finally {
            button.removeAttribute('aria-disabled');
        }
    }}, title);
    return button;
}
