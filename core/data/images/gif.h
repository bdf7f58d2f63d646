/* How large the frames of a GIF say that they are, beyond what its header says. */
#ifndef KL_CORE_DATA_IMAGES_GIF_H
#define KL_CORE_DATA_IMAGES_GIF_H

#include <stdint.h>
#include <stdio.h>

/* Whether a file, open at its beginning, is a GIF with a frame of which a side is above most: its
 * sides then. A decoder makes room for a frame before it looks at the header's size. The file is at
 * its beginning again. */
int kl_gif_has_frame_above(FILE *file, uint32_t most, int *width, int *height);

#endif
