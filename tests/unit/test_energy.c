// SPDX-License-Identifier: Apache-2.0
/* Energy of this machine's processor: the sensors from a folder that looks like /, and the loop that reads them. The files are
 * real, what moves them is the step that is being measured. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backends/backend.h"
#include "base/file.h"
#include "measure/energy.h"

static char root[64];

static void make_root(void)
{
    snprintf(root, sizeof root, "/tmp/prf-energy-XXXXXX");
    cr_assert_not_null(mkdtemp(root));
}

static void put(const char *path, const char *content)
{
    char full[256];
    prf_error_t err = {0};
    snprintf(full, sizeof full, "%s/sys/class/%s", root, path);
    *strrchr(full, '/') = '\0';
    cr_assert_eq(prf_file_mkdirs(full, 0755, &err), PRF_OK, "%s", err.text);
    snprintf(full, sizeof full, "%s/sys/class/%s", root, path);
    FILE *file = fopen(full, "w");
    cr_assert_not_null(file);
    fputs(content, file);
    fclose(file);
}

static void put_number(const char *path, double value)
{
    char text[32];
    snprintf(text, sizeof text, "%.0f\n", value);
    put(path, text);
}

static void remove_root(void)
{
    char command[96];
    snprintf(command, sizeof command, "rm -rf %s", root);
    (void)!system(command);
}

static prf_meter_t opened(void)
{
    prf_meter_t meter;
    prf_error_t err = {0};
    cr_assert_eq(prf_meter_open(&meter, root, &err), PRF_OK, "%s", err.text);
    return meter;
}

static double read_at(prf_meter_t *meter, uint64_t ns, bool *moved)
{
    double nj = NAN;
    prf_error_t err = {0};
    cr_assert_eq(prf_meter_read(meter, ns, &nj, moved, &err), PRF_OK, "%s", err.text);
    return nj;
}

TestSuite(energy, .init = make_root, .fini = remove_root);

static void put_package(int zone, const char *name, double uj)
{
    char path[64];
    snprintf(path, sizeof path, "powercap/intel-rapl:%d/name", zone);
    put(path, name);
    snprintf(path, sizeof path, "powercap/intel-rapl:%d/max_energy_range_uj", zone);
    put_number(path, 262143328850);
    snprintf(path, sizeof path, "powercap/intel-rapl:%d/energy_uj", zone);
    put_number(path, uj);
}

Test(energy, packages_are_added_up_and_what_is_part_of_them_or_all_of_the_machine_is_not)
{
    put_package(0, "package-0\n", 5000);
    put_package(1, "package-1\n", 7000);
    put_package(2, "psys\n", 1000);
    put("powercap/intel-rapl:0:0/name", "core\n");
    put("powercap/intel-rapl:0:0/energy_uj", "1\n");
    prf_meter_t meter = opened();
    bool moved;
    cr_expect_str_eq(meter.name, "rapl, 2 packages");
    cr_expect_eq(read_at(&meter, 1, &moved), 0);
    cr_expect_not(moved);
    put_number("powercap/intel-rapl:0/energy_uj", 5300);
    put_number("powercap/intel-rapl:1/energy_uj", 7004);
    put_number("powercap/intel-rapl:2/energy_uj", 999999);
    cr_expect_eq(read_at(&meter, 2, &moved), 304e3);
    cr_expect(moved);
    cr_expect_eq(read_at(&meter, 3, &moved), 304e3);
    cr_expect_not(moved, "nothing new");
}

Test(energy, a_counter_that_begins_anew_loses_nothing)
{
    put_package(0, "package-0\n", 262143328000.0);
    prf_meter_t meter = opened();
    bool moved;
    read_at(&meter, 1, &moved);
    put_number("powercap/intel-rapl:0/energy_uj", 150);
    cr_expect_eq(read_at(&meter, 2, &moved), (850 + 150) * 1e3);
    put_number("powercap/intel-rapl:0/energy_uj", 250);
    cr_expect_eq(read_at(&meter, 3, &moved), (850 + 250) * 1e3);
}

Test(energy, the_rail_of_the_whole_input_stands_alone)
{
    put("hwmon/hwmon0/name", "coretemp\n");
    put("hwmon/hwmon3/name", "ina3221\n");
    put("hwmon/hwmon3/in1_label", "VDD_CPU_GPU_CV\n");
    put("hwmon/hwmon3/in1_input", "5000\n");
    put("hwmon/hwmon3/curr1_input", "900\n");
    put("hwmon/hwmon3/in2_label", "VDD_IN\n");
    put("hwmon/hwmon3/in2_input", "5000\n");
    put("hwmon/hwmon3/curr2_input", "2000\n");
    prf_meter_t meter = opened();
    bool moved;
    cr_expect_str_eq(meter.name, "ina3221 VDD_IN");
    cr_expect_eq(read_at(&meter, 1000, &moved), 0);
    cr_expect_not(moved);
    cr_expect_float_eq(read_at(&meter, 3000, &moved), 20000, 1e-6, "10 W for 2 us");
    put("hwmon/hwmon3/curr2_input", "4000\n");
    cr_expect_float_eq(read_at(&meter, 4000, &moved), 35000, 1e-6, "from 10 to 20 W in 1 us");
}

/* A Jetson AGX Orin's first sensor, as Linux shows it: VIN_SYS_5V0 is one rail beside the others, in4 to in6 are microvolts at the
 * shunts, curr4 the sum of the currents. */
