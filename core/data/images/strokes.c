#include "core/data/images/strokes.h"

#include <math.h>

#include "core/base/memory.h"
#include "core/base/random.h"

#define SIDE 28
#define N_CLASSES 10
#define POINTS_MAX 64
#define SEED 20220715u /* any; fixed, so that ids mean the same image everywhere */

/* A digit's skeleton: strokes of points in the unit square, y downwards; an arc is an ellipse part
 * given by centre, radii and two angles in degrees (0 = right, 90 = down). */
enum part_kind { PART_END, PART_LINE, PART_ARC };

struct part {
    enum part_kind kind;
    double a, b, c, d, from, to; /* line: x0 y0 x1 y1; arc: cx cy rx ry, angles */
};

static const struct part skeletons[N_CLASSES][6] = {
    {{PART_ARC, .5, .5, .3, .42, 0, 360}},
    {{PART_LINE, .32, .25, .52, .08, 0, 0}, {PART_LINE, .52, .08, .52, .92, 0, 0}},
    {{PART_ARC, .5, .32, .28, .24, 180, 380},
     {PART_LINE, .76, .4, .24, .92, 0, 0},
     {PART_LINE, .24, .92, .8, .92, 0, 0}},
    {{PART_ARC, .46, .29, .28, .21, 200, 450}, {PART_ARC, .46, .71, .3, .21, -90, 160}},
    {{PART_LINE, .6, .08, .2, .62, 0, 0},
     {PART_LINE, .2, .62, .82, .62, 0, 0},
     {PART_LINE, .64, .36, .64, .94, 0, 0}},
    {{PART_LINE, .74, .08, .32, .08, 0, 0},
     {PART_LINE, .32, .08, .28, .46, 0, 0},
     {PART_ARC, .46, .66, .3, .26, -130, 140}},
    {{PART_LINE, .62, .06, .28, .56, 0, 0}, {PART_ARC, .5, .68, .25, .24, 0, 360}},
    {{PART_LINE, .2, .1, .8, .1, 0, 0}, {PART_LINE, .8, .1, .42, .94, 0, 0}},
    {{PART_ARC, .5, .28, .22, .2, 0, 360}, {PART_ARC, .5, .7, .27, .23, 0, 360}},
    {{PART_ARC, .5, .32, .25, .24, 0, 360}, {PART_LINE, .75, .34, .6, .94, 0, 0}},
};

struct pen {
    double width;
    double xx, xy, yx, yy, x0, y0; /* the affine map from skeleton to pixels */
    double wobble[4];              /* amplitude and phase of a slow wave across and along */
};

struct path {
    double x[POINTS_MAX], y[POINTS_MAX];
    int n;
    int starts[POINTS_MAX]; /* 1 where a new stroke begins */
};

static double between(struct kl_random *random, double low, double high)
{
    return low + (high - low) * kl_random_uniform(random);
}

static void pick_pen(struct kl_random *random, struct pen *pen)
{
    double angle = between(random, -0.22, 0.22), slant = between(random, -0.3, 0.3);
    double wide = between(random, 15, 21), high = between(random, 18, 23);

    pen->width = between(random, 0.9, 1.9);
    pen->xx = cos(angle) * wide;
    pen->xy = (-sin(angle) - slant) * high;
    pen->yx = sin(angle) * wide;
    pen->yy = cos(angle) * high;
    pen->x0 = SIDE / 2.0 + between(random, -2, 2);
    pen->y0 = SIDE / 2.0 + between(random, -2, 2);
    for (int i = 0; i < 4; i += 2) {
        pen->wobble[i] = between(random, 0, 0.05);
        pen->wobble[i + 1] = between(random, 0, 6.28);
    }
}

static void add_point(struct path *path, const struct pen *pen, double x, double y, int starts)
{
    double u = x - 0.5 + pen->wobble[0] * sin(5 * y + pen->wobble[1]);
    double v = y - 0.5 + pen->wobble[2] * sin(5 * x + pen->wobble[3]);

    path->x[path->n] = pen->x0 + pen->xx * u + pen->xy * v;
    path->y[path->n] = pen->y0 + pen->yx * u + pen->yy * v;
    path->starts[path->n++] = starts;
}

static void trace(const struct part *part, const struct pen *pen, struct path *path)
{
    path->n = 0;
    for (; part->kind != PART_END; part++) {
        int n = part->kind == PART_LINE ? 5 : 20;

        for (int i = 0; i < n; i++) {
            double t = (double)i / (n - 1);
            double angle = (part->from + t * (part->to - part->from)) * 0.017453292519943295;

            if (part->kind == PART_LINE)
                add_point(path, pen, part->a + t * (part->c - part->a),
                          part->b + t * (part->d - part->b), i == 0);
            else
                add_point(path, pen, part->a + part->c * cos(angle), part->b + part->d * sin(angle),
                          i == 0);
        }
    }
}

static double distance_squared(double px, double py, const struct path *path, int i)
{
    double ax = path->x[i], ay = path->y[i];
    double bx = path->x[i + 1] - ax, by = path->y[i + 1] - ay;
    double length = bx * bx + by * by;
    double t = length > 0 ? ((px - ax) * bx + (py - ay) * by) / length : 0;
    double dx, dy;

    t = t < 0 ? 0 : t > 1 ? 1 : t;
    dx = px - ax - t * bx;
    dy = py - ay - t * by;
    return dx * dx + dy * dy;
}

/* Ink is full inside the pen's width and falls off over one pixel at its edge. */
static void paint(const struct path *path, double width, uint8_t *pixels)
{
    for (int p = 0; p < SIDE * SIDE; p++) {
        double px = p % SIDE + 0.5, py = p / SIDE + 0.5, nearest = 1e9, ink;

        for (int i = 0; i + 1 < path->n; i++) {
            if (!path->starts[i + 1]) {
                double d = distance_squared(px, py, path, i);

                nearest = d < nearest ? d : nearest;
            }
        }
        ink = width + 0.5 - sqrt(nearest);
        ink = ink < 0 ? 0 : ink > 1 ? 1 : ink;
        pixels[p] = (uint8_t)(255 * ink + 0.5);
    }
}

static enum kl_status draw_split(struct kl_image_set *set, uint32_t count, uint64_t stream,
                                 struct kl_error *err)
{
    enum kl_status status =
        kl_alloc(&set->pixels, count, (size_t)SIDE * SIDE, "the strokes images", err);

    if (!status)
        status = kl_alloc(&set->labels, count, 1, "the strokes labels", err);
    if (status)
        return status;
    set->count = count;
    for (uint32_t i = 0; i < count; i++) {
        struct kl_random random;
        struct path path;
        struct pen pen;

        kl_random_seed(&random, SEED, stream << 32 | i);
        set->labels[i] = (uint8_t)kl_random_below(&random, N_CLASSES);
        pick_pen(&random, &pen);
        trace(skeletons[set->labels[i]], &pen, &path);
        paint(&path, pen.width, set->pixels + (size_t)i * SIDE * SIDE);
    }
    return KL_OK;
}

enum kl_status kl_strokes_draw(struct kl_dataset *dataset, struct kl_error *err)
{
    enum kl_status status;

    dataset->width = SIDE;
    dataset->height = SIDE;
    dataset->channels = 1;
    dataset->n_classes = N_CLASSES;
    status = draw_split(&dataset->splits[KL_SPLIT_TRAIN], KL_STROKES_TRAIN, 0, err);
    if (!status)
        status = draw_split(&dataset->splits[KL_SPLIT_TEST], KL_STROKES_TEST, 1, err);
    return status;
}
