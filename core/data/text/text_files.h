/* The files of a text: which there are, what split each is, and what is in them. */
#ifndef KL_CORE_DATA_TEXT_TEXT_FILES_H
#define KL_CORE_DATA_TEXT_TEXT_FILES_H

#include <stdint.h>

#include "core/base/error.h"
#include "core/base/notes.h"

/* One file with its tokens, numbered by the order in which they first came up ("raw"). */
struct kl_text_file {
    char *path;
    const char *name; /* the last part of path */
    uint32_t n_tokens;
    uint32_t *raw;   /* (n_tokens) owned, as all here */
    uint8_t *spaced; /* (n_tokens) or NULL */
    int split;       /* enum kl_split, or -1: by share */
};

struct kl_text_files {
    uint32_t n;
    struct kl_text_file *files;
};

/* The file at path, or the folder's regular files but hidden, system and empty ones, in the order
 * of their names; notes what else it holds. The caller ends *files with kl_text_files_clear, also
 * on failure. Errors: KL_ERR_NOT_FOUND, KL_ERR_INPUT, KL_ERR_IO, KL_ERR_MEMORY. */
enum kl_status kl_text_files_list(struct kl_text_files *files, const char *path,
                                  struct kl_notes *notes, struct kl_error *err);
void kl_text_files_clear(struct kl_text_files *files);

/* Decides every file's split: by the pattern of test files, if it is not empty; otherwise by the
 * names (core/data/split.h). Beside files called train, those without such a name are left out;
 * without any, they are the training split. Where none is called test, a share of the training
 * files becomes it. What was decided is noted. Errors: KL_ERR_USAGE (the pattern), KL_ERR_INPUT
 * (nothing to train on). */
enum kl_status kl_text_files_split(struct kl_text_files *files, const char *pattern,
                                   struct kl_notes *notes, struct kl_error *err);

/* A file's text, UTF-8 or UTF-16 with a byte order mark, as clean UTF-8 in normal form C: *text is
 * the caller's, to free. Errors: KL_ERR_INPUT (no text, or too large), KL_ERR_IO, KL_ERR_MEMORY. */
enum kl_status kl_text_file_read(const struct kl_text_file *file, char **text,
                                 struct kl_error *err);

/* Notes how many held out files have the text of a training file; their tokens are known. */
void kl_text_files_note_leaks(const struct kl_text_files *files, struct kl_notes *notes);

#endif
