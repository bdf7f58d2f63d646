/* Where SQLite puts large values, found without it. */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/random.h"
#include "db/file/mapping.h"
#include "db/file/value.h"
#include "core/scan/packing.h"
#include "tests/lib/run_file.h"
#include "tests/lib/suite.h"

#define PATH "test_value.sqlite"
#define N_ROWS 400

static struct kl_random random_numbers;

static void sql(sqlite3 *db, const char *text)
{
    char *message = NULL;

    ck_assert_msg(sqlite3_exec(db, text, NULL, NULL, &message) == SQLITE_OK, "%s", message);
}

/* Bytes that tell the row and where they stand. */
static unsigned char byte_of(sqlite3_int64 rowid, size_t i)
{
    return (unsigned char)((size_t)rowid * 31 + i * 7 + i / 251);
}

static void insert(sqlite3 *db, sqlite3_int64 rowid, size_t n_bytes)
{
    sqlite3_stmt *statement = NULL;
    unsigned char *bytes = malloc(n_bytes + 1);

    ck_assert_ptr_nonnull(bytes);
    for (size_t i = 0; i < n_bytes; i++)
        bytes[i] = byte_of(rowid, i);
    ck_assert_int_eq(sqlite3_prepare_v2(db, "INSERT INTO chunk VALUES (?1, 'some text', 7, ?2, 8)",
                                        -1, &statement, NULL),
                     SQLITE_OK);
    sqlite3_bind_int64(statement, 1, rowid);
    sqlite3_bind_blob(statement, 2, bytes, (int)n_bytes, SQLITE_STATIC);
    ck_assert_int_eq(sqlite3_step(statement), SQLITE_DONE);
    sqlite3_finalize(statement);
    free(bytes);
}

/* Rows of all sizes, some of them where others were: their pages do not follow one another. */
static uint32_t make(int page_bytes)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *statement = NULL;
    char text[80];
    uint32_t root;

    unlink(PATH);
    ck_assert_int_eq(sqlite3_open(PATH, &db), SQLITE_OK);
    snprintf(text, sizeof text, "PRAGMA page_size = %d", page_bytes);
    sql(db, text);
    sql(db, "CREATE TABLE other (x); CREATE TABLE chunk (id INTEGER PRIMARY KEY, a TEXT, b INTEGER,"
            " data BLOB, c); BEGIN");
    for (sqlite3_int64 id = 1; id <= N_ROWS; id++)
        insert(db, 3 * id, kl_random_below(&random_numbers, id % 7 ? 5000 : 70000));
    for (sqlite3_int64 id = 1; id <= N_ROWS; id += 3) {
        snprintf(text, sizeof text, "DELETE FROM chunk WHERE id = %lld", 3 * id);
        sql(db, text);
    }
    for (sqlite3_int64 id = 1; id <= N_ROWS; id += 3)
        insert(db, 3 * id, kl_random_below(&random_numbers, 100000));
    sql(db, "COMMIT");
    ck_assert_int_eq(sqlite3_prepare_v2(db,
                                        "SELECT rootpage FROM sqlite_schema WHERE name = 'chunk'",
                                        -1, &statement, NULL),
                     SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(statement), SQLITE_ROW);
    root = (uint32_t)sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return root;
}

static size_t size_of(sqlite3 *db, sqlite3_int64 rowid)
{
    sqlite3_stmt *statement = NULL;
    size_t n_bytes;

    ck_assert_int_eq(sqlite3_prepare_v2(db, "SELECT length(data) FROM chunk WHERE id = ?1", -1,
                                        &statement, NULL),
                     SQLITE_OK);
    sqlite3_bind_int64(statement, 1, rowid);
    ck_assert_int_eq(sqlite3_step(statement), SQLITE_ROW);
    n_bytes = (size_t)sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return n_bytes;
}

