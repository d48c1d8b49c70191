// SPDX-License-Identifier: Apache-2.0
/* The state machines on paper are those of the code: every row of a table in docs/states.md that has an *event* column is a move of
 * the machine named in the section's heading, and every move is a row. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "states.h"

enum { ROWS = 256, CELL = 64 };

typedef struct {
    char machine[CELL], from[CELL], event[CELL], to[CELL];
} row_t;

static row_t rows[ROWS];
static size_t row_count;

static void take_row(const char *machine, const char *line)
{
    row_t *row = &rows[row_count];
    if (sscanf(line, "| %63[^|] | %63[^|] | %63[^|] |", row->from, row->event, row->to) != 3)
        cr_assert_fail("docs/states.md: no row of three cells: %s", line);
    snprintf(row->machine, CELL, "%s", machine);
    char *cells[] = {row->from, row->event, row->to};
    for (size_t i = 0; i < 3; i++)
        cells[i][strcspn(cells[i], " ")] = '\0';
    cr_assert_lt(++row_count, ROWS);
}

static void read_tables(void)
{
    char line[2048], machine[CELL] = "";
    bool inside = false;
    FILE *file = fopen(PRF_SOURCE_DIR "/docs/states.md", "r");
    cr_assert(file, "docs/states.md");
    while (fgets(line, sizeof line, file)) {
        if (strncmp(line, "## ", 3) == 0)
            sscanf(line, "## %63[A-Za-z]", machine);
        if (strncmp(line, "| state | event | becomes |", 27) == 0)
            inside = true;
        else if (line[0] != '|')
            inside = false;
        else if (inside && strncmp(line, "|---", 4) != 0)
            take_row(machine, line);
    }
    fclose(file);
}

static bool written(const prf_machine_t *machine, const prf_transition_t *move)
{
    for (size_t i = 0; i < row_count; i++)
        if (strcmp(rows[i].machine, machine->name) == 0 && strcmp(rows[i].from, machine->states[move->from]) == 0 &&
            strcmp(rows[i].event, machine->events[move->event]) == 0 && strcmp(rows[i].to, machine->states[move->to]) == 0)
            return true;
    return false;
}

Test(states, the_tables_on_paper_are_those_of_the_code)
{
    read_tables();
    const prf_machine_t *machine;
    size_t moves = 0;
    for (size_t m = 0; (machine = prf_machine_at(m)); m++)
        for (size_t i = 0; i < machine->move_count; i++, moves++) {
            const prf_transition_t *move = &machine->moves[i];
            cr_expect(written(machine, move), "docs/states.md lacks, under %s: | %s | %s | %s |", machine->name,
                      machine->states[move->from], machine->events[move->event], machine->states[move->to]);
        }
    cr_expect_gt(moves, 0);
    cr_expect_eq(row_count, moves, "docs/states.md has %zu rows, the code %zu moves", row_count, moves);
}

Test(states, a_state_and_an_event_lead_to_one_state_only_and_every_state_can_be_reached)
{
    const prf_machine_t *machine;
    for (size_t m = 0; (machine = prf_machine_at(m)); m++) {
        for (size_t i = 0; i < machine->move_count; i++)
            for (size_t k = i + 1; k < machine->move_count; k++)
                cr_expect(machine->moves[i].from != machine->moves[k].from || machine->moves[i].event != machine->moves[k].event,
                          "%s: %s knows %s twice", machine->name, machine->states[machine->moves[i].from],
                          machine->events[machine->moves[i].event]);
        for (int state = 1; state < (int)machine->state_count; state++) {
            bool reached = false;
            for (size_t i = 0; i < machine->move_count; i++)
                reached = reached || machine->moves[i].to == state;
            cr_expect(reached, "%s: nothing leads to %s", machine->name, machine->states[state]);
        }
    }
}

Test(states, an_event_that_a_state_does_not_know_is_refused)
{
    int state = PRF_JOB_HELD;
    cr_expect(!prf_machine_next(&prf_machine_job, PRF_JOB_GRANT, &state));
    cr_expect_eq(state, PRF_JOB_HELD);
    cr_expect(prf_machine_next(&prf_machine_job, PRF_JOB_STORE, &state));
    cr_expect_eq(state, PRF_JOB_GONE);
}
