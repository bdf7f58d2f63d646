#include "cli/asking.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/asked/sample_name.h"
#include "core/base/memory.h"
#include "core/base/utf8.h"
#include "core/data/text/corpus.h"
#include "core/explain/text/reading.h"

enum { LAYER, PLACE, RANK, BY, CLASS, TOP, N_WORDS };
static const char *const names[N_WORDS] = {"layer", "place", "rank", "by", "class", "k"};

static void describe_ranks(char *text, size_t n_bytes)
{
    const struct kl_rank *rank;
    size_t used = 0;

    for (uint32_t i = 0; (rank = kl_rank_at(i)) && used < n_bytes; i++)
        used += (size_t)snprintf(text + used, n_bytes - used, "%s%s%s: %s", i ? "\n" : "",
                                 rank->name, rank->takes_logit ? "[:OUTPUT]" : "", rank->meaning);
}

static const char *rank_name(uint32_t i)
{
    const struct kl_rank *rank = kl_rank_at(i);

    return rank ? rank->name : NULL;
}

static const char *unit_name(uint32_t i)
{
    static const char *const units[] = {"pattern", "sample"};

    return i < 2 ? units[i] : NULL;
}

struct kl_option *kl_asking_options(struct kl_asking *asking, struct kl_option *table)
{
    const struct kl_option rows[KL_ASKING_OPTIONS] = {
        {.type = KL_OPTION_TEXT,
         .name = "sample",
         .value = "SAMPLE",
         .target = &asking->sample,
         .help = "for example test/fashion-mnist/526, or path:cat/007.png; of a text the token at "
                 "that index"},
        {.type = KL_OPTION_TEXT,
         .name = "text",
         .value = "TEXT",
         .target = &asking->text,
         .help = "any text, in a run of text: what follows is asked"},
        {.type = KL_OPTION_TEXT,
         .name = "layer",
         .value = "L",
         .target = &asking->words[LAYER],
         .help = "from 1 at the input, or its name (default: the last)"},
        {.type = KL_OPTION_TEXT,
         .name = "place",
         .value = "P",
         .target = &asking->words[PLACE],
         .help = "attention of one of the places at which the layer sees the sample, from 0 "
                 "(default: of all together, of a text of the last)"},
        {.type = KL_OPTION_TEXT,
         .name = "rank",
         .choice = rank_name,
         .value = "RANK",
         .target = &asking->words[RANK],
         .help = asking->rank_help},
        {.type = KL_OPTION_TEXT,
         .name = "by",
         .choice = unit_name,
         .value = "WHAT",
         .target = &asking->words[BY],
         .help = "pattern (default): every presentation by itself; sample: repetitions summed"},
        {.type = KL_OPTION_TEXT,
         .name = "class",
         .value = "C",
         .target = &asking->words[CLASS],
         .help = "only training samples of a class, by its name or its number over all data sets: "
                 "Coat, or 4"},
        {.type = KL_OPTION_TEXT,
         .name = "top",
         .value = "K",
         .target = &asking->words[TOP],
         .help = "how many (default 20)"}};

    describe_ranks(asking->rank_help, sizeof asking->rank_help);
    memcpy(table, rows, sizeof rows);
    return table + KL_ASKING_OPTIONS;
}

enum kl_status kl_asking_check(const struct kl_asking *asking, struct kl_error *err)
{
    return (asking->sample == NULL) != (asking->text == NULL)
               ? KL_OK
               : kl_fail(err, KL_ERR_USAGE,
                         "name what to ask about: --sample test/fashion-mnist/0, or, of a run of "
                         "text, --text 'Call me'");
}

static enum kl_status put_question(struct kl_asking *asking, const struct kl_run *run,
                                   struct kl_error *err)
{
    kl_question_init(&run->history, &asking->question);
    for (int w = 0; w < N_WORDS; w++)
        if (asking->words[w] &&
            kl_question_set(&asking->question, &run->history, names[w], asking->words[w], err))
            return w != TOP ? err->status
                            : kl_fail(err, KL_ERR_USAGE, "--top is 1 to %d", KL_TOP_MAX);
    return asking->remove
               ? kl_question_set(&asking->question, &run->history, "remove", asking->remove, err)
               : KL_OK;
}

