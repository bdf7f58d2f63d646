#include "db/tables/chunk_cut.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/dtype.h"
#include "core/base/memory.h"
#include "core/scan/packing.h"
#include "db/file/database.h"
#include "db/file/rows.h"

#define COLUMNS_MAX 16

/* A row that is being cut, and the piece that is made of it. */
struct piece {
    const char *table;
    sqlite3_stmt *row;
    uint32_t first, count; /* of its rows, which are taken */
    uint32_t n_rows;       /* and how many it has */
    size_t width, number;  /* numbers of a row (of showings one), and bytes of one */
    const char *data;
    size_t n_bytes;
    sqlite3_int64 stored;
    char *bytes; /* (size) what the piece has */
    size_t size;
    double kept, left_out;
};

static enum kl_status damaged(const struct piece *piece, struct kl_error *err)
{
    return kl_fail(err, KL_ERR_DAMAGED,
                   "%s is damaged: a row of its table %s contradicts itself; restore it from a "
                   "copy or train it again",
                   sqlite3_db_filename(sqlite3_db_handle(piece->row), "main"), piece->table);
}

static int column_of(sqlite3_stmt *row, const char *name)
{
    for (int i = 0; i < sqlite3_column_count(row); i++)
        if (!strcmp(sqlite3_column_name(row, i), name))
            return i;
    return -1;
}

static sqlite3_int64 integer_of(const struct piece *piece, const char *name)
{
    int column = column_of(piece->row, name);

    return column < 0 ? 0 : sqlite3_column_int64(piece->row, column);
}

/* Takes n bytes of the data behind what is there. */
static void take(struct piece *piece, size_t from, size_t n)
{
    memcpy(piece->bytes + piece->size, piece->data + from, n);
    piece->size += n;
}

/* Rows without their zeros: bits, then numbers. */
static enum kl_status cut_packed(struct piece *piece, struct kl_error *err)
{
    const uint8_t *bits = (const uint8_t *)piece->data;
    size_t row_bytes = kl_bits_bytes(piece->width), bits_bytes = piece->n_rows * row_bytes;
    size_t before, here;

    if (bits_bytes > piece->n_bytes)
        return damaged(piece, err);
    before = kl_packed_count(bits, piece->first, piece->width);
    here = kl_packed_count(bits + piece->first * row_bytes, piece->count, piece->width);
    if (before == SIZE_MAX || here == SIZE_MAX ||
        bits_bytes + (before + here) * piece->number > piece->n_bytes)
        return damaged(piece, err);
    piece->stored = (sqlite3_int64)here;
    if (here < piece->count * piece->width) /* else it is as if nothing was left out */
        take(piece, piece->first * row_bytes, piece->count * row_bytes);
    take(piece, bits_bytes + before * piece->number, here * piece->number);
    return KL_OK;
}

/* Squared length of the numbers of n_rows rows of a sparse chunk, from row first on. */
static enum kl_status square(const struct piece *piece, uint32_t first, uint32_t n_rows,
                             double *sum, struct kl_error *err)
{
    const char *numbers = piece->data + piece->n_rows * piece->width * sizeof(uint32_t);
    enum kl_dtype dtype = piece->number == kl_dtype_size(KL_F16) ? KL_F16 : KL_F32;
    size_t n = n_rows * piece->width;
    float *decoded = NULL;

    *sum = 0;
    if (kl_decode(dtype, (int)integer_of(piece, "exponent"), NULL,
                  numbers + first * piece->width * piece->number, n, n_rows, piece->width, &decoded,
                  err))
        return err->status;
    for (size_t i = 0; i < n; i++)
        *sum += (double)decoded[i] * (double)decoded[i];
    free(decoded);
    return KL_OK;
}

/* Indices, then numbers. What was left out of all rows is shared out as what was kept. */
static enum kl_status cut_sparse(struct piece *piece, struct kl_error *err)
{
    size_t index_bytes = piece->n_rows * piece->width * sizeof(uint32_t);
    size_t row_indices = piece->width * sizeof(uint32_t),
           row_numbers = piece->width * piece->number;
    double here = 0, all = 0;
    enum kl_status status = KL_OK;