Test(energy, rails_beside_one_another_are_added_up_and_their_sums_and_shunts_are_not)
{
    static const struct {
        const char *label, *mv, *ma, *shunt_uv;
    } rails[] = {{"VDD_GPU_SOC\n", "20000\n", "100\n", "200\n"},
                 {"VDD_CPU_CV\n", "20000\n", "50\n", "100\n"},
                 {"VIN_SYS_5V0\n", "5000\n", "600\n", "1200\n"}};
    put("hwmon/hwmon1/name", "ina3221\n");
    for (int i = 0; i < 3; i++) {
        char path[64];
        snprintf(path, sizeof path, "hwmon/hwmon1/in%d_label", i + 1);
        put(path, rails[i].label);
        snprintf(path, sizeof path, "hwmon/hwmon1/in%d_input", i + 1);
        put(path, rails[i].mv);
        snprintf(path, sizeof path, "hwmon/hwmon1/curr%d_input", i + 1);
        put(path, rails[i].ma);
        snprintf(path, sizeof path, "hwmon/hwmon1/in%d_input", i + 4);
        put(path, rails[i].shunt_uv);
    }
    put("hwmon/hwmon1/in7_input", "1500\n");
    put("hwmon/hwmon1/curr4_input", "750\n");
    prf_meter_t meter = opened();
    bool moved;
    cr_expect_str_eq(meter.name, "ina3221, 3 rails");
    read_at(&meter, 0, &moved);
    cr_expect_float_eq(read_at(&meter, 1000, &moved), 6000, 1e-6, "2, 1 and 3 W for 1 us");
}

Test(energy, rails_without_a_name_that_is_known_are_added_up)
{
    put("hwmon/hwmon1/name", "ina226\n");
    put("hwmon/hwmon1/power1_input", "1500000\n");
    put("hwmon/hwmon2/name", "amdgpu\n");
    put("hwmon/hwmon2/power1_input", "90000000\n");
    prf_meter_t meter = opened();
    bool moved;
    cr_expect_str_eq(meter.name, "ina226, 1 rail");
    read_at(&meter, 0, &moved);
    cr_expect_float_eq(read_at(&meter, 1000, &moved), 1500, 1e-9);
}

Test(energy, a_machine_that_tells_none_says_so)
{
    prf_meter_t meter;
    prf_error_t err = {0};
    cr_expect_eq(prf_meter_open(&meter, root, &err), PRF_ENOTFOUND);
    cr_expect_not_null(strstr(err.text, "this machine tells no energy"), "%s", err.text);
    put_package(0, "package-0\n", 1);
    put("powercap/intel-rapl:0/energy_uj", "");
    cr_expect_eq(prf_meter_open(&meter, root, &err), PRF_EIO);
    cr_expect_not_null(strstr(err.text, "run the worker as root"), "%s", err.text);
}

Test(energy, who_tells_it_is_said)
{
    char words[PRF_ENERGY_WORDS];
    prf_energy_words(PRF_BOARD_ENERGY | PRF_BOARD_HOST, root, words);
    cr_expect_str_eq(words, "the board");
    prf_energy_words(0, root, words);
    cr_expect_not_null(strstr(words, "nobody: it does not tell"), "%s", words);
    prf_energy_words(PRF_BOARD_HOST, root, words);
    cr_expect_not_null(strstr(words, "nobody: this machine tells no energy"), "%s", words);
    put_package(0, "package-0\n", 1);
    prf_energy_words(PRF_BOARD_HOST, root, words);
    cr_expect_str_eq(words, "rapl, 1 package");
}

