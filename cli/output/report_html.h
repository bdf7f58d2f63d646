/* The report as one HTML page with its plots and pictures inside. */
#ifndef KL_CLI_OUTPUT_REPORT_HTML_H
#define KL_CLI_OUTPUT_REPORT_HTML_H

#include "core/explain/many/report.h"
#include "db/samples.h"

/* Whether a page can be written at path: told before the report is made, which takes its time.
 * Errors: KL_ERR_USAGE (too long), KL_ERR_EXISTS (the run itself, or not a regular file),
 * KL_ERR_IO. */
enum kl_status kl_html_check(const char *path, const char *run_path, struct kl_error *err);

/* Writes the page beside path and, when it is whole, puts it there, replacing what was. On failure
 * nothing has changed. Errors: KL_ERR_IO, KL_ERR_FULL, KL_ERR_MEMORY and those of reading images.
 */
enum kl_status kl_html_write(const char *path, struct kl_run *run,
                             const struct kl_accuracy *accuracies, uint32_t n_accuracies,
                             const struct kl_report *report, struct kl_error *err);

#endif
