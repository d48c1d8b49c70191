// SPDX-License-Identifier: Apache-2.0
/* keys.c - three lines of text: version, public key, secret key.
 *
 * The file is read into a buffer on the stack that is wiped, not by base/file.h, whose buffers are freed as they are. It is
 * opened first and looked at then, so that what was checked is what is read. A key that others could have read is refused rather
 * than warned about: a warning in a log helps nobody. */
#include "net/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "point/point.h"

#define FIRST_LINE "prfarm-key 1\n"
#define PUBLIC_WORD "public "
#define SECRET_WORD "secret "
enum {
    HEX = PRF_KEY_TEXT - 1,
    PUBLIC_AT = sizeof FIRST_LINE - 1,
    SECRET_AT = PUBLIC_AT + (int)sizeof PUBLIC_WORD + HEX,
    FILE_BYTES = SECRET_AT + (int)sizeof SECRET_WORD + HEX
};

bool prf_key_same(const prf_key_t *a, const prf_key_t *b)
{
    return memcmp(a->bytes, b->bytes, PRF_KEY_BYTES) == 0;
}

void prf_key_format(const prf_key_t *key, char text[PRF_KEY_TEXT])
{
    sodium_bin2hex(text, PRF_KEY_TEXT, key->bytes, PRF_KEY_BYTES);
}

static bool parse_hex(uint8_t out[PRF_KEY_BYTES], const char *text)
{
    size_t len;
    return sodium_hex2bin(out, PRF_KEY_BYTES, text, HEX, NULL, &len, NULL) == 0 && len == PRF_KEY_BYTES;
}

bool prf_key_parse(prf_key_t *out, const char *text)
{
    prf_key_t key = {{0}};
    if (strlen(text) != HEX || !parse_hex(key.bytes, text))
        return false;
    *out = key;
    return true;
}

prf_status_t prf_key_load(prf_key_t *out, const char *text, prf_error_t *err)
{
    if (prf_key_parse(out, text))
        return PRF_OK;
    int fd = open(text, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT)
        return prf_fail(err, PRF_ENOTFOUND, "'%.200s' is neither a public key (%d hexadecimal digits) nor a file: give one of them",
                        text, HEX);
    if (fd < 0)
        return prf_fail_sys(err, errno, "%s", text);
    char line[PRF_KEY_TEXT + 1]; /* its newline, too */
    ssize_t n = read(fd, line, sizeof line);
    int e = errno;
    close(fd);
    if (n < 0)
        return prf_fail_sys(err, e, "%s", text);
    if (n == PRF_KEY_TEXT && line[HEX] == '\n')
        n--;
    line[n < HEX ? n : HEX] = '\0';
    if (n != HEX || !prf_key_parse(out, line))
        return prf_fail(err, PRF_EPARSE,
                        "%s: no public key: give one line of %d hexadecimal digits, as 'prfarm keygen' writes NAME.pub", text, HEX);
    return PRF_OK;
}

void prf_keypair_new(prf_keypair_t *out)
{
    (void)!sodium_init(); /* fails only where libsodium itself would abort for want of randomness */
    crypto_box_keypair(out->public_key.bytes, out->secret);
}

void prf_keypair_wipe(prf_keypair_t *self)
{
    sodium_memzero(self, sizeof *self);
}

/* Makes the file, which must not be there. */
static prf_status_t write_new(const char *path, mode_t mode, const char *text, size_t len, prf_error_t *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0 && errno == EEXIST)
        return prf_fail(err, PRF_EEXISTS,
                        "%s is there already, and a lost key cannot be had again: choose another name, or move it away", path);
    if (fd < 0)
        return prf_fail_sys(err, errno, "%s", path);
    ssize_t n = write(fd, text, len);
    int e = n < 0 ? errno : (n < (ssize_t)len ? ENOSPC : 0);
    if (!e && (fchmod(fd, mode) != 0 || fsync(fd) != 0))
        e = errno;
    if (close(fd) != 0 && !e)
        e = errno;
    if (!e)
        return PRF_OK;
    unlink(path);
    return prf_fail_sys(err, e, "%s", path);
}

static prf_status_t write_both(const prf_keypair_t *self, const char *key_path, const char *public_path, prf_error_t *err)
{
    char text[FILE_BYTES + 1], secret[PRF_KEY_TEXT], public_key[PRF_KEY_TEXT + 1];
    prf_key_format(&self->public_key, public_key);
    sodium_bin2hex(secret, sizeof secret, self->secret, PRF_KEY_BYTES);
    snprintf(text, sizeof text, FIRST_LINE PUBLIC_WORD "%s\n" SECRET_WORD "%s\n", public_key, secret);
    prf_status_t status = write_new(key_path, 0600, text, FILE_BYTES, err);
    sodium_memzero(text, sizeof text);
    sodium_memzero(secret, sizeof secret);
    if (status)
        return status;
    public_key[HEX] = '\n';
    status = write_new(public_path, 0644, public_key, PRF_KEY_TEXT, err);
    if (status)
        unlink(key_path);
    return status;
}

