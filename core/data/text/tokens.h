/* Text cut into pieces: characters, or words with punctuation and line breaks between them. */
#ifndef KL_CORE_DATA_TEXT_TOKENS_H
#define KL_CORE_DATA_TEXT_TOKENS_H

#include <stddef.h>

enum kl_token_kind {
    KL_TOKENS_CHARACTERS, /* every Unicode code point */
    KL_TOKENS_WORDS,      /* words of every script (UAX 29), marks of punctuation, line breaks; a
                             single space before one is noted, other white space is a token */
    KL_TOKENS_WHITESPACE, /* what white space separates, and line breaks: text that somebody else
                         has cut already, such as WikiText's */
};

#define KL_UNKNOWN_WORD "<unk>" /* stands for any; one piece of words, wherever it is written */

struct kl_piece {
    const char *text; /* where it begins, in what was cut */
    size_t n_bytes;
    int spaced; /* whether a space stood before it */
};

/* Takes the next piece of *text, valid UTF-8 that ends with NUL, and moves *text behind it. Returns
 * 0 at the end. */
int kl_next_piece(enum kl_token_kind kind, const char **text, struct kl_piece *piece);

/* "characters", "words", "spaced"; a static string; and the reverse: 0, or -1 for another word. */
const char *kl_token_kind_name(enum kl_token_kind kind);
int kl_token_kind_parse(const char *name, enum kl_token_kind *kind);

#endif
