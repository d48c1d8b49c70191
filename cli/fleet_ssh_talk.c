// SPDX-License-Identifier: Apache-2.0
/* fleet_ssh_talk.c - everything goes to `sh -s` over standard input, values in single quotes and files in here-documents: no word
 * of the file or a key is ever part of a command line, here or there. ssh tells why it failed in words alone; those looked for are
 * older than ten years, and what is not among them is shown as it is. */
#include "fleet_ssh_talk.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/command.h"
#include "wire/printable.h"

enum { OUTPUT = 1 << 16, SSH_FAILED = 255, WORDS = 32, VALUE = PATH_MAX + 32 };
#define END_OF_FILE "PRFARM_END_OF_FILE"

static const struct {
    const char *name, *word, *remedy; /* word: what fleet_ssh.sh says; NULL: it does not */
} states[PRF_SSH_STATES] = {
    [PRF_SSH_RUNNING] = {"running", NULL, ""},
    [PRF_SSH_INSTALLED] = {"installed", NULL, ""},
    [PRF_SSH_UPDATED] = {"updated", NULL, ""},
    [PRF_SSH_STARTED] = {"started", NULL, ""},
    [PRF_SSH_STOPPED] = {"stopped", NULL, ""},
    [PRF_SSH_OUTDATED] = {"outdated", NULL, "run it without --check"},
    [PRF_SSH_DOWN] = {"not running", NULL, "look at its log, then run it without --check"},
    [PRF_SSH_ABSENT] = {"not installed", NULL, "run it without --check"},
    [PRF_SSH_UNREACHABLE] = {"unreachable", NULL, "see whether it is on, and whether host and port are right"},
    [PRF_SSH_WRONG_KEY] = {"wrong host key", NULL, "find out why; if it was set up anew, remove its old key with ssh-keygen -R"},
    [PRF_SSH_UNKNOWN_KEY] = {"unknown host key", NULL, "connect once with ssh, compare the key and accept it"},
    [PRF_SSH_DENIED] = {"permission denied", NULL, "put your public key into its ~/.ssh/authorized_keys: ssh-copy-id"},
    [PRF_SSH_NO_SPACE] = {"no space", "no-space", "make room in its home folder"},
    [PRF_SSH_WRONG_MACHINE] = {"wrong architecture", NULL, "build the worker there: docs/howto/ssh-fleet.md"},
    [PRF_SSH_MISSING_LIBRARY] = {"missing library", "missing-library",
                                 "install the library there, or put it into 'lib' beside the worker"},
    [PRF_SSH_NOT_JOINED] = {"not joined", "not-joined",
                            "see what its log says; is the farm reached from there, is its key on the list?"},
    [PRF_SSH_BUSY] = {"busy", "busy", "wait for its end, then run it again"},
    [PRF_SSH_TIMEOUT] = {"timed out", NULL, "try again, or with a longer --timeout"},
    [PRF_SSH_FAILED] = {"failed", "failed", "try the same with ssh by hand"},
    [PRF_SSH_SKIPPED] = {"skipped", NULL, "run it again"},
};

const char *prf_ssh_state_name(prf_ssh_state_t state)
{
    return states[state].name;
}

const char *prf_ssh_remedy(prf_ssh_state_t state)
{
    return states[state].remedy;
}

/* -- what is sent -- */

static void assign(prf_text_t *to, const char *name, const char *value)
{
    prf_text_add(to, "%s=", name);
    prf_text_quote(to, value);
    prf_text_add(to, "\n");
}

