// SPDX-License-Identifier: Apache-2.0
/* live.js - the coordinator's stream of server-sent events (docs/http.md). Read with fetch and not with EventSource, which can send no
 * token. A line comes at least every 5 s, so that a connection that says nothing for 15 s is taken for lost; then it is tried again after
 * 0.5 s, and twice as long each time, up to 15 s. A page that nobody sees asks for nothing. */
import {headers} from './api.js';

const SILENCE_MS = 15000, FIRST_MS = 500, MOST_MS = 15000;

/* Splits a stream of text into events: feed() takes the text as it comes and calls on(name, data) for each that is whole. */
export function makeParser(on) {
    let rest = '', name = 'message', data = [];
    return function feed(text) {
        const lines = (rest + text).split(/\r\n|\n|\r/);
        rest = lines.pop();
        for (const line of lines) {
            if (line === '') {
                if (data.length) on(name, data.join('\n'));
                name = 'message';
                data = [];
            } else if (line.startsWith('event:')) {
                name = line.slice(6).trim();
            } else if (line.startsWith('data:')) {
                data.push(line.slice(line[5] === ' ' ? 6 : 5));
            }
        }
    };
}

/* Starts at once. on.topic(name, data), on.open(), on.lost({code, retry_ms}). Returns {restart(), stop()}: restart() connects anew without waiting,
 * as after another token. */
export function connectLive(on) {
    let aborter = null, timer = 0, wait_ms = FIRST_MS, stopped = false;

    async function read(mine) {
        const response = await fetch('/api/v1/live', {headers: headers(), cache: 'no-store', signal: mine.signal});
        if (!response.ok) return response.status;
        on.open();
        const feed = makeParser((name, data) => {
            wait_ms = FIRST_MS;
            on.topic(name, JSON.parse(data));
        });
        const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
        for (;;) {
            const silence = setTimeout(() => mine.abort(), SILENCE_MS);
            const {done, value} = await reader.read().finally(() => clearTimeout(silence));
            if (done) return 0;
            feed(value);
        }
    }

    async function run() {
        clearTimeout(timer);
        const mine = aborter = new AbortController();
        const code = await read(mine).catch(() => 0);
        if (mine !== aborter || stopped) return; /* another has taken its place */
        const retry_ms = code === 401 ? null : wait_ms;
        on.lost({code, retry_ms});
        if (retry_ms === null) return;
        timer = setTimeout(run, wait_ms);
        wait_ms = Math.min(2 * wait_ms, MOST_MS);
    }

    function hang_up() {
        clearTimeout(timer);
        const old = aborter;
        aborter = null;
        old?.abort();
    }

    function restart() {
        hang_up();
        wait_ms = FIRST_MS;
        if (!stopped && !document.hidden) run();
    }

    document.addEventListener('visibilitychange', restart);
    addEventListener('online', restart);
    restart();
    return {
        restart,
        stop() {
            stopped = true;
            hang_up();
            document.removeEventListener('visibilitychange', restart);
            removeEventListener('online', restart);
        },
    };
}
