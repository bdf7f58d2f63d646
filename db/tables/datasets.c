#include "db/tables/datasets.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/base/utf8.h"
#include "db/file/database.h"
#include "db/file/rows.h"
#include "db/tables/texts.h"

static enum kl_status damaged(sqlite3 *db, const char *what, struct kl_error *err)
{
    return kl_fail(err, KL_ERR_DAMAGED,
                   "%s is damaged: %s; restore it from a copy or train it again",
                   sqlite3_db_filename(db, "main"), what);
}

static enum kl_status write_row(sqlite3 *db, uint32_t number, const struct kl_dataset *dataset,
                                struct kl_error *err)
{
    sqlite3_stmt *insert = NULL;
    enum kl_status status = kl_rows_insert(db, "dataset", 0, &insert, err);

    if (!status) {
        sqlite3_bind_int64(insert, 1, number);
        sqlite3_bind_text(insert, 2, dataset->name, -1, SQLITE_STATIC);
        sqlite3_bind_text(insert, 3, kl_data_kind_name(kl_dataset_kind(dataset)), -1,
                          SQLITE_STATIC);
        sqlite3_bind_int64(insert, 4, dataset->width);
        sqlite3_bind_int64(insert, 5, dataset->height);
        sqlite3_bind_int64(insert, 6, dataset->channels);
        sqlite3_bind_int64(insert, 7, dataset->n_classes);
        for (int s = 0; s < KL_N_SPLITS; s++)
            sqlite3_bind_int64(insert, 8 + s, dataset->splits[s].count);
        status = kl_db_run(insert, err);
    }
    sqlite3_finalize(insert);
    return status;
}

static enum kl_status write_classes(sqlite3 *db, uint32_t number, const struct kl_dataset *dataset,
                                    struct kl_error *err)
{
    sqlite3_stmt *insert = NULL;
    enum kl_status status = kl_rows_insert(db, "class", 0, &insert, err);

    for (uint32_t c = 0; !status && c < dataset->n_classes; c++) {
        sqlite3_bind_int64(insert, 1, number);
        sqlite3_bind_int64(insert, 2, c);
        sqlite3_bind_text(insert, 3, kl_dataset_class_name(dataset, c), -1, SQLITE_STATIC);
        status = kl_db_run(insert, err);
    }
    sqlite3_finalize(insert);
    return status;
}

static enum kl_status write_channels(sqlite3 *db, uint32_t number, const struct kl_dataset *dataset,
                                     struct kl_error *err)
{
    sqlite3_stmt *insert = NULL;
    enum kl_status status = kl_rows_insert(db, "channel", 0, &insert, err);

    for (uint32_t c = 0; !status && c < dataset->channels; c++) {
        sqlite3_bind_int64(insert, 1, number);
        sqlite3_bind_int64(insert, 2, c);
        sqlite3_bind_double(insert, 3, dataset->mean[c]);
        sqlite3_bind_double(insert, 4, dataset->deviation[c]);
        status = kl_db_run(insert, err);
    }
    sqlite3_finalize(insert);
    return status;
}

static enum kl_status write_samples(sqlite3 *db, const struct kl_collection *data,
                                    struct kl_error *err)
{
    sqlite3_stmt *insert = NULL;
    uint32_t n_samples = kl_collection_size(data);
    enum kl_status status = kl_rows_insert(db, "sample", 0, &insert, err);

    for (uint32_t id = 0; !status && id < n_samples; id++) {
        struct kl_sample_place place = kl_collection_place(data, id);
        const char *path = kl_dataset_path(data->datasets[place.dataset], place.split, place.index);

        sqlite3_bind_int64(insert, 1, id);
        sqlite3_bind_int64(insert, 2, place.dataset);
        sqlite3_bind_text(insert, 3, kl_split_name(place.split), -1, SQLITE_STATIC);
        sqlite3_bind_int64(insert, 4, place.index);
        sqlite3_bind_int64(insert, 5, kl_collection_label(data, id));
        sqlite3_bind_int64(insert, 6, kl_collection_true_label(data, id));
        sqlite3_bind_int64(insert, 7, kl_collection_target(data, id));
        sqlite3_bind_text(insert, 8, path, -1, SQLITE_STATIC); /* NULL without a file */
        status = kl_db_run(insert, err);                       /* the others are not known yet */
    }
    sqlite3_finalize(insert);
    return status;
}

enum kl_status kl_datasets_write(sqlite3 *db, const struct kl_collection *data,
                                 struct kl_error *err)
{
    int is_text = kl_collection_kind(data) == KL_DATA_TEXT;
    enum kl_status status = KL_OK;

