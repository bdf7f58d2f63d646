#include "api/parameters.h"

#include <string.h>

const struct kl_query kl_default_query = {
    .rank = KL_RANK_ABS,
    .target = KL_ANY_CLASS,
    .logit = KL_ANY_CLASS,
    .only_class = KL_ANY_CLASS,
    .top = KL_DEFAULT_TOP,
};

int kl_parse_number(const char *text, uint32_t *number)
{
    size_t length = strlen(text);
    uint32_t value = 0;

    if (length < 1 || length > 9 || strspn(text, "0123456789") != length)
        return -1;
    for (size_t i = 0; i < length; i++)
        value = 10 * value + (uint32_t)(text[i] - '0');
    *number = value;
    return 0;
}

int kl_parse_rank(const char *text, struct kl_query *query)
{
    const char *colon = strchr(text, ':');
    size_t length = colon ? (size_t)(colon - text) : strlen(text);
    uint32_t logit;

    for (int rank = 0; rank < KL_N_RANKS; rank++) {
        const char *name = kl_rank_name((enum kl_rank)rank);

        if (strlen(name) != length || strncmp(text, name, length) != 0)
            continue;
        if (colon && (rank != KL_RANK_LOGIT) && (rank != KL_RANK_EFFECT))
            return -1;
        if (colon && kl_parse_number(colon + 1, &logit))
            return -1;
        query->rank = (enum kl_rank)rank;
        query->logit = colon ? (int)logit : KL_ANY_CLASS;
        return 0;
    }
    return -1;
}

int kl_parse_views(const char *text, struct kl_query *query)
{
    static const struct {
        const char *name;
        enum kl_view view;
    } views[] = {{"curves", KL_VIEW_CURVES},
                 {"time", KL_VIEW_TIME},
                 {"samples", KL_VIEW_SAMPLES},
                 {"learning", KL_VIEW_LEARNING}};

    while (*text) {
        size_t length = strcspn(text, ","), i = 0;

        while (i < 4 && (strlen(views[i].name) != length || strncmp(text, views[i].name, length)))
            i++;
        if (i == 4)
            return -1;
        query->views |= views[i].view;
        text += length + (text[length] == ',');
    }
    return 0;
}

static enum kl_status bad_term(const char *term, const char *rule, struct kl_error *err)
{
    return kl_fail(err, KL_ERR_USAGE, "remove cannot take '%.40s': %s", term, rule);
}

/* "FIRST-LAST" */
static int parse_range(const char *text, uint32_t n_steps, uint32_t *first, uint32_t *last)
{
    char digits[16];
    size_t length = strcspn(text, "-");

    if (text[length] != '-' || length >= sizeof digits)
        return -1;
    memcpy(digits, text, length);
    digits[length] = '\0';
    return kl_parse_number(digits, first) || kl_parse_number(text + length + 1, last) ||
                   *first < 1 || *last < *first || *last > n_steps
               ? -1
               : 0;
}

static enum kl_status too_many(const char *term, struct kl_error *err)
{
    return bad_term(term, "that is more than 64 classes, data sets or ranges, or 1000 samples",
                    err);
}

/* One term, whose value comes after its colon. */
static enum kl_status add_term(const char *term, const char *value,
                               const struct kl_history *history, struct kl_removal *removal,
                               struct kl_error *err)
{
    uint32_t number = 0, first, last;
    int is_number = value && !kl_parse_number(value, &number);

    if (!strcmp(term, "all")) {
        removal->all = 1;
    } else if (!strncmp(term, "top:", 4)) {
        if (!is_number || number > KL_TOP_MAX)
            return bad_term(term, "top:N takes the first N of the spotlight, at most 1000", err);
        removal->top = number > removal->top ? number : removal->top;
    } else if (!strncmp(term, "class:", 6)) {
        if (!is_number || number >= history->n_classes)
            return bad_term(term, "class:NUMBER counts the classes of all data sets from 0", err);
        if (removal->n_classes == KL_REMOVAL_TERMS_MAX)
            return too_many(term, err);
        removal->classes[removal->n_classes++] = number;
    } else if (!strncmp(term, "dataset:", 8)) {
        for (uint32_t d = 0; d < history->data->n_datasets; d++) {
            if (!strcmp(history->data->datasets[d]->name, value)) {
                if (removal->n_datasets == KL_REMOVAL_TERMS_MAX)
                    return too_many(term, err);
                removal->datasets[removal->n_datasets++] = d;
                return KL_OK;
            }
        }
        return bad_term(term, "dataset:NAME names a data set of the run", err);
    } else if (!strncmp(term, "steps:", 6)) {
        if (parse_range(value, history->n_steps, &first, &last))
            return bad_term(term, "steps:FIRST-LAST is a range of the run's steps, from 1", err);
        if (removal->n_ranges == KL_REMOVAL_TERMS_MAX)
            return too_many(term, err);
        removal->first_steps[removal->n_ranges] = first;
        removal->last_steps[removal->n_ranges++] = last;
    } else if (!strncmp(term, "sample:", 7)) {
        if (!is_number || number >= kl_collection_size(history->data) ||
            kl_collection_place(history->data, number).split != KL_SPLIT_TRAIN)
            return bad_term(term, "sample:ID is the id of a training sample", err);
        if (removal->n_samples == KL_REMOVAL_SAMPLES_MAX)
            return too_many(term, err);
        removal->samples[removal->n_samples++] = number;
    } else {
        return bad_term(term,
                        "its terms are top:N, class:NUMBER, dataset:NAME, steps:FIRST-LAST, "
                        "sample:ID and all",
                        err);
    }
    return KL_OK;
}

enum kl_status kl_parse_removal(const char *text, const struct kl_history *history,
                                struct kl_removal *removal, struct kl_error *err)
{
    memset(removal, 0, sizeof *removal);
    while (*text) {
        size_t length = strcspn(text, ",");
        char term[KL_NAME_MAX + 16];
        const char *colon;

        if (length >= sizeof term)
            return bad_term(text, "it is too long", err);
        memcpy(term, text, length);
        term[length] = '\0';
        colon = strchr(term, ':');
        if (add_term(term, colon ? colon + 1 : NULL, history, removal, err))
            return err->status;
        text += length;
        if (*text == ',' && !*++text)
            return bad_term("", "a comma stands between two terms", err);
    }
    return KL_OK;
}

int kl_parse_by(const char *text, struct kl_query *query)
{
    int by_sample = !strcmp(text, "sample");

    if (!by_sample && strcmp(text, "pattern") != 0)
        return -1;
    query->by_sample = by_sample;
    return 0;
}
