// SPDX-License-Identifier: Apache-2.0
/* browser.js - Debian's Chromium without a window, and what is asked of every page in it: no message on the console, no fault that axe calls serious. */
import assert from 'node:assert/strict';
import {spawnSync} from 'node:child_process';
import {readFileSync, writeFileSync} from 'node:fs';
import {createRequire} from 'node:module';
import {join} from 'node:path';

const require = createRequire(join(process.env.PRF_MODULES, 'package.json'));
const {chromium} = require('playwright-core');
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

/* Every page, and what is there once it shows something of the farm. */
export const PAGES = {
    fleet: 'tbody tr', campaigns: 'tbody tr', staircases: 'figure.chart canvas', accuracy: 'figure.chart canvas', networks: '.drop', models: 'tbody tr', events: 'tbody tr',
};

const OPTIONS = {
    executablePath: '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
};

export function launch() {
    return chromium.launch(OPTIONS);
}

/* The same, before all others of this machine if the system permits (root): for who measures time on the wall. Linux weighs whole sessions against each other
 * (autogroup), and what is in one only there. Returns {browser, close(), first}. */
export async function launchFirst() {
    const server = await chromium.launchServer(OPTIONS);
    const {pid} = server.process();
    let first = spawnSync('renice', ['-n', '-15', '-g', String(pid)], {stdio: 'ignore'}).status === 0;
    try {
        writeFileSync(`/proc/${pid}/autogroup`, '-15');
    } catch (error) {
        if (error.code !== 'ENOENT') first = false;
    }
    return {browser: await chromium.connect(server.wsEndpoint()), close: () => server.close(), first};
}

/* A page at `address`, in a session of its own; what its console says is kept in page.said, but for what matches `expected`. */
export async function open(browser, address, {expected = null, ...options} = {}) {
    const context = await browser.newContext({viewport: {width: 1280, height: 900}, reducedMotion: 'reduce', ...options});
    const page = await context.newPage();
    page.said = [];
    const note = (text) => {
        if (!expected?.test(text)) page.said.push(text);
    };
    page.on('console', (message) => ['error', 'warning'].includes(message.type()) && note(message.text()));
    page.on('pageerror', (error) => note(error.message));
    await page.goto(address);
    return page;
}

export function assertSilent(page) {
    assert.deepEqual(page.said, [], 'the console of the browser says something');
}

/* Serious and critical faults by the rules of WCAG 2.2 AA and axe's best practices. */
export async function assertAccessible(page, what) {
    await page.evaluate(axe);
    const faults = await page.evaluate(async () => {
        const {violations} = await window.axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']});
        return violations.filter((v) => ['serious', 'critical'].includes(v.impact)).map((v) => `${v.id}: ${v.help}: ${v.nodes.slice(0, 3).map((n) => `${n.html} ${n.failureSummary}`).join(' | ')}`);
    });
    assert.deepEqual(faults, [], `${what} cannot be used by everyone`);
}

/* The longest time between two frames and the longest task of the page from here to stop(), in ms. */
export async function watchFrames(page) {
    await page.evaluate(() => {
        const seen = {frame: 0, task: 0, frames: 0, on: true};
        window.framesSeen = seen;
        new PerformanceObserver((list) => {
            for (const entry of list.getEntries()) if (seen.on) seen.task = Math.max(seen.task, entry.duration);
        }).observe({type: 'longtask'});
        let last = performance.now();
        requestAnimationFrame(function frame(now) {
            seen.frame = Math.max(seen.frame, now - last);
            seen.frames++;
            last = now;
            if (seen.on) requestAnimationFrame(frame);
        });
    });
    return {
        stop: () => page.evaluate(() => {
            window.framesSeen.on = false;
            return window.framesSeen;
        }),
    };
}
