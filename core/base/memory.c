#include "core/base/memory.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#define FEW_POOLS 2
#define HUGE_PAGE ((size_t)2 << 20)
#define LARGE 16e6 /* bytes of a block for which it is looked how much is free */

static uint64_t reserved; /* bytes for others, of an address space that is limited */

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

/* Bytes of address space that are left to the process, reserved ones with it; UINT64_MAX: it is not
 * limited. */
static uint64_t addresses_left(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_AS, &limit) || limit.rlim_cur == RLIM_INFINITY)
        return UINT64_MAX;
    return left_of(limit.rlim_cur, number_of("/proc/self/status", "VmSize:", 0) << 10);
}

uint64_t kl_memory_free(void)
{
    static const char *const groups[][5] = {
        {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current", "/sys/fs/cgroup/memory.stat",
         "inactive_file ", "active_file "},
        {"/sys/fs/cgroup/memory/memory.limit_in_bytes",
         "/sys/fs/cgroup/memory/memory.usage_in_bytes", "/sys/fs/cgroup/memory/memory.stat",
         "total_inactive_file ", "total_active_file "}};
    uint64_t kilobytes = number_of("/proc/meminfo", "MemAvailable:", UINT64_MAX >> 10);
    uint64_t bytes = kilobytes << 10;
    uint64_t addresses = left_of(addresses_left(), reserved);

    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
        uint64_t most = number_of(groups[i][0], "", UINT64_MAX);
        uint64_t files =
            number_of(groups[i][2], groups[i][3], 0) + number_of(groups[i][2], groups[i][4], 0);
        uint64_t left = left_of(most, left_of(number_of(groups[i][1], "", 0), files));

        bytes = left < bytes ? left : bytes;
    }
    bytes = addresses < bytes ? addresses : bytes;
    if (bytes >> 10 == UINT64_MAX >> 10) /* nothing told anything */
        return 0;
    return bytes ? bytes : 1;
}

uint64_t kl_memory_used(void)
{
    return number_of("/proc/self/status", "RssAnon:", 0) << 10;
}

/* A large block must fit beside what is reserved, as the system itself promises more than it has.
 */
static int has_room(size_t count, size_t size)
{
    double n_bytes = (double)count * (double)size;
    uint64_t free_bytes = n_bytes < LARGE ? 0 : kl_memory_free();

    return free_bytes == 0 || n_bytes <= (double)free_bytes;
}

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
    void *block = has_room(count, size) ? calloc(count ? count : 1, size) : NULL;

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
    if (!has_room(bytes, 1) || posix_memalign(&block, alignment, bytes))
        return no_memory(count, size, what, err);
#ifdef MADV_HUGEPAGE
    if (bytes >= HUGE_PAGE)
        (void)madvise(block, bytes, MADV_HUGEPAGE); /* only an advice: normal pages work too */
#endif
    memcpy(out, &block, sizeof block);
    /* cppcheck-suppress memleak ; the caller owns it now */
    return KL_OK;
}

void kl_memory_share_pools(void)
{
#ifdef M_ARENA_MAX
    mallopt(M_ARENA_MAX, FEW_POOLS);
#endif
}

enum kl_status kl_memory_reserve(uint64_t n_bytes, const char *what, struct kl_error *err)
{
    uint64_t left = addresses_left();

    if (left == UINT64_MAX)
        return KL_OK;
    if (left < n_bytes)
        return kl_fail(err, KL_ERR_MEMORY,
                       "not enough memory: %s takes %.0f MB of address space, and the limit leaves "
                       "%.0f MB: raise it (ulimit -v)",
                       what, (double)n_bytes / 1e6, (double)left / 1e6);
#ifdef M_ARENA_MAX
    mallopt(M_ARENA_MAX, 1); /* or every thread's first block takes 64 MiB of addresses */
#endif
    reserved = n_bytes;
    return KL_OK;
}