prf_status_t prf_keypair_write(const prf_keypair_t *self, const char *folder, const char *name, char *key_path, char *public_path,
                               prf_error_t *err)
{
    prf_status_t status = prf_name_check("key", name, err);
    if (status)
        return status;
    if (snprintf(key_path, PATH_MAX, "%s/%s.key", folder, name) >= PATH_MAX ||
        snprintf(public_path, PATH_MAX, "%s/%s.pub", folder, name) >= PATH_MAX)
        return prf_fail(err, PRF_EINVAL, "%.100s...: path too long: use a shorter one", folder);
    return write_both(self, key_path, public_path, err);
}

static prf_status_t check_private(const char *path, const struct stat *st, prf_error_t *err)
{
    if (!S_ISREG(st->st_mode))
        return prf_fail(err, PRF_EINVAL, "%s: not a regular file: give the NAME.key that 'prfarm keygen' made", path);
    if (st->st_uid != geteuid() && st->st_uid != 0)
        return prf_fail(err, PRF_EDENIED,
                        "%s belongs to another user (%ld), who could change it: make it your own with 'chown %ld %s'", path,
                        (long)st->st_uid, (long)geteuid(), path);
    if (st->st_mode & 077)
        return prf_fail(err, PRF_EDENIED,
                        "%s is a secret key that other users can get at (mode %03o): 'chmod 600 %s', and if others may "
                        "have read it, make a new one",
                        path, (unsigned)st->st_mode & 0777, path);
    return PRF_OK;
}

/* NAME.pub in the place of NAME.key is the likeliest mix-up, and no question of who may read it. */
static bool is_public(const char *text, size_t len)
{
    uint8_t key[PRF_KEY_BYTES];
    return len == HEX + 1 && text[HEX] == '\n' && parse_hex(key, text);
}

static prf_status_t parse_pair(prf_keypair_t *pair, const char *path, const char *text, size_t len, prf_error_t *err)
{
    unsigned version;
    bool ours = sscanf(text, "prfarm-key %5u", &version) == 1;
    if (ours && version > 1)
        return prf_fail(err, PRF_EVERSION, "%s: a key file of version %u, this program knows 1: update prfarm here", path, version);
    if (!ours || len != FILE_BYTES || strncmp(text, FIRST_LINE PUBLIC_WORD, PUBLIC_AT + sizeof PUBLIC_WORD - 1) != 0 ||
        strncmp(text + SECRET_AT - 1, "\n" SECRET_WORD, sizeof SECRET_WORD) != 0 || text[len - 1] != '\n' ||
        !parse_hex(pair->public_key.bytes, text + PUBLIC_AT + sizeof PUBLIC_WORD - 1) ||
        !parse_hex(pair->secret, text + SECRET_AT + sizeof SECRET_WORD - 1))
        return prf_fail(err, PRF_EPARSE, "%s: no secret key file: 'prfarm keygen NAME' makes one, NAME.key", path);
    uint8_t expected[PRF_KEY_BYTES];
    if (crypto_scalarmult_base(expected, pair->secret) != 0 || memcmp(expected, pair->public_key.bytes, sizeof expected) != 0)
        return prf_fail(err, PRF_ECORRUPT,
                        "%s: its public and its secret key do not belong together: it was changed, use a copy or make "
                        "a new one",
                        path);
    return PRF_OK;
}

prf_status_t prf_keypair_load(prf_keypair_t *out, const char *path, prf_error_t *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return prf_fail_sys(err, errno, "%s", path);
    struct stat st;
    char text[FILE_BYTES + 2];
    ssize_t n = 0;
    prf_status_t status = fstat(fd, &st) != 0 ? prf_fail_sys(err, errno, "%s", path) : PRF_OK;
    if (!status && (n = S_ISREG(st.st_mode) ? read(fd, text, sizeof text - 1) : 0) < 0)
        status = prf_fail_sys(err, errno, "%s", path);
    close(fd);
    if (!status && is_public(text, (size_t)n))
        status = prf_fail(err, PRF_EINVAL, "%s is a public key: give the secret one, the NAME.key that was made with it", path);
    if (!status)
        status = check_private(path, &st, err);
    prf_keypair_t pair;
    if (!status) {
        text[n] = '\0';
        status = parse_pair(&pair, path, text, (size_t)n, err);
        if (!status)
            *out = pair;
        sodium_memzero(text, sizeof text);
        prf_keypair_wipe(&pair);
    }
    return status;
}

static const char *from_environment(const char *given, const char *variable)
{
    const char *value = given ? given : getenv(variable);
    return value && *value ? value : NULL;
}

const char *prf_identity_key(const char *given)
{
    return from_environment(given, "PRFARM_KEY");
}

prf_status_t prf_identity_load(prf_identity_t *out, const char *key, const char *server, prf_error_t *err)
{
    prf_identity_t identity = {.keyed = false};
    key = prf_identity_key(key);
    server = from_environment(server, "PRFARM_SERVER");
    if (!key != !server)
        return prf_fail(err, PRF_EUSAGE, "%s is given without %s: a farm with keys needs both, one without needs neither",
                        key ? "--key" : "--server",
                        key ? "--server (the coordinator's public key)" : "--key (your own secret key file)");
    if (key) {
        prf_status_t status = prf_key_load(&identity.server, server, err);
        if (!status)
            status = prf_keypair_load(&identity.pair, key, err);
        if (status)
            return status;
        identity.keyed = true;
    }
    *out = identity;
    prf_identity_wipe(&identity);
    return PRF_OK;
}

void prf_identity_wipe(prf_identity_t *self)
{
    sodium_memzero(self, sizeof *self);
}
