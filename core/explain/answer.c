#include "core/explain/answer.h"

#include <stdlib.h>
#include <string.h>

void kl_answer_clear(struct kl_answer *answer)
{
    free(answer->logits);
    free(answer->probabilities);
    free(answer->initial_guess);
    free(answer->correction);
    free(answer->spotlight);
    free(answer->by_class);
    free(answer->removed.logits);
    free(answer->removed.probabilities);
    kl_groups_clear(&answer->groups);
    kl_curves_clear(&answer->curves);
    kl_timeline_clear(&answer->time);
    kl_sample_totals_clear(&answer->samples);
    kl_learning_clear(&answer->learning);
    kl_showings_clear(&answer->showings);
    kl_place_heat_clear(&answer->heat);
    kl_inquiry_free(answer->own_inquiry);
    memset(answer, 0, sizeof *answer);
}
