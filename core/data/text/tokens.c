#include "core/data/text/tokens.h"

#include <string.h>

#include "core/base/utf8.h"

#define PIECE_BYTES 256 /* longer words and rows of one mark are cut: nobody has such */

static int is_space(const char *at)
{
    return *at == ' ' || *at == '\t' || *at == '\r' || *at == '\v' || *at == '\f';
}

/* Marks of Unicode's general punctuation block, U+2000 to U+206F: dashes, quotes, ellipsis; and the
 * non-breaking space, inverted marks and guillemets of Latin-1 (U+00A0 to U+00BF). */
static int is_wide_mark(const char *at)
{
    const unsigned char *byte = (const unsigned char *)at;

    return (byte[0] == 0xe2 && (byte[1] == 0x80 || byte[1] == 0x81)) ||
           (byte[0] == 0xc2 && byte[1] >= 0xa0);
}

static int is_letter(const char *at)
{
    unsigned char byte = (unsigned char)*at;

    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || byte == '_' || (byte >= 0x80 && !is_wide_mark(at));
}

/* Bytes of an apostrophe that stands here: ' or U+2019; or 0. */
static size_t apostrophe(const char *at)
{
    return *at == '\'' ? 1 : !strncmp(at, "\xe2\x80\x99", 3) ? 3 : 0;
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

/* A word with the apostrophes inside it, or one mark, repeated as often as it stands there. */
static size_t word(const char *at)
{
    const char *end = at;

    if (is_unknown(at))
        return strlen(KL_UNKNOWN_WORD);
    if (!is_letter(at)) {
        size_t length = character(at);

        for (end += length; !strncmp(end, at, length) && end - at < PIECE_BYTES && !is_unknown(end);
             end += length)
            ;
        return (size_t)(end - at);
    }
    while (is_letter(end) && end - at < PIECE_BYTES) {
        size_t inside;

        end += character(end);
        inside = apostrophe(end);
        if (inside && is_letter(end + inside))
            end += inside;
    }
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
