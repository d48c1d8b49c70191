// SPDX-License-Identifier: Apache-2.0
/* meter.c - counters are taken as they are, powers are integrated from reading to reading (trapezoids), so that a reader sees one
 * sum that grows. RAPL's subdomains are parts of their packages and psys is all of the machine, so packages alone are added up.
 * Boards with INA sensors measure several rails, some of which feed others: where a rail of the whole input has a name that is
 * known, it stands alone, else the rails of the first sensor are added up. Of an INA3221, channels above 3 are voltages at the
 * shunts and a current that is the sum of the others (https://docs.kernel.org/hwmon/ina3221.html). */
#include "measure/meter.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sysfile.h"

enum { ZONES = 16, SENSORS = 64, RAILS = 3 };

static const char *const inputs[] = {"VDD_IN", "POM_5V_IN", "VDD_TOTAL"};

/* First line of the file. Errors: the system's. */
static int read_line(const char *path, char *line, size_t cap)
{
    errno = 0;
    return prf_sysfile_line(path, line, cap) ? 0 : errno ? errno : EIO;
}

static int read_number(const char *path, uint64_t *out)
{
    char line[64] = "", *end;
    int error = read_line(path, line, sizeof line);
    if (error)
        return error;
    *out = strtoull(line, &end, 10);
    return end == line || *end || line[0] == '-' ? EIO : 0;
}

static bool is_there(const char *path)
{
    uint64_t value;
    return read_number(path, &value) == 0;
}

static prf_status_t open_rapl(prf_meter_t *out, const char *root, prf_error_t *err)
{
    int refused = 0;
    char path[PRF_METER_PATH], name[32];
    for (int i = 0; i < ZONES && out->count < PRF_METER_CHANNELS; i++) {
        prf_meter_channel_t *channel = &out->channels[out->count];
        snprintf(path, sizeof path, "%.180s/sys/class/powercap/intel-rapl:%d/name", root, i);
        if (read_line(path, name, sizeof name) || strncmp(name, "package", 7) != 0)
            continue;
        snprintf(path, sizeof path, "%.180s/sys/class/powercap/intel-rapl:%d/max_energy_range_uj", root, i);
        if (read_number(path, &channel->range))
            channel->range = 0;
        snprintf(channel->path, sizeof channel->path, "%.180s/sys/class/powercap/intel-rapl:%d/energy_uj", root, i);
        int error = read_number(channel->path, &channel->last);
        if (error)
            refused = error;
        else
            out->count++;
    }
    if (refused)
        return prf_fail(err, PRF_EIO,
                        "RAPL is there, but its counters cannot be read (%s): run the worker as root, or let its group "
                        "read /sys/class/powercap/intel-rapl:*/energy_uj",
                        strerror(refused));
    out->kind = PRF_METER_COUNTER;
    snprintf(out->name, sizeof out->name, "rapl, %zu package%s", out->count, out->count == 1 ? "" : "s");
    return PRF_OK;
}

/* One rail of a sensor as a channel; false: the sensor has none of that number. */
static bool add_rail(prf_meter_t *out, const char *base, int rail)
{
    prf_meter_channel_t *channel = &out->channels[out->count];
    *channel = (prf_meter_channel_t){.range = 0};
    snprintf(channel->path, sizeof channel->path, "%.220s/power%d_input", base, rail);
    bool power = is_there(channel->path);
    if (!power) {
        snprintf(channel->path, sizeof channel->path, "%.220s/in%d_input", base, rail);
        snprintf(channel->current, sizeof channel->current, "%.220s/curr%d_input", base, rail);
        if (!is_there(channel->path) || !is_there(channel->current))
            return false;
    }
    out->kind = power ? PRF_METER_POWER : PRF_METER_SHUNT;
    out->count++;
    return true;
}

static bool is_input(const char *base, int rail, char label[32])
{
    char path[PRF_METER_PATH];
    snprintf(path, sizeof path, "%.220s/in%d_label", base, rail);
    if (read_line(path, label, 32))
        return false;
    for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++)
        if (strcmp(label, inputs[i]) == 0)
            return true;
    return false;
}