static void check_row(const struct kl_mapping *mapping, uint32_t root, sqlite3_int64 rowid,
                      size_t n_bytes, struct kl_value *value)
{
    struct kl_error err;
    char *copy = malloc(n_bytes + 1);
    int found;

    ck_ok(kl_value_find(mapping, root, rowid, 3, value, &found, &err), err);
    ck_assert_int_eq(found, n_bytes > 0);
    ck_assert_ptr_nonnull(copy);
    if (found) {
        size_t from = kl_random_below(&random_numbers, (uint32_t)n_bytes), at = 0, together;

        ck_assert_uint_eq(value->n_bytes, n_bytes);
        kl_value_copy(value, from, n_bytes - from, copy);
        for (size_t i = from; i < n_bytes; i++)
            ck_assert_uint_eq((unsigned char)copy[i - from], byte_of(rowid, i));
        for (; at < n_bytes; at += together) {
            const char *bytes = kl_value_bytes(value, at, n_bytes - at, &together);

            ck_assert_uint_gt(together, 0);
            ck_assert_uint_eq((unsigned char)bytes[0], byte_of(rowid, at));
            ck_assert_uint_eq((unsigned char)bytes[together - 1],
                              byte_of(rowid, at + together - 1));
        }
        ck_assert_uint_eq(at, n_bytes);
    }
    free(copy);
}

START_TEST(values_of_all_sizes_are_found_where_sqlite_put_them)
{
    static const int pages[] = {512, 1024, 4096, 65536};

    kl_random_seed(&random_numbers, 5, 0);
    for (size_t p = 0; p < sizeof pages / sizeof *pages; p++) {
        uint32_t root = make(pages[p]);
        struct kl_mapping *mapping = kl_mapping_of(PATH);
        struct kl_value value = {0};
        struct kl_error err;
        sqlite3 *db = NULL;
        int found;

        ck_assert_ptr_nonnull(mapping);
        ck_assert_int_eq(sqlite3_open(PATH, &db), SQLITE_OK);
        for (sqlite3_int64 id = 1; id <= N_ROWS; id++)
            check_row(mapping, root, 3 * id, size_of(db, 3 * id), &value);
        for (sqlite3_int64 id = 0; id <= N_ROWS + 1; id++) { /* rows that are not there */
            ck_ok(kl_value_find(mapping, root, 3 * id + 1, 3, &value, &found, &err), err);
            ck_assert(!found);
        }
        for (unsigned column = 0; column < 6; column++) { /* what is no blob, or no column */
            ck_ok(kl_value_find(mapping, root, 3, column, &value, &found, &err), err);
            ck_assert_int_eq(found, column == 3);
        }
        for (uint32_t page = 0; page < 3; page++) { /* no table, or another one */
            ck_ok(kl_value_find(mapping, page, 3, 3, &value, &found, &err), err);
            ck_assert(!found);
        }
        free(value.piece);
        sqlite3_close(db);
        kl_mapping_release(mapping);
    }
    unlink(PATH);
}
END_TEST

/* Whatever stands in the file, all that is found lies in it. */
START_TEST(a_damaged_file_leads_nowhere_else)
{
    struct kl_value value = {0};

    kl_random_seed(&random_numbers, 6, 0);
    for (int round = 0; round < 4; round++) {
        uint32_t root = make(round % 2 ? 512 : 4096);
        struct kl_mapping *whole = kl_mapping_of(PATH), damaged = {0};
        char *bytes;

        ck_assert_ptr_nonnull(whole);
        bytes = malloc(whole->n_bytes);
        ck_assert_ptr_nonnull(bytes);
        damaged.bytes = bytes;
        for (int i = 0; i < 20000; i++) {
            struct kl_error err;
            int found;

            if (i % 50 == 0)
                memcpy(bytes, whole->bytes, whole->n_bytes);
            damaged.n_bytes =
                i % 9 ? whole->n_bytes : kl_random_below(&random_numbers, (uint32_t)whole->n_bytes);
            for (int k = 0; k < 20; k++) /* pages' heads more often than the rest */
                bytes[kl_random_below(&random_numbers, (uint32_t)(whole->n_bytes / 512)) * 512 +
                      kl_random_below(&random_numbers, k % 2 ? 512 : 20)] =
                    (char)kl_random_next(&random_numbers);
            ck_ok(kl_value_find(&damaged, root, 3 * (i % N_ROWS), 3, &value, &found, &err), err);
            for (size_t p = 0; found && p < value.n_pieces; p++) {
                ck_assert(value.piece[p].bytes >= bytes);
                ck_assert(value.piece[p].bytes + value.piece[p].n_bytes <= bytes + damaged.n_bytes);
            }
        }
        free(bytes);
        kl_mapping_release(whole);
    }
    free(value.piece);
    unlink(PATH);
}
END_TEST

