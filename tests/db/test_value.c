/* Where SQLite puts large values, found without it. */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/random.h"
#include "db/file/mapping.h"
#include "db/file/value.h"
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

MAIN("value", values_of_all_sizes_are_found_where_sqlite_put_them,
     a_damaged_file_leads_nowhere_else)