Test(energy, a_sensor_that_vanishes_is_an_error)
{
    put_package(0, "package-0\n", 1);
    prf_meter_t meter = opened();
    double nj;
    bool moved;
    prf_error_t err = {0};
    remove_root();
    cr_expect_eq(prf_meter_read(&meter, 1, &nj, &moved, &err), PRF_EIO);
}

static uint64_t clock_ns; /* of the layer, which alone lets time go by */

static uint64_t now_ns(void)
{
    return clock_ns;
}

/* A layer that takes 3 uJ and 20 us, beneath a counter that moves every so often. */
typedef struct {
    double uj;
    uint64_t every, runs; /* iterations between moves; 0: it never moves */
    uint64_t last;        /* run after which it moves no more; 0: none */
    prf_status_t status;
} layer_t;

static prf_status_t step(void *arg, uint32_t iterations, prf_error_t *err)
{
    layer_t *layer = arg;
    uint64_t before = layer->runs;
    if (layer->status)
        return prf_fail(err, layer->status, "it broke");
    layer->runs += iterations;
    layer->uj += 3.0 * iterations;
    if (layer->every && (!layer->last || layer->runs <= layer->last) && layer->runs / layer->every != before / layer->every)
        put_number("powercap/intel-rapl:0/energy_uj", 262143320000.0 + layer->uj > 262143328850.0
                                                          ? layer->uj + 262143320000.0 - 262143328850.0
                                                          : layer->uj + 262143320000.0);
    clock_ns += 20000 * (uint64_t)iterations;
    return PRF_OK;
}

static prf_status_t measured(layer_t *layer, uint32_t ms, double *nj, prf_error_t *err)
{
    prf_energy_t told = {*nj, NAN};
    put_package(0, "package-0\n", 262143320000.0);
    prf_meter_t meter = opened();
    prf_status_t status = prf_energy_measure(&meter, &(prf_energy_loop_t){step, layer, now_ns, ms, 1000}, &told, err);
    *nj = told.energy_nj;
    cr_expect(status || told.energy_nj == 0 || told.wall_ns == 20000, "%g ns", told.wall_ns);
    return status;
}

Test(energy, of_a_layer_far_below_the_sensors_step_is_that_of_many_runs)
{
    layer_t layer = {.every = 1};
    double nj = NAN;
    prf_error_t err = {0};
    cr_assert_eq(measured(&layer, 50, &nj, &err), PRF_OK, "%s", err.text);
    cr_expect_float_eq(nj, 3000, 1e-6, "%g", nj);
    cr_expect_gt(layer.runs, 2500, "50 ms");
}

Test(energy, steps_of_the_sensor_in_time_do_not_count)
{
    layer_t layer = {.every = 512};
    double nj = NAN;
    prf_error_t err = {0};
    cr_assert_eq(measured(&layer, 50, &nj, &err), PRF_OK, "%s", err.text);
    cr_expect_float_eq(nj, 3000, 1e-6, "between two moves, not from the beginning to the end: %g", nj);
}

Test(energy, of_a_sensor_that_stops_what_it_told_before_counts_if_that_was_enough)
{
    layer_t enough = {.every = 1, .last = 1700}, too_little = {.every = 1, .last = 900};
    double nj = NAN;
    prf_error_t err = {0};
    cr_assert_eq(measured(&enough, 50, &nj, &err), PRF_OK, "%s", err.text);
    cr_expect_float_eq(nj, 3000, 1e-6, "%g", nj);
    cr_assert_eq(measured(&too_little, 50, &nj, &err), PRF_OK, "%s", err.text);
    cr_expect_eq(nj, 0);
}

Test(energy, of_a_sensor_that_does_not_move_is_not_told)
{
    layer_t layer = {.every = 0};
    double nj = NAN;
    prf_error_t err = {0};
    cr_assert_eq(measured(&layer, 20, &nj, &err), PRF_OK, "%s", err.text);
    cr_expect_eq(nj, 0);
}

Test(energy, a_layer_that_fails_meanwhile_fails)
{
    layer_t layer = {.status = PRF_ECRASH};
    double nj = 7;
    prf_error_t err = {0};
    cr_assert_eq(measured(&layer, 20, &nj, &err), PRF_ECRASH);
    cr_expect_str_eq(err.text, "it broke");
    cr_expect_eq(nj, 7, "untouched");
}
