#include "db/settings.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/base/utf8.h"
#include "db/database.h"
#include "db/texts.h"

#define SWITCHES_BYTES (12 * KL_DATASETS_MAX)

static enum kl_status damaged(sqlite3 *db, const char *what, struct kl_error *err)
{
    return kl_fail(err, KL_ERR_DAMAGED,
                   "%s is damaged: %s; restore it from a copy or train it "
                   "again",
                   sqlite3_db_filename(db, "main"), what);
}

/* The switches as the command line has them: "3000,6000". */
static void format_switches(const struct kl_training *training, char text[SWITCHES_BYTES])
{
    size_t used = 0;

    text[0] = '\0';
    for (uint32_t i = 0; i < training->n_switches; i++)
        used += (size_t)snprintf(text + used, SWITCHES_BYTES - used, "%s%u", i ? "," : "",
                                 training->switches[i]);
}

/* The reverse: 0, or -1 if it makes no sense. */
static int parse_switches(const char *text, struct kl_training *training)
{
    training->n_switches = 0;
    while (*text) {
        char *end;
        unsigned long step = strtoul(text, &end, 10);

        if (end == text || step > UINT32_MAX || (*end && *end != ',') ||
            training->n_switches == KL_DATASETS_MAX - 1)
            return -1;
        training->switches[training->n_switches++] = (uint32_t)step;
        text = *end ? end + 1 : end;
    }
    return 0;
}

static enum kl_status write_run(sqlite3 *db, const struct kl_training *training,
                                enum kl_heads heads, struct kl_error *err)
{
    char switches[SWITCHES_BYTES];
    sqlite3_stmt *statement = NULL;
    enum kl_status status =
        kl_db_prepare(db,
                      "INSERT INTO run (id, name, seed, steps, batch_size, initialisation, "
                      "learning_rate, lr_schedule, lr_period, lr_gamma, momentum, weight_decay, "
                      "clip_norm, dtype, evaluation_steps, checkpoint_steps, snapshot_steps, "
                      "heads, data_schedule, switches, label_noise, noise_seed, architecture, "
                      "optimiser, unroll, embedding, dropout, gate_errors, error_entries) "
                      "VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, "
                      "?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28)",
                      &statement, err);

    if (status)
        return status;
    format_switches(training, switches);
    sqlite3_bind_text(statement, 1, training->name, -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 2, (sqlite3_int64)training->seed);
    sqlite3_bind_int64(statement, 3, training->n_steps);
    sqlite3_bind_int64(statement, 4, training->batch_size);
    sqlite3_bind_text(statement, 5, kl_initialisation_name(training->initialisation), -1,
                      SQLITE_STATIC);
    sqlite3_bind_double(statement, 6, training->learning_rate);
    sqlite3_bind_text(statement, 7, kl_lr_schedule_name(training->lr_schedule), -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 8, training->lr_period);
    sqlite3_bind_double(statement, 9, training->lr_gamma);
    sqlite3_bind_double(statement, 10, training->momentum);
    sqlite3_bind_double(statement, 11, training->weight_decay);
    sqlite3_bind_double(statement, 12, training->clip_norm);
    sqlite3_bind_text(statement, 13, kl_dtype_name(training->dtype), -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 14, training->evaluation_steps);
    sqlite3_bind_int64(statement, 15, training->checkpoint_steps);
    sqlite3_bind_int64(statement, 16, training->snapshot_steps);
    sqlite3_bind_text(statement, 17, kl_heads_name(heads), -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 18, kl_data_schedule_name(training->data_schedule), -1,
                      SQLITE_STATIC);
    sqlite3_bind_text(statement, 19, switches, -1, SQLITE_STATIC);
    sqlite3_bind_double(statement, 20, training->selection.label_noise);
    sqlite3_bind_int64(statement, 21, (sqlite3_int64)training->selection.noise_seed);
    sqlite3_bind_text(statement, 22, kl_architecture_name(training->shape.architecture), -1,
                      SQLITE_STATIC);
    sqlite3_bind_text(statement, 23, kl_optimiser_name(training->optimiser), -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 24, training->unroll);
    sqlite3_bind_int64(statement, 25, training->embedding);
    sqlite3_bind_double(statement, 26, training->dropout);
    sqlite3_bind_int64(statement, 27, training->records_gates);
    sqlite3_bind_int64(statement, 28, training->error_entries);
    status = kl_db_run(statement, err);
    sqlite3_finalize(statement);
    return status;
}

