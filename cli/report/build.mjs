// SPDX-License-Identifier: Apache-2.0
/* build.mjs - node build.mjs MODULES OUT: bundles the report's page with the esbuild of MODULES (a node_modules folder) into OUT/page.c, cut where the
 * data goes (cli/report_page.h). The page's policy allows this script and this style by their digests, and nothing to be loaded. The same
 * sources make the same bytes. */
import {createHash} from 'node:crypto';
import {mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import {createRequire} from 'node:module';
import {dirname, join, resolve} from 'node:path';
import {fileURLToPath} from 'node:url';

const [modules, out] = process.argv.slice(2).map((path) => resolve(path));
const here = dirname(fileURLToPath(import.meta.url));
const esbuild = createRequire(join(modules, 'package.json'))('esbuild');

const built = await esbuild.build({
    entryPoints: [join(here, 'report.js')],
    bundle: true, minify: true, format: 'iife', target: ['es2022', 'chrome105', 'firefox110', 'safari16'], charset: 'utf8', legalComments: 'inline',
    nodePaths: [modules], outdir: out, write: false, logLevel: 'warning',
});
const text = (ending) => built.outputFiles.find((file) => file.path.endsWith(ending)).text;
const script = text('.js'), style = text('.css');
if (/<\/script|<!--/i.test(script) || /<\/style/i.test(style)) throw new Error('build.mjs: the bundle holds what ends its own element');

const digest = (content) => `'sha256-${createHash('sha256').update(content).digest('base64')}'`;
const policy = `default-src 'none'; script-src ${digest(script)}; style-src ${digest(style)}; img-src data:; base-uri 'none'; form-action 'none'`;
const page = readFileSync(join(here, 'page.html'), 'utf8')
    .replace('@POLICY@', () => policy).replace('@STYLE@', () => style).replace('@SCRIPT@', () => script);
const [head, tail] = page.split('@DATA@');

const array = (name, content) => {
    const bytes = Buffer.from(content);
    return `const unsigned char ${name}[] = {\n${bytes.toString('hex').replace(/../g, '0x$&,').replace(/(.{125}),/g, '$1,\n')}};\nconst size_t ${name}_len = ${bytes.length};\n`;
};
mkdirSync(out, {recursive: true});
writeFileSync(join(out, 'page.c'), `/* made by build.mjs */
#include "report_page.h"

${array('prf_report_page_head', head)}
${array('prf_report_page_tail', tail)}`);
console.log(`report: ${page.length} bytes`);
