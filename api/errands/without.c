#include "api/errands/without.h"

#include <stdlib.h>
#include <string.h>

#include "api/asked/question.h"
#include "core/base/memory.h"
#include "core/base/utf8.h"
#include "core/explain/attention.h"
#include "db/marks.h"

#define MARKED "marked"

/* Takes the term marked out of a list of terms: whether it was there. */
static int take_marked(char *terms)
{
    size_t length = strlen(MARKED);
    int found = 0;

    for (char *term = terms; term;) {
        char *comma = strchr(term, ',');

        if (strncmp(term, MARKED, length) != 0 || (term[length] && term[length] != ',')) {
            term = comma ? comma + 1 : NULL;
            continue;
        }
        found = 1;
        if (comma) {
            memmove(term, comma + 1, strlen(comma + 1) + 1);
        } else {
            term[term > terms ? -1 : 0] = '\0';
            term = NULL;
        }
    }
    return found;
}

static enum kl_status read_terms(const char *terms, const struct kl_run *run,
                                 struct kl_removal *removal, int *marked, struct kl_error *err)
{
    char *others = NULL;
    enum kl_status status = kl_copy_text(&others, terms, err);

    if (status)
        return status;
    *marked = take_marked(others);
    status = kl_question_terms("without", others, &run->history, removal, err);
    free(others);
    if (!status && (removal->all || removal->n_ranges))
        status = kl_fail_on(err, KL_ERR_USAGE, "without",
                            "without names samples: top:N, class:NUMBER, dataset:NAME, sample:ID "
                            "or marked, not steps and not all");
    return status;
}

enum kl_status kl_without_check(const char *terms, const struct kl_run *run, int *needs_sample,
                                struct kl_error *err)
{
    struct kl_removal removal;
    int marked;
    enum kl_status status = read_terms(terms, run, &removal, &marked, err);

    if (!status)
        *needs_sample = removal.top > 0;
    return status;
}

static void leave_out(const struct kl_run *run, uint32_t id, uint8_t *without)
{
    if (kl_collection_place(&run->data, id).split == KL_SPLIT_TRAIN)
        without[id] = 1;
}

/* The first of the spotlight, by sample. */
static enum kl_status leave_lit(const struct kl_run *run, struct kl_inquiry *inquiry,
                                struct kl_query query, uint32_t top, uint8_t *without,
                                struct kl_error *err)
{
    struct kl_answer answer;
    enum kl_status status;

    query.top = top;
    query.by_sample = 1;
    query.parts = KL_ANSWER_SPOTLIGHT;
    query.attention_alone = 1;
    status = kl_attend_to(inquiry, &query, &answer, err);
    if (status)
        return status;
    for (uint32_t i = 0; i < answer.n_hits; i++)
        leave_out(run, answer.spotlight[i].sample, without);
    kl_answer_clear(&answer);
    return KL_OK;
}

int kl_without_names_marked(const char *terms)
{
    struct kl_error err;
    char *copy = NULL;
    int found = !kl_copy_text(&copy, terms, &err) && take_marked(copy);

    free(copy);
    return found;
}

enum kl_status kl_without_marked(const struct kl_run *run, uint32_t **marked, uint32_t *n,
                                 struct kl_error *err)
{
    struct kl_mark *marks = NULL;
    uint32_t n_marks = 0;
    enum kl_status status = kl_marks_read(run, &marks, &n_marks, err);

    *n = 0;
    if (!status)
        status = kl_alloc(marked, n_marks, sizeof **marked, "the marks", err);
    for (uint32_t i = 0; !status && i < n_marks; i++)
        if (marks[i].decision == KL_MARK_WRONG &&
            kl_collection_place(&run->data, marks[i].sample).split == KL_SPLIT_TRAIN)
            (*marked)[(*n)++] = marks[i].sample;
    free(marks);
    if (!status && *n == 0)
        status = kl_fail_on(err, KL_ERR_USAGE, "without",
                            "no training sample is marked as wrong: mark some among the suspects");
    return status;
}

static void leave_named(const struct kl_run *run, const struct kl_removal *removal,
                        uint8_t *without)
{
    const struct kl_history *history = &run->history;

    for (uint32_t i = 0; i < removal->n_samples; i++)
        leave_out(run, removal->samples[i], without);
    for (uint32_t id = 0; id < kl_collection_size(&run->data); id++) {
        uint32_t class = history->classes[id];

        for (uint32_t i = 0; i < removal->n_classes; i++)
            if (removal->classes[i] == class)
                leave_out(run, id, without);
        for (uint32_t i = 0; i < removal->n_datasets; i++)
            if (removal->datasets[i] == history->class_datasets[class])
                leave_out(run, id, without);
    }
}

enum kl_status kl_without_choose(const char *terms, const struct kl_run *run,
                                 struct kl_inquiry *inquiry, const struct kl_query *query,
                                 const uint32_t *marked, uint32_t n_marked, uint8_t *without,
                                 struct kl_error *err)
{
    struct kl_removal removal;
    int names_marked;
    enum kl_status status = read_terms(terms, run, &removal, &names_marked, err);

    if (status)
        return status;
    memset(without, 0, kl_collection_size(&run->data));
    leave_named(run, &removal, without);
    for (uint32_t i = 0; i < n_marked; i++)
        leave_out(run, marked[i], without);
    return removal.top ? leave_lit(run, inquiry, *query, removal.top, without, err) : KL_OK;
}