/* A token of the run's own text, with what stands before it. */
static void find_position(struct kl_asking *asking, const struct kl_run *run, uint32_t sample)
{
    const struct kl_corpus *corpus = run->data.datasets[0]->corpus;
    struct kl_query *query = &asking->question.query;
    struct kl_sample_place place = kl_collection_place(&run->data, sample);
    struct kl_query_text *text = &asking->typed;

    kl_subject_at(&run->data, sample, &query->subject);
    query->target = (int)kl_collection_target(&run->data, sample);
    text->sample = sample;
    text->tokens = query->subject.tokens;
    text->n = query->subject.n_tokens;
    if (corpus->spaced[0])
        text->spaced = corpus->spaced[place.split] + place.index + 1 - text->n;
}

static enum kl_status read_typed(struct kl_asking *asking, const struct kl_run *run,
                                 struct kl_error *err)
{
    const struct kl_corpus *corpus = run->data.datasets[0]->corpus;
    struct kl_query_text *text = &asking->typed;
    char *typed = NULL;
    uint32_t first;
    enum kl_status status = kl_copy_text(&typed, asking->text, err);

    text->sample = -1;
    if (status)
        return status;
    status = kl_utf8_clean(typed)
                 ? kl_fail(err, KL_ERR_USAGE, "--text is text in UTF-8")
                 : kl_corpus_encode(corpus, typed, &text->own_tokens, &text->own_spaced, &text->n,
                                    &text->missing, err);
    free(typed);
    if (status)
        return status;
    if (text->n < 1 || text->n > KL_READING_MAX)
        return kl_fail(err, KL_ERR_USAGE, "--text has 1 to %d tokens, not %u", KL_READING_MAX,
                       text->n);
    text->tokens = text->own_tokens;
    text->spaced = corpus->spaced[0] ? text->own_spaced : NULL;
    first = text->n > KL_CONTEXT ? text->n - KL_CONTEXT : 0;
    asking->question.query.subject =
        (struct kl_subject){.tokens = text->tokens + first, .n_tokens = text->n - first};
    return KL_OK;
}

static enum kl_status find_image(struct kl_asking *asking, struct kl_run *run, uint32_t sample,
                                 struct kl_error *err)
{
    struct kl_query *query = &asking->question.query;
    enum kl_status status =
        kl_alloc(&asking->pixels, kl_dataset_image_size(run->data.datasets[0]), 1, "an image", err);

    if (!status)
        status = kl_run_image(run, sample, asking->pixels, err);
    query->subject.pixels = asking->pixels;
    query->subject.dataset = kl_collection_place(&run->data, sample).dataset;
    query->subject.stored = sample + 1;
    query->target = (int)kl_collection_target(&run->data, sample);
    return status;
}

enum kl_status kl_asking_find(struct kl_asking *asking, struct kl_run *run, struct kl_error *err)
{
    int is_text = kl_history_is_text(&run->history);
    uint32_t sample = 0;
    enum kl_status status =
        asking->text && !is_text
            ? kl_fail(err, KL_ERR_USAGE, "%s is no run of text: ask with --sample", run->path)
            : put_question(asking, run, err);

    asking->id = -1;
    if (status || asking->text)
        return status ? status : read_typed(asking, run, err);
    status = kl_sample_named(&run->data, asking->sample, "sample", &sample, err);
    if (status)
        return status;
    asking->id = sample;
    if (is_text)
        find_position(asking, run, sample);
    else
        status = find_image(asking, run, sample, err);
    asking->question.query.subject.place_layer = asking->question.query.layer;
    asking->question.query.subject.place = asking->question.query.place;
    return status;
}

void kl_asking_clear(struct kl_asking *asking)
{
    free(asking->pixels);
    kl_query_text_clear(&asking->typed);
}
