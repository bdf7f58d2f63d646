#include "db/file/checksum.h"

#include <string.h>
#include <xxhash.h>

/* What stands before the bytes of a column. */
enum tag { TAG_NULL, TAG_INTEGER, TAG_REAL, TAG_TEXT, TAG_BLOB };

/* A checksum is the library's state, which it aligns. */
static XXH3_state_t *state_of(struct kl_checksum *checksum)
{
    return (XXH3_state_t *)(void *)checksum;
}

/* Eight bytes, the lowest first, whatever the machine. */
static void add_word(XXH3_state_t *state, uint64_t value)
{
    unsigned char bytes[8];

    for (int i = 0; i < 8; i++)
        bytes[i] = (unsigned char)(value >> (8 * i));
    XXH3_64bits_update(state, bytes, sizeof bytes);
}

static void add_tag(XXH3_state_t *state, enum tag tag)
{
    unsigned char byte = (unsigned char)tag;

    XXH3_64bits_update(state, &byte, 1);
}

static void add_real(XXH3_state_t *state, double value)
{
    uint64_t bits;

    memcpy(&bits, &value, sizeof bits);
    add_tag(state, TAG_REAL);
    add_word(state, bits);
}

static void add_bytes(XXH3_state_t *state, enum tag tag, const void *bytes, size_t n_bytes)
{
    add_tag(state, tag);
    add_word(state, n_bytes);
    if (n_bytes)
        XXH3_64bits_update(state, bytes, n_bytes);
}

enum kl_status kl_checksum_begin(const char *table, struct kl_checksum **checksum,
                                 struct kl_error *err)
{
    XXH3_state_t *state = XXH3_createState();

    if (!state)
        return kl_fail(err, KL_ERR_MEMORY, "not enough memory for a checksum");
    XXH3_64bits_reset(state);
    add_bytes(state, TAG_TEXT, table, strlen(table));
    *checksum = (struct kl_checksum *)(void *)state;
    return KL_OK;
}

void kl_checksum_integer(struct kl_checksum *checksum, int64_t value)
{
    add_tag(state_of(checksum), TAG_INTEGER);
    add_word(state_of(checksum), (uint64_t)value);
}

void kl_checksum_real(struct kl_checksum *checksum, double value)
{
    add_real(state_of(checksum), value);
}

void kl_checksum_text(struct kl_checksum *checksum, const char *text)
{
    add_bytes(state_of(checksum), TAG_TEXT, text, strlen(text));
}

void kl_checksum_blob(struct kl_checksum *checksum, size_t n_bytes)
{
    add_tag(state_of(checksum), TAG_BLOB);
    add_word(state_of(checksum), n_bytes);
}

void kl_checksum_piece(struct kl_checksum *checksum, const void *bytes, size_t n_bytes)
{
    XXH3_64bits_update(state_of(checksum), bytes, n_bytes);
}

int64_t kl_checksum_end(struct kl_checksum *checksum)
{
    uint64_t digest = XXH3_64bits_digest(state_of(checksum));

    XXH3_freeState(state_of(checksum));
    return (int64_t)digest;
}

static void add_value(XXH3_state_t *state, sqlite3_value *value)
{
    switch (sqlite3_value_type(value)) {
    case SQLITE_INTEGER:
        add_tag(state, TAG_INTEGER);
        add_word(state, (uint64_t)sqlite3_value_int64(value));
        break;
    case SQLITE_FLOAT:
        add_real(state, sqlite3_value_double(value));
        break;
    case SQLITE_TEXT:
        add_bytes(state, TAG_TEXT, sqlite3_value_text(value), (size_t)sqlite3_value_bytes(value));
        break;
    case SQLITE_BLOB:
        add_bytes(state, TAG_BLOB, sqlite3_value_blob(value), (size_t)sqlite3_value_bytes(value));
        break;
    default:
        add_tag(state, TAG_NULL);
    }
}

static void row_checksum(sqlite3_context *context, int n, sqlite3_value **values)
{
    XXH3_state_t *state = XXH3_createState();

    if (!state) {
        sqlite3_result_error_nomem(context);
        return;
    }
    XXH3_64bits_reset(state);
    for (int i = 0; i < n; i++)
        add_value(state, values[i]);
    sqlite3_result_int64(context, (sqlite3_int64)XXH3_64bits_digest(state));
    XXH3_freeState(state);
}

enum kl_status kl_checksum_register(sqlite3 *db, struct kl_error *err)
{
    return sqlite3_create_function(db, "row_checksum", -1,
                                   SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY, NULL,
                                   row_checksum, NULL, NULL) == SQLITE_OK
               ? KL_OK
               : kl_fail(err, KL_ERR_MEMORY, "not enough memory for checksums");
}
