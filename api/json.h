/* JSON as it is written: members in order, into one growing text. The writer keeps what went wrong:
 * after memory ran out everything is ignored, and kl_json_finish gives NULL, never a part.
 *
 * Numbers have the digits that mean something: seven, as their float32 sources do; null stands for
 * what JSON cannot say. */
#ifndef KL_API_JSON_H
#define KL_API_JSON_H

#include <stddef.h>
#include <stdint.h>

#define KL_JSON_DEPTH_MAX 16

struct kl_json {
    char *text;
    size_t n_bytes, room;
    int has_failed, has_before; /* whether a value stands before the next one, in its container */
    unsigned depth;
    char closers[KL_JSON_DEPTH_MAX];
};

/* A writer that has begun an object. The caller ends it with kl_json_finish. */
struct kl_json kl_json_begin(void);

/* The text, with all that is open closed, which the caller frees; NULL: memory ran out. */
char *kl_json_finish(struct kl_json *json);

/* Containers, each closed by kl_json_end. Here and below name is the member's in an object, NULL in
 * a list. */
void kl_json_object(struct kl_json *json, const char *name);
void kl_json_list(struct kl_json *json, const char *name);
void kl_json_end(struct kl_json *json);

/* Values. Texts are UTF-8; counts are exact. */
void kl_json_string(struct kl_json *json, const char *name, const char *text);
void kl_json_number(struct kl_json *json, const char *name, double value);
void kl_json_count(struct kl_json *json, const char *name, uint64_t value);
void kl_json_bool(struct kl_json *json, const char *name, int value);
void kl_json_null(struct kl_json *json, const char *name);
/* What is JSON already. */
void kl_json_raw(struct kl_json *json, const char *name, const char *text);

/* Lists of n numbers. */
void kl_json_floats(struct kl_json *json, const char *name, const float *values, uint32_t n);
void kl_json_doubles(struct kl_json *json, const char *name, const double *values, uint32_t n);

/* A list of n numbers, value(self, i): whole ones below 10^15 exactly, others with five digits. */
void kl_json_long_list(struct kl_json *json, const char *name, uint32_t n,
                       double (*value)(const void *self, uint32_t i), const void *self);

/* Memory ran out elsewhere, for what would have been written. */
void kl_json_fail(struct kl_json *json);

#endif
