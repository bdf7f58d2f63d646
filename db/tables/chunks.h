/* A chunk table as a block source: keys or error signals of a layer, or all images. Streams from
 * the files that a history is cut into (mostly one) through one connection per worker and file, in
 * constant memory. Internal to db/. */
#ifndef KL_DB_TABLES_CHUNKS_H
#define KL_DB_TABLES_CHUNKS_H

#include <sqlite3.h>

#include "core/scan/blocks.h"

enum kl_chunk_kind { KL_CHUNKS_IMAGES, KL_CHUNKS_KEYS, KL_CHUNKS_ERRORS, KL_CHUNKS_SPARSE };
#define KL_N_CHUNK_KINDS (KL_CHUNKS_SPARSE + 1)

/* A file, and which rows of the layers' tables are read of it: from first on, as its chunks number
 * them; or none. */
struct kl_chunk_file {
    const char *path;
    uint64_t first, n_rows;
};

/* What is to be read: all rows of all files, one file after the other, numbered anew from 0. */
struct kl_chunk_table {
    enum kl_chunk_kind kind;
    uint32_t layer; /* from 1; of no meaning for images */
    uint64_t n_rows;
    uint32_t width;   /* numbers of a row, */
    uint32_t entries; /* and how many of them are kept, for KL_CHUNKS_SPARSE; 0 otherwise */
};

/* Opens n_workers connections to each of n_parts files, whose paths outlive them, shared by all
 * chunk sources made from them. Images are in the first one. The caller ends *files with
 * kl_chunk_files_close after the sources. */
struct kl_chunk_files;
enum kl_status kl_chunk_files_open(const struct kl_chunk_file *parts, uint32_t n_parts,
                                   unsigned n_workers, struct kl_chunk_files **files,
                                   struct kl_error *err);
/* All that the connections list has been listed: what is read from here on are blobs, and single
 * rows by their number. */
void kl_chunk_files_trust(struct kl_chunk_files *files);
void kl_chunk_files_close(struct kl_chunk_files *files);

/* The first file, which is open, has another name now; path outlives them. */
void kl_chunk_files_rename(struct kl_chunk_files *files, const char *path);

/* The connection of a worker to the first file, for what else it reads. */
sqlite3 *kl_chunk_files_db(const struct kl_chunk_files *files, unsigned worker);

/* The source of one table, checked to hold its rows without gaps. The caller ends it with
 * kl_chunk_source_close. Errors: KL_ERR_DAMAGED, KL_ERR_MEMORY. */
enum kl_status kl_chunk_source_open(struct kl_chunk_files *files,
                                    const struct kl_chunk_table *table,
                                    const struct kl_block_source **source, struct kl_error *err);
void kl_chunk_source_close(const struct kl_block_source *source);

#endif
