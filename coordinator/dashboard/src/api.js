// SPDX-License-Identifier: Apache-2.0
/* api.js - asks the coordinator. The token is kept for this tab only (sessionStorage) and sent as a header, never as a cookie, so that no
 * other page can have it sent. Where the coordinator wants one, whoever gave askToken() is asked, and the request goes out again. */

const KEY = 'prfarm.token';

export class ApiError extends Error {
    constructor(code, status, message) {
        super(message);
        this.code = code; /* of HTTP; 0: no answer at all */
        this.status = status; /* 'not found', 'in use', ... */
    }
}

/* What is in the tab's storage; where a browser has none, the token lasts as long as the page. */
let kept = null;
export const token = {
    get() {
        try {
            return sessionStorage.getItem(KEY) ?? kept;
        } catch {
            return kept;
        }
    },
    set(value) {
        kept = value || null;
        try {
            if (kept) sessionStorage.setItem(KEY, kept);
            else sessionStorage.removeItem(KEY);
        } catch {
            /* kept has it */
        }
    },
};

/* Takes #token=... out of the address, so that it is in no history, no bookmark and no shared link. */
export function takeTokenFromAddress() {
    const found = /[#&]token=([^&]+)/.exec(location.hash);
    if (!found) return;
    token.set(decodeURIComponent(found[1]));
    history.replaceState(null, '', location.pathname + location.search + location.hash.replace(found[0], found[0][0] === '#' ? '#' : ''));
}

export function headers() {
    const value = token.get();
    return value ? {Authorization: `Bearer ${value}`} : {};
}

async function answer(response) {
    const body = await response.json().catch(() => null);
    if (response.ok && body) return body;
    throw new ApiError(response.status, body?.status ?? '', body?.error ?? `the coordinator answered ${response.status}`);
}

async function send(path, options) {
    let response;
    try {
        response = await fetch(path, {...options, headers: {...options.headers, ...headers()}, cache: 'no-store'});
    } catch (cause) {
        if (cause.name === 'AbortError') throw cause;
        throw new ApiError(0, 'no answer', 'the coordinator does not answer: is it running, and is this machine connected?');
    }
    return answer(response);
}

/* `askToken(message)` resolves to true once there is another token to try, to false if the person gave up. */
export function makeApi(askToken) {
    async function call(path, options) {
        for (;;) {
            const used = token.get();
            try {
                return await send(path, options);
            } catch (error) {
                if (error.code !== 401) throw error;
                const other = token.get() !== used; /* someone was faster than this answer */
                if (!other && !(await askToken(used ? 'The coordinator refused this token.' : 'This takes the coordinator’s token.'))) throw error;
            }
        }
    }

    function get(op, args = {}, signal = undefined) {
        const query = new URLSearchParams();
        for (const [name, value] of Object.entries(args)) if (value !== null && value !== undefined && value !== '') query.set(name, value);
        const text = query.toString();
        return call(`/api/v1/${op}${text ? `?${text}` : ''}`, {signal});
    }

    return {
        /* Reads. Arguments that are null, undefined or '' are left out. */
        get,
        /* Reads all pages: the arrays named `rows` in one. */
        async list(op, args, rows, signal = undefined) {
            const all = [];
            let after = null;
            do {
                const page = await get(op, {...args, after}, signal);
                all.push(...page[rows]);
                after = page.next;
            } while (after !== null);
            return all;
        },
        /* Reads with long arguments, and whatever changes something: resolves once the change is committed. */
        post(op, args = {}, signal = undefined) {
            return call(`/api/v1/${op}`, {method: 'POST', headers: {'Content-Type': 'application/json'}, body: JSON.stringify(args), signal});
        },
    };
}
