#include "db/file/formats.h"

#include <stddef.h>

#include "db/file/schema.h"

/* Steps after format 5, in order, each from a file of its own in db/migrations. */
static const struct {
    int version;
    const char *sql;
} steps[] = {
    {KL_SCHEMA_VERSION, ""}, /* where they begin */
};
#define N_STEPS (sizeof steps / sizeof steps[0])

int kl_format_version(void)
{
    return steps[N_STEPS - 1].version;
}

const char *kl_format_step(int version)
{
    for (size_t i = 0; i < N_STEPS; i++)
        if (steps[i].version == version)
            return steps[i].sql;
    return "";
}