/* A chain of pages that comes back to itself is not followed for ever. */
START_TEST(a_chain_without_an_end_is_no_value)
{
    uint32_t root;
    struct kl_mapping *whole, damaged = {0};
    struct kl_value value = {0};
    struct kl_error err;
    unsigned char *bytes;
    int found, n_found = 0;

    kl_random_seed(&random_numbers, 7, 0);
    root = make(4096);
    whole = kl_mapping_of(PATH);
    ck_assert_ptr_nonnull(whole);
    bytes = malloc(whole->n_bytes);
    ck_assert_ptr_nonnull(bytes);
    memcpy(bytes, whole->bytes, whole->n_bytes);
    damaged.bytes = (char *)bytes;
    damaged.n_bytes = whole->n_bytes;
    for (size_t page = 2; (page + 1) * 4096 <= whole->n_bytes; page++) /* but the tree's */
        if (bytes[page * 4096] == 0) {
            bytes[page * 4096 + 2] = (unsigned char)((page + 1) >> 8);
            bytes[page * 4096 + 3] = (unsigned char)(page + 1);
        }
    for (int64_t id = 1; id <= N_ROWS; id++) {
        ck_ok(kl_value_find(&damaged, root, 3 * id, 3, &value, &found, &err), err);
        ck_assert_uint_le(value.n_pieces, whole->n_bytes / 4000 + 2);
        n_found += found;
    }
    ck_assert_int_gt(n_found, 0);
    free(bytes);
    free(value.piece);
    kl_mapping_release(whole);
    unlink(PATH);
}
END_TEST

/* Rows as they are stored, wherever they begin, are those that are read whole. */
static void check_packed(const struct kl_block_source *source, uint32_t step)
{
    for (uint32_t b = 0; b < source->n_blocks; b++) {
        uint32_t count = source->extents[b].count;
        float *whole = calloc((size_t)count * source->width, sizeof *whole);
        uint16_t *rows = calloc((size_t)count * source->width + KL_SLACK, sizeof *rows);
        struct kl_error err;

        ck_assert(whole && rows);
        ck_ok(kl_read_rows(source, 0, source->extents[b].first, count, whole, &err), err);
        for (uint32_t row = 0; row < count; row += step) {
            struct kl_block part = {0};
            float numbers[4096];

            ck_ok(kl_read_packed(source, 0, b, row, count - row, &part, &err), err);
            ck_assert(part.count >= 1 && part.count <= count - row);
            ck_assert_uint_eq(part.first, source->extents[b].first + row);
            if (part.bits) {
                kl_unpack(KL_F16, part.bits, part.numbers, part.count, source->width, rows);
                part.numbers = rows;
                part.bits = NULL;
            }
            for (uint32_t i = 0; i < part.count; i++) {
                kl_block_rows(source, &part, i, 1, numbers);
                ck_assert_mem_eq(numbers, whole + (size_t)(row + i) * source->width,
                                 source->width * sizeof(float));
            }
        }
        free(rows);
        free(whole);
    }
}

START_TEST(rows_are_read_where_they_are_as_they_are_read_whole)
{
    struct opened opened;

    write_run(KL_F16);
    opened = open_run();
    for (int is_copied = 0; is_copied < 2; is_copied++) {
        uint32_t n_packed = 0;

        if (is_copied)
            load_run(&opened);
        for (uint32_t l = 0; l < opened.run->history.final->shape.n_layers; l++) {
            const struct kl_block_source *sources[] = {opened.run->history.keys[l],
                                                       opened.run->history.errors[l]};

            for (int s = 0; s < 2; s++) {
                check_packed(sources[s], 1);
                check_packed(sources[s], 7);
                for (uint32_t b = 0; b < sources[s]->n_blocks; b++)
                    n_packed += sources[s]->extents[b].packed_bytes > 0;
            }
        }
        ck_assert_uint_gt(n_packed, 0);
    }
    close_run(&opened);
}
END_TEST

MAIN("value", a_chain_without_an_end_is_no_value,
     rows_are_read_where_they_are_as_they_are_read_whole,
     values_of_all_sizes_are_found_where_sqlite_put_them, a_damaged_file_leads_nowhere_else)
