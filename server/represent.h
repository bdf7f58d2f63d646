/* What the API says, as JSON text (docs/api.md). The command line prints the same texts.
 *
 * Every function returns a text that the caller frees, or NULL when memory ran out. Numbers have
 * the digits that mean something: seven, as their float32 sources do. */
#ifndef KL_SERVER_REPRESENT_H
#define KL_SERVER_REPRESENT_H

#include "core/attention.h"
#include "db/run.h"
#include "db/samples.h"

/* One run with all its settings and its training curve. */
char *kl_represent_run(const struct kl_run *run);

/* The runs being served, without curves: { "runs": [...] }. */
char *kl_represent_runs(struct kl_run *const *runs, size_t n_runs);

/* A page of samples; next < 0 means there are no more. */
char *kl_represent_samples(const struct kl_run *run, const struct kl_sample *samples, uint32_t n,
                           int64_t next, uint64_t total);

/* One sample. */
char *kl_represent_sample(const struct kl_run *run, const struct kl_sample *sample);

/* The answer to a query; sample is the id of the stored sample, or negative for given pixels;
 * total_ms is the time from request to answer. */
char *kl_represent_attention(const struct kl_run *run, const struct kl_query *query, int64_t sample,
                             const struct kl_answer *answer, double total_ms);

/* A problem document (RFC 9457). Texts may be hostile: they are escaped. */
char *kl_represent_problem(int http_status, const char *title, const char *detail,
                           const char *parameter);

/* The share of right predictions over all test samples, and over data set d's. */
double kl_run_test_accuracy(const struct kl_run *run);
double kl_run_dataset_accuracy(const struct kl_run *run, uint32_t dataset);

#endif