    for (uint32_t d = 0; !status && d < data->n_datasets; d++) {
        status = write_row(db, d, data->datasets[d], err);
        if (!status && is_text)
            status = kl_text_write(db, data->datasets[d]->corpus, err);
        if (!status && !is_text)
            status = write_classes(db, d, data->datasets[d], err);
        if (!status)
            status = write_channels(db, d, data->datasets[d], err);
    }
    return status || is_text ? status : write_samples(db, data, err);
}

static void copy_text(sqlite3_stmt *statement, int column, char out[KL_NAME_MAX])
{
    const unsigned char *text = sqlite3_column_text(statement, column);

    snprintf(out, KL_NAME_MAX, "%s", text ? (const char *)text : "");
    kl_utf8_repair(out);
}

/* Of a data set of a kind: width, height, channels and classes. */
static int are_possible(enum kl_data_kind kind, const sqlite3_int64 sizes[4])
{
    if (kind != KL_DATA_IMAGES)
        return !sizes[0] && !sizes[1] && !sizes[2] && sizes[3] >= 1 &&
               sizes[3] <= (kind == KL_DATA_TEXT ? KL_TYPES_MAX : KL_CLASSES_MAX);
    return sizes[0] >= 1 && sizes[0] <= KL_IMAGE_SIDE_MAX && sizes[1] >= 1 &&
           sizes[1] <= KL_IMAGE_SIDE_MAX && sizes[2] >= 1 && sizes[2] <= KL_CHANNELS_MAX &&
           sizes[3] >= 1 && sizes[3] <= KL_CLASSES_MAX;
}

/* most: how many samples the rows that hold them can be; no data set may claim more than is left.
 */
static enum kl_status read_dataset(sqlite3 *db, sqlite3_stmt *statement, sqlite3_int64 most,
                                   enum kl_data_kind kind, struct kl_collection *data,
                                   struct kl_error *err)
{
    const char *name = (const char *)sqlite3_column_text(statement, 2);
    struct kl_dataset *dataset = NULL;
    sqlite3_int64 sizes[4 + KL_N_SPLITS], left = most - kl_collection_size(data);
    int fits = 1;
    enum kl_status status;

    for (int i = 0; i < 4 + KL_N_SPLITS; i++)
        sizes[i] = sqlite3_column_int64(statement, 3 + i);
    for (int s = 0; s < KL_N_SPLITS; s++) {
        fits = fits && sizes[4 + s] >= 0 && sizes[4 + s] <= left;
        left -= fits ? sizes[4 + s] : 0;
    }
    if (data->n_datasets == KL_DATASETS_MAX || !name ||
        strcmp(name, kl_data_kind_name(kind)) != 0 || (kind == KL_DATA_TEXT && data->n_datasets) ||
        sqlite3_column_int64(statement, 0) != data->n_datasets || !are_possible(kind, sizes) ||
        sizes[4] < 1 || !fits)
        return damaged(db, "its data set's sizes are impossible", err);
    status = kl_alloc(&dataset, 1, sizeof *dataset, "a data set", err);
    if (status)
        return status;
    data->datasets[data->n_datasets++] = dataset;
    copy_text(statement, 1, dataset->name);
    dataset->n_classes = (uint32_t)sizes[3];
    for (int s = 0; s < KL_N_SPLITS; s++)
        dataset->splits[s].count = (uint32_t)sizes[4 + s];
    if (kind == KL_DATA_TEXT)
        return kl_text_read(db, dataset, err);
    dataset->width = (uint32_t)sizes[0];
    dataset->height = (uint32_t)sizes[1];
    dataset->channels = (uint32_t)sizes[2];
    for (int s = 0; !status && s < KL_N_SPLITS; s++)
        status = kl_alloc(&dataset->splits[s].labels, (size_t)sizes[4 + s], 1, "labels", err);
    return status;
}

static enum kl_status read_classes(sqlite3 *db, struct kl_collection *data, struct kl_error *err)
{
    sqlite3_stmt *statement = NULL;
    int row = 1;
    enum kl_status status =
        kl_db_prepare(db, "SELECT dataset, label, name FROM class", &statement, err);

    while (!status && !(status = kl_db_next(statement, &row, err)) && row) {
        sqlite3_int64 d = sqlite3_column_int64(statement, 0);
        sqlite3_int64 label = sqlite3_column_int64(statement, 1);
        const unsigned char *name = sqlite3_column_text(statement, 2);

        if (d < 0 || d >= data->n_datasets || label < 0 || label >= data->datasets[d]->n_classes)
            status = damaged(db, "a class belongs to no data set", err);
        else
            status = kl_dataset_name_class(data->datasets[d], (uint32_t)label,
                                           name ? (const char *)name : "", err);
    }
    sqlite3_finalize(statement);
    return status;
}

