#include "tests/fuzz/lib/fuzz.h"

#include <sqlite3.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/routes.h"

/* SQLite's pieces, a hundred thousand for a run, come from the C library itself: the sanitizer's
 * malloc would take most of the time. They are counted instead. */
void *__libc_malloc(size_t n_bytes); /* NOLINT: of the C library, behind the sanitizer's malloc */
void __libc_free(void *piece);       /* NOLINT */

static atomic_long n_pieces;

/* What stands before a piece. */
union head {
    int n_bytes;
    max_align_t alignment;
};

static void *give(int n_bytes)
{
    union head *head = __libc_malloc(sizeof *head + (size_t)n_bytes);

    if (!head)
        return NULL;
    n_pieces++;
    head->n_bytes = n_bytes;
    return head + 1;
}

static int size_of(void *piece)
{
    return piece ? ((union head *)piece - 1)->n_bytes : 0;
}

static void take_back(void *piece)
{
    if (!piece)
        return;
    n_pieces--;
    __libc_free((union head *)piece - 1);
}

static void *give_again(void *piece, int n_bytes)
{
    int n_old = size_of(piece);
    void *other = give(n_bytes);

    if (!other)
        return NULL;
    memcpy(other, piece, (size_t)(n_old < n_bytes ? n_old : n_bytes));
    take_back(piece);
    return other;
}

static int round_up(int n_bytes)
{
    return (n_bytes + 7) & ~7;
}

static int begin(void *unused)
{
    (void)unused;
    return SQLITE_OK;
}

static void end(void *unused)
{
    (void)unused;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static const sqlite3_mem_methods methods = {give,     take_back, give_again, size_of,
                                                round_up, begin,     end,        NULL};

    (void)argc;
    (void)argv;
    if (sqlite3_config(SQLITE_CONFIG_MALLOC, &methods) ||
        sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0)) /* which has a lock */
        abort();
    return 0;
}

void fuzz_check_pieces(void)
{
    static long at_first;
    static int n_inputs;

    if (n_inputs++ < 20) { /* the first make what is kept */
        at_first = n_pieces;
    } else if (n_pieces != at_first) {
        fprintf(stderr, "%ld pieces of SQLite's memory, not %ld\n", n_pieces, at_first);
        abort();
    }
}

unsigned fuzz_byte(struct fuzz_bytes *bytes)
{
    if (!bytes->n)
        return 0;
    bytes->n--;
    return *bytes->at++;
}

uint64_t fuzz_number(struct fuzz_bytes *bytes, int n_bytes)
{
    uint64_t number = 0;

    for (int i = 0; i < n_bytes; i++)
        number |= (uint64_t)fuzz_byte(bytes) << 8 * i;
    return number;
}

unsigned char *fuzz_read(const char *path, size_t *n_bytes)
{
    FILE *file = fopen(path, "rb");
    unsigned char *bytes;
    long size;

    if (!file || fseek(file, 0, SEEK_END) || (size = ftell(file)) < 0)
        abort();
    rewind(file);
    bytes = malloc((size_t)size + 1);
    if (!bytes || fread(bytes, 1, (size_t)size, file) != (size_t)size)
        abort();
    fclose(file);
    *n_bytes = (size_t)size;
    return bytes;
}

void fuzz_write(const char *path, const void *bytes, size_t n_bytes)
{
    FILE *file = fopen(path, "wb");

    if (!file || fwrite(bytes, 1, n_bytes, file) != n_bytes)
        abort();
    fclose(file);
}

void fuzz_check(enum kl_status status, const struct kl_error *err)
{
    if (status && (err->status != status || !err->message[0])) {
        fprintf(stderr, "%d (%d): %s\n", status, err->status, err->message);
        abort();
    }
}

static void add(struct kl_served *served, const char *path, const struct kl_run **run)
{
    static struct kl_error err;
    struct kl_run *opened = NULL;

    if (kl_run_open(path, 2, &opened, &err) || kl_served_add(served, opened, &err)) {
        fprintf(stderr, "%s\n", err.message);
        abort();
    }
    *run = opened;
}

struct kl_service *fuzz_service(const struct kl_run **image, const struct kl_run **text)
{
    static struct kl_service service;
    static const struct kl_run *runs[2];

    if (!runs[0]) {
        struct kl_served *served = NULL;
        struct kl_pool *pool = NULL;
        struct kl_error err;

        if (kl_pool_create(2, &pool, &err) || kl_served_create(pool, kl_peers_none, 0, NULL, &served, &err))
            abort();
        add(served, "image.keylight", &runs[0]);
        add(served, "text.keylight", &runs[1]);
        kl_service_init(&service, served, pool);
    }
    *image = runs[0];
    *text = runs[1];
    return &service;
}

void fuzz_ask(struct kl_service *service, const struct kl_request *request)
{
    struct kl_reply reply = {0};

    kl_route(service, request, &reply);
    if (reply.status < 200 || reply.status > 599 || (!reply.owned && !reply.borrowed) ||
        reply.status == 500)
        abort();
    free(reply.owned);
}
