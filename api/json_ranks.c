/* What a spotlight can be ordered by, as JSON. */
#include "api/answers.h"
#include "api/json.h"
#include "core/explain/ranks.h"

char *kl_json_ranks(void)
{
    struct kl_json writer = kl_json_begin(), *json = &writer;
    const struct kl_rank *rank;

    kl_json_list(json, "ranks");
    for (uint32_t i = 0; (rank = kl_rank_at(i)); i++) {
        kl_json_object(json, NULL);
        kl_json_string(json, "name", rank->name);
        if (rank->older_name)
            kl_json_string(json, "older_name", rank->older_name);
        kl_json_string(json, "label", rank->label);
        kl_json_string(json, "meaning", rank->meaning);
        kl_json_string(json, "score_name", rank->score_name);
        kl_json_bool(json, "uses_layer", rank->uses_layer);
        kl_json_bool(json, "takes_logit", rank->takes_logit);
        kl_json_bool(json, "needs_dual", rank->needs_dual);
        kl_json_bool(json, "of_attention", rank->row != NULL);
        kl_json_end(json);
    }
    return kl_json_finish(json);
}
