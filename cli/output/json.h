/* Answers as JSON on a terminal. */
#ifndef KL_CLI_OUTPUT_JSON_H
#define KL_CLI_OUTPUT_JSON_H

#include "core/base/error.h"

/* Prints a text that kl_json_finish, or what calls it, made, and frees it. Errors: KL_ERR_MEMORY
 * (it is NULL, as that ran out while it was made). */
enum kl_status kl_print_json(char *text, struct kl_error *err);

#endif
