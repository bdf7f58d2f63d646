/* The report as one HTML page with its plots and pictures inside. */
#ifndef KL_CLI_REPORT_HTML_H
#define KL_CLI_REPORT_HTML_H

#include <stdio.h>

#include "core/report.h"
#include "db/samples.h"

/* A page under way: it stands beside its path until it is whole. */
struct kl_html {
    char path[4096], partial[4096 + 16];
    FILE *file;
};

/* Begins the page that shall stand at path, before the report is made: an address that cannot be
 * written, or is the run itself, is refused then. Ended with kl_html_close. Errors: KL_ERR_USAGE,
 * KL_ERR_EXISTS (path is the run file, or not a regular file), KL_ERR_IO. */
enum kl_status kl_html_open(const char *path, const char *run_path, struct kl_html *html,
                            struct kl_error *err);

/* Writes the whole page and puts it at its path, replacing what was there. Errors: KL_ERR_IO,
 * KL_ERR_FULL, KL_ERR_MEMORY and those of reading images. */
enum kl_status kl_html_write(struct kl_html *html, struct kl_run *run,
                             const struct kl_accuracy *accuracies, uint32_t n_accuracies,
                             const struct kl_report *report, struct kl_error *err);

/* Removes what is not whole. */
void kl_html_close(struct kl_html *html);

#endif
