/* Text files as a corpus. */
#ifndef KL_CORE_DATA_TEXT_CORPUS_READ_H
#define KL_CORE_DATA_TEXT_CORPUS_READ_H

#include "core/data/dataset.h"
#include "core/data/text/corpus.h"

/* Reads a text file, or all files of a folder in the order of their names (numbers in them by
 * value), as documents. Without test_files, a folder with files that have train and test as words
 * of their names has its splits from the names (valid, or validation, too); then all must say one.
 * CRLF becomes LF, a byte order mark goes. *dataset becomes a text data set. Errors:
 * KL_ERR_NOT_FOUND, KL_ERR_INPUT (not UTF-8 text; too short), KL_ERR_USAGE, KL_ERR_IO,
 * KL_ERR_MEMORY. */
enum kl_status kl_corpus_read(const char *path, const struct kl_corpus_settings *settings,
                              struct kl_dataset *dataset, struct kl_error *err);

#endif
