// SPDX-License-Identifier: Apache-2.0
/* init.c - `prfarm init`: writes a campaign file after asking what boards there are, which layers matter and how long it may take.
 *
 * What the command line says is not asked; without a terminal, or with --yes, nothing is, and what was assumed is told. The file is
 * read back by the campaign's own parser before it is written, with its networks, so that `prfarm run` takes what stands there. */
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "cli.h"
#include "draft.h"
#include "networks.h"

enum { LINE = 512, SAMPLES = 800, SAMPLES_SIMULATED = 400, MINUTES = 5, NOT_GIVEN = -1 };

typedef struct {
    prf_words_t boards, networks;  /* as given or answered; borrowed */
    const char *layers;            /* borrowed; NULL: not given */
    const char *file, *dtype_name; /* borrowed */
    uint64_t samples;              /* 0: not given */
    double minutes;                /* NOT_GIVEN */
    bool yes, force, json;
    bool asks;             /* a person is there to answer */
    char answers[3][LINE]; /* what was typed for boards and layers, cut into words in place */
    prf_words_t assumed;   /* sentences about what nobody said; borrowed, static or from `said` */
    char said[4][LINE];    /* their room */
    prf_network_t *loaded; /* owned; of `networks` */
    size_t loaded_count;
    prf_draft_t draft;
} init_t;

static void release(init_t *self)
{
    for (size_t i = 0; i < self->loaded_count; i++)
        prf_network_release(&self->loaded[i]);
    free(self->loaded);
    free(self);
}

static void PRF_PRINTF(2, 3) assume(init_t *self, const char *fmt, ...)
{
    va_list args;
    char *said = self->said[self->assumed.count];
    va_start(args, fmt);
    vsnprintf(said, LINE, fmt, args);
    va_end(args);
    self->assumed.items[self->assumed.count++] = said;
}

/* What was typed, without the newline; `otherwise` for an empty line or when nobody is there any more. */
static void ask(init_t *self, char line[LINE], const char *otherwise, const char *question)
{
    fprintf(stderr, "%s\n  [%s] ", question, otherwise);
    if (!fgets(line, LINE, stdin)) {
        fputc('\n', stderr);
        self->asks = false;
        line[0] = '\0';
    }
    line[strcspn(line, "\n")] = '\0';
    if (line[strspn(line, " ")] == '\0')
        snprintf(line, LINE, "%s", otherwise);
}

/* The pieces between commas, without blanks around them. */
static prf_status_t cut(char *line, prf_words_t *out, prf_error_t *err)
{
    char *rest = NULL;
    out->count = 0;
    for (char *piece = strtok_r(line, ",", &rest); piece; piece = strtok_r(NULL, ",", &rest)) {
        piece += strspn(piece, " ");
        size_t len = strlen(piece);
        while (len && piece[len - 1] == ' ')
            piece[--len] = '\0';
        if (out->count == PRF_OPTION_WORDS)
            return prf_fail(err, PRF_EINVAL, "'%.40s': that is one too many: %d at most", piece, (int)PRF_OPTION_WORDS);
        if (len)
            out->items[out->count++] = piece;
    }
    return PRF_OK;
}

static prf_status_t add_boards(init_t *self, prf_error_t *err)
{
    prf_status_t status = PRF_OK;
    self->draft.board_count = 0;
    for (size_t i = 0; i < self->boards.count && !status; i++)
        status = prf_draft_add_board(&self->draft, self->boards.items[i], err);
    return status;
}

/* A slip in an answer is told, and asked for again; one on the command line ends it. */
static prf_status_t decide_boards(init_t *self, prf_error_t *err)
{
    if (self->boards.count)
        return add_boards(self, err);
    while (self->asks) {
        ask(self, self->answers[0], "cpu",
            "Which boards? cpu (this processor), sim:zcu102 (simulated; or ultratrail, systolic, vta, ferry, ncs2),\n"
            "exec:PROGRAM, plugin:FILE.so; several with commas between them");
        if (cut(self->answers[0], &self->boards, err) == PRF_OK && add_boards(self, err) == PRF_OK)
            return PRF_OK;
        prf_report(err);
    }
    assume(self, "the board is this machine's processor (--board cpu)");
    self->boards = (prf_words_t){.items = {"cpu"}, .count = 1};
    return add_boards(self, err);
}

