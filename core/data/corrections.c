#include "core/data/corrections.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/data/csv.h"
#include "core/base/files.h"
#include "core/base/memory.h"
#include "core/base/utf8.h"

#define COLUMNS_MAX 32
#define BYTES_MAX ((long)64 << 20)

enum column { DATASET, SPLIT, INDEX, FILE_NAME, LABEL, DECISION, CORRECT_LABEL, N_COLUMNS };
static const char *const names[N_COLUMNS] = {"dataset", "split",    "index",        "file",
                                             "label",   "decision", "correct_label"};

static enum kl_status read_file(const char *path, char **out, struct kl_error *err)
{
    FILE *file = NULL;
    long n_bytes = -1;
    enum kl_status status = kl_file_open(path, &file, err);

    if (status)
        return status;
    if (fseek(file, 0, SEEK_END) == 0)
        n_bytes = ftell(file);
    rewind(file);
    status =
        n_bytes < 0 || n_bytes > BYTES_MAX
            ? kl_fail(err, KL_ERR_INPUT, "%s is no table of corrections: it is too large", path)
            : kl_alloc(out, (size_t)n_bytes + 1, 1, "the corrections", err);
    if (!status && fread(*out, 1, (size_t)n_bytes, file) != (size_t)n_bytes)
        status = kl_fail(err, KL_ERR_INPUT, "cannot read the corrections %s", path);
    fclose(file);
    if (!status && (memchr(*out, '\0', (size_t)n_bytes) || kl_utf8_clean(*out)))
        status = kl_fail(err, KL_ERR_INPUT, "%s is not UTF-8: export it as such", path);
    return status;
}

static enum kl_status add(struct kl_corrections *corrections, char *const fields[N_COLUMNS],
                          uint32_t index, struct kl_error *err)
{
    struct kl_correction *grown = realloc(corrections->list, (corrections->n + 1) * sizeof *grown);
    struct kl_correction *one;
    enum kl_status status;

    if (!grown)
        return kl_fail(err, KL_ERR_MEMORY, "not enough memory for the corrections");
    corrections->list = grown;
    one = &grown[corrections->n++];
    *one = (struct kl_correction){.index = index};
    status = kl_copy_text(&one->dataset, fields[DATASET], err);
    if (!status)
        status = kl_copy_text(&one->split, fields[SPLIT], err);
    if (!status)
        status = kl_copy_text(&one->file, fields[FILE_NAME], err);
    if (!status)
        status = kl_copy_text(&one->label, fields[LABEL], err);
    return status ? status : kl_copy_text(&one->correct_label, fields[CORRECT_LABEL], err);
}

/* Where the columns are in the first row. */
static enum kl_status find_columns(const char *path, char **at, int places[N_COLUMNS], int *n,
                                   struct kl_error *err)
{
    char *fields[COLUMNS_MAX];

    *n = kl_csv_row(at, fields, COLUMNS_MAX);
    for (int c = 0; c < N_COLUMNS; c++) {
        places[c] = 0;
        while (places[c] < *n && strcmp(fields[places[c]], names[c]) != 0)
            places[c]++;
        if (places[c] >= *n)
            return kl_fail(err, KL_ERR_INPUT,
                           "%s is no table of corrections: its first row names no column '%s' "
                           "(keylight marks writes such a table)",
                           path, names[c]);
    }
    return KL_OK;
}

/* One row under the first. */
static enum kl_status take(struct kl_corrections *corrections, const char *path, uint32_t row,
                           char *const wanted[N_COLUMNS], struct kl_error *err)
{
    const char *decision = wanted[DECISION];
    unsigned long index;
    char *end;

    if (!*decision || !strcmp(decision, "fine") || !strcmp(decision, "unsure"))
        return KL_OK;
    if (strcmp(decision, "wrong") != 0)
        return kl_fail(err, KL_ERR_INPUT,
                       "row %u of %s has the decision '%.60s': it is wrong, fine or unsure", row,
                       path, decision);
    if (!*wanted[CORRECT_LABEL]) {
        corrections->n_without++;
        return KL_OK;
    }
    index = strtoul(wanted[INDEX], &end, 10);
    if (*wanted[INDEX] < '0' || *wanted[INDEX] > '9' || *end || index > INT32_MAX)
        return kl_fail(err, KL_ERR_INPUT, "row %u of %s has the index '%.60s': it is a number", row,
                       path, wanted[INDEX]);
    return add(corrections, wanted, (uint32_t)index, err);
}

