/* What all fuzzers share. They run in a folder of their own, where tests/fuzz/fuzz.py put small
 * runs: image.keylight, text.keylight, and cut.keylight.part, which is unfinished. Whatever goes
 * wrong here, and not in what is fuzzed, aborts. */
#ifndef KL_TESTS_FUZZ_H
#define KL_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

#include "db/run.h"
#include "server/handlers/handlers.h"

/* What the fuzzer calls with any bytes. */
int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t n_bytes);

/* Bytes that are taken one after the other; 0 once there are no more. */
struct fuzz_bytes {
    const unsigned char *at;
    size_t n;
};

unsigned fuzz_byte(struct fuzz_bytes *bytes);
uint64_t fuzz_number(struct fuzz_bytes *bytes, int n_bytes); /* little-endian */

/* A whole file, which the caller frees. */
unsigned char *fuzz_read(const char *path, size_t *n_bytes);
void fuzz_write(const char *path, const void *bytes, size_t n_bytes);

/* That a failure says what failed, as everything does. (Who prints it shows what is no letter.) */
void fuzz_check(enum kl_status status, const struct kl_error *err);

/* That SQLite has given back all memory that an input took. Called after each, by one thread. */
void fuzz_check_pieces(void);

/* A service of both runs, opened once; their fingerprints are in its served runs. */
struct kl_service *fuzz_service(const struct kl_run **image, const struct kl_run **text);

/* Asks it, and checks that it answers. */
void fuzz_ask(struct kl_service *service, const struct kl_request *request);

#endif