/* The script that starts a board, and starts it again when it crashed. */
static void add_board_script(prf_text_t *to, const prf_ssh_file_t *file, const prf_ssh_host_t *host, const char *board)
{
    prf_text_add(to,
                 "cd \"$HOME/.prfarm/%s/%s\" || exit 1\n"
                 "echo $$ >%s.pid\n"
                 "trap stop=yes TERM\n"
                 "export LD_LIBRARY_PATH=\"$PWD/current/lib\"\n"
                 "worker=current/prfarm-worker\n"
                 "[ -x $worker ] || worker=current/usr/bin/prfarm-worker\n"
                 "while [ -z \"${stop-}\" ]; do\n"
                 "    $worker --farm ",
                 file->fleet, host->name, board);
    prf_text_quote(to, file->farm);
    if (file->server)
        prf_text_add(to, " --key host.key --server server.pub");
    prf_text_add(to, " --kind %s --board %s --state %s --backend %s", host->kind, board, board, host->backend);
    for (size_t i = 0; i < host->options.count; i++) {
        prf_text_add(to, " --option %s=", host->options.list[i].key);
        prf_text_quote(to, host->options.list[i].value);
    }
    prf_text_add(to, "\n"
                     "    code=$?\n"
                     "    [ $code -ge 128 ] || exit $code\n"
                     "    sleep 5\n"
                     "done\n");
}

static void add_file(prf_text_t *to, const char *what, const char *command, const char *content)
{
    prf_text_add(to, "%s%s <<'" END_OF_FILE "'\n", what, command);
    prf_text_append(to, content, strlen(content));
    prf_text_add(to, "%s" END_OF_FILE "\n", content[0] && content[strlen(content) - 1] == '\n' ? "" : "\n");
}

static void add_boards(prf_text_t *to, const prf_ssh_file_t *file, const prf_ssh_host_t *host)
{
    char board[PRF_NAME];
    prf_text_add(to, "board() {\ncase \"$1\" in\n");
    for (int64_t i = 0; i < host->boards; i++) {
        prf_text_t script;
        prf_text_init(&script);
        prf_ssh_board(host, i, board);
        add_board_script(&script, file, host, board);
        prf_text_add(to, "%s)\n", board);
        add_file(to, "", "cat", prf_text_get(&script));
        prf_text_add(to, ";;\n");
        prf_text_release(&script);
    }
    prf_text_add(to, "esac\n}\n");
}

void prf_ssh_launch(const prf_ssh_file_t *file, const prf_ssh_host_t *host, const char *server, char out[PRF_DIGEST_HEX])
{
    prf_text_t text;
    prf_digest_t digest;
    prf_text_init(&text);
    add_boards(&text, file, host);
    prf_text_add(&text, "%s", server);
    prf_digest(&digest, prf_text_get(&text), text.len);
    prf_digest_hex(&digest, out);
    prf_text_release(&text);
}

static void add_content(prf_text_t *to, const prf_ssh_talk_t *talk)
{
    char launch[PRF_DIGEST_HEX];
    enum { ROOM = 6 }; /* times the compressed worker: unpacked beside the old one */
    prf_ssh_launch(talk->file, talk->host, talk->server, launch);
    assign(to, "RELEASE", talk->payload->release);
    assign(to, "LAUNCH", launch);
    prf_text_add(to, "KILOBYTES=%zu\npayload() {\n", ROOM * talk->payload->bytes / 1024 + 1);
    add_file(to, "", "base64 -d", talk->payload->base64);
    prf_text_add(to, "}\nkey() {\n");
    add_file(to, "", "cat", talk->secret ? talk->secret : "");
    prf_text_add(to, "}\nserver() {\n");
    add_file(to, "", "cat", talk->server);
    prf_text_add(to, "}\n");
    add_boards(to, talk->file, talk->host);
}

static void make_script(prf_text_t *to, const prf_ssh_talk_t *talk)
{
    static const char *const actions[] = {[PRF_SSH_LOOK] = "look", [PRF_SSH_APPLY] = "apply", [PRF_SSH_STOP] = "stop"};
    char board[PRF_NAME];
    prf_text_init(to);
    /* The first line, for it counts from before the worker is sent. What is left is for ssh, before and after. */
    prf_text_add(to, "UNTIL=$(($(cut -d. -f1 /proc/uptime) + %u))\n", talk->timeout_ms / 1000 * 4 / 5);
    assign(to, "ACTION", actions[talk->action]);
    assign(to, "FLEET", talk->file->fleet);
    assign(to, "NAME", talk->host->name);
    prf_text_add(to, "BOARDS='");
    for (int64_t i = 0; i < talk->host->boards; i++) {
        prf_ssh_board(talk->host, i, board);
        prf_text_add(to, "%s%s", i ? " " : "", board);
    }
    prf_text_add(to, "'\n");
    if (talk->action == PRF_SSH_APPLY)
        add_content(to, talk);
    prf_text_append(to, prf_ssh_shell, strlen(prf_ssh_shell));
}

