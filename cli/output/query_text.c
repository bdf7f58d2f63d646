#include "cli/output/query_text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/output/names.h"
#include "cli/output/text_output.h"
#include "core/base/clock.h"
#include "core/base/memory.h"
#include "core/explain/text/passages.h"
#include "core/explain/text/reading.h"
#include "core/base/utf8.h"
#include "api/query_text.h"
#include "api/question.h"
#include "api/answers.h"

#define NEXT_TOLD 10

/* The text that is meant, with its last token as the place. The caller ends it with
 * kl_query_text_clear. */
static enum kl_status find_text(const struct kl_run *run, const struct kl_text_request *request,
                                struct kl_query *query, struct kl_query_text *text,
                                struct kl_error *err)
{
    const struct kl_corpus *corpus = run->data.datasets[0]->corpus;
    char *typed = NULL;
    uint32_t first;
    enum kl_status status;

    *text = (struct kl_query_text){.sample = -1};
    if (!request->text) {
        kl_subject_at(&run->data, request->sample, &query->subject);
        query->target = (int)kl_collection_target(&run->data, request->sample);
        text->sample = request->sample;
        text->tokens = query->subject.tokens;
        text->n = query->subject.n_tokens;
        if (corpus->spaced[0]) {
            struct kl_sample_place place = kl_collection_place(&run->data, request->sample);

            text->spaced = corpus->spaced[place.split] + place.index + 1 - text->n;
        }
        return KL_OK;
    }
    status = kl_alloc(&typed, strlen(request->text) + 1, 1, "the text", err);
    if (status)
        return status;
    memcpy(typed, request->text, strlen(request->text));
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
    query->subject =
        (struct kl_subject){.tokens = text->tokens + first, .n_tokens = text->n - first};
    return KL_OK;
}

static void print_next(const struct kl_run *run, const struct kl_answer *answer)
{
    const struct kl_corpus *corpus = run->data.datasets[0]->corpus;
    float *left = malloc(answer->n_logits * sizeof *left);

    if (left)
        memcpy(left, answer->probabilities, answer->n_logits * sizeof *left);
    printf("\n%11s   %9s", "probability", "logit");
    if (run->history.has_dual)
        printf(" = %13s + %10s", "initial guess", "correction");
    if (run->history.left_out > 0)
        printf(" + %10s", "left out");
    printf("   next\n");
    for (int i = 0; left && i < NEXT_TOLD && (uint32_t)i < answer->n_logits; i++) {
        uint32_t j = kl_argmax(left, answer->n_logits);

        printf("%9.2f %%   %9.4f", 100 * (double)answer->probabilities[j],
               (double)answer->logits[j]);
        if (run->history.has_dual)
            printf(" = %13.4f + %10.4f", answer->initial_guess[j], answer->correction[j]);
        if (run->history.left_out > 0)
            printf(" + %10.4f",
                   (double)answer->logits[j] - answer->initial_guess[j] - answer->correction[j]);
        printf("   ");
        kl_print_token(corpus->types[j]);
        if (answer->removed.logits)
            printf("   (without: %.2f %%)", 100 * (double)answer->removed.probabilities[j]);
        putchar('\n');
        left[j] = -1;
    }
    if (!run->history.has_dual)
        printf("Trained with Adam: there is no exact dual form, so there are no contributions.\n");
    else if (run->history.left_out > 0)
        printf("Left out: what the smallest error signals, which are not recorded, added.\n");
    else
        printf("The sum is the logit within %.1e.\n", answer->max_abs_error);
    free(left);
}