    if (piece->n_bytes != index_bytes + piece->n_rows * row_numbers)
        return damaged(piece, err);
    take(piece, piece->first * row_indices, piece->count * row_indices);
    take(piece, index_bytes + piece->first * row_numbers, piece->count * row_numbers);
    status = square(piece, piece->first, piece->count, &here, err);
    if (!status)
        status = square(piece, 0, piece->n_rows, &all, err);
    if (status)
        return status;
    if (all <= 0) {
        here = piece->count;
        all = piece->n_rows;
    }
    piece->kept = here / all * sqlite3_column_double(piece->row, column_of(piece->row, "kept"));
    piece->left_out =
        here / all * sqlite3_column_double(piece->row, column_of(piece->row, "left_out"));
    return KL_OK;
}

static enum kl_status cut_whole(struct piece *piece, struct kl_error *err)
{
    size_t row_bytes = piece->width * piece->number;

    if (piece->n_bytes != piece->n_rows * row_bytes)
        return damaged(piece, err);
    piece->stored = (sqlite3_int64)(piece->count * piece->width);
    take(piece, piece->first * row_bytes, piece->count * row_bytes);
    return KL_OK;
}

/* Makes the piece's bytes: the caller frees them. */
static enum kl_status cut(struct piece *piece, struct kl_error *err)
{
    int dtype_column = column_of(piece->row, "dtype"),
        is_sparse = !strcmp(piece->table, "sparse_error_chunk");
    enum kl_dtype dtype = KL_F32;

    piece->data = sqlite3_column_blob(piece->row, column_of(piece->row, "data"));
    piece->n_bytes = (size_t)sqlite3_column_bytes(piece->row, column_of(piece->row, "data"));
    if (dtype_column < 0) {
        piece->width = 1;
        piece->number = sizeof(uint32_t);
    } else {
        const char *name = (const char *)sqlite3_column_text(piece->row, dtype_column);

        if (!name || kl_dtype_parse(name, &dtype) || dtype == KL_U8)
            return damaged(piece, err);
        piece->number = kl_dtype_size(dtype);
        piece->width = (size_t)integer_of(piece, is_sparse ? "entries" : "width");
    }
    if (!piece->data || piece->width < 1 || piece->width > UINT32_MAX)
        return damaged(piece, err);
    if (kl_alloc(&piece->bytes, piece->n_bytes, 1, "a chunk", err))
        return err->status;
    if (is_sparse)
        return cut_sparse(piece, err);
    if (dtype_column >= 0 && (size_t)integer_of(piece, "stored") < piece->n_rows * piece->width)
        return cut_packed(piece, err);
    return cut_whole(piece, err);
}

/* Inserts what was cut: every column as it is but those that tell of it. */
static enum kl_status insert_piece(const struct piece *piece, sqlite3_stmt *insert,
                                   struct kl_error *err)
{
    int n = sqlite3_column_count(piece->row) - 1; /* the last one is the checksum */
    const struct {
        const char *name;
        sqlite3_int64 value;
    } integers[] = {{"first", integer_of(piece, "first") + piece->first},
                    {"count", piece->count},
                    {"stored", piece->stored}};

    for (int i = 0; i < n; i++)
        sqlite3_bind_value(insert, i + 1, sqlite3_column_value(piece->row, i));
    for (size_t i = 0; i < sizeof integers / sizeof integers[0]; i++)
        if (column_of(piece->row, integers[i].name) >= 0)
            sqlite3_bind_int64(insert, column_of(piece->row, integers[i].name) + 1,
                               integers[i].value);
    if (column_of(piece->row, "kept") >= 0) {
        sqlite3_bind_double(insert, column_of(piece->row, "kept") + 1, piece->kept);
        sqlite3_bind_double(insert, column_of(piece->row, "left_out") + 1, piece->left_out);
    }
    sqlite3_bind_blob64(insert, column_of(piece->row, "data") + 1, piece->bytes, piece->size,
                        SQLITE_STATIC);
    return kl_db_run(insert, err);
}

