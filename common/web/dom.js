// SPDX-License-Identifier: Apache-2.0
/* dom.js - how every element of dashboard and report is made. Text goes in as text and attributes as attributes, never as markup: what a
 * board calls itself cannot become a script. There is no innerHTML anywhere, and tests/browser looks. */

const SVG = 'http://www.w3.org/2000/svg';

/* A handler is a function, a style an object, and an address one that runs nothing. */
function setAttribute(node, name, value) {
    if (name === 'style') for (const [property, of] of Object.entries(value)) node.style.setProperty(property, of); /* the attribute is what CSP forbids */
    else if (name.startsWith('on') && typeof value === 'function') node.addEventListener(name.slice(2), value);
    else if (name.startsWith('on')) throw new TypeError(`${name} takes a function`);
    else if (name === 'href' && !/^(#|\/|https:|data:image\/|blob:)/.test(value)) throw new TypeError(`no link to ${value}`);
    else if (value === true) node.setAttribute(name, '');
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, String(value));
}

function fill(node, attributes, children) {
    for (const [name, value] of Object.entries(attributes ?? {})) setAttribute(node, name, value);
    node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
    return node;
}

/* el('button', {class: 'quiet', onclick: f, style: {'--share': 0.4}}, 'Release'): attributes that are null, undefined or false are left out, children too. */
export function el(tag, attributes, ...children) {
    return fill(document.createElement(tag), attributes, children);
}

/* The same for drawings. */
export function svg(tag, attributes, ...children) {
    return fill(document.createElementNS(SVG, tag), attributes, children);
}

/* Puts `children` in the place of what `node` has. */
export function replace(node, ...children) {
    node.replaceChildren(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
    return node;
}

/* Changes a text only if it differs, so that selections, screen readers and layouts stay undisturbed. */
export function setText(node, text) {
    const wanted = text === null || text === undefined ? '' : String(text);
    if (node.textContent !== wanted) node.textContent = wanted;
    return node;
}

/* Sets or removes an attribute, only if it differs. */
export function setAttr(node, name, value) {
    const wanted = value === true ? '' : value;
    if (wanted === false || wanted === null || wanted === undefined) {
        if (node.hasAttribute(name)) node.removeAttribute(name);
    } else if (node.getAttribute(name) !== String(wanted)) {
        setAttribute(node, name, String(wanted));
    }
    return node;
}
