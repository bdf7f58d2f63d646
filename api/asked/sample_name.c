#include "api/asked/sample_name.h"

#include <stdio.h>
#include <string.h>

#include "core/base/number.h"

void kl_sample_name(const struct kl_collection *data, uint32_t sample,
                    char name[KL_SAMPLE_NAME_MAX])
{
    struct kl_sample_place place = kl_collection_place(data, sample);

    snprintf(name, KL_SAMPLE_NAME_MAX, "%s/%s/%u", kl_split_name(place.split),
             data->datasets[place.dataset]->name, place.index);
}

static enum kl_status find_path(const struct kl_collection *data, const char *path,
                                const char *parameter, uint32_t *sample, struct kl_error *err)
{
    uint32_t n_samples = kl_collection_size(data);
    int has_paths = 0;

    for (*sample = 0; *sample < n_samples && kl_collection_kind(data) != KL_DATA_TEXT; ++*sample) {
        struct kl_sample_place place = kl_collection_place(data, *sample);
        const char *found =
            kl_dataset_path(data->datasets[place.dataset], place.split, place.index);

        if (found && !strcmp(found, path))
            return KL_OK;
        has_paths |= found != NULL;
    }
    return kl_fail_on(err, KL_ERR_NOT_FOUND, parameter,
                      has_paths
                          ? "this run has no image of the file %.200s: paths are those below the "
                            "data set's folder, as 'keylight suspects' prints them"
                          : "this run does not know the files of its samples (%.200s)",
                      path);
}

/* "fashion-mnist" of "test/fashion-mnist/42", which is so long. */
static const struct kl_dataset *find_dataset(const struct kl_collection *data, const char *name,
                                             size_t length, uint32_t *number)
{
    for (*number = 0; *number < data->n_datasets; ++*number) {
        const struct kl_dataset *dataset = data->datasets[*number];

        if (strlen(dataset->name) == length && !strncmp(dataset->name, name, length))
            return dataset;
    }
    return NULL;
}

static enum kl_status find_place(const struct kl_collection *data, const char *text,
                                 const char *parameter, uint32_t *sample, struct kl_error *err)
{
    const char *first = strchr(text, '/'), *last = strrchr(text, '/');
    struct kl_sample_place place = {0, KL_SPLIT_TRAIN, 0};
    const struct kl_dataset *dataset;
    struct kl_error cause;
    char split[16] = "";

    if (!first || last == first || kl_parse_number(last + 1, &place.index))
        return kl_fail_on(err, KL_ERR_USAGE, parameter,
                          "%s is SPLIT/DATASET/INDEX, as in test/%.60s/0, or path:FILE, not "
                          "'%.60s'",
                          parameter, data->datasets[0]->name, text);
    if ((size_t)(first - text) < sizeof split)
        memcpy(split, text, (size_t)(first - text));
    if (kl_split_parse(split, &place.split, &cause))
        return kl_fail_on(err, cause.status, parameter, "%.300s", cause.message);
    dataset = find_dataset(data, first + 1, (size_t)(last - first - 1), &place.dataset);
    if (!dataset)
        return kl_fail_on(err, KL_ERR_NOT_FOUND, parameter,
                          "this run has no data set '%.*s': 'keylight info' lists those it has",
                          (int)(last - first - 1 < 100 ? last - first - 1 : 100), first + 1);
    if (dataset->splits[place.split].count == 0)
        return kl_fail_on(err, KL_ERR_NOT_FOUND, parameter, "%s of this run has no %s split",
                          dataset->name, split);
    if (place.index >= dataset->splits[place.split].count)
        return kl_fail_on(err, KL_ERR_NOT_FOUND, parameter, "%s/%s has samples 0 to %u, not %u",
                          split, dataset->name, dataset->splits[place.split].count - 1,
                          place.index);
    *sample = kl_collection_id(data, place);
    return KL_OK;
}

enum kl_status kl_sample_named(const struct kl_collection *data, const char *text,
                               const char *parameter, uint32_t *sample, struct kl_error *err)
{
    if (!strncmp(text, "path:", 5))
        return find_path(data, text + 5, parameter, sample, err);
    if (kl_parse_number(text, sample))
        return find_place(data, text, parameter, sample, err);
    if (*sample >= kl_collection_size(data))
        return kl_fail_on(err, KL_ERR_NOT_FOUND, parameter,
                          "there is no sample %u: this run has samples 0 to %u", *sample,
                          kl_collection_size(data) - 1);
    return KL_OK;
}
