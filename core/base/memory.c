#include "core/base/memory.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

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

/* The number in a file, after a word; or fallback. */
static uint64_t number_of(const char *path, const char *word, uint64_t fallback)
{
    FILE *file = fopen(path, "re");
    char line[256];
    uint64_t value = fallback;

    while (file && fgets(line, sizeof line, file)) {
        size_t length = strlen(word);
        char *end;
        unsigned long long read;

        if (strncmp(line, word, length) != 0)
            continue;
        read = strtoull(line + length, &end, 10); /* "max" is none */
        value = end == line + length ? fallback : read;
        break;
    }
    if (file)
        fclose(file);
    return value;
}

/* What a limit leaves of which so much is used. */
static uint64_t left_of(uint64_t limit, uint64_t used)
{
    return limit > used ? limit - used : 0;
}

uint64_t kl_memory_free(void)
{
    static const char *const groups[][2] = {
        {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"},
        {"/sys/fs/cgroup/memory/memory.limit_in_bytes",
         "/sys/fs/cgroup/memory/memory.usage_in_bytes"}};
    uint64_t kilobytes = number_of("/proc/meminfo", "MemAvailable:", 0), bytes = kilobytes << 10;
    struct rlimit limit;

    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
        uint64_t most = number_of(groups[i][0], "", UINT64_MAX);
        uint64_t left = left_of(most, number_of(groups[i][1], "", 0));

        bytes = left < bytes ? left : bytes;
    }
    if (!getrlimit(RLIMIT_AS, &limit) && limit.rlim_cur != RLIM_INFINITY) {
        uint64_t left = left_of(limit.rlim_cur, number_of("/proc/self/status", "VmSize:", 0) << 10);

        bytes = left < bytes ? left : bytes;
    }
    return bytes;
}
