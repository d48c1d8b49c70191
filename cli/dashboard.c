// SPDX-License-Identifier: Apache-2.0
/* dashboard.c - the address has the token in its fragment, which a browser sends to nobody; the page takes it out of there. A
 * command line can be read by every user of the machine, so the desktop is not handed the address but a file that leads there. */
#include "dashboard.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/process.h"
#include "report_page.h"
#include "signals.h"

enum { TOKEN_BYTES = (PRF_DASHBOARD_TOKEN - 1) / 2, ADDRESS = 256, STAY_MS = 500 };

/* For this user's eyes only. */
static prf_status_t write_private(const char *path, const char *text, prf_error_t *err)
{
    mode_t before = umask(077);
    prf_status_t status = prf_file_write(path, text, strlen(text), err);
    umask(before);
    return status;
}

prf_status_t prf_dashboard_token(const char *path, char token[PRF_DASHBOARD_TOKEN], prf_error_t *err)
{
    unsigned char bytes[TOKEN_BYTES];
    if (sodium_init() < 0)
        return prf_fail(err, PRF_EIO, "no random numbers for a token: is /dev/urandom there?");
    randombytes_buf(bytes, sizeof bytes);
    sodium_bin2hex(token, PRF_DASHBOARD_TOKEN, bytes, sizeof bytes);
    sodium_memzero(bytes, sizeof bytes);
    return write_private(path, token, err);
}

static bool has_desktop(void)
{
    const char *x = getenv("DISPLAY"), *wayland = getenv("WAYLAND_DISPLAY");
    return (x && *x) || (wayland && *wayland);
}

static void open_in_browser(const char *dir, const char *address)
{
    char path[PRF_DIR + 32], page[2 * ADDRESS + 128];
    prf_error_t err = {0};
    snprintf(path, sizeof path, "%s/" PRF_PRIVATE_PAGE, dir);
    snprintf(page, sizeof page, "<!doctype html><meta http-equiv=\"refresh\" content=\"0; url=%s\"><a href=\"%s\">prfarm</a>\n",
             address, address);
    char *whole = write_private(path, page, &err) == PRF_OK ? realpath(path, NULL) : NULL;
    const char *const argv[] = {"xdg-open", whole, NULL};
    const prf_process_options_t options = {.log = "/dev/null"};
    prf_process_t opener; /* ends by itself, or stays as the browser: it is not ours to end */
    if (!whole || prf_process_start(&opener, argv, &options, &err))
        fprintf(stderr, "prfarm: not opened in a browser (%s): open the address above\n", err.text);
    free(whole);
}

/* The dashboard is bundled with the report's page, or neither is. */
static const char *what(void)
{
    return prf_report_page_head_len ? "dashboard" : "HTTP API";
}

void prf_dashboard_show(const prf_private_t *farm, const char *dir, bool open)
{
    char address[ADDRESS];
    snprintf(address, sizeof address, "%s/#token=%s", prf_private_url(farm), prf_private_token(farm));
    if (prf_report_page_head_len == 0)
        fprintf(stderr,
                "prfarm: built without what npm fetches, so there is no dashboard, only the HTTP API: build again with npm and a "
                "network\n");
    fprintf(stderr, "prfarm: %s at %s\n", what(), address);
    if (open && has_desktop() && prf_report_page_head_len)
        open_in_browser(dir, address);
}

prf_status_t prf_dashboard_stay(prf_private_t *farm, prf_error_t *err)
{
    fprintf(stderr, "prfarm: the %s stays at %s until Ctrl-C\n", what(), prf_private_url(farm));
    prf_status_t status = PRF_OK;
    while (!status && !prf_interrupted()) {
        prf_pause(-1, STAY_MS);
        status = prf_private_tend(farm, err);
    }
    return status;
}
