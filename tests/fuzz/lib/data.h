/* What the fuzzers of data sets share. */
#ifndef KL_TESTS_FUZZ_DATA_H
#define KL_TESTS_FUZZ_DATA_H

/* Loads a data set ("fuzz=FOLDER"), and selects from it: it is read, or refused in a sentence. */
void fuzz_load(const char *spec);

#endif
