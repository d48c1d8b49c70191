// SPDX-License-Identifier: Apache-2.0
#include "upkeep.h"

#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "store_backup.h"
#include "store_env.h"
#include "store_salvage.h"

enum { SHOWN = 50 /* damages, for people; all are counted */ };

typedef struct {
    json_t *lines; /* owned; NULL: for people */
    size_t count;
} damages_t;

static void on_damage(void *arg, const char *what)
{
    damages_t *d = arg;
    if (++d->count > SHOWN)
        return;
    if (d->lines)
        json_array_append_new(d->lines, json_string(what));
    else
        printf("damaged: %s\n", what);
}

static json_t *counts_json(const uint64_t counts[PRF_TABLES])
{
    json_t *object = json_object();
    for (int i = 0; i < PRF_TABLES; i++)
        json_object_set_new(object, prf_store_table_names[i], json_integer((json_int_t)counts[i]));
    return object;
}

static void print_counts(const uint64_t counts[PRF_TABLES])
{
    for (int i = 0; i < PRF_TABLES; i++)
        printf("%s%" PRIu64 " %s", i ? ", " : "", counts[i], prf_store_table_names[i]);
    printf("\n");
}

static json_t *report_json(const char *dir, const prf_store_report_t *r, json_t *lines)
{
    return json_pack("{s:s, s:b, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o}", "store", dir, "sound", r->damages == 0,
                     "usable", r->sound && r->ours && !r->newer, "format", (json_int_t)r->format, "pages",
                     (json_int_t)(r->pages.used), "free_pages", (json_int_t)r->pages.free, "lost_pages", (json_int_t)r->pages.lost,
                     "damages", (json_int_t)r->damages, "old_values", (json_int_t)r->old_values, "values", counts_json(r->values),
                     "damaged_values", counts_json(r->damaged), "lines", lines);
}

static void print_report(const char *dir, const prf_store_report_t *r)
{
    if (r->damages > SHOWN)
        printf("damaged: and %" PRIu64 " places more\n", r->damages - SHOWN);
    printf("%s: format %ld, %" PRIu64 " pages in use, %" PRIu64 " free", dir, r->format, r->pages.used, r->pages.free);
    if (r->pages.lost)
        printf(", %" PRIu64 " lost (room that is not used any more; a backup leaves it out)", r->pages.lost);
    printf("\nwhole: ");
    print_counts(r->values);
    if (r->old_values)
        printf("%" PRIu64 " values have the format before, which the next coordinator brings up\n", r->old_values);
    if (r->damages == 0)
        printf("sound\n");
    else if (prf_store_usable(r, dir, NULL) == PRF_OK)
        printf("a coordinator can use it: what is damaged is measured again\n");
    else
        printf("a coordinator refuses it\n");
}

static prf_status_t salvage(const prf_pages_t *pages, const prf_store_report_t *report, const char *to, json_t *out,
                            prf_error_t *err)
{
    prf_salvaged_t done;
    prf_status_t status = prf_store_salvage(pages, report, to, &done, err);
    if (status)
        return status;
    if (out) {
        json_object_set_new(
            out, "salvaged",
            json_pack("{s:s, s:o, s:I}", "store", to, "values", counts_json(done.values), "sifted", (json_int_t)done.sifted));
        return PRF_OK;
    }
    printf("salvaged into %s: ", to);
    print_counts(done.values);
    printf("not where they belong, and found by their checksums: %" PRIu64 "\n"
           "start the coordinator on it, 'prfarm-coordinator --store %s': what is missing is measured again\n",
           done.sifted, to);
    return PRF_OK;
}

static prf_status_t check_and_salvage(const char *dir, const char *to, bool json, prf_error_t *err)
{
    damages_t damages = {.lines = json ? json_array() : NULL};
    const prf_store_visitor_t visitor = {&damages, on_damage, NULL};
    prf_store_report_t report;
    prf_pages_t pages;
    prf_status_t status = prf_store_env_check(dir, &visitor, &report, &pages, err);
    if (status) {
        json_decref(damages.lines);
        return status;
    }
    json_t *out = json ? report_json(dir, &report, damages.lines) : NULL;
    if (!json)
        print_report(dir, &report);
    if (to && !report.newer)
        status = salvage(&pages, &report, to, out, err);
    prf_pages_close(&pages);
    if (out) {
        json_dumpf(out, stdout, JSON_INDENT(2));
        printf("\n");
        json_decref(out);
    }
    if (status)
        return status;
    if (report.newer || (!report.empty && !report.ours && report.sound))
        return prf_store_usable(&report, dir, err);
    if (report.damages && to)
        return prf_fail(err, PRF_ECORRUPT, "%s is damaged (findings: %" PRIu64 "); %s holds what is whole: use that one", dir,
                        report.damages, to);
    if (report.damages)
        return prf_fail(err, PRF_ECORRUPT,
                        "%s is damaged (findings: %" PRIu64
                        "): 'prfarm fsck %s --salvage NEW' brings what is whole into a new store",
                        dir, report.damages, dir);
    return PRF_OK;
}

static prf_status_t printed(prf_status_t status, prf_error_t *err)
{
    if (fflush(stdout) != 0 && !status)
        return prf_fail(err, PRF_EIO, "standard output cannot be written: is the disk full that it goes to?");
    return status;
}

prf_status_t prf_upkeep_fsck(const char *dir, const char *to, bool json, prf_error_t *err)
{
    int owner;
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/data.mdb", dir) >= (int)sizeof path || access(path, F_OK) != 0)
        return prf_fail(err, PRF_ENOTFOUND, PRF_STORE_MISSING, dir);
    prf_status_t status = prf_store_env_own(dir, &owner, err);
    if (status == PRF_EBUSY)
        return prf_fail_prefix(
            err, status, "a store in use cannot be checked, its copy can ('prfarm backup %.100s COPY', 'prfarm fsck COPY')", dir);
    if (status)
        return status;
    status = check_and_salvage(dir, to, json, err);
    close(owner);
    return printed(status, err);
}

prf_status_t prf_upkeep_backup(const char *dir, const char *to, bool json, prf_error_t *err)
{
    prf_store_report_t report;
    prf_status_t status = prf_store_backup(dir, to, &report, err);
    if (status)
        return status;
    uint64_t damaged = 0;
    for (int i = 0; i < PRF_TABLES; i++)
        damaged += report.damaged[i];
    if (json) {
        json_t *out = report_json(to, &report, json_array());
        json_dumpf(out, stdout, JSON_INDENT(2));
        printf("\n");
        json_decref(out);
    } else {
        printf("%s holds ", to);
        print_counts(report.values);
        printf("checked: %s\n", damaged ? "some values were damaged already, see 'prfarm fsck'" : "sound");
    }
    return printed(PRF_OK, err);
}
