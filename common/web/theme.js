// SPDX-License-Identifier: Apache-2.0
/* theme.js - light, dark or as the system has it, kept in the browser; and the palette for those who draw on a canvas, which CSS does not
 * reach. Whoever draws redraws when told by onThemeChange. */

const KEY = 'prfarm.theme';
const listeners = new Set();
const system = matchMedia('(prefers-color-scheme: dark)');

function notify() {
    for (const listener of listeners) listener();
}

/* "auto", "light" or "dark". A browser that keeps nothing (private windows, file://) has "auto". */
export function theme() {
    try {
        const kept = localStorage.getItem(KEY);
        return kept === 'light' || kept === 'dark' ? kept : 'auto';
    } catch {
        return 'auto';
    }
}

export function setTheme(name) {
    try {
        localStorage.setItem(KEY, name);
    } catch {
        /* then it holds until the page is closed */
    }
    applyTheme(name);
    notify();
}

export function applyTheme(name = theme()) {
    if (name === 'auto') document.documentElement.removeAttribute('data-theme');
    else document.documentElement.setAttribute('data-theme', name);
}

/* The present value of a custom property of palette.css: token('series-1'). */
export function token(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

/* Calls `listener` whenever colours change; returns what ends that. */
export function onThemeChange(listener) {
    listeners.add(listener);
    return () => listeners.delete(listener);
}

system.addEventListener('change', notify);
