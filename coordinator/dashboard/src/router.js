// SPDX-License-Identifier: Apache-2.0
/* router.js - which page the address asks for: #/PAGE?NAME=VALUE&... A page keeps what is chosen in it there, so that a link shows the same
 * to others. */

/* {page, params} of the address; page '' stands for the first. */
export function readAddress() {
    const [path, query = ''] = location.hash.replace(/^#\/?/, '').split('?');
    return {page: path.split('&')[0], params: new URLSearchParams(query)};
}

/* The address of a page: href('fleet', {kind: 'vta'}) is '#/fleet?kind=vta'. What is null or '' is left out. */
export function href(page, params = {}) {
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(params)) if (value !== null && value !== undefined && value !== '') query.set(name, value);
    const text = query.toString();
    return `#/${page}${text ? `?${text}` : ''}`;
}

/* Changes some parameters of the present page. The page is not built anew; `replace` leaves no trace in the history, for what is typed. */
export function changeParams(changes, replace) {
    const {page, params} = readAddress();
    const address = href(page, {...Object.fromEntries(params), ...changes});
    if (address === location.hash) return params;
    if (replace) history.replaceState(null, '', address);
    else history.pushState(null, '', address);
    return readAddress().params;
}

/* Calls `go` for the present address and whenever the reader goes to another. */
export function startRouter(go) {
    addEventListener('hashchange', () => go(readAddress())); /* popstate without a hashchange does not occur: the hash is all that changes */
    go(readAddress());
}
