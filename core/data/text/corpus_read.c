/* Text files read into a corpus. */
#include "core/data/text/corpus_read.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/hash.h"
#include "core/base/memory.h"
#include "core/base/utf8.h"
#include "core/data/text/text_files.h"

#define TOKENS_MAX ((uint32_t)1 << 30) /* ids of samples are below 2^31 */

struct reading {
    const struct kl_corpus_settings *settings;
    struct kl_text_files files;
    /* What came up: texts, one after the other with a NUL each, found by hash. */
    uint32_t n_raw, raw_room;
    char **texts;                   /* (raw_room) */
    uint32_t *train_counts, *types; /* (n_raw) in the training split; what they became */
    uint32_t *slots, mask;          /* number + 1, or 0 */
};

static enum kl_status grow(struct reading *reading, struct kl_error *err)
{
    uint32_t room = reading->raw_room ? 2 * reading->raw_room : 1024, *slots = NULL;
    char **texts = realloc(reading->texts, room * sizeof *texts);
    enum kl_status status;

    if (!texts)
        return kl_fail(err, KL_ERR_MEMORY, "not enough memory for the vocabulary");
    reading->texts = texts;
    status = kl_alloc(&slots, (size_t)room * 2, sizeof *slots, "the vocabulary", err);
    if (status)
        return status;
    free(reading->slots);
    reading->slots = slots;
    reading->mask = 2 * room - 1;
    reading->raw_room = room;
    for (uint32_t i = 0; i < reading->n_raw; i++) {
        uint32_t at = (uint32_t)kl_hash(KL_HASH_START, texts[i], strlen(texts[i]));

        while (slots[at & reading->mask])
            at++;
        slots[at & reading->mask] = i + 1;
    }
    return KL_OK;
}

/* The number of a piece's text, a new one if it never came up. */
static enum kl_status intern(struct reading *reading, const struct kl_piece *piece, uint32_t *raw,
                             struct kl_error *err)
{
    uint32_t at = (uint32_t)kl_hash(KL_HASH_START, piece->text, piece->n_bytes), number;
    char *text = NULL;
    enum kl_status status;

    for (; (number = reading->slots[at & reading->mask]); at++) {
        const char *known = reading->texts[number - 1];

        if (!strncmp(known, piece->text, piece->n_bytes) && !known[piece->n_bytes]) {
            *raw = number - 1;
            return KL_OK;
        }
    }
    status = kl_alloc(&text, piece->n_bytes + 1, 1, "a token", err);
    if (status)
        return status;
    memcpy(text, piece->text, piece->n_bytes);
    reading->texts[reading->n_raw] = text;
    reading->slots[at & reading->mask] = ++reading->n_raw;
    *raw = reading->n_raw - 1;
    return reading->n_raw == reading->raw_room ? grow(reading, err) : KL_OK;
}

static enum kl_status cut_file(struct reading *reading, struct kl_text_file *file,
                               struct kl_error *err)
{
    enum kl_token_kind kind = reading->settings->kind;
    char *text = NULL;
    const char *at;
    struct kl_piece piece;
    size_t n = 0;
    enum kl_status status = kl_text_file_read(file, &text, err);

    for (at = text; !status && kl_next_piece(kind, &at, &piece);)
        n++;
    if (!status && n > TOKENS_MAX)
        status = kl_fail(err, KL_ERR_INPUT, "%s has more than %u tokens", file->path, TOKENS_MAX);
    if (!status)
        status = kl_alloc(&file->raw, n, sizeof(uint32_t), "a text's tokens", err);
    if (!status && kind != KL_TOKENS_CHARACTERS)
        status = kl_alloc(&file->spaced, n, 1, "a text's tokens", err);
    for (at = text; !status && kl_next_piece(kind, &at, &piece);) {
        if (file->spaced)
            file->spaced[file->n_tokens] = (uint8_t)piece.spaced;
        status = intern(reading, &piece, &file->raw[file->n_tokens++], err);
    }
    free(text);
    return status;
}

/* The tokens of a file that belong to a split: *first and the count. at: how many tokens of files
 * split by share came before it; cut: the first of these that is a test token. */
static uint32_t part(const struct kl_text_file *file, enum kl_split split, uint64_t at,
                     uint64_t cut, uint32_t *first)
{
    uint64_t train = at >= cut ? 0 : cut - at < file->n_tokens ? cut - at : file->n_tokens;

    *first = 0;
    if (file->split >= 0)
        return (enum kl_split)file->split == split ? file->n_tokens : 0;
    *first = split == KL_SPLIT_TEST ? (uint32_t)train : 0;
    return split == KL_SPLIT_TRAIN  ? (uint32_t)train
           : split == KL_SPLIT_TEST ? file->n_tokens - (uint32_t)train
                                    : 0;
}