static enum kl_status write_layers(sqlite3 *db, const struct kl_training *training,
                                   struct kl_error *err)
{
    sqlite3_stmt *statement = NULL;
    const struct kl_shape *shape = &training->shape;
    const char *inner = shape->architecture == KL_LSTM ? "lstm" : "relu";
    enum kl_status status =
        kl_db_prepare(db, "INSERT INTO layer VALUES (?1, ?2, ?3, ?4, ?5)", &statement, err);

    for (uint32_t l = 0; !status && l < training->shape.n_layers; l++) {
        sqlite3_bind_int64(statement, 1, l + 1);
        sqlite3_bind_int64(statement, 2, training->shape.inputs[l]);
        sqlite3_bind_int64(statement, 3, training->shape.outputs[l]);
        sqlite3_bind_text(statement, 4, l + 1 == shape->n_layers ? "softmax" : inner, -1,
                          SQLITE_STATIC);
        sqlite3_bind_text(statement, 5, kl_shape_reads_samples(shape, l) ? "samples" : "chunks", -1,
                          SQLITE_STATIC);
        status = kl_db_run(statement, err);
    }
    sqlite3_finalize(statement);
    return status;
}

static enum kl_status write_dataset(sqlite3 *db, uint32_t number, const struct kl_dataset *dataset,
                                    struct kl_error *err)
{
    sqlite3_stmt *row = NULL, *class = NULL, *channel = NULL;
    enum kl_status status = kl_db_prepare(
        db, "INSERT INTO dataset VALUES (?1, ?2, ?10, ?3, ?4, ?5, ?6, ?7, ?8, ?9)", &row, err);

    if (!status)
        status = kl_db_prepare(db, "INSERT INTO class (dataset, label, name) VALUES (?1, ?2, ?3)",
                               &class, err);
    if (!status)
        status = kl_db_prepare(
            db, "INSERT INTO channel (dataset, channel, mean, deviation) VALUES (?1, ?2, ?3, ?4)",
            &channel, err);
    if (!status) {
        sqlite3_bind_int64(row, 1, number);
        sqlite3_bind_text(row, 2, dataset->name, -1, SQLITE_STATIC);
        sqlite3_bind_int64(row, 3, dataset->width);
        sqlite3_bind_int64(row, 4, dataset->height);
        sqlite3_bind_int64(row, 5, dataset->channels);
        sqlite3_bind_int64(row, 6, dataset->n_classes);
        for (int s = 0; s < KL_N_SPLITS; s++)
            sqlite3_bind_int64(row, 7 + s, dataset->splits[s].count);
        sqlite3_bind_text(row, 10, dataset->corpus ? "text" : "images", -1, SQLITE_STATIC);
        status = kl_db_run(row, err);
    }
    if (!status && dataset->corpus)
        status = kl_text_write(db, dataset->corpus, err);
    for (uint32_t c = 0; !status && !dataset->corpus && c < dataset->n_classes; c++) {
        sqlite3_bind_int64(class, 1, number);
        sqlite3_bind_int64(class, 2, c);
        sqlite3_bind_text(class, 3, dataset->class_names[c], -1, SQLITE_STATIC);
        status = kl_db_run(class, err);
    }
    for (uint32_t c = 0; !status && c < dataset->channels; c++) {
        sqlite3_bind_int64(channel, 1, number);
        sqlite3_bind_int64(channel, 2, c);
        sqlite3_bind_double(channel, 3, dataset->mean[c]);
        sqlite3_bind_double(channel, 4, dataset->deviation[c]);
        status = kl_db_run(channel, err);
    }
    sqlite3_finalize(row);
    sqlite3_finalize(class);
    sqlite3_finalize(channel);
    return status;
}