/* -- what comes back -- */

static void fail_with(prf_ssh_answer_t *out, prf_ssh_state_t state, const char *detail)
{
    out->failure = state;
    prf_printable_copy(out->detail, sizeof out->detail, detail);
}

static void take_failure(prf_ssh_answer_t *out, const char *told)
{
    size_t word = strcspn(told, " ");
    prf_ssh_state_t state = PRF_SSH_FAILED;
    for (int s = 0; s < PRF_SSH_STATES; s++)
        if (states[s].word && strlen(states[s].word) == word && strncmp(told, states[s].word, word) == 0)
            state = (prf_ssh_state_t)s;
    fail_with(out, state, told[word] ? told + word + 1 : "");
}

/* A line behind "prfarm: ". */
static void take_line(prf_ssh_answer_t *out, const char *line)
{
    char release[PRF_DIGEST_HEX], version[40];
    prf_digest_t digest;
    if (strncmp(line, "arch ", 5) == 0)
        prf_printable_copy(out->uname, sizeof out->uname, line + 5);
    else if (strncmp(line, "release ", 8) == 0) {
        if (sscanf(line + 8, "%32s prfarm-worker %39s", release, version) != 2 || !prf_digest_parse(&digest, release))
            return;
        memcpy(out->release, release, sizeof release);
        prf_printable_copy(out->version, sizeof out->version, version);
    } else if (strncmp(line, "launch ", 7) == 0)
        prf_printable_copy(out->launch, sizeof out->launch, line + 7);
    else if (strncmp(line, "running ", 8) == 0)
        out->running++;
    else if (strncmp(line, "waiting ", 8) == 0) {
        out->waiting = true;
        prf_printable_copy(out->detail, sizeof out->detail, line + 8);
    } else if (strncmp(line, "note ", 5) == 0)
        prf_printable_copy(out->detail, sizeof out->detail, line + 5);
    else if (strncmp(line, "failed ", 7) == 0)
        take_failure(out, line + 7);
}

/* True when the script came to an end. */
static bool take_lines(prf_ssh_answer_t *out, char *text)
{
    static const char mark[] = "prfarm: ";
    bool end = false;
    char *rest = NULL;
    for (char *line = strtok_r(text, "\r\n", &rest); line; line = strtok_r(NULL, "\r\n", &rest))
        if (strncmp(line, mark, sizeof mark - 1) == 0) {
            take_line(out, line + sizeof mark - 1);
            end = end || strcmp(line + sizeof mark - 1, "end") == 0;
        }
    return end || out->failure;
}

/* The last line with something in it, without the full stop that a remedy comes behind. */
static const char *last_line(char *text)
{
    size_t len = strlen(text);
    while (len && (isspace((unsigned char)text[len - 1]) || text[len - 1] == '.'))
        text[--len] = '\0';
    const char *line = strrchr(text, '\n');
    return line ? line + 1 : text;
}

/* What ssh itself says; the first that occurs counts. */
static prf_ssh_state_t why_not_connected(const char *said)
{
    static const struct {
        const char *words;
        prf_ssh_state_t state;
    } reasons[] = {
        {"HOST IDENTIFICATION HAS CHANGED", PRF_SSH_WRONG_KEY},
        {"Host key verification failed", PRF_SSH_UNKNOWN_KEY},
        {"Permission denied", PRF_SSH_DENIED},
        {"Too many authentication failures", PRF_SSH_DENIED},
        {"Could not resolve", PRF_SSH_UNREACHABLE},
        {"timed out", PRF_SSH_UNREACHABLE},
        {"refused", PRF_SSH_UNREACHABLE},
        {"No route to host", PRF_SSH_UNREACHABLE},
        {"unreachable", PRF_SSH_UNREACHABLE},
        {"onnection closed", PRF_SSH_UNREACHABLE},
        {"onnection reset", PRF_SSH_UNREACHABLE},
        {"not responding", PRF_SSH_UNREACHABLE},
    };
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (strstr(said, reasons[i].words))
            return reasons[i].state;
    return PRF_SSH_FAILED;
}