static enum kl_status read_channels(sqlite3 *db, struct kl_collection *data, struct kl_error *err)
{
    sqlite3_stmt *statement = NULL;
    int row = 1;
    enum kl_status status =
        kl_db_prepare(db, "SELECT dataset, channel, mean, deviation FROM channel", &statement, err);

    while (!status && !(status = kl_db_next(statement, &row, err)) && row) {
        sqlite3_int64 d = sqlite3_column_int64(statement, 0);
        sqlite3_int64 c = sqlite3_column_int64(statement, 1);

        if (d < 0 || d >= data->n_datasets || c < 0 || c >= data->datasets[d]->channels) {
            status = damaged(db, "a channel belongs to no data set", err);
        } else {
            data->datasets[d]->mean[c] = sqlite3_column_double(statement, 2);
            data->datasets[d]->deviation[c] = sqlite3_column_double(statement, 3);
        }
    }
    sqlite3_finalize(statement);
    for (uint32_t d = 0; !status && d < data->n_datasets; d++)
        for (uint32_t c = 0; c < data->datasets[d]->channels; c++)
            if (!(data->datasets[d]->deviation[c] > 0) || !isfinite(data->datasets[d]->mean[c]))
                return damaged(db, "a channel's standardisation is missing", err);
    return status;
}

/* The name of a sample's file, where it has one. */
static enum kl_status read_path(sqlite3_stmt *statement, struct kl_image_set *set, uint32_t index,
                                struct kl_error *err)
{
    const unsigned char *path = sqlite3_column_text(statement, 7);
    enum kl_status status = KL_OK;

    if (path && !set->paths)
        status = kl_alloc(&set->paths, set->count, sizeof *set->paths, "the names of files", err);
    return status || !path ? status : kl_copy_text(&set->paths[index], (const char *)path, err);
}

/* The row of one sample, which must be where its id says. */
static enum kl_status read_label(sqlite3 *db, sqlite3_stmt *statement, struct kl_collection *data,
                                 uint32_t id, struct kl_error *err)
{
    struct kl_sample_place place = kl_collection_place(data, id);
    const struct kl_dataset *dataset = data->datasets[place.dataset];
    struct kl_image_set *set = &data->datasets[place.dataset]->splits[place.split];
    const char *split = (const char *)sqlite3_column_text(statement, 2);
    sqlite3_int64 label = sqlite3_column_int64(statement, 4);
    sqlite3_int64 true_label = sqlite3_column_int64(statement, 5);
    uint32_t predicted;

    if (sqlite3_column_int64(statement, 1) != place.dataset || !split ||
        strcmp(split, kl_split_name(place.split)) != 0 ||
        sqlite3_column_int64(statement, 3) != place.index || label < 0 ||
        label >= dataset->n_classes || true_label < 0 || true_label >= dataset->n_classes ||
        sqlite3_column_int64(statement, 6) !=
            label + kl_collection_first_output(data, place.dataset))
        return damaged(db, "a sample is out of place", err);
    if (sqlite3_column_type(statement, 8) != SQLITE_NULL && /* it is, until the end of training */
        !kl_db_uint32(statement, 8, kl_collection_n_outputs(data) - 1, &predicted))
        return damaged(db, "a prediction is of no output", err);
    set->labels[place.index] = (uint8_t)label;
    if (label != true_label && !set->true_labels) { /* the first that was flipped */
        enum kl_status status = kl_alloc(&set->true_labels, set->count, 1, "labels", err);

        if (status)
            return status;
        memcpy(set->true_labels, set->labels, place.index);
    }
    if (set->true_labels)
        set->true_labels[place.index] = (uint8_t)true_label;
    return read_path(statement, set, place.index, err);
}

static enum kl_status read_labels(sqlite3 *db, struct kl_collection *data, struct kl_error *err)
{
    sqlite3_stmt *statement = NULL;
    uint32_t n_samples = kl_collection_size(data), id = 0;
    int row = 1;
    enum kl_status status = kl_db_prepare(
        db,
        "SELECT sample, dataset, split, position, label, true_label, target, name, predicted "
        "FROM sample ORDER BY sample",
        &statement, err);

