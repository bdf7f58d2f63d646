/* Text that comes from files, command lines and requests. */
#ifndef KL_CORE_TEXT_H
#define KL_CORE_TEXT_H

/* Makes a text valid UTF-8 (RFC 3629) by turning every byte that is not part of it into '?'.
 * Returns how many there were. */
unsigned kl_text_make_utf8(char *text);

#endif
