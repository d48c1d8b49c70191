// SPDX-License-Identifier: Apache-2.0
/* farm.js - a farm of real processes for one test: a coordinator that serves the dashboard, simulated boards, campaigns. Everything dies with the
 * test, however it ends: stop() kills in a finally, and the kernel does where the test itself was killed. */
import {spawn} from 'node:child_process';
import {randomBytes} from 'node:crypto';
import {mkdtempSync, openSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {basename, join} from 'node:path';
import {createInterface} from 'node:readline';

export const bin = process.env.PRF_BIN, tests = process.env.PRF_TESTS, out = process.env.PRF_OUT;

/* A campaign that is over in a few seconds, also on a machine that has other things to do; `swept`: it looks for steps, which takes 64 samples at least. */
export function campaign(name, {kinds = ['vta'], samples = 60, seed = 1, swept = false} = {}) {
    const boards = kinds.map((kind) => `  - kind: ${kind}\n    backend: sim\n    options: {board: ${kind}}\n`).join('');
    return `campaign: ${name}
seed: ${seed}
boards:
${boards}layers:
  - kind: fc
    params: {in: 1..128, out: 1..128}
${swept ? '' : '    knowledge: white\n    steps: {in: 16, out: 16}\n'}budget: {samples: ${samples}}
validation: {layers: 20}
`;
}

export class Farm {
    #children = new Set();
    #ended = []; /* of themselves */

    static async start(name, {args = []} = {}) {
        const farm = new Farm();
        farm.name = name;
        farm.folder = mkdtempSync(join(tmpdir(), 'prfarm-browser-'));
        farm.token = randomBytes(16).toString('hex');
        const file = join(farm.folder, 'token');
        writeFileSync(file, `${farm.token}\n`, {mode: 0o600});
        farm.args = ['--store', join(farm.folder, 'store'), '--http-token', file, '--heartbeat-ms', '100', ...args];
        try {
            await farm.startCoordinator('tcp://127.0.0.1:*', '127.0.0.1:0');
        } catch (error) {
            farm.stop();
            throw error;
        }
        return farm;
    }

    /* Again at the same addresses, after kill(farm.coordinator). */
    async startCoordinator(endpoint = this.endpoints, http = new URL(this.url).host) {
        this.coordinator = this.spawn('coordinator', join(bin, 'prfarm-coordinator'), ['--farm', endpoint, '--http', http, ...this.args]);
        const line = await this.coordinator.ready;
        [, this.endpoints, this.url] = /^ready farm=(\S+) http=(\S+)$/.exec(line) ?? [];
        if (!this.url) throw new Error(`the coordinator said: ${line}`);
    }

    /* A child whose `ready` resolves to its first line; its log lies in the build tree. */
    spawn(name, program, args) {
        const log = openSync(join(out, `${this.name}-${name}.log`), 'w');
        const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', program, ...args], {stdio: ['pipe', 'pipe', log]});
        this.#children.add(child);
        child.gone = new Promise((resolve) => child.once('exit', () => {
            if (!child.killed) this.#ended.push(`${this.name}-${name}.log`);
            this.#children.delete(child);
            resolve();
        }));
        const first = new Promise((resolve) => createInterface({input: child.stdout}).once('line', resolve));
        child.ready = Promise.race([first, child.gone.then(() => Promise.reject(new Error(`${basename(program)} ended: see ${this.name}-${name}.log`)))]);
        child.ready.catch(() => {});
        return child;
    }

    worker(board, kind, {options = [], args = []} = {}) {
        return this.spawn(board, join(bin, 'prfarm-worker'), ['--kind', kind, '--backend', 'sim', '--option', `board=${kind}`,
            ...options.flatMap((option) => ['--option', option]), '--farm', this.endpoints, '--board', board, '--state', join(this.folder, `state-${board}`), ...args]);
    }

    async kill(child, signal = 'SIGKILL') {
        child.kill(signal);
        await child.gone;
    }

    async call(op, args = {}, token = this.token) {
        const response = await fetch(`${this.url}/api/v1/${op}`, {method: 'POST', body: JSON.stringify(args), headers: token ? {Authorization: `Bearer ${token}`} : {}});
        const body = await response.json();
        if (!response.ok) throw new Error(`${op}: ${body.error}`);
        return body;
    }

    submit(text) {
        return this.call('submit', {campaign: text, file: 'test.yaml', networks: []});
    }

    /* Asks until `wanted(answer)` holds. */
    async until(op, args, wanted, what, ms = 120000) {
        const end = performance.now() + ms;
        for (let answer;;) {
            answer = await this.call(op, args);
            if (wanted(answer)) return answer;
            if (this.#ended.length) throw new Error(`${what}: a process ended, ${this.#ended} in ${out} may tell why`);
            if (performance.now() > end) throw new Error(`${what}: not within ${ms} ms; ${op} says ${JSON.stringify(answer).slice(0, 2000)}`);
            await new Promise((resolve) => setTimeout(resolve, 50));
        }
    }

    stop() {
        for (const child of this.#children) child.kill('SIGKILL');
        rmSync(this.folder, {recursive: true, force: true});
    }
}