/* The rail of the whole input, of whichever sensor. */
static bool open_input(prf_meter_t *out, const char *base, const char *sensor)
{
    char label[32];
    for (int rail = 1; rail <= RAILS; rail++) {
        if (!is_input(base, rail, label))
            continue;
        out->count = 0;
        if (add_rail(out, base, rail)) {
            snprintf(out->name, sizeof out->name, "%.20s %s", sensor, label);
            return true;
        }
    }
    return false;
}

static void open_ina(prf_meter_t *out, const char *root)
{
    char base[PRF_METER_PATH], path[PRF_METER_PATH], sensor[32];
    prf_meter_t rails = {.count = 0};
    for (int i = 0; i < SENSORS; i++) {
        snprintf(base, sizeof base, "%.180s/sys/class/hwmon/hwmon%d", root, i);
        snprintf(path, sizeof path, "%.220s/name", base);
        if (read_line(path, sensor, sizeof sensor) || strncmp(sensor, "ina", 3) != 0)
            continue;
        if (open_input(out, base, sensor))
            return;
        for (int rail = 1; rails.name[0] == '\0' && rail <= RAILS; rail++)
            add_rail(&rails, base, rail);
        if (rails.count && rails.name[0] == '\0')
            snprintf(rails.name, sizeof rails.name, "%.20s, %zu rail%s", sensor, rails.count, rails.count == 1 ? "" : "s");
    }
    *out = rails;
}

prf_status_t prf_meter_open(prf_meter_t *out, const char *root, prf_error_t *err)
{
    prf_meter_t self = {.count = 0};
    prf_status_t status = open_rapl(&self, root, err);
    if (status)
        return status;
    if (self.count == 0)
        open_ina(&self, root);
    if (self.count == 0)
        return prf_fail(err, PRF_ENOTFOUND,
                        "this machine tells no energy: it needs RAPL (/sys/class/powercap) or an INA sensor "
                        "(/sys/class/hwmon)");
    *out = self;
    return PRF_OK;
}

static prf_status_t unreadable(prf_error_t *err, const char *path, int error)
{
    return prf_fail(err, PRF_EIO, "energy: %s: %s: see that the worker may still read it", path, strerror(error));
}

static prf_status_t read_counters(prf_meter_t *self, bool *moved, prf_error_t *err)
{
    for (size_t i = 0; i < self->count; i++) {
        prf_meter_channel_t *c = &self->channels[i];
        uint64_t now, more;
        int error = read_number(c->path, &now);
        if (error)
            return unreadable(err, c->path, error);
        more = now >= c->last ? now - c->last : c->range > c->last ? c->range - c->last + now : now;
        *moved = *moved || more > 0;
        self->total_nj += self->begun ? 1000.0 * (double)more : 0;
        c->last = now;
    }
    return PRF_OK;
}

static prf_status_t read_power(prf_meter_t *self, double *watts, prf_error_t *err)
{
    *watts = 0;
    for (size_t i = 0; i < self->count; i++) {
        const prf_meter_channel_t *c = &self->channels[i];
        uint64_t value, current = 0;
        int error = read_number(c->path, &value);
        if (error)
            return unreadable(err, c->path, error);
        if (self->kind == PRF_METER_SHUNT && (error = read_number(c->current, &current)))
            return unreadable(err, c->current, error);
        *watts += self->kind == PRF_METER_SHUNT ? (double)value * (double)current / 1e6 : (double)value / 1e6;
    }
    return PRF_OK;
}

prf_status_t prf_meter_read(prf_meter_t *self, uint64_t now_ns, double *total_nj, bool *moved, prf_error_t *err)
{
    double watts = 0;
    bool news = false;
    prf_status_t status = self->kind == PRF_METER_COUNTER ? read_counters(self, &news, err) : read_power(self, &watts, err);
    if (status)
        return status;
    if (self->kind != PRF_METER_COUNTER && self->begun) { /* a watt is a nanojoule a nanosecond */
        self->total_nj += (watts + self->power_w) / 2 * (double)(now_ns - self->last_ns);
        news = now_ns > self->last_ns;
    }
    self->power_w = watts;
    self->last_ns = now_ns;
    self->begun = true;
    *total_nj = self->total_nj;
    *moved = news;
    return PRF_OK;
}
