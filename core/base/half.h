/* IEEE 754 binary16, one number at a time; arrays go through core/scan/kernels.h. */
#ifndef KL_CORE_BASE_HALF_H
#define KL_CORE_BASE_HALF_H

#include <stdint.h>

#define KL_HALF_MAX 65504.0f

/* Rounds to nearest even; magnitudes that round above KL_HALF_MAX become infinity. */
uint16_t kl_half_from_float(float value);

/* Exact. */
float kl_half_to_float(uint16_t half);

#endif