static prf_status_t load_networks(init_t *self, prf_error_t *err)
{
    prf_status_t status = PRF_OK;
    if (self->networks.count > PRF_CAMPAIGN_NETWORKS)
        return prf_fail(err, PRF_EINVAL, "%zu networks: a campaign has %d at most: write a second one", self->networks.count,
                        (int)PRF_CAMPAIGN_NETWORKS);
    for (size_t i = 0; i < self->loaded_count; i++)
        prf_network_release(&self->loaded[i]);
    free(self->loaded);
    self->loaded_count = 0;
    self->loaded = calloc(self->networks.count + 1, sizeof *self->loaded);
    if (!self->loaded)
        return prf_fail(err, PRF_ENOMEM, "%zu networks", self->networks.count);
    for (size_t i = 0; i < self->networks.count && !status; i++)
        if (!(status = prf_network_load(&self->loaded[i], self->networks.items[i], self->draft.dtype, 1, err)))
            self->loaded_count++;
    return status;
}

static prf_status_t add_layers(init_t *self, prf_error_t *err)
{
    self->draft.layer_count = 0;
    prf_status_t status = load_networks(self, err);
    if (status)
        return status;
    return self->layers ? prf_draft_usual_layers(&self->draft, self->layers, err)
                        : prf_draft_network_layers(&self->draft, self->loaded, self->loaded_count, err);
}

static prf_status_t take_layers_answer(init_t *self, prf_error_t *err)
{
    prf_status_t status = cut(self->answers[1], &self->networks, err);
    self->layers = NULL;
    bool sort = !status && self->networks.count == 1 && !strstr(self->networks.items[0], ".onnx");
    if (sort) {
        self->layers = self->networks.items[0];
        self->networks.count = 0;
    }
    return status ? status : add_layers(self, err);
}

static prf_status_t decide_layers(init_t *self, prf_error_t *err)
{
    if (self->layers || self->networks.count)
        return add_layers(self, err);
    while (self->asks) {
        ask(self, self->answers[1], "cnn",
            "Which layers? cnn (convolutional networks), transformer, or your own networks as ONNX files, several with\n"
            "commas between them: then what they consist of is measured");
        if (take_layers_answer(self, err) == PRF_OK)
            return PRF_OK;
        prf_report(err);
    }
    assume(self, "the layers are those of convolutional networks (--layers cnn, or --network FILE.onnx for your own)");
    self->layers = "cnn";
    return add_layers(self, err);
}

/* A number from lo to hi, asked for until it is one. */
static double ask_number(init_t *self, double lo, double hi, double otherwise, const char *question)
{
    char line[LINE], shown[32], *end;
    snprintf(shown, sizeof shown, "%g", otherwise);
    while (self->asks) {
        ask(self, line, shown, question);
        double value = strtod(line, &end);
        if (end != line && end[strspn(end, " ")] == '\0' && value >= lo && value <= hi)
            return value;
        prf_error_t err;
        prf_fail(&err, PRF_EINVAL, "'%.40s': use a number from %.0f to %.0f", line, lo, hi);
        prf_report(&err);
    }
    return otherwise;
}

static void decide_budget(init_t *self)
{
    bool simulated = true;
    for (size_t i = 0; i < self->draft.board_count; i++)
        simulated = simulated && self->draft.boards[i].simulated;
    double samples = (double)self->samples, minutes = self->minutes;
    if (!self->samples) {
        samples = ask_number(self, 8, 1e6, simulated ? SAMPLES_SIMULATED : SAMPLES,
                             "How many layers may be measured on each kind of board? More make a better model");
        if (!self->asks)
            assume(self, "at most %.0f layers a board (--budget)", samples);
    }
    if (minutes == NOT_GIVEN && simulated) {
        minutes = 0; /* over in seconds */
    } else if (minutes == NOT_GIVEN) {
        minutes = ask_number(self, 0, 43200, MINUTES, "How many minutes may it take at most? 0: as long as it takes");
        if (!self->asks)
            assume(self, "at most %g minutes (--minutes)", minutes);
    }
    self->draft.samples = (uint32_t)samples;
    self->draft.minutes = minutes;
}

/* "some/first.yaml" -> "first". */
static void name_campaign(const char *file, char name[PRF_NAME])
{
    prf_network_file_name(file, name);
    char *dot = strrchr(name, '.');
    if (dot && dot != name && (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0))
        *dot = '\0';
}

