#include "core/base/top.h"

static int worse(const struct kl_top_item *a, const struct kl_top_item *b)
{
    return a->score != b->score ? a->score < b->score : a->index > b->index;
}

static void swap(struct kl_top_item *a, struct kl_top_item *b)
{
    struct kl_top_item kept = *a;

    *a = *b;
    *b = kept;
}

static void sift_down(struct kl_top *top, uint32_t i)
{
    for (;;) {
        uint32_t worst = i, left = 2 * i + 1;

        for (uint32_t child = left; child < top->n && child <= left + 1; child++)
            worst = worse(&top->items[child], &top->items[worst]) ? child : worst;
        if (worst == i)
            return;
        swap(&top->items[i], &top->items[worst]);
        i = worst;
    }
}

void kl_top_offer(struct kl_top *top, double score, uint64_t index)
{
    struct kl_top_item candidate = {score, index};

    if (top->n == top->capacity) {
        if (!worse(&top->items[0], &candidate))
            return;
        top->items[0] = candidate;
        sift_down(top, 0);
        return;
    }
    top->items[top->n++] = candidate;
    for (uint32_t i = top->n - 1; i > 0 && worse(&top->items[i], &top->items[(i - 1) / 2]);
         i = (i - 1) / 2)
        swap(&top->items[i], &top->items[(i - 1) / 2]);
}

void kl_top_sort(struct kl_top *top)
{
    uint32_t n = top->n;

    while (top->n > 1) { /* the worst goes to the end */
        swap(&top->items[0], &top->items[--top->n]);
        sift_down(top, 0);
    }
    top->n = n;
}