/* A statement that inserts whole rows of a table, checksums and all, as select has them. */
static enum kl_status prepare_copy(sqlite3 *to, const char *table, sqlite3_stmt *select,
                                   sqlite3_stmt **insert, struct kl_error *err)
{
    char sql[60 + 4 * COLUMNS_MAX];
    int n = sqlite3_column_count(select);
    size_t used = (size_t)snprintf(sql, sizeof sql, "INSERT INTO %s VALUES (", table);

    if (n > COLUMNS_MAX)
        return kl_fail(err, KL_ERR_DAMAGED, "the table %s has too many columns", table);
    for (int i = 1; i <= n; i++)
        used += (size_t)snprintf(sql + used, sizeof sql - used, i < n ? "?%d," : "?%d)", i);
    return kl_db_prepare(to, sql, insert, err);
}

static enum kl_status copy_row(sqlite3_stmt *row, sqlite3_stmt *insert, struct kl_error *err)
{
    for (int i = 0; i < sqlite3_column_count(row); i++)
        sqlite3_bind_value(insert, i + 1, sqlite3_column_value(row, i));
    return kl_db_run(insert, err);
}

static void tell(kl_copied copied, void *self, sqlite3_stmt *row)
{
    uint64_t n_bytes = 0;

    for (int i = 0; i < sqlite3_column_count(row); i++)
        n_bytes += sqlite3_column_type(row, i) == SQLITE_BLOB
                       ? (uint64_t)sqlite3_column_bytes(row, i)
                       : sizeof(sqlite3_int64);
    if (copied)
        copied(self, n_bytes);
}

enum kl_status kl_table_copy(sqlite3 *from, sqlite3 *to, const char *table, kl_copied copied,
                             void *self, struct kl_error *err)
{
    sqlite3_stmt *select = NULL, *insert = NULL;
    char sql[100];
    int row = 1;
    enum kl_status status;

    snprintf(sql, sizeof sql, "SELECT * FROM %s ORDER BY rowid", table);
    status = kl_db_prepare(from, sql, &select, err);
    if (!status)
        status = prepare_copy(to, table, select, &insert, err);
    while (!status && !(status = kl_db_next(select, &row, err)) && row) {
        tell(copied, self, select);
        status = copy_row(select, insert, err);
    }
    sqlite3_finalize(insert);
    sqlite3_finalize(select);
    return status;
}

/* One chunk, of which rows from first up to end are wanted. */
static enum kl_status take_chunk(sqlite3_stmt *row, const char *table, uint64_t first, uint64_t end,
                                 sqlite3_stmt *copy, sqlite3_stmt *insert, struct kl_error *err)
{
    struct piece piece = {.table = table, .row = row};
    uint64_t own_first = (uint64_t)integer_of(&piece, "first"), own_end;
    uint64_t from = own_first > first ? own_first : first;
    enum kl_status status;

    piece.n_rows = (uint32_t)integer_of(&piece, "count");
    own_end = own_first + piece.n_rows;
    if (from == own_first && own_end <= end)
        return copy_row(row, copy, err);
    piece.first = (uint32_t)(from - own_first);
    piece.count = (uint32_t)((own_end < end ? own_end : end) - from);
    status = cut(&piece, err);
    if (!status)
        status = insert_piece(&piece, insert, err);
    free(piece.bytes);
    return status;
}

enum kl_status kl_chunks_cut(sqlite3 *from, sqlite3 *to, const char *table, uint64_t first,
                             uint64_t end, kl_copied copied, void *self, struct kl_error *err)
{
    sqlite3_stmt *select = NULL, *copy = NULL, *insert = NULL;
    char sql[140];
    int row = 1;
    enum kl_status status;

    snprintf(sql, sizeof sql,
             "SELECT * FROM %s WHERE first < ?2 AND first + count > ?1 ORDER BY rowid", table);
    status = kl_db_prepare(from, sql, &select, err);
    if (!status)
        status = prepare_copy(to, table, select, &copy, err);
    if (!status)
        status = kl_rows_insert(to, table, 0, &insert, err);
    if (!status) {
        sqlite3_bind_int64(select, 1, (sqlite3_int64)first);
        sqlite3_bind_int64(select, 2, (sqlite3_int64)end);
    }
    while (!status && !(status = kl_db_next(select, &row, err)) && row) {
        tell(copied, self, select);
        status = take_chunk(select, table, first, end, copy, insert, err);
    }
    sqlite3_finalize(insert);
    sqlite3_finalize(copy);
    sqlite3_finalize(select);
    return status;
}
