// SPDX-License-Identifier: Apache-2.0
/* report.js - the report's page: a campaign's story from what was measured on what to how to do it again. The data stands in the page
 * (cli/report_doc.h); what peers wrote goes in as text only (common/web/dom.js). */
import './report.css';
import {el} from '../../common/web/dom.js';
import {count, duration} from '../../common/web/format.js';
import {applyTheme, setTheme} from '../../common/web/theme.js';
import {accuracy} from './accuracy.js';
import {costs, failures, measured, recipe} from './facts.js';
import {fusion, networks} from './networks.js';
import {date} from './parts.js';
import {results} from './results.js';
import {staircases} from './staircases.js';

const SECTIONS = [
    ['results', 'What came of it', results],
    ['measured', 'What was measured, on what', measured],
    ['staircases', 'Staircases', staircases],
    ['accuracy', 'Accuracy', accuracy],
    ['fusion', 'Fusion rules', fusion],
    ['networks', 'Networks', networks],
    ['costs', 'What it cost', costs],
    ['failures', 'What failed', failures],
    ['recipe', 'How to reproduce it', recipe],
];

function themeButton() {
    const dark = () => getComputedStyle(document.documentElement).colorScheme === 'dark';
    const button = el('button', {type: 'button', class: 'theme', onclick: () => {
        setTheme(dark() ? 'light' : 'dark');
        button.textContent = dark() ? 'Light' : 'Dark';
    }}, dark() ? 'Light' : 'Dark');
    return button;
}

function opening(doc) {
    const boards = doc.summary.boards ?? [];
    const state = doc.status.state === 'done' ? '' : ` The campaign is ${doc.status.state}${doc.status.error ? ` (${doc.status.error})` : ''}: this is how far it got.`;
    return el('header', {},
        el('div', {class: 'title-line'}, el('h1', {}, `Campaign ${doc.summary.campaign}`), themeButton()),
        el('p', {class: 'lead'}, `${count(boards.length)} ${boards.length === 1 ? 'kind' : 'kinds'} of boards, first measurement ${date(doc.began_ms)}, ${duration(doc.summary.seconds)} of work.${state}`),
        el('p', {class: 'made'}, `Report of ${date(doc.made_ms)} by prfarm ${doc.version}`));
}

/* A section that has nothing to tell returns null and is left out. */
function build(doc) {
    const made = SECTIONS.map(([id, title, draw]) => [id, title, draw(doc)]).filter(([, , content]) => content !== null);
    const contents = el('nav', {'aria-label': 'Contents'}, el('ol', {}, made.map(([id, title]) => el('li', {}, el('a', {href: `#${id}`}, title)))));
    return [opening(doc), contents, el('main', {}, made.map(([id, title, content]) => el('section', {id, 'aria-labelledby': `${id}-title`}, el('h2', {id: `${id}-title`}, title), content)))];
}

applyTheme();
const doc = JSON.parse(document.getElementById('data').textContent);
document.title = `${doc.summary.campaign} · prfarm report`;
document.body.append(...build(doc));
addEventListener('beforeprint', () => {
    for (const closed of document.querySelectorAll('details:not([open])')) closed.open = true;
});
