#include "db/tables/texts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/base/utf8.h"
#include "db/file/database.h"
#include "db/file/rows.h"

#define CHUNK_TOKENS 262144         /* 1 MB */
#define SPACED UINT32_C(0x80000000) /* of a stored token: a space stands before it */

static enum kl_status damaged(sqlite3 *db, const char *what, struct kl_error *err)
{
    return kl_fail(err, KL_ERR_DAMAGED,
                   "%s is damaged: %s; restore it from a copy or train it again",
                   sqlite3_db_filename(db, "main"), what);
}

static enum kl_status write_vocabulary(sqlite3 *db, const struct kl_corpus *corpus,
                                       struct kl_error *err)
{
    sqlite3_stmt *statement = NULL;
    enum kl_status status = kl_rows_insert(db, "vocabulary", 0, &statement, err);

    for (uint32_t i = 0; !status && i < corpus->n_types; i++) {
        sqlite3_bind_int64(statement, 1, i);
        sqlite3_bind_text(statement, 2, corpus->types[i], -1, SQLITE_STATIC);
        sqlite3_bind_int64(statement, 3, corpus->counts[i]);
        status = kl_db_run(statement, err);
    }
    sqlite3_finalize(statement);
    return status;
}

static enum kl_status write_documents(sqlite3 *db, const struct kl_corpus *corpus,
                                      struct kl_error *err)
{
    sqlite3_stmt *statement = NULL;
    enum kl_status status = kl_rows_insert(db, "document", 0, &statement, err);

    for (uint32_t i = 0; !status && i < corpus->n_documents; i++) {
        const struct kl_document *document = &corpus->documents[i];

        sqlite3_bind_int64(statement, 1, i);
        sqlite3_bind_text(statement, 2, kl_split_name(document->split), -1, SQLITE_STATIC);
        sqlite3_bind_text(statement, 3, document->name, -1, SQLITE_STATIC);
        sqlite3_bind_int64(statement, 4, document->first);
        sqlite3_bind_int64(statement, 5, document->count);
        status = kl_db_run(statement, err);
    }
    sqlite3_finalize(statement);
    return status;
}

static enum kl_status write_tokens(sqlite3 *db, const struct kl_corpus *corpus,
                                   struct kl_error *err)
{
    sqlite3_stmt *statement = NULL;
    uint32_t *chunk = NULL;
    enum kl_status status = kl_alloc(&chunk, CHUNK_TOKENS, sizeof *chunk, "the text", err);

    if (!status)
        status = kl_rows_insert(db, "token_chunk", 0, &statement, err);
    for (int s = 0; s < KL_N_SPLITS; s++) {
        for (uint32_t first = 0; !status && first < corpus->lengths[s]; first += CHUNK_TOKENS) {
            uint32_t left = corpus->lengths[s] - first,
                     n = left < CHUNK_TOKENS ? left : CHUNK_TOKENS;

            for (uint32_t i = 0; i < n; i++)
                chunk[i] = corpus->tokens[s][first + i] |
                           (corpus->spaced[s] && corpus->spaced[s][first + i] ? SPACED : 0);
            sqlite3_bind_text(statement, 1, kl_split_name((enum kl_split)s), -1, SQLITE_STATIC);
            sqlite3_bind_int64(statement, 2, first);
            sqlite3_bind_int64(statement, 3, n);
            sqlite3_bind_blob64(statement, 4, chunk, n * sizeof *chunk, SQLITE_STATIC);
            status = kl_db_run(statement, err);
        }
    }
    sqlite3_finalize(statement);
    free(chunk);
    return status;
}

enum kl_status kl_text_write(sqlite3 *db, const struct kl_corpus *corpus, struct kl_error *err)
{
    sqlite3_stmt *statement = NULL;
    enum kl_status status = kl_rows_insert(db, "corpus", 0, &statement, err);

    if (!status) {
        sqlite3_bind_int64(statement, 1, 0);
        sqlite3_bind_text(statement, 2, kl_token_kind_name(corpus->kind), -1, SQLITE_STATIC);
        sqlite3_bind_int64(statement, 3, corpus->unknown);
        status = kl_db_run(statement, err);
    }
    sqlite3_finalize(statement);
    if (!status)
        status = write_vocabulary(db, corpus, err);
    if (!status)
        status = write_documents(db, corpus, err);
    return status ? status : write_tokens(db, corpus, err);
}

