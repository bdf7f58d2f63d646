#include "tests/fuzz/lib/edited.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "db/file/checksum.h"
#include "db/file/rows.h"

#define EDITS_MAX 6
#define POKES_MAX 6
#define TABLES_MAX 40
#define TEMPLATES_MAX 8
#define TEXT_MAX 64

enum { SIGNED = 1, JOURNAL = 2, HEADER = 4 }; /* of the first byte */

/* The tables of the template that have rows, with how many. */
struct tables {
    char names[TABLES_MAX][40];
    sqlite3_int64 n_rows[TABLES_MAX];
    size_t n;
};

static sqlite3_int64 ask(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    sqlite3_int64 number = 0;

    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW)
        number = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return number;
}

static void list(sqlite3 *db, struct tables *tables)
{
    sqlite3_stmt *statement = NULL;
    char sql[100];

    sqlite3_prepare_v2(db, "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name", -1,
                       &statement, NULL);
    while (sqlite3_step(statement) == SQLITE_ROW && tables->n < TABLES_MAX) {
        char *name = tables->names[tables->n];

        snprintf(name, sizeof tables->names[0], "%s",
                 (const char *)sqlite3_column_text(statement, 0));
        snprintf(sql, sizeof sql, "SELECT count(*) FROM %s", name);
        tables->n_rows[tables->n] = ask(db, sql);
        tables->n += tables->n_rows[tables->n] > 0;
    }
    sqlite3_finalize(statement);
}

static sqlite3 *open_copy(const unsigned char *file, size_t n_bytes)
{
    sqlite3 *db = NULL;
    unsigned char *copy = sqlite3_malloc64(n_bytes);
    struct kl_error err;

    if (!copy || sqlite3_open(":memory:", &db) != SQLITE_OK)
        abort();
    memcpy(copy, file, n_bytes);
    if (sqlite3_deserialize(db, "main", copy, (sqlite3_int64)n_bytes, (sqlite3_int64)n_bytes,
                            SQLITE_DESERIALIZE_FREEONCLOSE | SQLITE_DESERIALIZE_RESIZEABLE) !=
            SQLITE_OK ||
        kl_checksum_register(db, &err))
        abort();
    sqlite3_exec(db, "PRAGMA ignore_check_constraints = 1; PRAGMA foreign_keys = 0", NULL, NULL,
                 NULL);
    return db;
}

/* Another value of the type that the column has: a number at the edge of something, or any; or a
 * text or blob with some bytes more, less or others. */
static void bind(sqlite3_stmt *update, sqlite3_stmt *row, struct fuzz_bytes *bytes)
{
    static const sqlite3_int64 edges[] = {
        0,          1,          -1,        255,       256,        65535,        65536,
        4294967295, 4294967296, INT64_MAX, INT64_MIN, 2147483647, -2147483648LL};
    unsigned how = fuzz_byte(bytes);
    unsigned char text[TEXT_MAX], *blob;
    size_t n = 0;
    double real;
    uint64_t bits;

    switch (sqlite3_column_type(row, 0)) {
    case SQLITE_INTEGER:
        if (how % 3 == 0)
            sqlite3_bind_int64(update, 1, edges[how / 3 % (sizeof edges / sizeof edges[0])]);
        else if (how % 3 == 1)
            sqlite3_bind_int64(update, 1,
                               (sqlite3_int64)((uint64_t)sqlite3_column_int64(row, 0) +
                                               (uint64_t)(int64_t)(int8_t)fuzz_byte(bytes)));
        else
            sqlite3_bind_int64(update, 1, (sqlite3_int64)fuzz_number(bytes, 8));
        return;
    case SQLITE_FLOAT:
        bits = fuzz_number(bytes, 8);
        memcpy(&real, &bits, sizeof real);
        sqlite3_bind_double(update, 1, real);
        return;
    case SQLITE_TEXT:
        n = fuzz_byte(bytes) % TEXT_MAX;
        for (size_t i = 0; i < n; i++)
            text[i] = (unsigned char)fuzz_byte(bytes);
        sqlite3_bind_text(update, 1, (const char *)text, (int)n, SQLITE_TRANSIENT);
        return;
    case SQLITE_BLOB:
        n = (size_t)sqlite3_column_bytes(row, 0);
        blob = malloc(n + TEXT_MAX);
        if (!blob)
            abort();
        memcpy(blob, sqlite3_column_blob(row, 0), n);
        memset(blob + n, 0, TEXT_MAX);
        for (unsigned i = 0; n && i < how % 8; i++)
            blob[fuzz_number(bytes, 2) % n] = (unsigned char)fuzz_byte(bytes);
        if (how & 8)
            n = how & 16 ? n + fuzz_byte(bytes) % TEXT_MAX : n - (n ? fuzz_byte(bytes) % n : 0);
        sqlite3_bind_blob(update, 1, blob, (int)n, SQLITE_TRANSIENT);
        free(blob);
        return;
    default:
        sqlite3_bind_int64(update, 1, (sqlite3_int64)fuzz_number(bytes, 8));
    }
}

