#include "core/scan/expand.h"

#include <string.h>

uint8_t kl_expand_shuffles[256][16], kl_pack_shuffles[256][16];

/* Before main, so that no kernel has to ask. */
__attribute__((constructor)) static void fill_shuffles(void)
{
    for (unsigned bits = 0; bits < 256; bits++) {
        unsigned next = 0;

        memset(kl_pack_shuffles[bits], 0x80, sizeof kl_pack_shuffles[bits]);
        for (unsigned k = 0; k < 8; k++) {
            int is_set = bits >> k & 1;

            kl_expand_shuffles[bits][2 * k] = (uint8_t)(is_set ? 2 * next : 0x80);
            kl_expand_shuffles[bits][2 * k + 1] = (uint8_t)(is_set ? 2 * next + 1 : 0x80);
            if (is_set) {
                kl_pack_shuffles[bits][2 * next] = (uint8_t)(2 * k);
                kl_pack_shuffles[bits][2 * next + 1] = (uint8_t)(2 * k + 1);
                next++;
            }
        }
    }
}
