/* Pieces of JSON that several answers share. Internal to the representations (represent.h).
 *
 * Numbers have the digits that mean something: seven, as their float32 sources do; null stands for
 * what JSON cannot say. */
#ifndef KL_API_JSON_H
#define KL_API_JSON_H

#include <cJSON.h>
#include <stdint.h>

struct kl_run;

/* Members of an object. Counts are exact. */
void kl_json_number(cJSON *object, const char *name, double value);
void kl_json_count(cJSON *object, const char *name, uint64_t value);
void kl_json_floats(cJSON *object, const char *name, const float *values, uint32_t n);
void kl_json_doubles(cJSON *object, const char *name, const double *values, uint32_t n);

/* One number more in a list. */
void kl_json_append(cJSON *array, double value);

/* A list by itself, to be added to another. */
cJSON *kl_json_list(const double *values, uint32_t n);

/* A list of n numbers, whole ones below 10^15 exactly, others with five digits:
 * value(self, i). */
void kl_json_long_list(cJSON *object, const char *name, uint32_t n,
                       double (*value)(const void *self, uint32_t i), const void *self);

/* The training curve, as the member curve. */
void kl_json_curve(cJSON *object, const struct kl_run *run);

/* The names of a sample: id, dataset, split, index, label, and true_label where it was flipped. */
cJSON *kl_json_sample(const struct kl_run *run, uint32_t id);

/* The same, with its target and prediction. */
struct kl_sample;
cJSON *kl_json_predicted(const struct kl_run *run, const struct kl_sample *sample);

/* The moments of what the rank orders by, as the member scores. */
struct kl_answer;
void kl_json_scores(cJSON *object, const struct kl_answer *answer);

/* The text, which the caller frees, or NULL; the object is gone. */
char *kl_json_finish(cJSON *object);

#endif