/* Calls take with every part of every split, in order. */
static enum kl_status
each_part(struct reading *reading, struct kl_corpus *corpus,
          enum kl_status (*take)(struct reading *, struct kl_corpus *, const struct kl_text_file *,
                                 enum kl_split, uint32_t first, uint32_t count, struct kl_error *),
          struct kl_error *err)
{
    uint64_t total = 0, cut;

    for (uint32_t i = 0; i < reading->files.n; i++)
        total += reading->files.files[i].split < 0 ? reading->files.files[i].n_tokens : 0;
    cut = (uint64_t)((double)total * (1 - reading->settings->test_share));
    if (total - cut < 2)
        cut = total; /* nothing follows a single token */
    for (int s = 0; s < KL_N_SPLITS; s++) {
        uint64_t at = 0;

        for (uint32_t i = 0; i < reading->files.n; i++) {
            const struct kl_text_file *file = &reading->files.files[i];
            uint32_t first, count = part(file, (enum kl_split)s, at, cut, &first);

            if (count && take(reading, corpus, file, (enum kl_split)s, first, count, err))
                return err->status;
            at += file->split < 0 ? file->n_tokens : 0;
        }
    }
    return KL_OK;
}

static enum kl_status count_part(struct reading *reading, struct kl_corpus *corpus,
                                 const struct kl_text_file *file, enum kl_split split,
                                 uint32_t first, uint32_t count, struct kl_error *err)
{
    for (uint32_t i = first; split == KL_SPLIT_TRAIN && i < first + count; i++)
        reading->train_counts[file->raw[i]]++;
    if (count > TOKENS_MAX - corpus->lengths[0] - corpus->lengths[1] - corpus->lengths[2])
        return kl_fail(err, KL_ERR_INPUT, "the text has more than %u tokens", TOKENS_MAX);
    corpus->lengths[split] += count;
    corpus->n_documents++;
    return KL_OK;
}

static enum kl_status copy_part(struct reading *reading, struct kl_corpus *corpus,
                                const struct kl_text_file *file, enum kl_split split,
                                uint32_t first, uint32_t count, struct kl_error *err)
{
    struct kl_document *document = &corpus->documents[corpus->n_documents++];
    uint32_t at = corpus->lengths[split];

    if (kl_copy_text(&document->name, file->name, err))
        return err->status;
    document->split = split;
    document->first = at;
    document->count = count;
    for (uint32_t i = 0; i < count; i++)
        corpus->tokens[split][at + i] = reading->types[file->raw[first + i]];
    if (file->spaced)
        memcpy(corpus->spaced[split] + at, file->spaced + first, count);
    corpus->lengths[split] += count;
    return KL_OK;
}

/* A type of the vocabulary to be. */
struct candidate {
    uint32_t raw, count;
};

static int by_count(const void *a, const void *b)
{
    const struct candidate *left = a, *right = b;

    if (left->count != right->count)
        return left->count < right->count ? 1 : -1;
    return left->raw < right->raw ? -1 : left->raw > right->raw;
}

/* The vocabulary: the unknown first, then what the training split holds often enough, the most
 * frequent first. */
static enum kl_status make_vocabulary(struct reading *reading, struct kl_corpus *corpus,
                                      struct kl_error *err)
{
    const char *unknown =
        reading->settings->kind == KL_TOKENS_CHARACTERS ? "\xef\xbf\xbd" : KL_UNKNOWN_WORD;
    struct candidate *candidates = NULL;
    uint32_t n = 0, min_count = reading->settings->min_count ? reading->settings->min_count : 1;
    enum kl_status status =
        kl_alloc(&candidates, reading->n_raw, sizeof *candidates, "the vocabulary", err);

