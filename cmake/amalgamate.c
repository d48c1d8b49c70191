// SPDX-License-Identifier: Apache-2.0
/* amalgamate.c - what a model needs to answer, as one C source: a program of the build.
 *
 *   amalgamate ROOT OUT.c SOURCE.c... NAME...
 *
 * An exported model (common/model/export_c.h) carries the code that answers, and that code must be the one that `prfarm estimate`
 * runs: a second writing of the features would sooner or later say something else. So the sources are read here, from SOURCE.c...
 * on and wherever their includes lead; of each file the top-level items are taken that NAME... call for, directly or through
 * others, and everything is made static. Items are told apart by brackets and semicolons, and what they define by the first name
 * before a bracket: our own sources, formatted by clang-format, and no C compiler. What is wrong shows at once, because
 * tests/unit/test_export_c.c compiles what comes out and compares its answers.
 *
 * OUT.c holds the lines as an array of strings. Conditionals within a source are left out (they are the static analyser's). Two
 * files may not use one name for different things in what is taken. */
#include <ctype.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILES = 256, ITEMS = 8192, NAMES = 65536, PATH = 512, SYSTEM_HEADERS = 1024 };

typedef enum { WORD, MARK, TEXT, COMMENT, DIRECTIVE, END } token_kind_t;

typedef struct {
    token_kind_t kind;
    const char *at;
    size_t len;
} token_t;

typedef struct {
    char name[PATH]; /* below ROOT */
    char *text;
    bool header;
    size_t place; /* in OUT.c: behind all that it includes */
} file_t;

typedef struct {
    size_t file;
    const char *at, *code, *end; /* with the comment before it; without */
    bool is_function, is_static, is_kept;
    size_t first_name, name_count; /* what it defines */
} item_t;

typedef struct {
    const char *at;
    size_t len;
} name_t;

static const char *root;
static file_t files[FILES];
static item_t items[ITEMS];
static name_t names[NAMES];
static name_t system_headers[SYSTEM_HEADERS];
static size_t header_file[SYSTEM_HEADERS]; /* the file that includes it */
static size_t file_count, item_count, name_count, system_count, placed_count;

static void die(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fputs("amalgamate: ", stderr);
    vfprintf(stderr, fmt, args);
    fputc('\n', stderr);
    va_end(args);
    exit(1);
}

/* ---- reading ---- */

static token_t next_token(const char *p)
{
    while (isspace((unsigned char)*p))
        p++;
    token_t t = {MARK, p, 1};
    if (!*p)
        return (token_t){END, p, 0};
    if (strncmp(p, "//", 2) == 0) {
        t = (token_t){COMMENT, p, strcspn(p, "\n")};
    } else if (strncmp(p, "/*", 2) == 0) {
        const char *end = strstr(p + 2, "*/");
        t = (token_t){COMMENT, p, end ? (size_t)(end + 2 - p) : strlen(p)};
    } else if (*p == '#') {
        const char *end = p;
        while (*end && !(*end == '\n' && end[-1] != '\\'))
            end++;
        t = (token_t){DIRECTIVE, p, (size_t)(end - p)};
    } else if (*p == '"' || *p == '\'') {
        const char *end = p + 1;
        while (*end && *end != *p)
            end += *end == '\\' && end[1] ? 2 : 1;
        t = (token_t){TEXT, p, (size_t)(end + 1 - p)};
    } else if (isalnum((unsigned char)*p) || *p == '_') {
        const char *end = p;
        while (isalnum((unsigned char)*end) || *end == '_' || *end == '.')
            if (*end == '.' && !isdigit((unsigned char)*p))
                break;
            else
                end++;
        t = (token_t){WORD, p, (size_t)(end - p)};
    }
    return t;
}

static bool is(token_t t, const char *word)
{
    return t.len == strlen(word) && memcmp(t.at, word, t.len) == 0;
}

static bool same(name_t a, name_t b)
{
    return a.len == b.len && memcmp(a.at, b.at, a.len) == 0;
}

static void define(item_t *item, token_t t)
{
    if (name_count == NAMES)
        die("more than %d names", NAMES);
    names[name_count++] = (name_t){t.at, t.len};
    item->name_count++;
}

static void read_file(const char *name);