/* One value, or the whole row: gone, or there twice. */
static void edit(sqlite3 *db, const struct tables *tables, struct fuzz_bytes *bytes)
{
    size_t t = fuzz_byte(bytes) % tables->n;
    sqlite3_int64 row = (sqlite3_int64)fuzz_number(bytes, 2) % tables->n_rows[t];
    unsigned column = fuzz_byte(bytes);
    const char *table = tables->names[t];
    sqlite3_stmt *old = NULL, *update = NULL;
    char sql[300], name[64] = "";

    snprintf(sql, sizeof sql,
             "SELECT name FROM pragma_table_info('%s') WHERE cid = %u %% "
             "(SELECT count(*) FROM pragma_table_info('%s'))",
             table, column, table);
    if (sqlite3_prepare_v2(db, sql, -1, &old, NULL) == SQLITE_OK && sqlite3_step(old) == SQLITE_ROW)
        snprintf(name, sizeof name, "\"%s\"", (const char *)sqlite3_column_text(old, 0));
    sqlite3_finalize(old);
    if (column >= 250) {
        snprintf(sql, sizeof sql,
                 "DELETE FROM %s WHERE rowid = (SELECT rowid FROM %s LIMIT 1 OFFSET %lld)", table,
                 table, (long long)row);
        sqlite3_exec(db, sql, NULL, NULL, NULL);
        return;
    }
    snprintf(sql, sizeof sql, "SELECT %s, rowid FROM %s LIMIT 1 OFFSET %lld", name, table,
             (long long)row);
    old = NULL;
    if (sqlite3_prepare_v2(db, sql, -1, &old, NULL) != SQLITE_OK)
        abort();
    if (sqlite3_step(old) == SQLITE_ROW) {
        snprintf(sql, sizeof sql, "UPDATE OR REPLACE %s SET %s = ?1 WHERE rowid = %lld", table,
                 name, (long long)sqlite3_column_int64(old, 1));
        if (sqlite3_prepare_v2(db, sql, -1, &update, NULL) != SQLITE_OK)
            abort();
        bind(update, old, bytes);
        (void)sqlite3_step(update); /* what a STRICT table does not take stays as it was */
        sqlite3_finalize(update);
    }
    sqlite3_finalize(old);
}

static void sign(sqlite3 *db, const struct tables *tables)
{
    char fingerprint[17], sql[100];
    struct kl_error err;

    for (size_t i = 0; i < tables->n; i++)
        (void)kl_rows_sign(db, tables->names[i], "1", &err);
    if (kl_rows_fingerprint(db, fingerprint, &err))
        return;
    snprintf(sql, sizeof sql, "UPDATE run SET fingerprint = '%s' WHERE finished = 1", fingerprint);
    sqlite3_exec(db, sql, NULL, NULL, NULL);
    (void)kl_rows_sign(db, "run", "1", &err);
}

/* What is left of the bytes, as the journal of a file of so many pages. */
static void write_journal(const char *path, int has_header, uint32_t n_pages,
                          struct fuzz_bytes *bytes)
{
    static const unsigned char magic[8] = {0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7};
    unsigned char journal[8192] = {0};
    size_t n = 0;
    char name[300];

    if (has_header) {
        memcpy(journal, magic, 8);
        journal[11] = 1;
        journal[15] = 7;
        journal[18] = (unsigned char)(n_pages >> 8);
        journal[19] = (unsigned char)n_pages;
        journal[22] = 2;
        journal[26] = 2;
        for (unsigned i = fuzz_byte(bytes) % 4; i; i--)
            journal[8 + fuzz_byte(bytes) % 20] = (unsigned char)fuzz_byte(bytes);
        n = 512;
    }
    while (bytes->n && n < sizeof journal)
        journal[n++] = (unsigned char)fuzz_byte(bytes);
    snprintf(name, sizeof name, "%s-journal", path);
    fuzz_write(name, journal, n);
}

void fuzz_write_edited(const char *template, const char *path, struct fuzz_bytes *bytes)
{
    static unsigned char *files[TEMPLATES_MAX];
    static size_t sizes[TEMPLATES_MAX];
    static struct tables tables[TEMPLATES_MAX];
    static const char *names[TEMPLATES_MAX + 1];
    size_t which = 0;
    unsigned how = fuzz_byte(bytes);
    sqlite3_int64 size = 0;
    unsigned char *edited;
    sqlite3 *db;

    while (names[which] && names[which] != template)
        which++;
    if (!names[which]) {
        names[which] = template;
        files[which] = fuzz_read(template, &sizes[which]);
    }
    db = open_copy(files[which], sizes[which]);
    if (!tables[which].n)
        list(db, &tables[which]);
    for (unsigned i = fuzz_byte(bytes) % EDITS_MAX; i; i--)
        edit(db, &tables[which], bytes);
    if (how & SIGNED)
        sign(db, &tables[which]);
    edited = sqlite3_serialize(db, "main", &size, 0);
    if (!edited)
        abort();
    for (unsigned i = fuzz_byte(bytes) % POKES_MAX; i; i--)
        edited[fuzz_number(bytes, 3) % (size_t)size] = (unsigned char)fuzz_byte(bytes);
    fuzz_write(path, edited, (size_t)size);
    if (how & JOURNAL)
        write_journal(path, how & HEADER, (uint32_t)(size / 512), bytes);
    sqlite3_free(edited);
    sqlite3_close(db);
}
