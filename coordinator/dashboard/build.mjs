// SPDX-License-Identifier: Apache-2.0
/* build.mjs - node build.mjs MODULES OUT: bundles the dashboard with the esbuild of MODULES (a node_modules folder), into OUT. assets.c is what
 * the coordinator embeds (coordinator/assets.h): each file's gzip bytes, since every browser takes them. The same sources make the same bytes. */
import {createHash} from 'node:crypto';
import {mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import {createRequire} from 'node:module';
import {dirname, join, resolve} from 'node:path';
import {fileURLToPath} from 'node:url';
import {gzipSync} from 'node:zlib';

const FIRST_LOAD = 300 * 1024; /* bytes that a browser needs before it shows something, not packed: slow links are what this is for */

const [modules, out] = process.argv.slice(2).map((path) => resolve(path));
const here = dirname(fileURLToPath(import.meta.url));
const esbuild = createRequire(join(modules, 'package.json'))('esbuild');

const built = await esbuild.build({
    entryPoints: [join(here, 'src/app.js')],
    bundle: true, minify: true, format: 'esm', target: ['es2022', 'chrome105', 'firefox110', 'safari16'], charset: 'utf8', legalComments: 'eof',
    nodePaths: [modules], outdir: out, write: false, logLevel: 'warning', metafile: true,
});

const files = [
    {path: '/', type: 'text/html; charset=utf-8', bytes: readFileSync(join(here, 'index.html'))},
    ...built.outputFiles.map((file) => ({
        path: `/assets/${file.path.endsWith('.css') ? 'app.css' : 'app.js'}`,
        type: file.path.endsWith('.css') ? 'text/css; charset=utf-8' : 'text/javascript; charset=utf-8',
        bytes: Buffer.from(file.contents),
    })),
];

const first = files.reduce((sum, file) => sum + file.bytes.length, 0);
if (first > FIRST_LOAD) {
    console.error(`build.mjs: the dashboard's first load is ${first} bytes, more than ${FIRST_LOAD}: what made it grow?`);
    for (const [name, {bytes}] of Object.entries(built.metafile.inputs).sort((a, b) => b[1].bytes - a[1].bytes).slice(0, 10)) console.error(`${bytes} ${name}`);
    process.exit(1);
}

const hex = (bytes) => bytes.toString('hex').replace(/../g, '0x$&,').replace(/(.{125}),/g, '$1,\n');
const packed = files.map((file, i) => ({...file, name: `file_${i}`, gzip: gzipSync(file.bytes, {level: 9}), etag: createHash('sha256').update(file.bytes).digest('hex').slice(0, 32)}));
mkdirSync(out, {recursive: true});
writeFileSync(join(out, 'assets.c'), `/* made by build.mjs */
#include "assets.h"

${packed.map((file) => `static const unsigned char ${file.name}[] = {\n${hex(file.gzip)}};`).join('\n')}

const prf_asset_t prf_assets[] = {
${packed.map((file) => `    {"${file.path}", "${file.type}", "\\"${file.etag}\\"", ${file.name}, sizeof ${file.name}},`).join('\n')}
};
const size_t prf_assets_count = ${packed.length};
`);
for (const file of files) {
    const to = join(out, 'www', file.path === '/' ? 'index.html' : file.path);
    mkdirSync(dirname(to), {recursive: true});
    writeFileSync(to, file.bytes);
}
console.log(`dashboard: ${first} bytes, ${packed.reduce((sum, file) => sum + file.gzip.length, 0)} packed`);
