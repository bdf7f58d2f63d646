#include "db/tables/layers.h"

#include <stdio.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/base/utf8.h"
#include "core/training/settings.h"
#include "db/file/database.h"
#include "db/file/rows.h"

static enum kl_status damaged(sqlite3 *db, const char *what, struct kl_error *err)
{
    return kl_fail(err, KL_ERR_DAMAGED,
                   "%s is damaged: %s; restore it from a copy or train it again",
                   sqlite3_db_filename(db, "main"), what);
}

enum kl_status kl_layers_write(sqlite3 *db, const struct kl_training *training,
                               struct kl_error *err)
{
    const struct kl_shape *shape = &training->shape;
    sqlite3_stmt *insert = NULL;
    struct kl_layout layout;
    char name[KL_NAME_MAX];
    enum kl_status status = kl_rows_insert(db, "layer", 0, &insert, err);

    kl_training_layout(training, &layout);
    for (uint32_t l = 0; !status && l < shape->n_layers; l++) {
        int is_last = l + 1 == shape->n_layers;
        const char *errors = !layout.errors[l]           ? "none"
                             : is_last && layout.entries ? "entries"
                                                         : "whole";

        kl_shape_layer_name(shape, l, name);
        sqlite3_bind_int64(insert, 1, l + 1);
        sqlite3_bind_text(insert, 2, name, -1, SQLITE_TRANSIENT);
        sqlite3_bind_int64(insert, 3, shape->inputs[l]);
        sqlite3_bind_int64(insert, 4, shape->outputs[l]);
        sqlite3_bind_int64(insert, 5, 1); /* it has a bias, */
        sqlite3_bind_int64(insert, 6, 1); /* a row a showing, */
        sqlite3_bind_int64(insert, 7, 0); /* and is of the only group */
        sqlite3_bind_text(insert, 8, kl_model_activation(shape, l), -1, SQLITE_STATIC);
        sqlite3_bind_text(insert, 9, kl_shape_reads_samples(shape, l) ? "samples" : "chunks", -1,
                          SQLITE_STATIC);
        sqlite3_bind_text(insert, 10, errors, -1, SQLITE_STATIC);
        status = kl_db_run(insert, err);
    }
    sqlite3_finalize(insert);
    return status;
}

/* How a convolution cuts its patches: facts are the layer's, from 0. A file that knows no
 * convolutions has none. */
static enum kl_status read_convolution(sqlite3 *db, uint32_t l, struct kl_layer_facts *facts,
                                       struct kl_error *err)
{
    struct kl_convolution *found = &facts->convolution;
    uint32_t *const numbers[] = {&found->channels,    &found->size[0],    &found->size[1],
                                 &found->kernel[0],   &found->kernel[1],  &found->stride[0],
                                 &found->stride[1],   &found->padding[0], &found->padding[1],
                                 &found->dilation[0], &found->dilation[1]};
    sqlite3_int64 has_table = 0;
    sqlite3_stmt *row = NULL;
    int is_there = 0;
    enum kl_status status = kl_db_integer(
        db, "SELECT count(*) FROM sqlite_schema WHERE name = 'convolution'", &has_table, err);

    if (status || !has_table)
        return status;
    status = kl_db_prepare(db,
                           "SELECT channels, height, width, kernel_height, kernel_width, "
                           "stride_down, stride_right, padding_height, padding_width, "
                           "dilation_down, dilation_right FROM convolution WHERE layer = ?1",
                           &row, err);
    if (!status)
        sqlite3_bind_int64(row, 1, l + 1);
    if (!status)
        status = kl_db_next(row, &is_there, err);
    for (int i = 0; !status && is_there && i < 11; i++) {
        sqlite3_int64 number = sqlite3_column_int64(row, i);

        *numbers[i] = number < 0 || number > UINT32_MAX ? UINT32_MAX : (uint32_t)number;
    }
    sqlite3_finalize(row);
    return status;
}

/* Whether the places of a layer, from 0, are what a layer can have: the last is asked about as a
 * whole. */
static int has_possible_places(const struct kl_shape *shape, const struct kl_layer_facts *facts,
                               uint32_t l)
{
    uint64_t widest = shape->inputs[l] > shape->outputs[l] ? shape->inputs[l] : shape->outputs[l];

    if (facts->places < 1 || facts->places > KL_PLACES_MAX || widest * facts->places > KL_ROW_MAX)
        return 0;
    return !kl_is_convolution(&facts->convolution) ||
           kl_convolution_fits(&facts->convolution, shape->inputs[l], facts->places);
}

/* One row of a recorded network's layers; facts is its place. */
static enum kl_status read_layer(sqlite3 *db, sqlite3_stmt *row, struct kl_shape *shape,
                                 struct kl_layer_facts *facts, struct kl_error *err)
{
    uint32_t l = shape->n_layers;
    sqlite3_int64 sizes[] = {sqlite3_column_int64(row, 1), sqlite3_column_int64(row, 2)};
    sqlite3_int64 group = sqlite3_column_int64(row, 6), places = sqlite3_column_int64(row, 5);
    const char *keys = (const char *)sqlite3_column_text(row, 3);
    const char *name = (const char *)sqlite3_column_text(row, 7);
    const char *errors = (const char *)sqlite3_column_text(row, 8);

