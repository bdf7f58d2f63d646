#include "db/marks.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "db/beside.h"
#include "db/file/database.h"

static const struct kl_beside marks_file = {
    .suffix = KL_MARKS_SUFFIX,
    .what = "marks",
    .application_id = 0x6b6c6d6b, /* "klmk" */
    .version = 1,
    .tables = "CREATE TABLE IF NOT EXISTS mark (sample INTEGER PRIMARY KEY, dataset TEXT NOT NULL,"
              " split TEXT NOT NULL, position INTEGER NOT NULL, file TEXT,"
              " decision TEXT NOT NULL CHECK (decision IN ('wrong', 'fine', 'unsure')),"
              " label INTEGER, class TEXT, time TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP) STRICT;",
    .value_bytes = 1 << 20}; /* none is longer, whatever a file computes */

static const char *const names[KL_N_DECISIONS] = {"wrong", "fine", "unsure"};

const char *kl_decision_name(enum kl_decision decision)
{
    return names[decision];
}

int kl_decision_parse(const char *name, enum kl_decision *decision)
{
    for (int i = 0; i < KL_N_DECISIONS; i++)
        if (!strcmp(name, names[i])) {
            *decision = (enum kl_decision)i;
            return 0;
        }
    return -1;
}

/* How many classes a sample can be of. */
static int64_t n_classes_of(const struct kl_run *run, uint32_t sample)
{
    return run->data.datasets[kl_collection_place(&run->data, sample).dataset]->n_classes;
}

static enum kl_status read_marks(sqlite3 *db, const struct kl_run *run, struct kl_mark **out,
                                 uint32_t *n, struct kl_error *err)
{
    sqlite3_stmt *statement = NULL;
    sqlite3_int64 total = 0;
    int row = 1;
    enum kl_status status = kl_db_integer(db, "SELECT count(rowid) FROM mark", &total, err);

    if (!status)
        status = kl_alloc(out, (size_t)total, sizeof **out, "the marks", err);
    if (!status)
        status = kl_db_prepare(db, "SELECT sample, decision, label FROM mark ORDER BY sample",
                               &statement, err);
    while (!status && !(status = kl_db_next(statement, &row, err)) && row && *n < total) {
        const char *name = (const char *)sqlite3_column_text(statement, 1);
        sqlite3_int64 sample = sqlite3_column_int64(statement, 0);
        struct kl_mark *mark = &(*out)[*n];

        if (sample < 0 || sample >= kl_collection_size(&run->data) || !name ||
            kl_decision_parse(name, &mark->decision) ||
            (*n && (*out)[*n - 1].sample == (uint32_t)sample))
            continue;
        mark->sample = (uint32_t)sample;
        mark->label = sqlite3_column_type(statement, 2) == SQLITE_NULL
                          ? -1
                          : sqlite3_column_int64(statement, 2);
        if (mark->label < 0 || mark->label >= n_classes_of(run, mark->sample))
            mark->label = -1;
        ++*n;
    }
    sqlite3_finalize(statement);
    return status;
}

enum kl_status kl_marks_read(const struct kl_run *run, struct kl_mark **marks, uint32_t *n,
                             struct kl_error *err)
{
    sqlite3 *db = NULL;
    enum kl_status status;

    *marks = NULL;
    *n = 0;
    if (run->is_unfinished)
        return KL_OK; /* there are none of a run in training */
    status = kl_beside_open(&marks_file, run, 0, &db, err);
    if (!status && db)
        status = read_marks(db, run, marks, n, err);
    status = kl_beside_close(&marks_file, db, status, err);
    if (status) {
        free(*marks);
        *marks = NULL;
    }
    return status;
}

static enum kl_status write_mark(sqlite3 *db, const struct kl_run *run, const struct kl_mark *mark,
                                 struct kl_error *err)
{
    struct kl_sample_place place = kl_collection_place(&run->data, mark->sample);
    const struct kl_dataset *dataset = run->data.datasets[place.dataset];
    sqlite3_stmt *statement = NULL;
    enum kl_status status = kl_db_prepare(
        db,
        mark->decision == KL_N_DECISIONS
            ? "DELETE FROM mark WHERE sample = ?1"
            : "INSERT OR REPLACE INTO mark (sample, dataset, split, position, file, decision, "
              "label, class) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        &statement, err);

    if (status)
        return status;
    sqlite3_bind_int64(statement, 1, mark->sample);
    if (mark->decision != KL_N_DECISIONS) {
        sqlite3_bind_text(statement, 2, dataset->name, -1, SQLITE_STATIC);
        sqlite3_bind_text(statement, 3, kl_split_name(place.split), -1, SQLITE_STATIC);
        sqlite3_bind_int64(statement, 4, place.index);
        sqlite3_bind_text(statement, 5, kl_dataset_path(dataset, place.split, place.index), -1,
                          SQLITE_STATIC);
        sqlite3_bind_text(statement, 6, names[mark->decision], -1, SQLITE_STATIC);
        if (mark->label >= 0) {
            sqlite3_bind_int64(statement, 7, mark->label);
            sqlite3_bind_text(statement, 8, kl_dataset_class_name(dataset, (uint32_t)mark->label),
                              -1, SQLITE_STATIC);
        }
    }
    status = kl_db_run(statement, err);
    sqlite3_finalize(statement);
    return status;
}

enum kl_status kl_marks_set(const struct kl_run *run, const struct kl_mark *mark,
                            struct kl_error *err)
{
    sqlite3 *db = NULL;
    enum kl_status status;

    if (run->is_unfinished)
        return kl_fail(err, KL_ERR_UNFINISHED,
                       "this run is in training: mark its suspects when it is finished");
    if (mark->sample >= kl_collection_size(&run->data))
        return kl_fail_on(err, KL_ERR_NOT_FOUND, "sample", "there is no sample %u", mark->sample);
    if (mark->label >= n_classes_of(run, mark->sample))
        return kl_fail_on(err, KL_ERR_USAGE, "label", "label is 0 to %lld",
                          (long long)n_classes_of(run, mark->sample) - 1);
    status = kl_beside_open(&marks_file, run, mark->decision != KL_N_DECISIONS, &db, err);
    if (!status && db)
        status = write_mark(db, run, mark, err);
    return kl_beside_close(&marks_file, db, status, err);
}

enum kl_status kl_marks_set_aside(const char *path, char **moved, struct kl_error *err)
{
    return kl_beside_set_aside(&marks_file, path, moved, err);
}