/* Paths in a campaign file start beside it. */
static prf_status_t place_networks(init_t *self, prf_error_t *err)
{
    prf_draft_t *d = &self->draft;
    for (size_t i = 0; i < self->networks.count; i++) {
        const char *given = self->networks.items[i];
        char full[PATH_MAX];
        if (!strchr(self->file, '/'))
            snprintf(full, sizeof full, "%s", given);
        else if (!realpath(given, full))
            return prf_fail_sys(err, errno, "%.200s", given);
        if (snprintf(d->networks[i], PRF_DRAFT_PATH, "%s", full) >= PRF_DRAFT_PATH)
            return prf_fail(err, PRF_EINVAL, "%.200s...: the path is too long: move the file nearer", given);
        d->network_count++;
    }
    return PRF_OK;
}

/* What stands there must be what `prfarm run` takes. */
static prf_status_t check(const init_t *self, const prf_text_t *text, prf_error_t *err)
{
    prf_campaign_t campaign;
    json_t *networks;
    prf_status_t status = prf_campaign_parse(&campaign, prf_text_get(text), text->len, self->file, err);
    if (status)
        return status;
    status = prf_networks_load(&campaign, self->file, &networks, err);
    if (!status)
        json_decref(networks);
    prf_campaign_release(&campaign);
    return status;
}

static prf_status_t write_file(init_t *self, prf_error_t *err)
{
    prf_text_t text;
    prf_text_init(&text);
    prf_status_t status = place_networks(self, err);
    if (!status)
        status = prf_draft_write(&self->draft, &text, err);
    if (!status)
        status = check(self, &text, err);
    if (!status)
        status = prf_file_write(self->file, text.data, text.len, err);
    prf_text_release(&text);
    return status;
}

static prf_status_t carry_out(init_t *self, prf_error_t *err)
{
    if (!self->force && access(self->file, F_OK) == 0)
        return prf_fail(err, PRF_EEXISTS, "%s exists: name another file, or replace it with --force", self->file);
    self->draft.file = self->file;
    name_campaign(self->file, self->draft.name);
    prf_status_t status = prf_dtype_parse(self->dtype_name, &self->draft.dtype, err);
    if (!status)
        status = decide_boards(self, err);
    if (!status)
        status = decide_layers(self, err);
    if (status)
        return status;
    decide_budget(self);
    return write_file(self, err);
}

static json_t *to_json(const init_t *self)
{
    const prf_draft_t *d = &self->draft;
    json_t *boards = json_array(), *layers = json_array(), *networks = json_array(), *assumed = json_array();
    for (size_t i = 0; i < d->board_count; i++)
        json_array_append_new(boards, json_pack("{s:s, s:s}", "kind", d->boards[i].kind, "backend", d->boards[i].backend));
    for (size_t i = 0; i < d->layer_count; i++) {
        json_t *names = json_array();
        for (size_t b = 0; b < d->board_count; b++)
            if (d->layers[i].boards & UINT32_C(1) << b)
                json_array_append_new(names, json_string(d->boards[b].kind));
        json_array_append_new(layers, json_pack("{s:s, s:I, s:o}", "kind", prf_layer_kind_name(d->layers[i].kind), "weight",
                                                (json_int_t)d->layers[i].weight, "boards", names));
    }
    for (size_t i = 0; i < d->network_count; i++)
        json_array_append_new(networks, json_string(d->networks[i]));
    for (size_t i = 0; i < self->assumed.count; i++)
        json_array_append_new(assumed, json_string(self->assumed.items[i]));
    return json_pack("{s:s, s:s, s:o, s:o, s:o, s:I, s:o, s:o}", "file", self->file, "campaign", d->name, "boards", boards,
                     "layers", layers, "networks", networks, "samples", (json_int_t)d->samples, "minutes",
                     d->minutes > 0 ? json_real(d->minutes) : json_null(), "assumed", assumed);
}

