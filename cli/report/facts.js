// SPDX-License-Identifier: Apache-2.0
/* facts.js - boards, costs, failures and the recipe: tables rather than figures. */
import {el} from '../../common/web/dom.js';
import {count, counted, DASH, duration, percent} from '../../common/web/format.js';
import {boardsOf, date, numberColumn, table, textColumn} from './parts.js';

function publishedOf(doc, board) {
    return doc.models.find((model) => model.kind === board.kind && model.version === board.model_version);
}

export function measured(doc) {
    const rows = boardsOf(doc).map((board) => {
        const {boards = [], total} = doc.boards[board.kind] ?? {};
        return {...board, boards, total: total ?? boards.length, published: publishedOf(doc, board)};
    });
    const list = (row, key) => [...new Set(row.boards.map((one) => one[key]).filter(Boolean))].join(', ') || DASH;
    return [
        table('Boards', [
            textColumn('kind', (row) => row.kind, {head: true}),
            textColumn('boards', (row) => (row.total > row.boards.length ? `${counted(row.total, 'board')}` : row.boards.map((one) => one.board).join(', ') || DASH)),
            textColumn('runtime', (row) => list(row, 'fingerprint')), textColumn('software', (row) => list(row, 'software')),
            numberColumn('layers measured', (row) => count(row.measured), (row) => row.measured),
            numberColumn('known before', (row) => count(row.reused), (row) => row.reused),
            textColumn('model', (row) => (row.model_version ? `v${row.model_version}, ${date(row.published?.published_ms)}` : 'none')),
        ], rows),
        rows.filter((row) => row.old_model).map((row) => el('p', {}, `${row.kind} began with the model of ${row.old_model.kind}: ${Object.entries(row.old_model.layers ?? {}).map(([layer, what]) => `${layer} ${what}`).join(', ')}.`)),
    ];
}

export function costs(doc) {
    const number = (title, key) => numberColumn(title, (row) => count(row[key]), (row) => row[key]);
    return [
        el('p', {}, `The campaign was at work for ${duration(doc.summary.seconds)}, over all its interruptions. Samples are the layers that the model is made of, sweeps counted in; validation layers and the random baseline come on top.`),
        table('What it cost', [
            textColumn('board', (row) => row.kind, {head: true}), number('samples', 'samples'), number('of them swept', 'sweep_samples'), number('for fusion', 'fusion_samples'),
            number('chains', 'between_chains'), number('validation', 'validation_samples'), number('random baseline', 'baseline_samples'), number('measured in all', 'measured'),
            numberColumn('training', (row) => duration(row.training_seconds), (row) => row.training_seconds),
        ], boardsOf(doc)),
    ];
}

function drift(board) {
    const {verdict, measured: again, median_ratio: ratio, spread_percent: spread} = board.refresh;
    const words = {holds: 'the model holds', drifted: 'the earlier model no longer held, this one is new', undecided: 'too few to decide, the model stays'}[verdict] ?? verdict;
    return `${board.kind}: measured again, ${counted(again, 'layer')} took ${typeof ratio === 'number' ? ratio.toFixed(3) : DASH} times what they took, spread ${percent(spread)}: ${words}.`;
}

export function failures(doc) {
    const boards = boardsOf(doc);
    const notes = [
        ...boards.filter((board) => board.error).map((board) => `${board.kind} failed: ${board.error}`),
        ...boards.filter((board) => board.note).map((board) => `${board.kind}: ${board.note}`),
        ...boards.filter((board) => board.refresh).map(drift),
    ];
    const cut = doc.poisoned_count > doc.poisoned.length ? ` The first ${count(doc.poisoned.length)}:` : '';
    const given_up = doc.poisoned_count ? `${counted(doc.poisoned_count, 'layer was', 'layers were')} given up, after failing three times.${cut}` : 'No layer was given up.';
    const errors = (point) => point.errors.map((error) => `${error.board}: ${error.outcome}${error.error ? `, ${error.error}` : ''}`).join('; ');
    return [
        notes.length ? el('ul', {}, notes.map((note) => el('li', {}, note))) : null,
        el('p', {}, given_up),
        doc.poisoned.length ? table('Layers that were given up', [textColumn('board', (row) => row.kind, {head: true}), textColumn('layer', (row) => row.block), textColumn('errors', errors)], doc.poisoned) : null,
        doc.events.length ? el('details', {}, el('summary', {}, counted(doc.events.length, 'event')), table('Events', [
            textColumn('time', (row) => date(row.wall_ms), {head: true}), textColumn('event', (row) => row.event), textColumn('of', (row) => row.subject), textColumn('text', (row) => row.text),
        ], doc.events)) : null,
    ];
}

export function recipe(doc) {
    const models = Object.entries(doc.provenance).map(([kind, model]) => ({...model, kind}));
    return [
        el('p', {}, `With prfarm ${doc.version}, the campaign file of ${doc.summary.campaign} and the boards above:`),
        el('pre', {tabindex: '0'}, 'prfarm run CAMPAIGN.yaml --out DIR\nprfarm report DIR --out report.html'),
        el('p', {}, 'On boards without noise the models come out the same, byte for byte.'),
        models.length ? table('Models', [
            textColumn('board', (row) => row.kind, {head: true}), numberColumn('seed', (row) => (Number.isFinite(row.seed) ? String(row.seed) : DASH), (row) => row.seed),
            textColumn('runtime', (row) => row.fingerprint ?? DASH), textColumn('digest of the model file', (row) => row.digest ?? DASH),
        ], models) : null,
    ];
}
