// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"

/* The examples of RFC 4648, section 10. */
static const char *const examples[][2] = {
    {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}};

Test(base64, the_examples_of_its_standard_read_back)
{
    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
        const char *plain = examples[i][0], *coded = examples[i][1];
        char *text = prf_base64_encode(plain, strlen(plain));
        void *bytes;
        size_t len;
        cr_assert_str_eq(text, coded);
        cr_assert_eq(prf_base64_decode(&bytes, &len, coded, strlen(coded), NULL), PRF_OK);
        cr_assert_eq(len, strlen(plain));
        cr_assert_eq(memcmp(bytes, plain, len), 0);
        free(bytes);
        free(text);
    }
}

Test(base64, anything_else_is_refused)
{
    static const char *const wrong[] = {"Z", "Zg", "Zg=", "Zm9v!", "Zm9v Zm9v", "====", "Zg==Zg=="};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        void *bytes = NULL;
        size_t len;
        cr_assert_eq(prf_base64_decode(&bytes, &len, wrong[i], strlen(wrong[i]), NULL), PRF_EPARSE, "'%s'", wrong[i]);
        cr_assert_null(bytes);
    }
}
