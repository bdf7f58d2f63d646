/* The views of an answer about text. Internal to the representations (represent.h). */
#ifndef KL_API_JSON_TEXT_ANSWER_H
#define KL_API_JSON_TEXT_ANSWER_H

#include <cJSON.h>

#include "api/represent.h"

/* Those that were asked for, as members. */
void kl_json_text_views(cJSON *object, const struct kl_run *run, const struct kl_query *query,
                        const struct kl_answer *answer);

#endif
