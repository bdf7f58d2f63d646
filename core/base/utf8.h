/* Text that comes from files, command lines and requests. */
#ifndef KL_CORE_BASE_UTF8_H
#define KL_CORE_BASE_UTF8_H

#include <stddef.h>

#include "core/base/error.h"

/* Bytes of the character (code point) that starts here, or 0 if no valid one does (RFC 3629). text
 * ends with NUL. */
size_t kl_utf8_character(const char *text);

/* Takes the byte order mark, and every carriage return before a line feed, out of a text, in place.
 * Returns 0, or the number, from 1, of the first byte that is not part of valid UTF-8. */
size_t kl_utf8_clean(char *text);

/* Makes a text valid UTF-8 (RFC 3629) by turning every byte that is not part of it into '?'.
 * Returns how many there were. */
unsigned kl_utf8_repair(char *text);

/* A copy, repaired: *copy is the caller's, to free. Errors: KL_ERR_MEMORY. */
enum kl_status kl_copy_text(char **copy, const char *text, struct kl_error *err);

#endif
