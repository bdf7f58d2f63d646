#include "core/data/corrections.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/base/utf8.h"

#define COLUMNS_MAX 32
#define BYTES_MAX ((long)64 << 20)

enum column { DATASET, SPLIT, INDEX, FILE_NAME, DECISION, LABEL, N_COLUMNS };
static const char *const names[N_COLUMNS] = {"dataset", "split",    "index",
                                             "file",    "decision", "correct_label"};

static enum kl_status read_file(const char *path, char **out, struct kl_error *err)
{
    FILE *file = fopen(path, "rb");
    long n_bytes = -1;
    enum kl_status status;

    if (!file)
        return kl_fail(err, KL_ERR_NOT_FOUND, "cannot read the corrections %s: %s", path,
                       strerror(errno));
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
    if (!status && kl_utf8_clean(*out))
        status = kl_fail(err, KL_ERR_INPUT, "%s is not UTF-8: export it as such", path);
    return status;
}

/* Takes one field in place, ended with NUL, and moves *at behind it: returns what ended it (',' or
 * '\n' or 0). */
static char take_field(char **at, char **field)
{
    char *from = *at, *to = *at, end;

    *field = to;
    if (*from == '"') {
        for (from++; *from; from++) {
            if (*from == '"' && from[1] != '"')
                break;
            from += *from == '"';
            *to++ = *from;
        }
        from += *from == '"';
    }
    while (*from && *from != ',' && *from != '\n')
        *to++ = *from++;
    end = *from;
    *at = from + (*from != '\0');
    *to = '\0';
    if ((*field)[0] == '\'' && strchr("=+-@\t\r", (*field)[1]) && (*field)[1])
        ++*field; /* what keeps a spreadsheet from computing it */
    return end;
}

/* Takes a row's fields; returns how many, 0 at the end of the text. */
static int take_row(char **at, char *fields[COLUMNS_MAX])
{
    int n = 0;
    char end = ',';

    if (!**at)
        return 0;
    while (end == ',') {
        char *field;

        end = take_field(at, &field);
        if (n < COLUMNS_MAX)
            fields[n++] = field;
    }
    return n;
}

static enum kl_status add(struct kl_corrections *corrections, char *const fields[N_COLUMNS],
                          struct kl_error *err)
{
    struct kl_correction *grown = realloc(corrections->list, (corrections->n + 1) * sizeof *grown);
    struct kl_correction *one;
    enum kl_status status;

    if (!grown)
        return kl_fail(err, KL_ERR_MEMORY, "not enough memory for the corrections");
    corrections->list = grown;
    one = &grown[corrections->n++];
    *one = (struct kl_correction){.index = (uint32_t)strtoul(fields[INDEX], NULL, 10)};
    status = kl_copy_text(&one->dataset, fields[DATASET], err);
    if (!status)
        status = kl_copy_text(&one->split, fields[SPLIT], err);
    if (!status)
        status = kl_copy_text(&one->file, fields[FILE_NAME], err);
    return status ? status : kl_copy_text(&one->label, fields[LABEL], err);
}

enum kl_status kl_corrections_read(const char *path, struct kl_corrections *corrections,
                                   struct kl_error *err)
{
    char *text = NULL, *at, *fields[COLUMNS_MAX], *wanted[N_COLUMNS];
    int places[N_COLUMNS], n;
    enum kl_status status = read_file(path, &text, err);

    *corrections = (struct kl_corrections){NULL, 0};
    at = text;
    n = status ? 0 : take_row(&at, fields);
    for (int c = 0; !status && c < N_COLUMNS; c++) {
        places[c] = 0;
        while (places[c] < n && strcmp(fields[places[c]], names[c]) != 0)
            places[c]++;
        if (places[c] == n)
            status = kl_fail(err, KL_ERR_INPUT,
                             "%s is no table of corrections: its first row names no column '%s' "
                             "(keylight marks writes such a table)",
                             path, names[c]);
    }
    while (!status && (n = take_row(&at, fields)) > 0) {
        for (int c = 0; c < N_COLUMNS; c++)
            wanted[c] = places[c] < n ? fields[places[c]] : "";
        if (!strcmp(wanted[DECISION], "wrong") && *wanted[LABEL])
            status = add(corrections, wanted, err);
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
    }
    free(corrections->list);
    *corrections = (struct kl_corrections){NULL, 0};
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

enum kl_status kl_corrections_apply(struct kl_corrections *corrections, struct kl_dataset *dataset,
                                    struct kl_error *err)
{
    uint32_t n_changed = 0;

    for (uint32_t i = 0; i < corrections->n; i++) {
        struct kl_correction *one = &corrections->list[i];
        enum kl_split split;
        uint32_t index, label = 0;

        if (strcmp(one->dataset, dataset->name) != 0 || !find_image(dataset, one, &split, &index))
            continue;
        while (label < dataset->n_classes &&
               strcmp(kl_dataset_class_name(dataset, label), one->label) != 0)
            label++;
        if (label == dataset->n_classes)
            return kl_fail(err, KL_ERR_INPUT, "%s has no class '%.100s' that the corrections name",
                           dataset->name, one->label);
        n_changed += dataset->splits[split].labels[index] != label;
        dataset->splits[split].labels[index] = (uint8_t)label;
        one->is_used = 1;
    }
    if (n_changed)
        kl_note(&dataset->notes, "%u label%s corrected", n_changed,
                n_changed > 1 ? "s are" : " is");
    return KL_OK;
}

const struct kl_correction *kl_corrections_unused(const struct kl_corrections *corrections)
{
    for (uint32_t i = 0; i < corrections->n; i++)
        if (!corrections->list[i].is_used)
            return &corrections->list[i];
    return NULL;
}
