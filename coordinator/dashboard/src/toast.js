// SPDX-License-Identifier: Apache-2.0
/* toast.js - says what became of what the reader did. Screen readers hear it when they are done with what they say; an error stays until it
 * is closed, all else goes by itself. */
import {el} from '../../../common/web/dom.js';

const STAY_MS = 6000, MOST = 4;

export function makeToasts() {
    const node = el('div', {class: 'toasts', role: 'status', 'aria-live': 'polite'});
    function toast(text, kind = 'info') {
        const one = el('div', {class: `toast ${kind}`},
            el('span', {}, kind === 'error' ? el('strong', {}, 'Not done: ') : null, text),
            el('button', {type: 'button', class: 'icon', 'aria-label': 'Close this message', onclick: () => one.remove()}, '×'));
        node.append(one);
        while (node.children.length > MOST) node.firstChild.remove();
        if (kind !== 'error') setTimeout(() => one.remove(), STAY_MS);
    }
    return {node, toast};
}