static void read_include(token_t directive, size_t file)
{
    const char *open = directive.at + strcspn(directive.at, "<\"");
    const char *close = open + 1 + strcspn(open + 1, ">\"");
    if (*open == '<') {
        if (system_count == SYSTEM_HEADERS)
            die("more than %d system headers", SYSTEM_HEADERS);
        header_file[system_count] = file;
        system_headers[system_count++] = (name_t){open, (size_t)(close + 1 - open)};
        return;
    }
    char name[PATH];
    snprintf(name, sizeof name, "%.*s", (int)(close - open - 1), open + 1);
    read_file(name);
}

/* Names of an enumeration: the first word after each comma. Returns behind its closing bracket. */
static const char *define_enumerators(item_t *item, const char *p)
{
    bool fresh = true;
    int depth = 0;
    for (token_t t = next_token(p);; t = next_token(t.at + t.len)) {
        if (t.kind == END || (depth == 0 && is(t, "}")))
            return t.at + t.len;
        depth += is(t, "(") - is(t, ")");
        if (fresh && t.kind == WORD)
            define(item, t);
        if (t.kind != COMMENT)
            fresh = depth == 0 && is(t, ",");
    }
}

/* What the item defines: the tag and the enumerators of its types, and the name that it is for. */
static void define_names(item_t *item)
{
    token_t before = {END, item->code, 0}, word = before;
    bool in_typedef = is(next_token(item->code), "typedef");
    int depth = 0;
    for (token_t t = next_token(item->code); t.at < item->end; t = next_token(t.at + t.len)) {
        if (t.kind == COMMENT || t.kind == DIRECTIVE)
            continue;
        bool type = is(before, "struct") || is(before, "union") || is(before, "enum");
        token_t after = next_token(t.at + t.len);
        if (type && t.kind == WORD && (is(after, "{") || is(after, ";")))
            define(item, t);
        if (is(t, "{") && depth == 0 && (is(before, "enum") || is(word, "enum"))) {
            const char *end = define_enumerators(item, t.at + 1);
            t = (token_t){MARK, end - 1, 1};
        } else if (is(t, "{")) {
            depth++;
        } else if (is(t, "}")) {
            depth--;
        } else if (depth == 0 && is(t, "(")) {
            bool starred = is(after, "*");
            token_t inner = starred ? next_token(after.at + 1) : after;
            bool wrapped = starred || strncmp(inner.at + inner.len, ")(", 2) == 0; /* type (*name)(...), type (name)(...) */
            define(item, wrapped ? inner : before);
            return;
        } else if (depth == 0 && before.kind == WORD && (is(t, "=") || is(t, "[") || is(t, ";"))) {
            if (!type || in_typedef)
                define(item, before);
            return;
        }
        word = type && t.kind == WORD ? before : t;
        before = t;
    }
}

static item_t *new_item(size_t file, const char *comment, token_t first)
{
    if (item_count == ITEMS)
        die("more than %d items", ITEMS);
    item_t *item = &items[item_count++];
    *item = (item_t){.file = file, .at = comment ? comment : first.at, .code = first.at, .first_name = name_count};
    return item;
}

/* Returns behind the item that begins with `first`. */
static const char *read_item(size_t file, const char *comment, token_t first)
{
    item_t *item = new_item(file, comment, first);
    token_t before = {END, first.at, 0};
    int depth = 0;
    bool done = false;
    const char *p = first.at;
    while (!done) {
        token_t t = next_token(p);
        if (t.kind == END)
            die("%s: the last item does not end", files[file].name);
        p = t.at + t.len;
        if (t.kind == COMMENT)
            continue;
        item->is_static = item->is_static || (depth == 0 && is(t, "static"));
        if (is(t, "{") && depth == 0 && is(before, ")"))
            item->is_function = true;
        depth += (is(t, "{") || is(t, "(") || is(t, "[")) - (is(t, "}") || is(t, ")") || is(t, "]"));
        done = depth == 0 && (is(t, ";") || (is(t, "}") && item->is_function));
        before = t;
    }
    token_t trailing = next_token(p);
    if (trailing.kind == COMMENT && !memchr(p, '\n', (size_t)(trailing.at - p)))
        p = trailing.at + trailing.len;
    item->end = p;
    define_names(item);
    return p;
}

/* A conditional that is not the guard of a header: what is in it is left out. Returns behind its end. */
static const char *skip_conditional(size_t file, const char *p)
{
    for (int depth = 1; depth;) {
        token_t t = next_token(p);
        if (t.kind == END)
            die("%s: a conditional does not end", files[file].name);
        if (t.kind == DIRECTIVE)
            depth += (strncmp(t.at, "#if", 3) == 0) - (strncmp(t.at, "#endif", 6) == 0);
        p = t.at + t.len;
    }
    return p;
}