static void tell(const init_t *self)
{
    const prf_draft_t *d = &self->draft;
    for (size_t i = 0; i < self->assumed.count; i++)
        fprintf(stderr, "prfarm: assumed: %s\n", self->assumed.items[i]);
    printf("%s: %zu kind%s of boards, %zu entr%s of layers", self->file, d->board_count, d->board_count == 1 ? "" : "s",
           d->layer_count, d->layer_count == 1 ? "y" : "ies");
    if (d->network_count)
        printf(", %zu network%s", d->network_count, d->network_count == 1 ? "" : "s");
    printf("; at most %u layers a board", d->samples);
    if (d->minutes > 0)
        printf(" and %g minute%s", d->minutes, d->minutes == 1 ? "" : "s");
    printf("\ncarry it out with: prfarm run %s --out %s\n", self->file, d->name);
}

static const prf_usage_t usage = {
    .name = "init",
    .synopsis = "[FILE.yaml] [--board BOARD]... [--network NET.onnx]...",
    .purpose = "Writes a campaign file, with comments, after asking what boards and layers there are.",
    .text = "What the options say is not asked; without a terminal, or with --yes, nothing is, and what\n"
            "was assumed is told. The file is campaign.yaml unless named otherwise, and not replaced unless\n"
            "with --force.\n\n"
            "  prfarm init\n"
            "  prfarm init mine.yaml --board cpu --network resnet18.onnx --minutes 10 --yes\n"
            "  prfarm init npus.yaml --board sim:vta --board 'exec:python3 board.py' --layers cnn\n\n"
            "A board is cpu (this machine's processor; cpu:4 with four threads), sim:BOARD (simulated:\n"
            "ultratrail, systolic, vta, ferry, ncs2 or zcu102), 'exec:PROGRAM ARGUMENT...' or plugin:FILE.so.\n"
            "With --network the ranges of the layers are those of the networks themselves: what is measured\n"
            "covers each of their layers, and all between them. Each board is asked only for what it can run.\n",
    .complete = ".yaml",
    .most = 1,
};

int prf_cmd_init(int argc, char **argv)
{
    init_t *self = calloc(1, sizeof *self);
    prf_error_t err = {0};
    if (!self) {
        prf_fail(&err, PRF_ENOMEM, "a campaign file");
        return prf_report(&err);
    }
    *self = (init_t){.dtype_name = "f32", .minutes = NOT_GIVEN};
    const prf_option_t options[] = {
        {.name = "board",
         .value = "BOARD",
         .help = "cpu, cpu:THREADS, sim:BOARD, 'exec:PROGRAM ARGUMENT...' or plugin:FILE.so; may be given several times",
         .complete = "cpu sim:ultratrail sim:systolic sim:vta sim:ferry sim:ncs2 sim:zcu102 exec: plugin:",
         .list = &self->boards},
        {.name = "layers",
         .value = "SORT",
         .help = "the usual layers of cnn or transformer networks (default: what the networks consist of, else cnn)",
         .complete = "cnn transformer",
         .text = &self->layers},
        {.name = "network",
         .value = "NET.onnx",
         .help = "a network of yours, also estimated and measured in the end; may be given several times",
         .list = &self->networks},
        {.name = "budget",
         .value = "N",
         .help = "layers to measure on each kind of board, 8 to 1000000 (default: 800; 400 if all are simulated)",
         .number = &self->samples,
         .lo = 8,
         .hi = 1e6},
        {.name = "minutes",
         .value = "N",
         .help = "how long it may take, 0 without limit (default: 5; 0 if all boards are simulated)",
         .real = &self->minutes,
         .lo = 0,
         .hi = 43200},
        {.name = "dtype",
         .value = "TYPE",
         .help = "data type of the layers: f32 (default), f16, bf16, i8",
         .complete = "f32 f16 bf16 i8",
         .text = &self->dtype_name},
        {.name = "yes", .help = "ask nothing", .flag = &self->yes},
        {.name = "force", .help = "replace the file if it is there", .flag = &self->force},
        {.name = "json", .help = "print what was written as JSON", .flag = &self->json},
        {.name = NULL},
    };
    prf_words_t words;
    int code = 0;
    if (prf_options_parse(&usage, options, argc, argv, &words, &code)) {
        self->file = words.count ? words.items[0] : "campaign.yaml";
        self->asks = !self->yes && !self->json && isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
        if (carry_out(self, &err) != PRF_OK)
            code = prf_report(&err);
        else if (self->json)
            code = prf_print_json(to_json(self));
        else
            tell(self);
    }
    release(self);
    return code;
}
