/* Pieces that several answers share. Internal to api/. */
#ifndef KL_API_JSON_PARTS_H
#define KL_API_JSON_PARTS_H

#include "api/json.h"
#include "core/explain/answer.h"
#include "core/explain/query.h"
#include "db/run.h"
#include "db/samples.h"

/* After which steps the next data set was trained on, as the member switches. */
void kl_json_add_switches(struct kl_json *json, const struct kl_run *run);

/* Which run an answer is of, as the member run, and, where shards of it are missing, from how much
 * of its history it is, as history_share. */
void kl_json_add_run(struct kl_json *json, const struct kl_run *run);
void kl_json_add_share(struct kl_json *json, const struct kl_run *run); /* that alone */

/* The files that its history is cut into, as the member shards, if there are several. */
void kl_json_add_shards(struct kl_json *json, const struct kl_run *run);

/* A run's layers, as the member layers. */
void kl_json_add_layers(struct kl_json *json, const struct kl_run *run);

/* What of its history is damaged, and so refused, as the member damaged, if anything is. */
void kl_json_add_damage(struct kl_json *json, const struct kl_run *run);

/* The training curve, as the member curve. */
void kl_json_add_curve(struct kl_json *json, const struct kl_run *run);

/* The names of a sample: id, dataset, split, index, label, and true_label where it was flipped. */
void kl_json_add_sample(struct kl_json *json, const char *name, const struct kl_run *run,
                        uint32_t id);

/* The same, with its target and prediction. */
void kl_json_add_prediction(struct kl_json *json, const char *name, const struct kl_run *run,
                            const struct kl_sample *sample);

/* The moments of what the rank orders by, as the member scores. */
void kl_json_add_scores(struct kl_json *json, const struct kl_answer *answer);

/* Where the layer looks, as a member. */
void kl_json_add_places(struct kl_json *json, const struct kl_place_heat *heat);

/* What was asked of a text beyond the spotlight, as members. */
void kl_json_add_text_views(struct kl_json *json, const struct kl_run *run,
                            const struct kl_query *query, const struct kl_answer *answer);

#endif
