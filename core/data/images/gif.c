#include "core/data/images/gif.h"

#include <string.h>

#define HEADER_BYTES 13 /* "GIF89a", width, height, flags, background, aspect */
#define FRAME_BYTES 9   /* left, top, width, height, flags */

static int number_at(const unsigned char *bytes)
{
    return bytes[0] | bytes[1] << 8;
}

/* The colours that follow flags which say so. */
static int skip_colours(FILE *file, unsigned char flags)
{
    return !(flags & 0x80) || !fseek(file, 3L << ((flags & 7) + 1), SEEK_CUR);
}

/* Blocks of data, each after its length, up to an empty one. */
static int skip_data(FILE *file)
{
    int length;

    while ((length = getc(file)) > 0)
        if (fseek(file, length, SEEK_CUR))
            return 0;
    return length == 0;
}

/* Goes to what is behind the next frame's description, if there is one: *frame. What is neither
 * frame nor extension nor the end is passed over, as decoders do. */
static int next_frame(FILE *file, unsigned char frame[FRAME_BYTES])
{
    int start;

    while ((start = getc(file)) != EOF && start != ';') {
        if (start == ',')
            return fread(frame, 1, FRAME_BYTES, file) == FRAME_BYTES;
        if (start == '!' && (getc(file) == EOF || !skip_data(file)))
            return 0;
    }
    return 0;
}

int kl_gif_has_frame_above(FILE *file, uint32_t most, int *width, int *height)
{
    unsigned char header[HEADER_BYTES], frame[FRAME_BYTES];
    int found = 0, goes_on = fread(header, 1, HEADER_BYTES, file) == HEADER_BYTES &&
                             !memcmp(header, "GIF8", 4) && skip_colours(file, header[10]);

    while (goes_on && !found && next_frame(file, frame)) {
        int w = number_at(frame + 4), h = number_at(frame + 6);

        found = (uint32_t)w > most || (uint32_t)h > most;
        if (found) {
            *width = w;
            *height = h;
        }
        /* the colours, how many bits a code has, and the pixels */
        goes_on = skip_colours(file, frame[8]) && getc(file) != EOF && skip_data(file);
    }
    rewind(file);
    return found;
}
