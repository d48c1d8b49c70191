// SPDX-License-Identifier: Apache-2.0
/* dialog.js - asks the reader something, in the browser's own modal dialog: it keeps the focus inside, gives it back, and closes on Esc. */
import {el} from '../../../common/web/dom.js';

let number = 0;

/* Resolves to the field's text (or true where there is no field), null if the reader gave up. `field` is {label, type, hint, required}; `danger`
 * marks what cannot be taken back. */
export function ask({title, text, field, yes = 'OK', no = 'Cancel', danger = false}) {
    return new Promise((resolve) => {
        const id = `ask-${++number}`;
        const input = field && el('input', {
            id: `${id}-field`, type: field.type ?? 'text', required: field.required, autocomplete: 'off', spellcheck: 'false', maxlength: 255,
            'aria-describedby': field.hint ? `${id}-hint` : null,
        });
        const form = el('form', {method: 'dialog'},
            el('h2', {id: `${id}-title`}, title),
            text && el('p', {}, text),
            field && el('label', {for: `${id}-field`}, field.label),
            input,
            field?.hint && el('p', {id: `${id}-hint`, class: 'hint'}, field.hint),
            el('div', {class: 'actions'},
                el('button', {type: 'button', class: 'button', onclick: () => close(null)}, no),
                el('button', {type: 'submit', class: danger ? 'button danger' : 'button primary'}, yes)));
        const dialog = el('dialog', {'aria-labelledby': `${id}-title`}, form);
        let answer = null;
        function close(value) {
            answer = value;
            dialog.close();
        }
        form.addEventListener('submit', (event) => {
            event.preventDefault();
            close(input ? input.value.trim() : true);
        });
        dialog.addEventListener('close', () => {
            dialog.remove();
            resolve(answer);
        });
        document.body.append(dialog);
        dialog.showModal();
        (input ?? form.querySelector('[type=submit]')).focus();
    });
}