static const char *read_directive(size_t file, const char *comment, token_t t)
{
    static const char guard_end[] = "_H";
    const char *end = t.at + t.len;
    if (strncmp(t.at, "#include", 8) == 0) {
        read_include(t, file);
    } else if (strncmp(t.at, "#define", 7) == 0) {
        token_t name = next_token(t.at + 7);
        if (name.at + name.len == end && memcmp(end - 2, guard_end, 2) == 0)
            return end; /* of the guard */
        item_t *item = new_item(file, comment, t);
        item->end = end;
        item->is_static = true; /* nothing to add */
        define(item, name);
        token_t trailing = next_token(end);
        if (trailing.kind == COMMENT && !memchr(end, '\n', (size_t)(trailing.at - end)))
            item->end = end = trailing.at + trailing.len;
    } else if (strncmp(t.at, "#if", 3) == 0) {
        if (memcmp(end - 2, guard_end, 2) != 0)
            return skip_conditional(file, end);
    } else if (strncmp(t.at, "#endif", 6) != 0) {
        die("%s: cannot take '%.*s'", files[file].name, (int)t.len, t.at);
    }
    return end;
}

static void read_items(size_t file)
{
    const char *comment = NULL, *comment_end = NULL;
    const char *p = files[file].text;
    for (token_t t = next_token(p); t.kind != END; t = next_token(p)) {
        if (t.kind == COMMENT) {
            comment = t.at;
            p = comment_end = t.at + t.len;
            continue;
        }
        if (comment && (comment_end > t.at || t.at - comment_end != 1)) /* a blank line between */
            comment = NULL;
        p = t.kind == DIRECTIVE ? read_directive(file, comment, t) : read_item(file, comment, t);
        comment = NULL;
    }
}

static char *slurp(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        return NULL;
    fseek(f, 0, SEEK_END);
    long size = ftell(f);
    rewind(f);
    char *text = calloc(1, (size_t)size + 1);
    if (!text || fread(text, 1, (size_t)size, f) != (size_t)size)
        die("cannot read %s", path);
    fclose(f);
    return text;
}

/* A header brings its source with it. Files that are not below the root (generated ones) are left out: if an item needs them, the
 * test will not compile. */
static void read_file(const char *name)
{
    char path[2 * PATH];
    for (size_t i = 0; i < file_count; i++)
        if (strcmp(files[i].name, name) == 0)
            return;
    snprintf(path, sizeof path, "%s/%s", root, name);
    char *text = slurp(path);
    if (!text)
        return;
    if (file_count == FILES)
        die("more than %d files", FILES);
    size_t file = file_count++, len = strlen(name);
    snprintf(files[file].name, PATH, "%s", name);
    files[file].text = text;
    files[file].header = name[len - 1] == 'h';
    read_items(file);
    files[file].place = placed_count++;
    if (files[file].header) {
        char source[PATH];
        snprintf(source, sizeof source, "%.*sc", (int)len - 1, name);
        read_file(source);
    }
}

/* ---- choosing ---- */

static bool defines(const item_t *item, name_t name)
{
    for (size_t i = 0; i < item->name_count; i++)
        if (same(names[item->first_name + i], name))
            return true;
    return false;
}

/* What a source keeps to itself: everything but the functions that its header declares. */
static bool is_local(const item_t *item)
{
    return !files[item->file].header && (item->is_static || !item->is_function);
}

static void keep(size_t index);

static void keep_name(name_t name, size_t from)
{
    for (size_t i = 0; i < item_count; i++)
        if (!items[i].is_kept && (!is_local(&items[i]) || items[i].file == from) && defines(&items[i], name))
            keep(i);
}

static void keep_words(const char *p, const char *end, size_t file)
{
    token_t before = {END, p, 0};
    for (token_t t = next_token(p); t.at < end && t.kind != END; t = next_token(t.at + t.len)) {
        bool member = is(before, ".") || (is(before, ">") && before.at[-1] == '-');
        if (t.kind == DIRECTIVE)
            keep_words(t.at + 1, t.at + t.len, file);
        else if (t.kind == WORD && !member)
            keep_name((name_t){t.at, t.len}, file);
        before = t;
    }
}

static void keep(size_t index)
{
    items[index].is_kept = true;
    keep_words(items[index].code, items[index].end, items[index].file);
}

static bool is_type(const item_t *item)
{
    token_t first = next_token(item->code);
    return is(first, "typedef") || is(first, "enum") || is(first, "struct");
}

