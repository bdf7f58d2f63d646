/* A run file of which some values, bytes and rows are others than were written, with its pages
 * valid, and what may stand in its journal's place. */
#ifndef KL_TESTS_FUZZ_EDITED_H
#define KL_TESTS_FUZZ_EDITED_H

#include "tests/fuzz/lib/fuzz.h"

/* Writes path, made of the file template (read once for each process) as the bytes say: which
 * values of which rows are what, whether checksums and fingerprint are made right for it, which
 * bytes are changed after that, and what, if anything, is its journal. */
void fuzz_write_edited(const char *template, const char *path, struct fuzz_bytes *bytes);

#endif