static enum kl_status read_corpus(sqlite3 *db, struct kl_corpus *corpus, struct kl_error *err)
{
    sqlite3_stmt *statement = NULL;
    const char *kind;
    int row = 0;
    enum kl_status status =
        kl_db_prepare(db, "SELECT tokens, unknown FROM corpus", &statement, err);

    if (!status)
        status = kl_db_next(statement, &row, err);
    if (!status) {
        kind = row ? (const char *)sqlite3_column_text(statement, 0) : NULL;
        if (!kind || kl_token_kind_parse(kind, &corpus->kind) ||
            !kl_db_uint32(statement, 1, corpus->n_types - 1, &corpus->unknown))
            status = damaged(db, "its text is not described", err);
    }
    sqlite3_finalize(statement);
    return status;
}

static enum kl_status read_vocabulary(sqlite3 *db, struct kl_corpus *corpus, struct kl_error *err)
{
    sqlite3_stmt *statement = NULL;
    uint32_t found = 0;
    int row = 1;
    enum kl_status status =
        kl_alloc(&corpus->types, corpus->n_types, sizeof *corpus->types, "the vocabulary", err);

    if (!status)
        status =
            kl_alloc(&corpus->counts, corpus->n_types, sizeof(uint32_t), "the vocabulary", err);
    if (!status)
        status = kl_db_prepare(db, "SELECT token, text, count FROM vocabulary ORDER BY token",
                               &statement, err);
    while (!status && !(status = kl_db_next(statement, &row, err)) && row) {
        const char *text = (const char *)sqlite3_column_text(statement, 1);

        if (found >= corpus->n_types || sqlite3_column_int64(statement, 0) != found || !text ||
            !*text || !kl_db_uint32(statement, 2, UINT32_MAX, &corpus->counts[found])) {
            status = damaged(db, "its vocabulary is not numbered as it should be", err);
            break;
        }
        status = kl_alloc(&corpus->types[found], strlen(text) + 1, 1, "the vocabulary", err);
        if (!status) {
            memcpy(corpus->types[found], text, strlen(text));
            kl_utf8_repair(corpus->types[found++]);
        }
    }
    sqlite3_finalize(statement);
    if (!status && found != corpus->n_types)
        status = damaged(db, "its vocabulary is incomplete", err);
    if (!status && kl_corpus_index(corpus, err))
        status = err->status == KL_ERR_MEMORY ? err->status
                                              : damaged(db, "its vocabulary repeats itself", err);
    return status;
}

/* Documents must follow each other and fill their splits. */
static enum kl_status read_documents(sqlite3 *db, struct kl_corpus *corpus, struct kl_error *err)
{
    sqlite3_stmt *statement = NULL;
    sqlite3_int64 n = 0;
    uint32_t next[KL_N_SPLITS] = {0, 0, 0};
    int row = 1;
    enum kl_status status = kl_db_integer(db, "SELECT count(rowid) FROM document", &n, err);

    if (!status)
        status =
            kl_alloc(&corpus->documents, (size_t)n, sizeof *corpus->documents, "documents", err);
    if (!status)
        status = kl_db_prepare(
            db, "SELECT split, name, first, count, document FROM document ORDER BY document",
            &statement, err);
    while (!status && !(status = kl_db_next(statement, &row, err)) && row &&
           corpus->n_documents < n) {
        struct kl_document *document = &corpus->documents[corpus->n_documents++];
        const char *split = (const char *)sqlite3_column_text(statement, 0);
        const char *name = (const char *)sqlite3_column_text(statement, 1);
        sqlite3_int64 first = sqlite3_column_int64(statement, 2);
        sqlite3_int64 count = sqlite3_column_int64(statement, 3);

        if (!split || !name || kl_split_parse(split, &document->split, err) ||
            first != next[document->split] || count < 1 ||
            sqlite3_column_int64(statement, 4) != corpus->n_documents - 1 ||
            count > corpus->lengths[document->split] - first) {
            status = damaged(db, "its documents do not fill its text", err);
            break;
        }
        status = kl_copy_text(&document->name, name, err);
        if (status)
            break;
        document->first = (uint32_t)first;
        document->count = (uint32_t)count;
        next[document->split] += (uint32_t)count;
    }
    sqlite3_finalize(statement);
    for (int s = 0; !status && s < KL_N_SPLITS; s++)
        if (next[s] != corpus->lengths[s])
            status = damaged(db, "its documents do not fill its text", err);
    return status;
}

