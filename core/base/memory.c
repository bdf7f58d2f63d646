#include "core/base/memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define HUGE_PAGE ((size_t)2 << 20)

static enum kl_status no_memory(size_t count, size_t size, const char *what, struct kl_error *err)
{
    return kl_fail(err, KL_ERR_MEMORY,
                   "not enough memory for %s (%.1f MB): close other programs or use a smaller "
                   "memory budget or network",
                   what, (double)count * (double)size / 1e6);
}

enum kl_status kl_alloc(void *out, size_t count, size_t size, const char *what,
                        struct kl_error *err)
{
    void *block = calloc(count ? count : 1, size);

    if (!block)
        return no_memory(count, size, what, err);
    memcpy(out, &block, sizeof block);
    /* cppcheck-suppress memleak ; the caller owns it now */
    return KL_OK;
}

enum kl_status kl_alloc_scanned(void *out, size_t count, size_t size, const char *what,
                                struct kl_error *err)
{
    size_t alignment = 64;
    size_t bytes;
    void *block = NULL;

    if (size && count > (SIZE_MAX - HUGE_PAGE - KL_SLACK) / size)
        return no_memory(count, size, what, err);
    bytes = count * size + KL_SLACK;
    if (bytes >= HUGE_PAGE) {
        alignment = HUGE_PAGE;
        bytes = (bytes + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);
    }
    if (posix_memalign(&block, alignment, bytes))
        return no_memory(count, size, what, err);
#ifdef MADV_HUGEPAGE
    if (bytes >= HUGE_PAGE)
        (void)madvise(block, bytes, MADV_HUGEPAGE); /* only an advice: normal pages work too */
#endif
    memcpy(out, &block, sizeof block);
    /* cppcheck-suppress memleak ; the caller owns it now */
    return KL_OK;
}