static void print_passages(const struct kl_run *run, const struct kl_answer *answer,
                           const struct kl_passages *passages)
{
    const struct kl_corpus *corpus = run->data.datasets[0]->corpus;
    const uint8_t *spaced = corpus->spaced[KL_SPLIT_TRAIN];

    printf("\n%4s %12s %14s %7s %6s %9s  %s\n", "rank", "attention", "contribution", "step",
           "times", "position", "passage, with the attended token in brackets");
    for (uint32_t i = 0; i < passages->n; i++) {
        const struct kl_passage *passage = &passages->passages[i];
        const struct kl_hit_place *place = &passage->places[0];
        const struct kl_hit *hit = &answer->spotlight[place->hit];

        printf("%4u %12.4f ", i + 1, hit->attention);
        if (isnan(hit->contribution))
            printf("%14s", "-");
        else
            printf("%14.6f", hit->contribution);
        printf(" %7u %6u %9u  ", hit->step, place->repetitions, place->position);
        kl_print_passage(corpus, corpus->tokens[KL_SPLIT_TRAIN] + passage->first,
                         spaced ? spaced + passage->first : NULL, passage->count,
                         place->position - passage->first);
        putchar('\n');
    }
    if (run->history.has_dual) {
        printf("Contributions are to the logit of ");
        kl_print_token(corpus->types[answer->logit]);
        printf(".\n");
    }
}

static void print_answer(const struct kl_run *run, const struct kl_query *query,
                         const struct kl_query_text *text, const struct kl_answer *answer,
                         const struct kl_passages *passages, double total_ms)
{
    const struct kl_corpus *corpus = run->data.datasets[0]->corpus;

    kl_print_passage(corpus, text->tokens, text->spaced, text->n, text->n - 1);
    if (text->missing.n) {
        printf("\nnot in the vocabulary, read as unknown:");
        for (size_t k = 0; k < text->missing.n; k++) {
            printf(k ? ", " : " ");
            kl_print_name(text->missing.sentences[k], 0);
        }
    }
    printf("\nexpects ");
    kl_print_token(corpus->types[answer->predicted]);
    printf(" with %.1f %%", 100 * (double)answer->probabilities[answer->predicted]);
    if (query->target != KL_ANY_CLASS) {
        printf("; what follows is ");
        kl_print_token(corpus->types[answer->target]);
        printf(" (%.2f bits)", -log2((double)answer->probabilities[answer->target]));
    }
    putchar('\n');
    print_next(run, answer);
    printf("\nLayer %u, %llu patterns, by %s, ranked by %s, %.0f ms\n", query->layer,
           (unsigned long long)answer->n_patterns, query->by_sample ? "position" : "pattern",
           query->rank->name, total_ms);
    print_passages(run, answer, passages);
    if (answer->removed.logits) {
        printf("Without %llu patterns of the output layer's memory it would expect ",
               (unsigned long long)answer->removed.n_patterns);
        kl_print_token(corpus->types[answer->removed.predicted]);
        printf(" (no retraining).\n");
    }
}

enum kl_status kl_query_text(struct kl_run *run, struct kl_pool *pool,
                             const struct kl_text_request *request, struct kl_error *err)
{
    struct kl_query query = request->query;
    struct kl_query_text text = {0};
    struct kl_answer answer = {0};
    struct kl_passages passages = {0};
    double started = kl_now_ms(), total_ms;
    enum kl_status status = find_text(run, request, &query, &text, err);

    if (status)
        goto out;
    query.top = request->query.top * KL_HITS_PER_PASSAGE < KL_TOP_MAX
                    ? request->query.top * KL_HITS_PER_PASSAGE
                    : KL_TOP_MAX;
    status = kl_attend(pool, &run->history, &query, &answer, err);
    if (status)
        goto out;
    status = kl_passages_find(&run->history, &answer, request->query.top, &passages, err);
    if (status)
        goto out;
    total_ms = kl_now_ms() - started;
    if (request->json) {
        char *json =
            kl_json_text_attention(run, &query, &text, text.n - 1, &answer, &passages, total_ms);

        if (json)
            puts(json);
        else
            status = kl_fail(err, KL_ERR_MEMORY, "not enough memory for the answer");
        free(json);
    } else {
        print_answer(run, &query, &text, &answer, &passages, total_ms);
    }
out:
    kl_passages_clear(&passages);
    kl_answer_clear(&answer);
    kl_query_text_clear(&text);
    return status;
}