    while (!status && !(status = kl_db_next(statement, &row, err)) && row) {
        if (id >= n_samples || sqlite3_column_int64(statement, 0) != id)
            status = damaged(db, "its sample ids are not those of its data sets", err);
        else
            status = read_label(db, statement, data, id++, err);
    }
    sqlite3_finalize(statement);
    if (!status && id != n_samples)
        status = damaged(db, "samples are missing", err);
    return status;
}

/* The words of every sample of data sets that have no pixels. */
static enum kl_status read_descriptions(sqlite3 *db, struct kl_collection *data,
                                        struct kl_error *err)
{
    sqlite3_stmt *statement = NULL;
    uint32_t n_samples = kl_collection_size(data), id = 0;
    int row = 1;
    enum kl_status status = KL_OK;

    for (uint32_t d = 0; d < data->n_datasets; d++)
        for (int s = 0; !status && s < KL_N_SPLITS; s++) {
            struct kl_image_set *set = &data->datasets[d]->splits[s];

            status = kl_alloc(&set->descriptions, set->count, sizeof *set->descriptions,
                              "descriptions", err);
        }
    if (!status)
        status = kl_db_prepare(db, "SELECT sample, text FROM description ORDER BY sample",
                               &statement, err);
    while (!status && !(status = kl_db_next(statement, &row, err)) && row) {
        const char *text = (const char *)sqlite3_column_text(statement, 1);
        struct kl_sample_place place;

        if (id >= n_samples || sqlite3_column_int64(statement, 0) != id || !text ||
            sqlite3_column_bytes(statement, 1) > KL_DESCRIPTION_MAX) {
            status = damaged(db, "its descriptions are not those of its samples", err);
            break;
        }
        place = kl_collection_place(data, id++);
        status = kl_copy_text(
            &data->datasets[place.dataset]->splits[place.split].descriptions[place.index], text,
            err);
    }
    sqlite3_finalize(statement);
    if (!status && id != n_samples)
        status = damaged(db, "descriptions of samples are missing", err);
    return status;
}

/* What the samples are; only networks that are not run here leave it to the file. */
static enum kl_status find_kind(sqlite3 *db, const struct kl_model *model, enum kl_data_kind *kind,
                                struct kl_error *err)
{
    sqlite3_stmt *statement = NULL;
    int row = 0;
    enum kl_status status = KL_OK;

    *kind = model->kind;
    if (!model->is_any_kind)
        return KL_OK;
    status =
        kl_db_prepare(db, "SELECT kind FROM dataset ORDER BY dataset LIMIT 1", &statement, err);
    if (!status)
        status = kl_db_next(statement, &row, err);
    for (int k = KL_DATA_IMAGES; !status && row && k <= KL_DATA_DESCRIBED; k++) {
        const char *name = (const char *)sqlite3_column_text(statement, 0);

        if (name && !strcmp(name, kl_data_kind_name((enum kl_data_kind)k)))
            *kind = (enum kl_data_kind)k;
    }
    sqlite3_finalize(statement);
    return status;
}

enum kl_status kl_datasets_read(sqlite3 *db, const struct kl_model *model, enum kl_heads heads,
                                struct kl_collection *data, struct kl_error *err)
{
    sqlite3_stmt *statement = NULL;
    sqlite3_int64 n_samples = 0;
    enum kl_data_kind kind;
    int row = 1;
    enum kl_status status = find_kind(db, model, &kind, err);

    if (!status)
        status =
            kl_db_integer(db,
                          kind == KL_DATA_TEXT ? "SELECT coalesce(sum(count), 0) FROM token_chunk"
                                               : "SELECT count(rowid) FROM sample",
                          &n_samples, err);

    memset(data, 0, sizeof *data);
    data->heads = heads;
    if (!status && n_samples > INT32_MAX)
        status = damaged(db, "it has more samples than ids", err);
    if (!status)
        status = kl_db_prepare(db, "SELECT * FROM dataset ORDER BY dataset", &statement, err);
    while (!status && !(status = kl_db_next(statement, &row, err)) && row)
        status = read_dataset(db, statement, n_samples, kind, data, err);
    sqlite3_finalize(statement);
    if (!status && data->n_datasets == 0)
        status = damaged(db, "it has no data set", err);
    if (status || kind == KL_DATA_TEXT)
        return status;
    if (kl_collection_check(data, err))
        return damaged(db, "its data sets do not fit each other", err);
    status = read_classes(db, data, err);
    if (!status)
        status = read_channels(db, data, err);
    if (!status)
        status = read_labels(db, data, err);
    if (!status && kind == KL_DATA_DESCRIBED)
        status = read_descriptions(db, data, err);
    return status;
}
