/* Formats of stored numbers. */
#ifndef KL_CORE_BASE_DTYPE_H
#define KL_CORE_BASE_DTYPE_H

#include <stddef.h>

enum kl_dtype { KL_U8, KL_F16, KL_F32 };

/* Bytes of one number. */
size_t kl_dtype_size(enum kl_dtype dtype);

/* "uint8", "float16", "float32"; a static string; and the reverse: 0, or -1 for any other word. */
const char *kl_dtype_name(enum kl_dtype dtype);
int kl_dtype_parse(const char *name, enum kl_dtype *dtype);

#endif
