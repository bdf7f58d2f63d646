/* NEON, on 64-bit ARM, which always has it. A vector here is two registers: with two vectors to sum
 * in, four sums are under way, which hides the time that one product takes. */
#include "core/scan/kernels.h"

#ifdef __aarch64__

#include <arm_neon.h>

#define TARGET
#define LANES 8
#define AT_ONCE 4
#define one_f16 kl_half_to_float

typedef float32x4x2_t vector;

static inline vector pair(float32x4_t low, float32x4_t high)
{
    return (vector){{low, high}};
}

static inline vector zero(void)
{
    return pair(vdupq_n_f32(0), vdupq_n_f32(0));
}

static inline vector add(vector a, vector b)
{
    return pair(vaddq_f32(a.val[0], b.val[0]), vaddq_f32(a.val[1], b.val[1]));
}

static inline vector fma_of(vector a, vector b, vector sum)
{
    return pair(vfmaq_f32(sum.val[0], a.val[0], b.val[0]),
                vfmaq_f32(sum.val[1], a.val[1], b.val[1]));
}

static inline vector all_of(float number)
{
    return pair(vdupq_n_f32(number), vdupq_n_f32(number));
}

static inline vector scaled(vector v, float scale)
{
    return pair(vmulq_n_f32(v.val[0], scale), vmulq_n_f32(v.val[1], scale));
}

static inline float32x4_t larger_four(float32x4_t sizes, float32x4_t v)
{
    int32x4_t bits = vandq_s32(vreinterpretq_s32_f32(v), vdupq_n_s32(INT32_MAX));

    return vreinterpretq_f32_s32(vmaxq_s32(vreinterpretq_s32_f32(sizes), bits));
}

static inline vector larger(vector sizes, vector v)
{
    return pair(larger_four(sizes.val[0], v.val[0]), larger_four(sizes.val[1], v.val[1]));
}

static inline float sum_of(vector v)
{
    float32x4_t all = vaddq_f32(v.val[0], v.val[1]);
    float32x2_t half = vadd_f32(vget_low_f32(all), vget_high_f32(all));

    return vget_lane_f32(half, 0) + vget_lane_f32(half, 1);
}

static inline vector load_u8(const uint8_t *in)
{
    uint16x8_t wide = vmovl_u8(vld1_u8(in));

    return pair(vcvtq_f32_u32(vmovl_u16(vget_low_u16(wide))),
                vcvtq_f32_u32(vmovl_u16(vget_high_u16(wide))));
}

static inline vector load_f16(const uint16_t *in)
{
    return pair(vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(in))),
                vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(in + 4))));
}

static inline vector load_f32(const float *in)
{
    return pair(vld1q_f32(in), vld1q_f32(in + 4));
}

static inline void store_f32(vector v, float *out)
{
    vst1q_f32(out, v.val[0]);
    vst1q_f32(out + 4, v.val[1]);
}

static inline void store_f16(vector v, uint16_t *out)
{
    vst1_u16(out, vreinterpret_u16_f16(vcvt_f16_f32(v.val[0])));
    vst1_u16(out + 4, vreinterpret_u16_f16(vcvt_f16_f32(v.val[1])));
}

static inline void shuffled(const uint8_t *in, const uint8_t shuffle[16], uint16_t *out)
{
    vst1q_u16(out, vreinterpretq_u16_u8(vqtbl1q_u8(vld1q_u8(in), vld1q_u8(shuffle))));
}

static inline uint8_t not_zero(const uint16_t *in)
{
    static const uint16_t bit_of_lane[8] = {1, 2, 4, 8, 16, 32, 64, 128};

    return (uint8_t)vaddvq_u16(vbicq_u16(vld1q_u16(bit_of_lane), vceqzq_u16(vld1q_u16(in))));
}

#include "core/scan/kernels_wide.h"

static int supported(void)
{
    return 1;
}

const struct kl_kernels kl_kernels_neon = {
    "neon", supported, dot_u8,   dot_f16,    dot_packed_f16, dot_f32, NULL,    largest,
    to_f16, from_f16,  pack_f16, unpack_f16, count_bits,     add_f16, add_f32,
};

#endif
