// SPDX-License-Identifier: Apache-2.0
/* network.c - a program that asks a model about an ONNX network, block by block.
 *
 *   cc network.c $(pkg-config --cflags --libs prfarm) -o network
 *   ./network cpu.prfm resnet18.onnx f32 */
#include <math.h>
#include <prfarm.h>
#include <stdio.h>
#include <stdlib.h>

static void print_block(const prfarm_model *model, const prfarm_block *block, const double interval[3])
{
    char why[PRFARM_ERROR];
    prfarm_estimate alone;

    if (isnan(interval[0])) {
        prfarm_estimate_layer(model, block->layer, &alone, why);
        printf("%-12.12s %-20s not covered: %s\n", block->name, block->kind, why);
    } else {
        printf("%-12.12s %-20s %12.0f ns (90 %%: %.0f to %.0f)\n", block->name, block->kind, interval[0], interval[1], interval[2]);
    }
}

static int print_network(const prfarm_model *model, const prfarm_network *network)
{
    size_t i, count = prfarm_network_blocks(network);
    double *numbers = malloc(3 * count * sizeof *numbers);
    prfarm_estimates blocks = {0};
    prfarm_estimate sum;
    const prfarm_note *note;
    int rc;

    if (!numbers)
        return 9;
    blocks.latency_ns = numbers;
    blocks.low_ns = numbers + count;
    blocks.high_ns = numbers + 2 * count;
    rc = prfarm_estimate_network_blocks(model, network, &sum, &blocks, NULL);
    for (i = 0; !rc && i < count; i++) {
        const double interval[3] = {blocks.latency_ns[i], blocks.low_ns[i], blocks.high_ns[i]};
        print_block(model, prfarm_network_get_block(network, i), interval);
    }
    for (i = 0; (note = prfarm_network_get_note(network, i)); i++)
        if (note->unknown)
            printf("not in the total: %s '%s': %s\n", note->op, note->name, note->treatment);
    printf("%s on %s: %.0f ns (%.0f to %.0f), %.0f MACs, %zu of %zu blocks\n", prfarm_network_name(network),
           prfarm_model_board(model), sum.latency_ns, sum.low_ns, sum.high_ns, prfarm_network_macs(network), sum.covered,
           sum.blocks);
    free(numbers);
    return rc;
}

int main(int argc, char **argv)
{
    char error[PRFARM_ERROR] = "";
    prfarm_model *model = NULL;
    prfarm_network *network = NULL;
    int rc;

    if (argc != 4) {
        fprintf(stderr, "usage: network MODEL.prfm NET.onnx DTYPE\n");
        return 2;
    }
    rc = prfarm_model_load(&model, argv[1], error);
    if (!rc)
        rc = prfarm_network_load(&network, argv[2], argv[3], 1, error);
    if (rc)
        fprintf(stderr, "network: %s\n", error);
    else
        rc = print_network(model, network);
    prfarm_network_free(network);
    prfarm_model_free(model);
    return rc;
}