/* -- the conversation -- */

typedef struct {
    const char *argv[WORDS];
    size_t count;
    char port[48], user[VALUE], identity[VALUE], known_hosts[VALUE];
} line_t;

static void word(line_t *line, const char *text)
{
    line->argv[line->count++] = text;
}

static void option(line_t *line, const char *text)
{
    word(line, "-o");
    word(line, text);
}

/* "Name=PATH" with the path as ssh is to see it. */
static prf_status_t path_option(line_t *line, const prf_ssh_talk_t *talk, const char *name, const char *path, char room[VALUE],
                                prf_error_t *err)
{
    char full[PATH_MAX];
    if (!path)
        return PRF_OK;
    prf_status_t status = prf_ssh_path(talk->file, path, full, err);
    snprintf(room, VALUE, "%s=%s", name, status ? "" : full);
    option(line, room);
    return status;
}

/* Everything that is not said here is as the user's own configuration of ssh says: jumps, ciphers, how strictly keys are checked.
 */
static prf_status_t command_line(line_t *line, const prf_ssh_talk_t *talk, prf_error_t *err)
{
    const prf_ssh_host_t *host = talk->host;
    *line = (line_t){.argv = {"ssh", "-T"}, .count = 2};
    option(line, "BatchMode=yes");
    option(line, "ConnectTimeout=10");
    option(line, "ServerAliveInterval=10");
    option(line, "ClearAllForwardings=yes");
    option(line, "LogLevel=ERROR");
    if (host->port) {
        snprintf(line->port, sizeof line->port, "Port=%d", (int)host->port);
        option(line, line->port);
    }
    if (host->user) {
        snprintf(line->user, sizeof line->user, "User=%.1000s", host->user);
        option(line, line->user);
    }
    prf_status_t status = path_option(line, talk, "IdentityFile", host->identity, line->identity, err);
    if (!status && host->identity)
        option(line, "IdentitiesOnly=yes");
    if (!status)
        status = path_option(line, talk, "UserKnownHostsFile", host->known_hosts, line->known_hosts, err);
    word(line, "--");
    word(line, host->host);
    word(line, "sh -s");
    return status;
}

static prf_status_t converse(const prf_ssh_talk_t *talk, const char *script, int *code, prf_text_t *said, prf_error_t *err)
{
    line_t line;
    prf_status_t status = command_line(&line, talk, err);
    const prf_command_spec_t spec = {
        .argv = line.argv, .input = script, .timeout_ms = talk->timeout_ms, .limit = OUTPUT, .exit_code = code};
    return status ? status : prf_command_run(&spec, said, err);
}

void prf_ssh_talk(const prf_ssh_talk_t *talk, prf_ssh_answer_t *out)
{
    prf_text_t script, said;
    prf_error_t err = {0};
    int code = 0;
    *out = (prf_ssh_answer_t){.running = 0};
    make_script(&script, talk);
    prf_status_t status = script.failed ? prf_fail(&err, PRF_ENOMEM, "the script for %s", talk->host->name)
                                        : converse(talk, prf_text_get(&script), &code, &said, &err);
    if (script.data)
        explicit_bzero(script.data, script.len); /* the secret key is in it */
    prf_text_release(&script);
    if (status) {
        fail_with(out, status == PRF_ETIMEOUT ? PRF_SSH_TIMEOUT : PRF_SSH_FAILED, err.text);
        return;
    }
    if (said.data && code == SSH_FAILED)
        fail_with(out, why_not_connected(said.data), last_line(said.data));
    else if (!said.data || !take_lines(out, said.data))
        fail_with(out, PRF_SSH_FAILED, said.data ? last_line(said.data) : "it said nothing");
    prf_text_release(&said);
}
