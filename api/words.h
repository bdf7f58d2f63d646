/* Numbers and sentences as people read them: what the page, figures and the command line say alike.
 * Thread-safe. */
#ifndef KL_API_WORDS_H
#define KL_API_WORDS_H

#include <stddef.h>

#include "core/explain/strips.h"
#include "db/run.h"

/* Room for any number in words. */
#define KL_WORD_BYTES 40

/* Three significant digits; k and M for thousands and millions; a true minus. */
const char *kl_word_short(double value, char word[KL_WORD_BYTES]);

/* The same with a plus. */
const char *kl_word_signed(double value, char word[KL_WORD_BYTES]);

/* A whole number with a comma between thousands. */
const char *kl_word_count(uint64_t value, char word[KL_WORD_BYTES]);

/* A share as percent, with so many digits behind the point. */
const char *kl_word_percent(double share, int digits, char word[KL_WORD_BYTES]);

/* A sample's name as everywhere: "test/fashion-mnist/42". */
void kl_word_sample(const struct kl_run *run, uint32_t sample, char *name, size_t n_bytes);

/* A token with signs for its white space, in whole characters. */
void kl_word_token(const char *token, char *name, size_t n_bytes);

/* An output's name; of a text its token in quotes, with signs for white space. */
void kl_word_output(const struct kl_run *run, uint32_t output, char *name, size_t n_bytes);

/* A class by its number over all data sets, of images; with its data set where there are several.
 */
void kl_word_class(const struct kl_run *run, uint32_t number, char *name, size_t n_bytes);

/* What a strip is ("Against Sandal"), and what it shows: what its samples sum to and what share of
 * the correction that is. predicted: the answer's output. */
void kl_strip_title(const struct kl_run *run, const struct kl_strip *strip, char *text,
                    size_t n_bytes);
void kl_strip_sentence(const struct kl_run *run, const struct kl_strip *strip, char *text,
                       size_t n_bytes);

#endif