static enum kl_status write_samples(sqlite3 *db, const struct kl_collection *data,
                                    struct kl_error *err)
{
    sqlite3_stmt *statement = NULL;
    uint32_t n_samples = kl_collection_size(data);
    enum kl_status status = kl_db_prepare(
        db,
        "INSERT INTO sample (sample, dataset, split, position, label, true_label, target) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        &statement, err);

    for (uint32_t id = 0; !status && id < n_samples; id++) {
        struct kl_sample_place place = kl_collection_place(data, id);

        sqlite3_bind_int64(statement, 1, id);
        sqlite3_bind_int64(statement, 2, place.dataset);
        sqlite3_bind_text(statement, 3, kl_split_name(place.split), -1, SQLITE_STATIC);
        sqlite3_bind_int64(statement, 4, place.index);
        sqlite3_bind_int64(statement, 5, kl_collection_label(data, id));
        sqlite3_bind_int64(statement, 6, kl_collection_true_label(data, id));
        sqlite3_bind_int64(statement, 7, kl_collection_target(data, id));
        status = kl_db_run(statement, err);
    }
    sqlite3_finalize(statement);
    return status;
}

enum kl_status kl_settings_write(sqlite3 *db, const struct kl_training *training,
                                 const struct kl_collection *data, struct kl_error *err)
{
    enum kl_status status = write_run(db, training, data->heads, err);

    if (!status)
        status = write_layers(db, training, err);
    for (uint32_t d = 0; !status && d < data->n_datasets; d++)
        status = write_dataset(db, d, data->datasets[d], err);
    return status || data->datasets[0]->corpus ? status : write_samples(db, data, err);
}

static void copy_text(sqlite3_stmt *statement, int column, char out[KL_NAME_MAX])
{
    const unsigned char *text = sqlite3_column_text(statement, column);

    snprintf(out, KL_NAME_MAX, "%s", text ? (const char *)text : "");
    kl_utf8_repair(out);
}

static enum kl_status read_run(sqlite3 *db, struct kl_training *training, enum kl_heads *heads,
                               uint32_t *steps_done, struct kl_error *err)
{
    sqlite3_stmt *statement = NULL;
    char init[KL_NAME_MAX], schedule[KL_NAME_MAX], dtype[KL_NAME_MAX];
    char heads_name[KL_NAME_MAX], data_schedule[KL_NAME_MAX];
    char architecture[KL_NAME_MAX], optimiser[KL_NAME_MAX];
    const char *switches;
    int row = 0;
    enum kl_status status =
        kl_db_prepare(db,
                      "SELECT name, seed, steps, batch_size, initialisation, learning_rate, "
                      "lr_schedule, lr_period, lr_gamma, momentum, weight_decay, clip_norm, dtype, "
                      "evaluation_steps, checkpoint_steps, steps_done, snapshot_steps, heads, "
                      "data_schedule, switches, label_noise, noise_seed, architecture, "
                      "optimiser, unroll, embedding, dropout, gate_errors, error_entries FROM run",
                      &statement, err);

    if (!status)
        status = kl_db_next(statement, &row, err);
    if (!status && !row)
        status = damaged(db, "its run row is missing", err);
    if (!status) {
        copy_text(statement, 0, training->name);
        training->seed = (uint64_t)sqlite3_column_int64(statement, 1);
        training->n_steps = (uint32_t)sqlite3_column_int64(statement, 2);
        training->batch_size = (uint32_t)sqlite3_column_int64(statement, 3);
        copy_text(statement, 4, init);
        training->learning_rate = sqlite3_column_double(statement, 5);
        copy_text(statement, 6, schedule);
        training->lr_period = (uint32_t)sqlite3_column_int64(statement, 7);
        training->lr_gamma = sqlite3_column_double(statement, 8);
        training->momentum = sqlite3_column_double(statement, 9);
        training->weight_decay = sqlite3_column_double(statement, 10);
        training->clip_norm = sqlite3_column_double(statement, 11);
        copy_text(statement, 12, dtype);
        training->evaluation_steps = (uint32_t)sqlite3_column_int64(statement, 13);
        training->checkpoint_steps = (uint32_t)sqlite3_column_int64(statement, 14);
        *steps_done = (uint32_t)sqlite3_column_int64(statement, 15);
        training->snapshot_steps = (uint32_t)sqlite3_column_int64(statement, 16);
        copy_text(statement, 17, heads_name);
        copy_text(statement, 18, data_schedule);
        switches = (const char *)sqlite3_column_text(statement, 19);
        training->selection.label_noise = sqlite3_column_double(statement, 20);
        training->selection.noise_seed = (uint64_t)sqlite3_column_int64(statement, 21);
        copy_text(statement, 22, architecture);
        copy_text(statement, 23, optimiser);
        training->unroll = (uint32_t)sqlite3_column_int64(statement, 24);
        training->embedding = (uint32_t)sqlite3_column_int64(statement, 25);
        training->dropout = sqlite3_column_double(statement, 26);
        training->records_gates = sqlite3_column_int(statement, 27) != 0;
        training->error_entries = (uint32_t)sqlite3_column_int64(statement, 28);
        if (kl_architecture_parse(architecture, &training->shape.architecture) ||
            kl_optimiser_parse(optimiser, &training->optimiser) || !switches ||
            parse_switches(switches, training) || kl_heads_parse(heads_name, heads) ||
            kl_data_schedule_parse(data_schedule, &training->data_schedule) ||
            kl_initialisation_parse(init, &training->initialisation) ||
            kl_lr_schedule_parse(schedule, &training->lr_schedule) ||
            kl_dtype_parse(dtype, &training->dtype) || *steps_done > training->n_steps)
            status = damaged(db, "its run row makes no sense", err);
    }
    sqlite3_finalize(statement);
    return status;
}

static enum kl_status read_layers(sqlite3 *db, struct kl_training *training, struct kl_error *err)
{
    sqlite3_stmt *statement = NULL;
    int row = 1;
    enum kl_status status = kl_db_prepare(
        db, "SELECT layer, inputs, outputs FROM layer ORDER BY layer", &statement, err);

