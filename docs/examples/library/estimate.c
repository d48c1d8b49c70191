// SPDX-License-Identifier: Apache-2.0
/* estimate.c - a program that asks a model, the shortest way.
 *
 *   cc estimate.c $(pkg-config --cflags --libs prfarm) -o estimate
 *   ./estimate cpu.prfm 'conv2d c=64 k=64 h=56 r=3 pad=1' */
#include <prfarm.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    char error[PRFARM_ERROR];
    prfarm_model *model;
    prfarm_layer layer;
    prfarm_estimate estimate;
    int rc;

    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        printf("libprfarm %s\n", prfarm_version());
        return 0;
    }
    if (argc != 3) {
        fprintf(stderr, "usage: estimate MODEL.prfm 'conv2d c=64 k=64 h=56 r=3 pad=1'\n");
        return 2;
    }
    rc = prfarm_model_load(&model, argv[1], error);
    if (rc) {
        fprintf(stderr, "estimate: %s\n", error);
        return rc;
    }
    rc = prfarm_layer_parse(&layer, argv[2], error);
    if (!rc)
        rc = prfarm_estimate_layer(model, &layer, &estimate, error);
    if (rc)
        fprintf(stderr, "estimate: %s\n", error);
    else
        printf("%s: %.0f ns (90 %%: %.0f to %.0f)%s\n", prfarm_model_board(model), estimate.latency_ns, estimate.low_ns,
               estimate.high_ns, estimate.outside ? ", outside the trained range" : "");
    prfarm_model_free(model);
    return rc;
}
