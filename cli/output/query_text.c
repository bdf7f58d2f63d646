#include "cli/output/json.h"
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
#include "api/asked/query_text.h"
#include "api/asked/question.h"
#include "api/answers.h"

#define NEXT_TOLD 10

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
        printf("There are no contributions: %s.\n", kl_history_why_not(&run->history));
    else if (run->history.left_out > 0 && run->history.n_missing)
        printf("Left out: what the missing shards added, and the smallest error signals, which are "
               "not recorded.\n");
    else if (run->history.left_out > 0)
        printf("Left out: what the smallest error signals, which are not recorded, added.\n");
    else if (run->history.n_missing)
        printf("The sum lacks what the missing shards added: up to %.2g.\n", answer->max_abs_error);
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

enum kl_status kl_query_text(struct kl_run *run, struct kl_pool *pool, const struct kl_query *asked,
                             const struct kl_query_text *text, int json, struct kl_error *err)
{
    struct kl_query query = *asked;
    struct kl_answer answer = {0};
    struct kl_passages passages = {0};
    double started = kl_now_ms(), total_ms;
    enum kl_status status;

    query.top = asked->top * KL_HITS_PER_PASSAGE < KL_TOP_MAX ? asked->top * KL_HITS_PER_PASSAGE
                                                              : KL_TOP_MAX;
    status = kl_attend(pool, &run->history, &query, &answer, err);
    if (!status)
        status = kl_passages_find(&run->history, &answer, asked->top, &passages, err);
    if (status)
        goto out;
    total_ms = kl_now_ms() - started;
    if (json) {
        status = kl_print_json(
            kl_json_text_attention(run, &query, text, text->n - 1, &answer, &passages, total_ms),
            err);
    } else {
        print_answer(run, &query, text, &answer, &passages, total_ms);
    }
out:
    kl_passages_clear(&passages);
    kl_answer_clear(&answer);
    return status;
}
