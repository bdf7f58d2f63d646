#include "core/data/text/tokens.h"

#include <string.h>
#include <unictype.h>
#include <unistr.h>
#include <uniwbrk.h>

#include "core/base/utf8.h"

#define PIECE_BYTES 256 /* longer words and rows of one mark are cut: nobody has such */
#define SHORT_BYTES 48  /* most words end within so many */
#define NEAR_BYTES 16

static int is_space(const char *at)
{
    return *at == ' ' || *at == '\t' || *at == '\r' || *at == '\v' || *at == '\f';
}

static int is_word(const char *at)
{
    ucs4_t letter = 0;

    u8_mbtouc(&letter, (const uint8_t *)at, kl_utf8_character(at));
    return *at == '_' || uc_is_general_category_withtable(
                             letter, UC_CATEGORY_MASK_L | UC_CATEGORY_MASK_M | UC_CATEGORY_MASK_N);
}

/* Bytes of the code point here. Valid UTF-8 always has one. */
static size_t character(const char *at)
{
    size_t length = kl_utf8_character(at);

    return length ? length : 1;
}

static int is_unknown(const char *at)
{
    return !strncmp(at, KL_UNKNOWN_WORD, strlen(KL_UNKNOWN_WORD));
}

/* Bytes from here to the first boundary between words (UAX 29) among the first so many. */
static size_t segment_within(const char *at, size_t most)
{
    char breaks[PIECE_BYTES + 4];
    size_t n = 0;

    while (n < most && at[n] && !is_space(at + n) && at[n] != '\n')
        n += character(at + n);
    u8_wordbreaks((const uint8_t *)at, n, breaks);
    for (size_t i = 1; i < n; i++)
        if (breaks[i] == 1)
            return i;
    return n;
}

static size_t segment(const char *at)
{
    size_t length = segment_within(at, SHORT_BYTES);

    /* Near its end a window does not know how the text goes on. */
    return length + NEAR_BYTES < SHORT_BYTES ? length : segment_within(at, PIECE_BYTES);
}

/* A word, or one mark, repeated as often as it stands there. */
static size_t word(const char *at)
{
    const char *end = at;
    size_t length;

    if (is_unknown(at))
        return strlen(KL_UNKNOWN_WORD);
    length = segment(at);
    if (is_word(at))
        return length;
    if (length > character(at) && strncmp(at, at + character(at), character(at)) != 0)
        return length; /* such as a flag, or a face of several signs */
    length = character(at);
    for (end += length; !strncmp(end, at, length) && end - at < PIECE_BYTES && !is_unknown(end);
         end += length)
        ;
    return (size_t)(end - at);
}

static int next_word(const char **text, struct kl_piece *piece)
{
    const char *at = *text;
    size_t n_spaces = 0;

    while (is_space(at + n_spaces) && n_spaces < PIECE_BYTES)
        n_spaces++;
    *piece = (struct kl_piece){at, n_spaces, 0};
    if (n_spaces == 1 && *at == ' ' && at[1]) {
        at++;
        *piece = (struct kl_piece){at, *at == '\n' ? 1 : word(at), 1};
    } else if (n_spaces == 0) {
        piece->n_bytes = *at == '\n' ? 1 : word(at);
    }
    *text = piece->text + piece->n_bytes;
    return 1;
}

static int next_spaced(const char **text, struct kl_piece *piece)
{
    const char *at = *text;

    while (is_space(at))
        at++;
    *piece = (struct kl_piece){at, *at == '\n' ? 1 : strcspn(at, " \t\r\v\f\n"), at > *text};
    if (piece->n_bytes > PIECE_BYTES)
        for (piece->n_bytes = PIECE_BYTES; (at[piece->n_bytes] & 0xc0) == 0x80;)
            piece->n_bytes--; /* back to where a character begins */
    *text = at + piece->n_bytes;
    return piece->n_bytes > 0;
}

int kl_next_piece(enum kl_token_kind kind, const char **text, struct kl_piece *piece)
{
    if (!**text)
        return 0;
    if (kind == KL_TOKENS_WORDS)
        return next_word(text, piece);
    if (kind == KL_TOKENS_WHITESPACE)
        return next_spaced(text, piece);
    *piece = (struct kl_piece){*text, character(*text), 0};
    *text += piece->n_bytes;
    return 1;
}

static const char *const names[] = {"characters", "words", "whitespace"};

const char *kl_token_kind_name(enum kl_token_kind kind)
{
    return names[kind];
}

int kl_token_kind_parse(const char *name, enum kl_token_kind *kind)
{
    for (int i = KL_TOKENS_CHARACTERS; i <= KL_TOKENS_WHITESPACE; i++) {
        if (!strcmp(name, names[i])) {
            *kind = (enum kl_token_kind)i;
            return 0;
        }
    }
    if (strcmp(name, "spaced") != 0) /* an older word */
        return -1;
    *kind = KL_TOKENS_WHITESPACE;
    return 0;
}
