/* Runs one kernel over some rows, for test_instructions.py to count what it takes: count_kernels
 * KERNEL. Prints the variant that ran, or "unoptimized". */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/scan/kernels.h"
#include "core/base/memory.h"

#define ROWS 64
#define WIDTH 800
#define NUMBERS ((size_t)ROWS * WIDTH)

static float *floats, *queries, *out;
static uint16_t *halves, *packed;
static uint8_t *bytes, *bits;
static float weights[ROWS];
static uint16_t which[ROWS];

static void prepare(void)
{
    struct kl_error err;

    if (kl_alloc_scanned(&floats, NUMBERS, sizeof(float), "floats", &err) ||
        kl_alloc_scanned(&queries, 4 * WIDTH, sizeof(float), "queries", &err) ||
        kl_alloc_scanned(&out, NUMBERS, sizeof(float), "products", &err) ||
        kl_alloc_scanned(&halves, NUMBERS, 2, "halves", &err) ||
        kl_alloc_scanned(&packed, NUMBERS, 2, "halves", &err) ||
        kl_alloc_scanned(&bytes, NUMBERS, 1, "bytes", &err) ||
        kl_alloc_scanned(&bits, NUMBERS / 8, 1, "bits", &err)) {
        fprintf(stderr, "%s\n", err.message);
        exit(1);
    }
    for (size_t i = 0; i < NUMBERS; i++) {
        floats[i] = i % 2 ? (float)(i % 100) / 100 : 0;
        bytes[i] = (uint8_t)i;
    }
    for (size_t i = 0; i < 4 * (size_t)WIDTH; i++)
        queries[i] = (float)(i % 10) / 10;
    memset(out, 0, NUMBERS * sizeof(float));
    kl_kernels()->to_f16(floats, NUMBERS, 1, halves);
    kl_kernels()->pack_f16(halves, NUMBERS, bits, packed);
    for (uint32_t i = 0; i < ROWS; i++) {
        weights[i] = 0.5f;
        which[i] = (uint16_t)i;
    }
}

/* What is counted; a function of its own, so that callgrind knows when. */
__attribute__((noinline)) void counted(const char *name);
__attribute__((noinline)) void counted(const char *name)
{
    const struct kl_kernels *kernels = kl_kernels();
    struct kl_dots dots = {1,
                           {queries, queries + WIDTH, queries + 2 * WIDTH, queries + 3 * WIDTH},
                           {out, out + ROWS, out + 2 * ROWS, out + 3 * ROWS}};

    if (!strcmp(name, "dot_u8"))
        kernels->dot_u8(bytes, ROWS, WIDTH, &dots);
    else if (!strcmp(name, "dot_f16"))
        kernels->dot_f16(halves, ROWS, WIDTH, &dots);
    else if (!strcmp(name, "dot_f32"))
        kernels->dot_f32(floats, ROWS, WIDTH, &dots);
    else if (!strcmp(name, "dot_packed_f16"))
        kernels->dot_packed_f16(bits, packed, ROWS, WIDTH, &dots);
    dots.n = 4;
    if (!strcmp(name, "four_dots_f16"))
        kernels->dot_f16(halves, ROWS, WIDTH, &dots);
    else if (!strcmp(name, "largest"))
        out[0] = kernels->largest(floats, NUMBERS);
    else if (!strcmp(name, "to_f16"))
        kernels->to_f16(floats, NUMBERS, 2, halves);
    else if (!strcmp(name, "from_f16"))
        kernels->from_f16(halves, NUMBERS, out);
    else if (!strcmp(name, "pack_f16"))
        kernels->pack_f16(halves, NUMBERS, bits, packed);
    else if (!strcmp(name, "unpack_f16"))
        kernels->unpack_f16(bits, packed, NUMBERS, halves);
    else if (!strcmp(name, "add_f16"))
        kernels->add_f16(halves, which, ROWS, WIDTH, weights, out);
}

int main(int argc, char **argv)
{
    struct kl_error err;

    if (argc != 2 || kl_kernels_select(&err))
        return 2;
    prepare();
    counted(argv[1]);
#ifdef __OPTIMIZE__
    printf("%s\n", kl_kernels()->name);
#else
    printf("unoptimized\n");
#endif
    return 0;
}
