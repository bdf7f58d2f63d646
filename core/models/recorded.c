/* Networks that were trained elsewhere and cannot be run here: linear layers with names, of which
 * the history, the parameters and some samples' keys are recorded (core/explain/history.h:
 * queries). */
#include "core/models/model.h"

static enum kl_status refuse_training(const struct kl_model_settings *settings, uint32_t n_inputs,
                                      uint32_t n_outputs, struct kl_shape *shape,
                                      struct kl_error *err)
{
    (void)settings;
    (void)n_inputs;
    (void)n_outputs;
    (void)shape;
    return kl_fail_on(err, KL_ERR_USAGE, "architecture",
                      "recorded stands for networks of other programs: take mlp or lstm");
}

/* What is between the layers is not known. */
static int fits(const struct kl_shape *shape)
{
    return shape->layers != NULL;
}

static uint32_t last_layer(const struct kl_shape *shape)
{
    return shape->n_layers - 1;
}

const struct kl_model kl_recorded = {
    .name = "recorded",
    .kind = KL_DATA_IMAGES,
    .is_any_kind = 1,
    .inner = "",
    .layer_name = "layer",
    .shape = refuse_training,
    .fits = fits,
    .first_removable = last_layer,
};