static enum kl_status read_chunk(sqlite3 *db, sqlite3_stmt *statement, int split, uint32_t *next,
                                 struct kl_corpus *corpus, struct kl_error *err)
{
    sqlite3_int64 first = sqlite3_column_int64(statement, 0);
    sqlite3_int64 count = sqlite3_column_int64(statement, 1);
    const void *data = sqlite3_column_blob(statement, 2);
    uint32_t *tokens = corpus->tokens[split] + *next;

    if (first != *next || count < 1 || count > corpus->lengths[split] - first || !data ||
        sqlite3_column_bytes(statement, 2) != count * (sqlite3_int64)sizeof(uint32_t))
        return damaged(db, "its tokens do not follow each other", err);
    memcpy(tokens, data, (size_t)count * sizeof(uint32_t));
    for (sqlite3_int64 i = 0; i < count; i++) {
        if (corpus->spaced[split])
            corpus->spaced[split][*next + i] = (tokens[i] & SPACED) != 0;
        tokens[i] &= ~SPACED;
        if (tokens[i] >= corpus->n_types)
            return damaged(db, "a token is not in its vocabulary", err);
    }
    *next += (uint32_t)count;
    return KL_OK;
}

static enum kl_status read_tokens(sqlite3 *db, int split, struct kl_corpus *corpus,
                                  struct kl_error *err)
{
    sqlite3_stmt *statement = NULL;
    uint32_t length = corpus->lengths[split], next = 0;
    int row = 1;
    enum kl_status status =
        kl_alloc(&corpus->tokens[split], length, sizeof(uint32_t), "the text", err);

    if (!status && corpus->kind != KL_TOKENS_CHARACTERS)
        status = kl_alloc(&corpus->spaced[split], length, 1, "the text", err);
    if (!status)
        status = kl_db_prepare(
            db, "SELECT first, count, data FROM token_chunk WHERE split = ?1 ORDER BY first",
            &statement, err);
    if (!status)
        sqlite3_bind_text(statement, 1, kl_split_name((enum kl_split)split), -1, SQLITE_STATIC);
    while (!status && !(status = kl_db_next(statement, &row, err)) && row)
        status = read_chunk(db, statement, split, &next, corpus, err);
    sqlite3_finalize(statement);
    return !status && next != length ? damaged(db, "tokens are missing", err) : status;
}

enum kl_status kl_text_read(sqlite3 *db, struct kl_dataset *dataset, struct kl_error *err)
{
    struct kl_corpus *corpus = NULL;
    sqlite3_int64 n_tokens = 0;
    uint64_t claimed = 0;
    enum kl_status status = kl_alloc(&corpus, 1, sizeof *corpus, "the text", err);

    if (status)
        return status;
    dataset->corpus = corpus;
    corpus->n_types = dataset->n_classes;
    for (int s = 0; s < KL_N_SPLITS; s++) {
        corpus->lengths[s] = dataset->splits[s].count ? dataset->splits[s].count + 1 : 0;
        claimed += corpus->lengths[s];
    }
    status = kl_db_integer(db, "SELECT coalesce(sum(count), 0) FROM token_chunk", &n_tokens, err);
    if (!status && (uint64_t)n_tokens != claimed)
        status = damaged(db, "its text is not as long as it says", err);
    if (!status)
        status = read_corpus(db, corpus, err);
    if (!status)
        status = read_vocabulary(db, corpus, err);
    if (!status)
        status = read_documents(db, corpus, err);
    for (int s = 0; !status && s < KL_N_SPLITS; s++)
        status = read_tokens(db, s, corpus, err);
    return status;
}
