/* Bytes as letters: base64 (RFC 4648), filled up with '='. */
#ifndef KL_API_BASE64_H
#define KL_API_BASE64_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Writes n bytes as letters to a file. */
void kl_base64_put(FILE *file, const uint8_t *bytes, size_t n);

/* The reverse: bytes has room for 3 for every 4 letters. How many there are, or -1: it is no
 * base64. */
int64_t kl_base64_read(const char *text, size_t length, uint8_t *bytes);

#endif
