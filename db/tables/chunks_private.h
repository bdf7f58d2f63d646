/* What the parts of a chunk source share. Internal to db/tables/. */
#ifndef KL_DB_TABLES_CHUNKS_PRIVATE_H
#define KL_DB_TABLES_CHUNKS_PRIVATE_H

#include "db/file/value.h"
#include "db/tables/chunks.h"

extern const char *const kl_chunk_tables[KL_N_CHUNK_KINDS]; /* their names */

struct kl_chunk_source;

/* What one worker reads one file with. */
struct kl_chunk_part {
    sqlite3 *db;
    const struct kl_mapping *mapping;      /* or NULL: through blobs, */
    sqlite3_blob *blobs[KL_N_CHUNK_KINDS]; /* open on some chunk of each table, or NULL */
};

/* What one worker reads with. Chunks of all tables and files go through the same buffers. */
struct kl_chunk_reader {
    struct kl_chunk_part *parts; /* (n_parts) */
    struct {
        const struct kl_chunk_source *source;
        uint32_t block;
        struct kl_chunk_part *part; /* the one that has it */
        int is_mapped;              /* value is where its data stand; otherwise a blob is open,
                                       while source, which lives as long as the files, is set */
        struct kl_value value;
    } open; /* the chunk that is being read */
    struct kl_chunk_buffer {
        void *bytes;
        size_t n_bytes;
    } rows, packed; /* a chunk's rows; and as it is stored, if that differs */
    struct {
        const struct kl_chunk_source *source;
        uint32_t block, row;
        size_t before; /* numbers stored before that row */
    } next; /* after the packed rows that were read last: who reads on need not count again */
};

struct kl_chunk_files {
    uint32_t n_parts;
    struct kl_chunk_file *parts; /* (n_parts) */
    unsigned n_workers;
    struct kl_chunk_reader *workers;
};

/* What the extents do not tell of a chunk. */
struct kl_chunk {
    sqlite3_int64 rowid;
    uint64_t first; /* row, as its file numbers them */
    uint32_t part;
    int exponent;
    uint32_t stored; /* numbers, if less than all: see core/scan/packing.h */
    char is_checked; /* its checksum is that of its bytes; atomic */
};

struct kl_chunk_source {
    struct kl_block_source source; /* first, so that a pointer to it is one to this */
    struct kl_chunk_files *files;
    enum kl_chunk_kind kind;
    uint32_t layer;
    struct kl_chunk *chunks;   /* (n_blocks) */
    struct kl_extent *extents; /* (n_blocks) */
    struct kl_chunk_tree {     /* (parts) in each file: */
        uint32_t root;         /* the page where its table begins, */
        unsigned column;       /* and which one is its data, from 0 */
    } * trees;
};

/* The file that a chunk is in. */
const char *kl_chunk_path(const struct kl_chunk_source *source, uint32_t block);

/* What is wrong with a chunk; returns KL_ERR_DAMAGED. */
enum kl_status kl_chunk_damaged(const struct kl_chunk_source *source, uint32_t block,
                                const char *what, struct kl_error *err);

/* Room for n_bytes. Errors: KL_ERR_MEMORY. */
enum kl_status kl_chunk_reserve(struct kl_chunk_buffer *buffer, size_t n_bytes,
                                struct kl_error *err);

/* What a source's read and read_packed do. */
enum kl_status kl_chunk_read_rows(void *self, unsigned worker, uint32_t block, uint32_t row,
                                  uint32_t count, struct kl_block *out, struct kl_error *err);
enum kl_status kl_chunk_read_packed(void *self, unsigned worker, uint32_t block, uint32_t row,
                                    uint32_t count, struct kl_block *out, struct kl_error *err);

/* Reads n_bytes of the chunk that is open. */
enum kl_status kl_chunk_read(const struct kl_chunk_source *source, struct kl_chunk_reader *file,
                             size_t offset, size_t n_bytes, char *to, struct kl_error *err);

/* Compares a whole chunk, as it was just read, with its checksum. Errors: KL_ERR_DAMAGED. */
enum kl_status kl_chunk_check_whole(const struct kl_chunk_source *source,
                                    const struct kl_chunk_reader *file, uint32_t block,
                                    struct kl_error *err);

/* The same of one of which parts are wanted, and that nobody has compared yet: piece by piece. */
enum kl_status kl_chunk_check_first(const struct kl_chunk_source *source,
                                    struct kl_chunk_reader *file, uint32_t block,
                                    struct kl_error *err);

#endif
