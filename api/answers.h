/* What the API says, as JSON text (docs/api.md). The command line prints the same texts.
 *
 * Every function returns a text that the caller frees, or NULL when memory ran out. Numbers have
 * the digits that mean something: seven, as their float32 sources do. */
#ifndef KL_API_ANSWERS_H
#define KL_API_ANSWERS_H

#include "core/explain/strips.h"
#include "core/explain/many/hubness.h"
#include "core/explain/many/report.h"
#include "core/explain/many/sample_map.h"
#include "core/explain/many/suspects.h"
#include "db/run.h"
#include "db/marks.h"
#include "db/samples.h"

/* One run with all its settings and its training curve. */
char *kl_json_run(const struct kl_run *run);

/* Of the runs, copied bytes are in memory, of at most most; beside what the process takes, and what
 * is free: { "copied_bytes": ..., "most_bytes": ..., "process_bytes": ..., "free_bytes": ... }. */
char *kl_json_memory(uint64_t copied, uint64_t most, const struct kl_peers *peers);

/* What a spotlight can be ordered by: { "ranks": [...] }. */
char *kl_json_ranks(void);

/* The runs being served, without curves: { "runs": [...] }. */
char *kl_json_runs(struct kl_run *const *runs, size_t n_runs);

/* How far what takes long is: {"sweep": null}, or its layer and share done. */
char *kl_json_progress(const struct kl_run *run);

/* A page of samples: those from a position of their order on, n of all that match, and, if it was
 * asked for, the position of one of them, or -1 where it is not among them. */
struct kl_sample_page {
    const struct kl_sample *samples;
    uint32_t offset, n, total;
    int has_position;
    int64_t position;
};
char *kl_json_samples(const struct kl_run *run, const struct kl_sample_page *page);

/* How many samples that should be one output are predicted as one: { "confusions": [...] }. */
char *kl_json_confusions(const struct kl_confusion *confusions, uint32_t n);

/* Where the samples of a run lie, by id: { "share": [2], "x": [], "y": [], "target": [] }. */
char *kl_json_sample_map(const struct kl_run *run, const struct kl_sample_map *map);

/* One sample. */
char *kl_json_sample(const struct kl_run *run, const struct kl_sample *sample);

/* The answer to a query, as far as its parts go; sample is the id of the stored sample, or negative
 * for given pixels; total_ms is the time from request to answer. */
char *kl_json_attention(const struct kl_run *run, const struct kl_query *query, int64_t sample,
                        const struct kl_answer *answer, double total_ms);

/* The same of a text, whose tokens after the last asked one, place, follow it: passages are those
 * of the answer. */
struct kl_query_text;
struct kl_passages;
char *kl_json_text_attention(const struct kl_run *run, const struct kl_query *query,
                             const struct kl_query_text *text, uint32_t place,
                             const struct kl_answer *answer, const struct kl_passages *passages,
                             double total_ms);

/* The strips of an answer, with their titles and sentences (api/words.h). */
char *kl_json_strips(const struct kl_run *run, const struct kl_strips *strips, double total_ms);

/* A stretch of text: its tokens, and what the network thought of each. */
struct kl_reading;
char *kl_json_reading(const struct kl_run *run, const struct kl_query_text *text,
                      const struct kl_reading *reading);

/* A stretch of text against the training positions it attends to. */
struct kl_attention_map;
struct kl_attention_map_query;
char *kl_json_attention_map(const struct kl_run *run, const struct kl_query_text *text,
                            const struct kl_attention_map_query *query,
                            const struct kl_attention_map *heat);

/* How a text goes on: n tokens after the given ones. */
char *kl_json_continuation(const struct kl_run *run, const struct kl_query_text *text,
                           const uint32_t *written, uint32_t n);

/* The documents of a text run. */
char *kl_json_documents(const struct kl_run *run);

/* The report over many test samples. */
char *kl_json_report(const struct kl_run *run, const struct kl_accuracy *accuracies,
                     uint32_t n_accuracies, const struct kl_report *report);

/* In what share of test queries training samples are among the top ten. */
char *kl_json_hubness(const struct kl_run *run, const struct kl_query *query,
                      const struct kl_hubness *common);

/* Suspects first .. end-1, with their predictions: *text is the caller's. Errors: KL_ERR_MEMORY and
 * those of reading. */
enum kl_status kl_json_suspects(struct kl_run *run, const struct kl_suspects *suspects,
                                uint32_t first, uint32_t end, char **text, struct kl_error *err);

/* What people decided about suspicious labels. */
char *kl_json_marks(const struct kl_run *run, const struct kl_mark *marks, uint32_t n);

/* A problem document (RFC 9457). Texts may be hostile: they are escaped. */
char *kl_json_problem(int http_status, const char *title, const char *detail,
                      const char *parameter);

/* The share of right predictions over all test samples, and over data set d's. */
double kl_run_test_accuracy(const struct kl_run *run);
double kl_run_dataset_accuracy(const struct kl_run *run, uint32_t dataset);

/* Bits per token at the end of a text's training, on the test split; NaN without one. */
double kl_run_test_bits(const struct kl_run *run);

#endif
