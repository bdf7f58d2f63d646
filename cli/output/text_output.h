/* Text on a terminal: tokens named, passages on one line. */
#ifndef KL_CLI_OUTPUT_TEXT_OUTPUT_H
#define KL_CLI_OUTPUT_TEXT_OUTPUT_H

#include "core/explain/many/report.h"
#include "db/run.h"

/* Prints a token with its white space as signs. Returns how many columns it took. */
int kl_print_token(const char *text);

/* Prints n tokens on one line, with the one at place in brackets. */
void kl_print_passage(const struct kl_corpus *corpus, const uint32_t *tokens, const uint8_t *spaced,
                      uint32_t n, uint32_t place);

/* The report of a text run, but for its votes. */
void kl_print_text_curve(const struct kl_run *run);
void kl_print_text_most(const struct kl_run *run, const struct kl_report *report);

#endif