    training->shape.n_layers = 0;
    while (!status && !(status = kl_db_next(statement, &row, err)) && row) {
        uint32_t l = training->shape.n_layers;
        sqlite3_int64 inputs = sqlite3_column_int64(statement, 1);
        sqlite3_int64 outputs = sqlite3_column_int64(statement, 2);

        if (l >= KL_LAYERS_MAX || sqlite3_column_int64(statement, 0) != l + 1 || inputs < 1 ||
            outputs < 1 || inputs > KL_WIDTH_MAX || outputs > KL_VOCABULARY_MAX) {
            status = damaged(db, "its layers do not fit together", err);
            break;
        }
        training->shape.inputs[l] = (uint32_t)inputs;
        training->shape.outputs[l] = (uint32_t)outputs;
        training->shape.n_layers++;
    }
    sqlite3_finalize(statement);
    if (training->shape.architecture == KL_LSTM && training->shape.n_layers > 0) {
        training->shape.embedding = training->embedding;
        training->shape.vocabulary = kl_shape_n_outputs(&training->shape);
    }
    if (!status && kl_shape_check(&training->shape, err))
        status = damaged(db, "its layers do not fit together", err);
    training->n_hidden = training->shape.n_layers - 1;
    for (uint32_t l = 0; !status && l < training->n_hidden; l++)
        training->hidden[l] = training->shape.architecture == KL_LSTM
                                  ? kl_shape_hidden(&training->shape)
                                  : training->shape.outputs[l];
    /* What nobody could have trained with is damage here, whatever the flag is called. */
    if (!status && kl_training_check(training, err))
        status = damaged(db, "its run row has settings that cannot be", err);
    return status;
}

static int is_image_size(const sqlite3_int64 sizes[4])
{
    return sizes[0] >= 1 && sizes[0] <= KL_IMAGE_SIDE_MAX && sizes[1] >= 1 &&
           sizes[1] <= KL_IMAGE_SIDE_MAX && sizes[2] >= 1 && sizes[2] <= KL_CHANNELS_MAX &&
           sizes[3] >= 1 && sizes[3] <= KL_CLASSES_MAX;
}

/* most: how many samples the rows that hold them can be; no data set may claim more than is left.
 */
static enum kl_status read_dataset(sqlite3 *db, sqlite3_stmt *statement, sqlite3_int64 most,
                                   int is_text, struct kl_collection *data, struct kl_error *err)
{
    const char *kind = (const char *)sqlite3_column_text(statement, 2);
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
    if (data->n_datasets == KL_DATASETS_MAX || !kind ||
        strcmp(kind, is_text ? "text" : "images") != 0 || (is_text && data->n_datasets) ||
        sqlite3_column_int64(statement, 0) != data->n_datasets ||
        !(is_text ? sizes[3] >= 1 && sizes[3] <= KL_TYPES_MAX : is_image_size(sizes)) ||
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
    if (is_text)
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

        if (d < 0 || d >= data->n_datasets || label < 0 || label >= data->datasets[d]->n_classes)
            status = damaged(db, "a class belongs to no data set", err);
        else
            copy_text(statement, 2, data->datasets[d]->class_names[label]);
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

    if (sqlite3_column_int64(statement, 1) != place.dataset || !split ||
        strcmp(split, kl_split_name(place.split)) != 0 ||
        sqlite3_column_int64(statement, 3) != place.index || label < 0 ||
        label >= dataset->n_classes || true_label < 0 || true_label >= dataset->n_classes ||
        sqlite3_column_int64(statement, 6) !=
            label + kl_collection_first_output(data, place.dataset))
        return damaged(db, "a sample is out of place", err);
    set->labels[place.index] = (uint8_t)label;
    if (label != true_label && !set->true_labels) { /* the first that was flipped */
        enum kl_status status = kl_alloc(&set->true_labels, set->count, 1, "labels", err);

        if (status)
            return status;
        memcpy(set->true_labels, set->labels, place.index);
    }
    if (set->true_labels)
        set->true_labels[place.index] = (uint8_t)true_label;
    return KL_OK;
}

static enum kl_status read_labels(sqlite3 *db, struct kl_collection *data, struct kl_error *err)
{
    sqlite3_stmt *statement = NULL;
    uint32_t n_samples = kl_collection_size(data), id = 0;
    int row = 1;
    enum kl_status status = kl_db_prepare(
        db,
        "SELECT sample, dataset, split, position, label, true_label, target FROM sample "
        "ORDER BY sample",
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

/* What kl_training_fit asks of a text, and makes of its settings. */
static int fits_text(const struct kl_training *training, const struct kl_dataset *text)
{
    return text->splits[KL_SPLIT_TRAIN].count / training->batch_size >= training->unroll &&
           training->error_entries < text->n_classes;
}

static enum kl_status check_fit(sqlite3 *db, const struct kl_training *training,
                                const struct kl_collection *data, struct kl_error *err)
{
    if (data->n_datasets == 0)
        return damaged(db, "it has no data set", err);
    for (uint32_t d = 0; training->shape.architecture == KL_MLP && d < data->n_datasets; d++)
        if (kl_dataset_image_size(data->datasets[d]) != training->shape.inputs[0])
            return damaged(db, "its images do not fit its first layer", err);
    if (kl_collection_n_outputs(data) != kl_shape_n_outputs(&training->shape) ||
        (training->shape.architecture == KL_MLP &&
         kl_shape_n_outputs(&training->shape) > KL_CLASSES_MAX))
        return damaged(db, "its classes do not fit its last layer", err);
    if (training->shape.architecture == KL_LSTM && !fits_text(training, data->datasets[0]))
        return damaged(db, "its steps do not fit its text", err);
    if (kl_training_check_schedule(training, data->n_datasets, err))
        return damaged(db, "its schedule does not fit its data sets", err);
    return KL_OK;
}

enum kl_status kl_settings_read(sqlite3 *db, struct kl_training *training,
                                struct kl_collection *data, uint32_t *steps_done,
                                struct kl_error *err)
{
    sqlite3_stmt *statement = NULL;
    sqlite3_int64 n_samples = 0;
    int row = 1, is_text;
    enum kl_status status;

    memset(training, 0, sizeof *training);
    memset(data, 0, sizeof *data);
    status = read_run(db, training, &data->heads, steps_done, err);
    if (!status)
        status = read_layers(db, training, err);
    is_text = training->shape.architecture == KL_LSTM;
    if (!status)
        status = kl_db_integer(db,
                               is_text ? "SELECT coalesce(sum(count), 0) FROM token_chunk"
                                       : "SELECT count(*) FROM sample",
                               &n_samples, err);
    if (!status && n_samples > INT32_MAX)
        status = damaged(db, "it has more samples than ids", err);
    if (!status)
        status = kl_db_prepare(db, "SELECT * FROM dataset ORDER BY dataset", &statement, err);
    while (!status && !(status = kl_db_next(statement, &row, err)) && row)
        status = read_dataset(db, statement, n_samples, is_text, data, err);
    sqlite3_finalize(statement);
    if (!status)
        status = check_fit(db, training, data, err);
    if (!status && is_text)
        training->vocabulary = kl_corpus_hash(data->datasets[0]->corpus);
    if (status || is_text)
        return status;
    if (!status)
        status = read_classes(db, data, err);
    if (!status)
        status = read_channels(db, data, err);
    return status ? status : read_labels(db, data, err);
}
