#include "core/explain/text/passages.h"

#include <stdlib.h>

#include "core/data/text/corpus.h"
#include "core/base/memory.h"

/* Tokens around a lit one, by how texts are cut: before, after, and how near two are merged. */
struct reach {
    uint32_t before, after, near;
};

static struct reach reach_of(const struct kl_corpus *corpus)
{
    return corpus->kind == KL_TOKENS_CHARACTERS ? (struct reach){62, 44, 24}
                                                : (struct reach){24, 14, 6};
}

static uint32_t distance(uint32_t a, uint32_t b)
{
    return a < b ? b - a : a - b;
}

/* The passage that a position belongs to, or NULL. */
static struct kl_passage *find_passage(struct kl_passages *passages, const struct reach *reach,
                                       uint32_t position)
{
    for (uint32_t i = 0; i < passages->n; i++) {
        struct kl_passage *passage = &passages->passages[i];

        if (distance(passage->places[0].position, position) <= reach->near &&
            position - passage->first < passage->count)
            return passage;
    }
    return NULL;
}

static enum kl_status begin_passage(const struct kl_corpus *corpus, const struct reach *reach,
                                    uint32_t position, uint32_t room, struct kl_passages *passages,
                                    struct kl_error *err)
{
    const struct kl_document *document = kl_corpus_document(corpus, KL_SPLIT_TRAIN, position);
    struct kl_passage *passage = &passages->passages[passages->n];
    uint32_t end = document->first + document->count;
    enum kl_status status =
        kl_alloc(&passage->places, room, sizeof *passage->places, "a passage", err);

    if (status)
        return status;
    passage->first =
        position - document->first > reach->before ? position - reach->before : document->first;
    passage->count =
        (end - position > reach->after ? position + reach->after + 1 : end) - passage->first;
    passages->n++;
    return KL_OK;
}

static void add_place(const struct kl_history *history, struct kl_passage *passage, uint32_t hit,
                      uint32_t position)
{
    for (uint32_t i = 0; i < passage->n_places; i++) {
        if (passage->places[i].position == position) {
            passage->places[i].patterns++;
            return;
        }
    }
    passage->places[passage->n_places++] =
        (struct kl_hit_place){hit, position, 1, history->repetitions[position]};
}

enum kl_status kl_passages_find(const struct kl_history *history, const struct kl_answer *answer,
                                uint32_t most, struct kl_passages *out, struct kl_error *err)
{
    const struct kl_corpus *corpus = history->data->datasets[0]->corpus;
    struct reach reach = reach_of(corpus);
    struct kl_passages passages = {0, NULL};
    enum kl_status status =
        kl_alloc(&passages.passages, most, sizeof *passages.passages, "the passages", err);

    /* A training sample's id is its position: the training split comes first. */
    for (uint32_t i = 0; !status && i < answer->n_hits; i++) {
        uint32_t position = answer->spotlight[i].sample;
        struct kl_passage *passage = find_passage(&passages, &reach, position);

        if (!passage && passages.n == most)
            continue;
        if (!passage)
            status = begin_passage(corpus, &reach, position, answer->n_hits, &passages, err);
        if (!status)
            add_place(history, passage ? passage : &passages.passages[passages.n - 1], i, position);
    }
    if (status)
        kl_passages_clear(&passages);
    else
        *out = passages;
    return status;
}

void kl_passages_clear(struct kl_passages *passages)
{
    for (uint32_t i = 0; i < passages->n; i++)
        free(passages->passages[i].places);
    free(passages->passages);
    *passages = (struct kl_passages){0, NULL};
}
