// SPDX-License-Identifier: Apache-2.0
/* staircase.c - picks from the swept layers those that differ in the drawn parameter alone (parameters tied to it move along) and
 * draws a bar for each. A sweep has several base points; the one with the most layers is drawn. */
#include "staircase.h"

#include <stdlib.h>
#include <string.h>

#include "layer/layer.h"

enum { ROWS = 20, BAR = 40 };

typedef struct {
    prf_layer_t layer;
    double latency_ns;
} swept_t;

typedef struct {
    swept_t *items; /* owned */
    size_t count;
} sweep_t;

/* The swept layers of one kind. An empty list when memory runs out: then there is no picture. */
static sweep_t swept_layers(const json_t *board, const char *kind)
{
    const json_t *all = json_object_get(board, "sweeps");
    sweep_t sweep = {.items = calloc(json_array_size(all) + 1, sizeof *sweep.items)};
    size_t i;
    json_t *entry;
    json_array_foreach(all, i, entry)
    {
        prf_block_t block;
        if (sweep.items && prf_block_parse(&block, prf_json_text(entry, "layer", ""), NULL) == PRF_OK &&
            strcmp(prf_layer_kind_name(block.layers[0].kind), kind) == 0)
            sweep.items[sweep.count++] = (swept_t){block.layers[0], prf_json_number(entry, "latency_ns", 0)};
    }
    return sweep;
}

/* Equal but for `param` and what follows it. */
static bool siblings(const prf_layer_t *a, const prf_layer_t *b, prf_param_t param)
{
    for (int q = 0; q < PRF_PARAMS; q++)
        if (a->p[q] != b->p[q] && (a->p[q] != a->p[param] || b->p[q] != b->p[param]))
            return false;
    return true;
}

/* Brings the largest family of siblings to the front; returns its size. */
static size_t largest_family(sweep_t *sweep, prf_param_t param)
{
    size_t best = 0, best_count = 0, kept = 0;
    for (size_t i = 0; i < sweep->count; i++) {
        size_t count = 0;
        for (size_t j = 0; j < sweep->count; j++)
            count += siblings(&sweep->items[i].layer, &sweep->items[j].layer, param);
        if (count > best_count) {
            best = i;
            best_count = count;
        }
    }
    prf_layer_t head = best_count ? sweep->items[best].layer : (prf_layer_t){0};
    for (size_t j = 0; j < sweep->count; j++)
        if (siblings(&head, &sweep->items[j].layer, param))
            sweep->items[kept++] = sweep->items[j];
    return kept;
}

static void sort_by(swept_t *items, size_t count, prf_param_t param)
{
    for (size_t i = 1; i < count; i++)
        for (size_t j = i; j > 0 && items[j - 1].layer.p[param] > items[j].layer.p[param]; j--) {
            swept_t moved = items[j];
            items[j] = items[j - 1];
            items[j - 1] = moved;
        }
}

static void draw(const swept_t *items, size_t count, prf_param_t param, int32_t width, const prf_terminal_t *t)
{
    double most = 0;
    for (size_t i = 0; i < count; i++)
        most = items[i].latency_ns > most ? items[i].latency_ns : most;
    size_t shown = count < ROWS ? count : ROWS;
    int32_t tile = 0;
    for (size_t row = 0; row < shown; row++) {
        const swept_t *s = &items[shown > 1 ? row * (count - 1) / (shown - 1) : 0];
        char bar[BAR + 1] = "", latency[PRF_HUMAN];
        int32_t value = s->layer.p[param], now = (value + width - 1) / width;
        memset(bar, '#', (size_t)(BAR * s->latency_ns / most + 0.5));
        if (row > 0 && now != tile)
            fprintf(t->stream, "%s%6s%s\n", prf_dim(t), "-", prf_plain(t));
        tile = now;
        fprintf(t->stream, "%6d  %-*s  %s\n", value, BAR, bar, prf_human_ns(s->latency_ns, latency));
    }
}

static void print_one(const json_t *board, const char *kind, const char *name, int32_t width, const prf_terminal_t *t)
{
    prf_layer_kind_t layer_kind;
    prf_param_t param;
    if (prf_layer_kind_parse(kind, &layer_kind, NULL) || prf_param_parse(layer_kind, name, &param, NULL))
        return;
    sweep_t sweep = swept_layers(board, kind);
    size_t count = largest_family(&sweep, param);
    if (count >= 3) {
        char text[PRF_BLOCK_TEXT];
        sort_by(sweep.items, count, param);
        prf_layer_format(&sweep.items[count - 1].layer, text, sizeof text);
        fprintf(t->stream, "\n%s%s: steps of %d in %s%s of %s (a line wherever a tile is full)\n", prf_bold(t),
                prf_json_text(board, "kind", "?"), width, name, prf_plain(t), text);
        draw(sweep.items, count, param, width, t);
    }
    free(sweep.items);
}

/* The pictures of one board, at most `limit` of them. */
static void print_board(const json_t *board, size_t limit, const prf_terminal_t *terminal)
{
    const char *kind, *param;
    json_t *widths, *width;
    size_t drawn = 0;
    json_object_foreach(json_object_get(board, "steps"), kind, widths)
    {
        json_object_foreach(widths, param, width)
        {
            if (drawn >= limit || json_integer_value(width) <= 1)
                continue;
            print_one(board, kind, param, (int32_t)json_integer_value(width), terminal);
            drawn++;
        }
    }
}

void prf_staircase_print(const json_t *boards, const prf_terminal_t *terminal)
{
    size_t i;
    json_t *board;
    json_array_foreach(boards, i, board)
    {
        print_board(board, 1, terminal);
    }
}

void prf_staircase_print_all(const json_t *board, const prf_terminal_t *terminal)
{
    print_board(board, SIZE_MAX, terminal);
}