    for (uint32_t i = 0; !status && i < reading->n_raw; i++) {
        int is_unknown = !strcmp(reading->texts[i], unknown);

        reading->types[i] = 0;
        if (!is_unknown && reading->train_counts[i] >= min_count)
            candidates[n++] = (struct candidate){i, reading->train_counts[i]};
    }
    if (!status) {
        qsort(candidates, n, sizeof *candidates, by_count);
        status = kl_alloc(&corpus->types, n + 1, sizeof *corpus->types, "the vocabulary", err);
    }
    if (!status)
        status = kl_alloc(&corpus->counts, n + 1, sizeof(uint32_t), "the vocabulary", err);
    if (!status)
        status = kl_alloc(&corpus->types[0], strlen(unknown) + 1, 1, "the vocabulary", err);
    if (!status) {
        memcpy(corpus->types[0], unknown, strlen(unknown));
        corpus->n_types = 1;
    }
    for (uint32_t i = 0; !status && i < n; i++) {
        uint32_t raw = candidates[i].raw;

        corpus->types[corpus->n_types] = reading->texts[raw];
        reading->texts[raw] = NULL; /* the corpus owns it now */
        corpus->counts[corpus->n_types] = candidates[i].count;
        reading->types[raw] = corpus->n_types++;
    }
    for (uint32_t i = 0; !status && i < reading->n_raw; i++)
        if (reading->types[i] == 0)
            corpus->counts[0] += reading->train_counts[i];
    free(candidates);
    return status;
}

static enum kl_status build(struct reading *reading, struct kl_corpus *corpus, struct kl_error *err)
{
    enum kl_status status =
        kl_alloc(&reading->train_counts, reading->n_raw, sizeof(uint32_t), "the vocabulary", err);

    if (!status)
        status = kl_alloc(&reading->types, reading->n_raw, sizeof(uint32_t), "the vocabulary", err);
    if (!status)
        status = each_part(reading, corpus, count_part, err);
    if (!status && corpus->lengths[KL_SPLIT_TRAIN] < 2)
        status = kl_fail(err, KL_ERR_INPUT,
                         "the text has no training part: it is empty, or see test_share and "
                         "test_files");
    for (int s = KL_SPLIT_VALIDATION; !status && s < KL_N_SPLITS; s++)
        if (corpus->lengths[s] == 1)
            status =
                kl_fail(err, KL_ERR_INPUT,
                        "the %s split has a single token, after which nothing follows: make it "
                        "longer, or leave it out",
                        kl_split_name((enum kl_split)s));
    if (!status)
        status = make_vocabulary(reading, corpus, err);
    if (!status && corpus->n_types > KL_TYPES_MAX)
        status = kl_fail(err, KL_ERR_INPUT,
                         "the vocabulary has %u tokens, more than %d: raise min_count",
                         corpus->n_types, KL_TYPES_MAX);
    if (!status)
        status = kl_alloc(&corpus->documents, corpus->n_documents, sizeof *corpus->documents,
                          "the documents", err);
    for (int s = 0; !status && s < KL_N_SPLITS; s++) {
        status =
            kl_alloc(&corpus->tokens[s], corpus->lengths[s], sizeof(uint32_t), "the text", err);
        if (!status && corpus->kind != KL_TOKENS_CHARACTERS)
            status = kl_alloc(&corpus->spaced[s], corpus->lengths[s], 1, "the text", err);
        corpus->lengths[s] = 0;
    }
    corpus->n_documents = 0;
    if (!status)
        status = each_part(reading, corpus, copy_part, err);
    return status ? status : kl_corpus_index(corpus, err);
}

static void end_reading(struct reading *reading)
{
    kl_text_files_clear(&reading->files);
    for (uint32_t i = 0; i < reading->n_raw; i++)
        free(reading->texts[i]);
    free(reading->texts);
    free(reading->train_counts);
    free(reading->types);
    free(reading->slots);
}

enum kl_status kl_corpus_read(const char *path, const struct kl_corpus_settings *settings,
                              struct kl_dataset *dataset, struct kl_error *err)
{
    struct reading reading = {.settings = settings};
    struct kl_corpus *corpus = NULL;
    enum kl_status status = kl_text_files_list(&reading.files, path, &dataset->notes, err);

    if (!status)
        status = kl_text_files_split(&reading.files, settings->test_files, &dataset->notes, err);
    if (!status)
        status = grow(&reading, err);
    for (uint32_t i = 0; !status && i < reading.files.n; i++)
        status = cut_file(&reading, &reading.files.files[i], err);
    if (!status)
        status = kl_alloc(&corpus, 1, sizeof *corpus, "the text", err);
    if (!status) {
        corpus->kind = settings->kind;
        kl_text_files_note_leaks(&reading.files, &dataset->notes);
        status = build(&reading, corpus, err);
    }
    end_reading(&reading);
    if (status) {
        kl_corpus_free(corpus);
        return status;
    }
    dataset->corpus = corpus;
    dataset->n_classes = corpus->n_types;
    for (int s = 0; s < KL_N_SPLITS; s++)
        dataset->splits[s].count = corpus->lengths[s] ? corpus->lengths[s] - 1 : 0;
    return KL_OK;
}