    if (l == KL_LAYERS_MAX)
        return kl_fail(err, KL_ERR_USAGE, "%s has more than %d layers: record fewer of them",
                       sqlite3_db_filename(db, "main"), KL_LAYERS_MAX);
    if (sqlite3_column_int64(row, 0) != l + 1 || sizes[0] < 1 || sizes[0] > KL_WIDTH_MAX ||
        sizes[1] < 1 || sizes[1] > KL_WIDTH_MAX || group < 0 || group >= KL_GROUPS_MAX || !keys ||
        strcmp(keys, "chunks") != 0 || places < 1 || places > KL_PLACES_MAX || !name || !*name ||
        strlen(name) >= KL_LAYER_NAME_MAX || !errors || !strcmp(errors, "entries"))
        return damaged(db, "a layer is none that could have been recorded", err);
    shape->inputs[l] = (uint32_t)sizes[0];
    shape->outputs[l] = (uint32_t)sizes[1];
    facts[l] = (struct kl_layer_facts){.group = (uint32_t)group,
                                       .has_bias = sqlite3_column_int64(row, 4) != 0,
                                       .has_errors = !strcmp(errors, "whole"),
                                       .places = (uint32_t)places};
    snprintf(facts[l].name, sizeof facts[l].name, "%s", name);
    kl_utf8_repair(facts[l].name);
    shape->n_layers++;
    if (read_convolution(db, l, &facts[l], err))
        return err->status;
    return has_possible_places(shape, &facts[l], l)
               ? KL_OK
               : damaged(db, "a layer's places are none that could have been recorded", err);
}

static const char select_layers[] = "SELECT layer, inputs, outputs, keys, bias, places, "
                                    "parameter_group, name, errors, activation FROM layer "
                                    "ORDER BY layer";

/* A recorded network is what its rows say; its last layer says what the classes are. */
static enum kl_status read_layers(sqlite3 *db, const struct kl_collection *data,
                                  struct kl_training *training, struct kl_layer_facts **facts,
                                  struct kl_error *err)
{
    struct kl_shape shape = {.model = kl_training_model(training)};
    sqlite3_stmt *statement = NULL;
    int row = 1;
    enum kl_status status = kl_alloc(facts, KL_LAYERS_MAX, sizeof **facts, "the layers", err);

    if (!status)
        status = kl_db_prepare(db, select_layers, &statement, err);
    while (!status && !(status = kl_db_next(statement, &row, err)) && row)
        status = read_layer(db, statement, &shape, *facts, err);
    sqlite3_finalize(statement);
    shape.layers = *facts;
    training->shape = shape;
    if (!status && shape.n_layers > 0 && (*facts)[shape.n_layers - 1].places != 1)
        status = damaged(db, "its last layer has several places", err);
    if (!status &&
        (shape.n_layers == 0 || kl_shape_n_outputs(&shape) < kl_collection_n_outputs(data)))
        status = damaged(db, "its layers do not end with an output for every class", err);
    return status;
}

/* Whether a row of layer, as kl_layers_read selects it, is layer l of the shape. */
static int is_layer(sqlite3_stmt *row, const struct kl_shape *shape, uint32_t l)
{
    const char *keys = (const char *)sqlite3_column_text(row, 3);
    const char *activation = (const char *)sqlite3_column_text(row, 9);

    return l < shape->n_layers && activation &&
           !strcmp(activation, kl_model_activation(shape, l)) &&
           sqlite3_column_int64(row, 0) == l + 1 &&
           sqlite3_column_int64(row, 1) == shape->inputs[l] &&
           sqlite3_column_int64(row, 2) == shape->outputs[l] && keys &&
           !strcmp(keys, kl_shape_reads_samples(shape, l) ? "samples" : "chunks") &&
           sqlite3_column_int64(row, 4) == 1 && sqlite3_column_int64(row, 5) == 1 &&
           sqlite3_column_int64(row, 6) == 0;
}

enum kl_status kl_layers_read(sqlite3 *db, const struct kl_collection *data,
                              struct kl_training *training, struct kl_layer_facts **facts,
                              struct kl_error *err)
{
    sqlite3_stmt *statement = NULL;
    uint32_t l = 0, entries = training->error_entries;
    int row = 1;
    enum kl_status status;

    *facts = NULL;

    /* What nobody could have trained with is damage here. */
    if (kl_training_check(training, err))
        return damaged(db, "it has settings that cannot be", err);
    if (kl_training_model(training) == &kl_recorded)
        return read_layers(db, data, training, facts, err);
    if (kl_training_fit(training, data, err) || training->error_entries != entries)
        return damaged(db, "its settings do not fit its data", err);
    if (kl_training_check_schedule(training, data->n_datasets, err))
        return damaged(db, "its schedule does not fit its data sets", err);
    status = kl_db_prepare(db, select_layers, &statement, err);
    while (!status && !(status = kl_db_next(statement, &row, err)) && row)
        if (!is_layer(statement, &training->shape, l++))
            status = damaged(db, "its layers are not those of its settings", err);
    sqlite3_finalize(statement);
    if (!status && l != training->shape.n_layers)
        status = damaged(db, "its layers are not those of its settings", err);
    return status;
}
