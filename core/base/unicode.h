/* Text as Unicode means it (libunistring): normal form, and how wide it stands on a terminal. */
#ifndef KL_CORE_BASE_UNICODE_H
#define KL_CORE_BASE_UNICODE_H

#include <stddef.h>

#include "core/base/error.h"

/* The text in normal form C (UAX 15), in which letters that look alike are alike: *out is the
 * caller's, to free. text is valid UTF-8. Errors: KL_ERR_MEMORY. */
enum kl_status kl_unicode_compose(const char *text, char **out, struct kl_error *err);

/* Text in UTF-16, n_bytes with its byte order mark, as UTF-8 that ends with NUL, which is the
 * caller's, to free. Errors: KL_ERR_INPUT (it is not UTF-16), KL_ERR_MEMORY. */
enum kl_status kl_unicode_from_utf16(const void *bytes, size_t n_bytes, char **out,
                                     struct kl_error *err);

/* Whether bytes begin with the byte order mark of UTF-16. */
int kl_unicode_is_utf16(const void *bytes, size_t n_bytes);

/* Columns that a text takes on a terminal: two for wide letters, none for combining marks. */
int kl_unicode_columns(const char *text);

/* The bytes of a text's beginning that fit so many columns, and end between two letters as people
 * see them (grapheme clusters, UAX 29). */
size_t kl_unicode_fit(const char *text, int columns);

#endif
