#include "core/data/text/corpus.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/hash.h"
#include "core/base/memory.h"
#include "core/base/unicode.h"

/* Open addressing: the number of a type + 1, or 0. */
struct kl_corpus_index {
    uint32_t mask;
    uint32_t *slots; /* (mask + 1) */
    uint32_t n;
    char **composed; /* (n) texts in normal form C, where they are not in it; or NULL */
};

static uint32_t *find(const struct kl_corpus *corpus, const char *text, size_t n_bytes)
{
    const struct kl_corpus_index *index = corpus->index;
    uint32_t at = (uint32_t)kl_hash(KL_HASH_START, text, n_bytes) & index->mask;

    while (index->slots[at]) {
        uint32_t number = index->slots[at] - 1;
        const char *type =
            index->composed[number] ? index->composed[number] : corpus->types[number];

        if (!strncmp(type, text, n_bytes) && !type[n_bytes])
            break;
        at = (at + 1) & index->mask;
    }
    return &index->slots[at];
}

/* Texts that look alike are one: the first. */
static enum kl_status add_type(struct kl_corpus *corpus, uint32_t i, struct kl_error *err)
{
    char *composed = NULL;
    uint32_t *slot;
    enum kl_status status = kl_unicode_compose(corpus->types[i], &composed, err);

    if (status)
        return status;
    slot = find(corpus, composed, strlen(composed));
    if (*slot && !strcmp(corpus->types[*slot - 1], corpus->types[i]))
        status = kl_fail(err, KL_ERR_INPUT, "token %u of the vocabulary stands there twice", i);
    else if (!*slot)
        *slot = i + 1;
    if (strcmp(composed, corpus->types[i]) != 0)
        corpus->index->composed[i] = composed;
    else
        free(composed);
    return status;
}

enum kl_status kl_corpus_index(struct kl_corpus *corpus, struct kl_error *err)
{
    struct kl_corpus_index *index = NULL;
    uint32_t size = 16;
    enum kl_status status = kl_alloc(&index, 1, sizeof *index, "the vocabulary", err);

    if (status)
        return status;
    while (size < 2 * corpus->n_types)
        size *= 2;
    index->mask = size - 1;
    corpus->index = index;
    status = kl_alloc(&index->slots, size, sizeof(uint32_t), "the vocabulary", err);
    if (!status)
        status = kl_alloc(&index->composed, corpus->n_types, sizeof(char *), "the vocabulary", err);
    index->n = status ? 0 : corpus->n_types;
    for (uint32_t i = 0; !status && i < corpus->n_types; i++)
        status = add_type(corpus, i, err);
    return status;
}

/* Adds a piece that the vocabulary lacks to those that are missing, once. */
static void miss(struct kl_notes *missing, const struct kl_piece *piece)
{
    if (!strncmp(piece->text, KL_UNKNOWN_WORD, strlen(KL_UNKNOWN_WORD)))
        return; /* as it was typed */
    for (size_t i = 0; i < missing->n; i++)
        if (!strncmp(missing->sentences[i], piece->text, piece->n_bytes) &&
            !missing->sentences[i][piece->n_bytes])
            return;
    kl_note(missing, "%.*s", (int)piece->n_bytes, piece->text);
}

enum kl_status kl_corpus_encode(const struct kl_corpus *corpus, const char *typed,
                                uint32_t **tokens, uint8_t **spaced, uint32_t *n,
                                struct kl_notes *missing, struct kl_error *err)
{
    char *composed = NULL;
    const char *text;
    size_t most;
    uint32_t *out = NULL, found = 0;
    uint8_t *spaces = NULL;
    struct kl_piece piece = {0};
    enum kl_status status = kl_unicode_compose(typed, &composed, err);

    if (status)
        return status;
    text = composed;
    most = strlen(text); /* no piece is empty */
    status = kl_alloc(&out, most, sizeof *out, "the text", err);
    if (!status)
        status = kl_alloc(&spaces, most, 1, "the text", err);
    if (status) {
        free(out);
        free(composed);
        return status;
    }
    while (kl_next_piece(corpus->kind, &text, &piece)) {
        uint32_t type = *find(corpus, piece.text, piece.n_bytes);

        if (!type && missing)
            miss(missing, &piece);
        spaces[found] = (uint8_t)piece.spaced;
        out[found++] = type ? type - 1 : corpus->unknown;
    }
    /* Who types words ends with the space before the next one. */
    if (corpus->kind == KL_TOKENS_WORDS && found > 1 && piece.n_bytes == strspn(piece.text, " "))
        found--;
    free(composed);
    *tokens = out;
    *spaced = spaces;
    *n = found;
    return KL_OK;
}

/* Whether one of the marks, ended by NULL, is all or the beginning of the text. */
static int is_one_of(const char *text, const char *const *marks)
{
    for (; *marks; marks++)
        if (!strncmp(text, *marks, strlen(*marks)))
            return 1;
    return 0;
}

int kl_corpus_is_spaced(const struct kl_corpus *corpus, uint32_t before, uint32_t token)
{
    static const char *const opening[] = {
        "(", "[", "{", "\xe2\x80\x9c", "\xe2\x80\x98", "\xe2\x80\x94", " ", "\n", "\t", NULL};
    static const char *const closing[] = {")",
                                          "]",
                                          "}",
                                          ".",
                                          ",",
                                          ";",
                                          ":",
                                          "!",
                                          "?",
                                          "\xd8\x8c", /* Arabic comma, semicolon, question mark */
                                          "\xd8\x9b",
                                          "\xd8\x9f",
                                          "\xe2\x80\x9d",
                                          "\xe2\x80\x99",
                                          "\xe2\x80\x94",
                                          " ",
                                          "\n",
                                          "\t",
                                          NULL};

    return corpus->kind != KL_TOKENS_CHARACTERS && !is_one_of(corpus->types[before], opening) &&
           !is_one_of(corpus->types[token], closing);
}

const struct kl_document *kl_corpus_document(const struct kl_corpus *corpus, enum kl_split split,
                                             uint32_t position)
{
    for (uint32_t i = 0; i < corpus->n_documents; i++) {
        const struct kl_document *document = &corpus->documents[i];

        if (document->split == split && position - document->first < document->count)
            return document;
    }
    return NULL;
}

void kl_corpus_free(struct kl_corpus *corpus)
{
    if (!corpus)
        return;
    for (uint32_t i = 0; corpus->types && i < corpus->n_types; i++)
        free(corpus->types[i]);
    free(corpus->types);
    free(corpus->counts);
    for (int s = 0; s < KL_N_SPLITS; s++) {
        free(corpus->tokens[s]);
        free(corpus->spaced[s]);
    }
    for (uint32_t i = 0; corpus->documents && i < corpus->n_documents; i++)
        free(corpus->documents[i].name);
    free(corpus->documents);
    for (uint32_t i = 0; corpus->index && i < corpus->index->n; i++)
        free(corpus->index->composed[i]);
    if (corpus->index) {
        free(corpus->index->composed);
        free(corpus->index->slots);
    }
    free(corpus->index);
    free(corpus);
}