enum kl_status kl_corrections_read(const char *path, struct kl_corrections *corrections,
                                   struct kl_error *err)
{
    char *text = NULL, *at, *fields[COLUMNS_MAX], *wanted[N_COLUMNS];
    int places[N_COLUMNS], n_columns = 0, n = 0;
    enum kl_status status = read_file(path, &text, err);

    *corrections = (struct kl_corrections){NULL, 0, 0};
    at = text;
    if (!status)
        status = find_columns(path, &at, places, &n_columns, err);
    for (uint32_t row = 2; !status && (n = kl_csv_row(&at, fields, COLUMNS_MAX)) != 0; row++) {
        if (n == 1 && !*fields[0]) /* an empty line */
            continue;
        if (n < n_columns) {
            status = kl_fail(err, KL_ERR_INPUT,
                             n < 0 ? "row %u of %s has a quote that is not closed"
                                   : "row %u of %s has fewer fields than the first one",
                             row, path);
            break;
        }
        for (int c = 0; c < N_COLUMNS; c++)
            wanted[c] = fields[places[c]];
        status = take(corrections, path, row, wanted, err);
    }
    free(text);
    return status;
}

void kl_corrections_clear(struct kl_corrections *corrections)
{
    for (uint32_t i = 0; i < corrections->n; i++) {
        free(corrections->list[i].dataset);
        free(corrections->list[i].split);
        free(corrections->list[i].file);
        free(corrections->list[i].label);
        free(corrections->list[i].correct_label);
    }
    free(corrections->list);
    *corrections = (struct kl_corrections){NULL, 0, 0};
}

/* Where an image is now: 1, or 0 if it is not there. */
static int find_image(const struct kl_dataset *dataset, const struct kl_correction *one,
                      enum kl_split *split, uint32_t *index)
{
    for (int s = 0; s < KL_N_SPLITS; s++) {
        const struct kl_image_set *set = &dataset->splits[s];

        *split = (enum kl_split)s;
        if (!*one->file) {
            *index = one->index;
            if (!strcmp(one->split, kl_split_name(*split)) && one->index < set->count)
                return 1;
            continue;
        }
        for (*index = 0; set->paths && *index < set->count; ++*index)
            if (set->paths[*index] && !strcmp(set->paths[*index], one->file))
                return 1;
    }
    return 0;
}

/* Gives the image its label: 1 if it had another, 0 if it had this, -1 with *err if it had neither
 * this nor the one that was seen to be wrong. */
static int correct(const struct kl_correction *one, const struct kl_dataset *dataset,
                   uint8_t *label, struct kl_error *err)
{
    const char *now = kl_dataset_class_name(dataset, *label);
    uint32_t right = 0;

    while (right < dataset->n_classes &&
           strcmp(kl_dataset_class_name(dataset, right), one->correct_label) != 0)
        right++;
    if (right == dataset->n_classes) {
        kl_fail(err, KL_ERR_INPUT,
                "%s has no class '%.100s', which the corrections name: a correct_label is one of "
                "its classes",
                dataset->name, one->correct_label);
        return -1;
    }
    if (*label == right)
        return 0;
    if (strcmp(now, one->label) != 0) {
        kl_fail(err, KL_ERR_INPUT,
                "%s/%s/%u%s%.200s is labelled '%.60s' here, neither '%.60s' nor '%.60s' as in the "
                "corrections: they are of other data, of another selection of it, or contradict "
                "themselves",
                one->split, dataset->name, one->index, *one->file ? ", " : "", one->file, now,
                one->label, one->correct_label);
        return -1;
    }
    *label = (uint8_t)right;
    return 1;
}

enum kl_status kl_corrections_apply(struct kl_corrections *corrections, struct kl_dataset *dataset,
                                    struct kl_error *err)
{
    uint32_t n[2] = {0, 0};

    for (uint32_t i = 0; i < corrections->n; i++) {
        struct kl_correction *one = &corrections->list[i];
        enum kl_split split;
        uint32_t index;
        int is_changed;

        if (strcmp(one->dataset, dataset->name) != 0 || !find_image(dataset, one, &split, &index))
            continue;
        is_changed = correct(one, dataset, &dataset->splits[split].labels[index], err);
        if (is_changed < 0)
            return err->status;
        n[is_changed]++;
        one->is_used = 1;
    }
    if (n[0] + n[1])
        kl_note(&dataset->notes, "%u label%s corrected, %u had the right one before", n[1],
                n[1] == 1 ? " is" : "s are", n[0]);
    return KL_OK;
}

const struct kl_correction *kl_corrections_unused(const struct kl_corrections *corrections)
{
    for (uint32_t i = 0; i < corrections->n; i++)
        if (!corrections->list[i].is_used)
            return &corrections->list[i];
    return NULL;
}
