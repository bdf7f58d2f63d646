#include "server/parameters.h"

#include <string.h>

const struct kl_query kl_default_query = {
    .rank = KL_RANK_ABS,
    .logit = KL_ANY_CLASS,
    .only_class = KL_ANY_CLASS,
    .top = KL_DEFAULT_TOP,
};

int kl_parse_number(const char *text, uint32_t *number)
{
    size_t length = strlen(text);
    uint32_t value = 0;

    if (length < 1 || length > 9 || strspn(text, "0123456789") != length)
        return -1;
    for (size_t i = 0; i < length; i++)
        value = 10 * value + (uint32_t)(text[i] - '0');
    *number = value;
    return 0;
}

int kl_parse_rank(const char *text, struct kl_query *query)
{
    uint32_t logit;

    if (!strncmp(text, "logit:", 6)) {
        if (kl_parse_number(text + 6, &logit))
            return -1;
        query->rank = KL_RANK_LOGIT;
        query->logit = (int)logit;
        return 0;
    }
    for (int rank = KL_RANK_ABS; rank <= KL_RANK_LOGIT; rank++) {
        if (!strcmp(text, kl_rank_name((enum kl_rank)rank))) {
            query->rank = (enum kl_rank)rank;
            return 0;
        }
    }
    return -1;
}

int kl_parse_by(const char *text, struct kl_query *query)
{
    int by_sample = !strcmp(text, "sample");

    if (!by_sample && strcmp(text, "pattern") != 0)
        return -1;
    query->by_sample = by_sample;
    return 0;
}
