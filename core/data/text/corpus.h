/* Text as a language model sees it: documents one after the other, as tokens of a vocabulary.
 *
 * A sample of a text data set is a position: the token there is read, the one after it is the
 * target, so that a split of n tokens has n - 1 samples, with index 0 .. n - 2. */
#ifndef KL_CORE_DATA_TEXT_CORPUS_H
#define KL_CORE_DATA_TEXT_CORPUS_H

#include <stdint.h>

#include "core/base/notes.h"
#include "core/data/split.h"
#include "core/data/text/tokens.h"

/* A document, or the part of one that lies in a split. */
struct kl_document {
    char *name; /* of its file, below the data set's folder; owned by the corpus */
    enum kl_split split;
    uint32_t first, count; /* tokens, within the split */
};

struct kl_corpus {
    enum kl_token_kind kind;
    uint32_t n_types; /* of the vocabulary: different tokens */
    char **types;     /* (n_types) their texts, UTF-8 */
    uint32_t *counts; /* (n_types) in the training split */
    uint32_t unknown; /* the type that stands for what the vocabulary lacks */
    uint32_t lengths[KL_N_SPLITS];
    uint32_t *tokens[KL_N_SPLITS]; /* (lengths) types */
    uint8_t *spaced[KL_N_SPLITS];  /* (lengths) whether a space stands before the token; NULL for
                                      characters */
    uint32_t n_documents;
    struct kl_document *documents; /* (n_documents), split by split, in order */
    struct kl_corpus_index *index; /* of the vocabulary, see kl_corpus_index */
};

#define KL_TEST_SHARE 0.05

/* How text becomes a corpus. */
struct kl_corpus_settings {
    enum kl_token_kind kind;
    uint32_t min_count; /* rarer tokens are unknown; 1: all of the training split are known */
    double test_share;  /* of all tokens, the last ones; unless test_files is given */
    char test_files[KL_NAME_MAX]; /* a pattern (fnmatch) of file names; or empty */
};

/* Makes the vocabulary searchable; texts must not change any more. Errors: KL_ERR_INPUT (a text
 * stands twice), KL_ERR_MEMORY. */
enum kl_status kl_corpus_index(struct kl_corpus *corpus, struct kl_error *err);

/* A text that kl_utf8_clean has cleaned, as tokens, of words without a space at its end; <unk> is
 * the unknown token: *tokens and *spaced (*n) are the caller's, to free. It is compared in normal
 * form C. What the vocabulary lacks is added to missing, each once (NULL: nowhere). Errors:
 * KL_ERR_MEMORY. */
enum kl_status kl_corpus_encode(const struct kl_corpus *corpus, const char *text, uint32_t **tokens,
                                uint8_t **spaced, uint32_t *n, struct kl_notes *missing,
                                struct kl_error *err);

/* Whether a space belongs between two tokens that nobody has set: of words, before any but closing
 * marks, and after any but opening ones and white space. */
int kl_corpus_is_spaced(const struct kl_corpus *corpus, uint32_t before, uint32_t token);

/* The document that holds a token of a split. */
const struct kl_document *kl_corpus_document(const struct kl_corpus *corpus, enum kl_split split,
                                             uint32_t position);

/* Frees a corpus; NULL is allowed. */
void kl_corpus_free(struct kl_corpus *corpus);

#endif