static bool is_function_kept(name_t name)
{
    for (size_t i = 0; i < item_count; i++)
        if (items[i].is_kept && items[i].is_function && defines(&items[i], name))
            return true;
    return false;
}

/* A function that is declared and called, but in no source that was read. */
static void refuse_gaps(void)
{
    for (size_t i = 0; i < item_count; i++) {
        const item_t *item = &items[i];
        if (!item->is_kept || !files[item->file].header || item->is_static || is_type(item))
            continue;
        name_t name = names[item->first_name];
        if (!is_function_kept(name))
            die("'%.*s' is in no source that was read: name its source", (int)name.len, name.at);
    }
}

static void refuse_clashes(void)
{
    for (size_t a = 0; a < item_count; a++)
        for (size_t b = a + 1; b < item_count && items[a].is_kept; b++)
            for (size_t i = 0; i < items[a].name_count && items[b].is_kept; i++) {
                name_t name = names[items[a].first_name + i];
                if (items[a].file != items[b].file && (is_local(&items[a]) || is_local(&items[b])) && defines(&items[b], name))
                    die("'%.*s' is in %s and in %s: rename one of them", (int)name.len, name.at, files[items[a].file].name,
                        files[items[b].file].name);
            }
}

/* ---- writing ---- */

static void put(FILE *out, const char *at, const char *end)
{
    for (; at < end; at++)
        if (*at == '\n')
            fputs("\",\n\"", out);
        else if (*at == '"' || *at == '\\')
            fprintf(out, "\\%c", *at);
        else
            fputc(*at, out);
}

static void put_text(FILE *out, const char *text)
{
    put(out, text, text + strlen(text));
}

/* Blank lines stay where they are. */
static void put_item(FILE *out, const item_t *item, bool is_first)
{
    if (!is_first && strncmp(item->at - 2, "\n\n", 2) == 0)
        put_text(out, "\n");
    put(out, item->at, item->code);
    if (!item->is_static && !is_type(item))
        put_text(out, "static ");
    put(out, item->code, item->end);
    put_text(out, "\n");
}

static void put_file(FILE *out, size_t file)
{
    bool named = false;
    for (size_t i = 0; i < item_count; i++) {
        if (items[i].file != file || !items[i].is_kept)
            continue;
        if (!named) {
            put_text(out, "\n/* ---- ");
            put_text(out, files[file].name);
            put_text(out, " ---- */\n\n");
        }
        put_item(out, &items[i], !named);
        named = true;
    }
}

static void put_files(FILE *out, bool headers)
{
    for (size_t place = 0; place < placed_count; place++)
        for (size_t f = 0; f < file_count; f++)
            if (files[f].place == place && files[f].header == headers)
                put_file(out, f);
}

static bool is_file_kept(size_t file)
{
    for (size_t i = 0; i < item_count; i++)
        if (items[i].file == file && items[i].is_kept)
            return true;
    return false;
}

static void put_system_headers(FILE *out)
{
    for (size_t i = 0; i < system_count; i++) {
        bool again = !is_file_kept(header_file[i]);
        for (size_t j = 0; j < i; j++)
            again = again || (same(system_headers[i], system_headers[j]) && is_file_kept(header_file[j]));
        if (again)
            continue;
        put_text(out, "#include ");
        put(out, system_headers[i].at, system_headers[i].at + system_headers[i].len);
        put_text(out, "\n");
    }
}

static bool is_source(const char *argument)
{
    size_t len = strlen(argument);
    return len > 2 && strcmp(argument + len - 2, ".c") == 0;
}

int main(int argc, char **argv)
{
    if (argc < 5)
        die("usage: amalgamate ROOT OUT.c SOURCE.c... NAME...");
    root = argv[1];
    for (int i = 3; i < argc; i++)
        if (is_source(argv[i]))
            read_file(argv[i]);
    for (int i = 3; i < argc; i++)
        if (!is_source(argv[i]))
            keep_name((name_t){argv[i], strlen(argv[i])}, SIZE_MAX);
    refuse_gaps();
    refuse_clashes();
    FILE *out = fopen(argv[2], "wb");
    if (!out)
        die("cannot write %s", argv[2]);
    fputs("/* Made by cmake/amalgamate.c. */\n#include \"model/export_c.h\"\n\nconst char *const prf_estimator_lines[] = {\n\"",
          out);
    put_system_headers(out);
    put_files(out, true);
    put_files(out, false);
    fputs("\",\n0};\n", out);
    if (fclose(out))
        die("cannot write %s", argv[2]);
    return 0;
}
