#include "tests/fuzz/lib/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/routes.h"

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

        if (kl_pool_create(2, &pool, &err) || kl_served_create(pool, 0, NULL, &served, &err))
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
