/* A run's text: vocabulary, documents and tokens. Internal to db/. */
#ifndef KL_DB_TABLES_TEXTS_H
#define KL_DB_TABLES_TEXTS_H

#include <sqlite3.h>

#include "core/data/dataset.h"
#include "core/data/text/corpus.h"

/* Writes the corpus of a text data set. */
enum kl_status kl_text_write(sqlite3 *db, const struct kl_corpus *corpus, struct kl_error *err);

/* Reads it into a data set whose counts and vocabulary size are known, which owns it then. Errors:
 * KL_ERR_DAMAGED (tables that contradict each other), KL_ERR_MEMORY, reading's. */
enum kl_status kl_text_read(sqlite3 *db, struct kl_dataset *dataset, struct kl_error *err);

#endif
