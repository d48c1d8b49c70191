// SPDX-License-Identifier: Apache-2.0
/* refresher.js - asks again for what the live stream only hints at (a page of boards, poisoned points): never twice at once, and not more often than
 * a viewer is worth to the coordinator. */

const REST_MS = 250; /* between an answer and the next question */

/* `load(signal)` asks and shows; it resolves when done. Returns {within(ms), stop()}: within() has it run at most that much later. */
export function makeRefresher(load) {
    let timer = 0, due = Infinity, began = -Infinity, ended = -Infinity, aborter = null, again = Infinity;

    async function run() {
        due = Infinity;
        began = performance.now();
        const mine = aborter = new AbortController();
        try {
            await load(mine.signal);
        } catch (error) {
            if (error.name !== 'AbortError') throw error;
        } finally {
            if (mine === aborter) {
                aborter = null;
                ended = performance.now();
                const wanted = again;
                again = Infinity;
                if (wanted < Infinity) within(wanted);
            }
        }
    }

    /* Counted from when the last one began, so that a stream of hints cannot put it off. */
    function within(ms) {
        if (aborter) {
            again = Math.min(again, ms);
            return;
        }
        const at = Math.max(ended + REST_MS, began + ms, performance.now());
        if (at >= due) return;
        clearTimeout(timer);
        due = at;
        timer = setTimeout(run, at - performance.now());
    }

    function drop() {
        clearTimeout(timer);
        due = again = Infinity;
        const old = aborter;
        aborter = null;
        old?.abort();
    }

    return {
        within,
        /* At once, and what is under way counts no more: the question has changed. */
        now() {
            drop();
            run();
        },
        stop: drop,
    };
}
