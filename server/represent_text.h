/* Pieces of the answers about text. Internal to the representations (represent.h). */
#ifndef KL_SERVER_REPRESENT_TEXT_H
#define KL_SERVER_REPRESENT_TEXT_H

#include "server/represent.h"

/* Where a position stands: sample (its id), split, index, and its document. */
void kl_json_position(cJSON *object, const struct kl_run *run, uint32_t sample);

/* A token's number and text. */
void kl_json_type(cJSON *object, const struct kl_corpus *corpus, uint32_t token);

/* The views that were asked for, as members. */
void kl_json_text_views(cJSON *object, const struct kl_run *run, const struct kl_query *query,
                        const struct kl_answer *answer);

#endif
