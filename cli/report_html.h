/* The report as one HTML page with its plots and pictures inside. */
#ifndef KL_CLI_REPORT_HTML_H
#define KL_CLI_REPORT_HTML_H

#include "core/report.h"
#include "db/samples.h"

/* Writes path, replacing it. On failure nothing is left there. Errors: KL_ERR_IO, KL_ERR_FULL,
 * KL_ERR_MEMORY and those of reading images. */
enum kl_status kl_report_html(const char *path, struct kl_run *run,
                              const struct kl_accuracy *accuracies, uint32_t n_accuracies,
                              const struct kl_report *report, struct kl_error *err);

#endif
