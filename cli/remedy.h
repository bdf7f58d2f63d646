/* What to do about an error, in the words of the command line: core and db name the thing that is
 * wrong, and know no flags. */
#ifndef KL_CLI_REMEDY_H
#define KL_CLI_REMEDY_H

#include "core/base/error.h"
#include "core/base/notes.h"

/* Ends a message about the run at path with what to do about it. Returns err->status. */
enum kl_status kl_remedy(struct kl_error *err, const char *path);

/* Prints the message as this program's only line about it, with settings called by their flags. */
void kl_print_error(const struct kl_error *err);

/* Prints what is to be known about a subject, a line each, likewise. */
void kl_print_notes(const char *subject, const struct kl_notes *notes);

#endif
