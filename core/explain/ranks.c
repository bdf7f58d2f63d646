#include "core/explain/ranks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/explain/scores.h"

enum {
    ABS,
    POSITIVE,
    NEGATIVE,
    COSINE,
    LOGIT,
    AGAINST,
    EFFECT,
    PROPONENTS,
    OPPONENTS,
    INFLUENCE,
    HINDRANCE
};

static const struct kl_rank table[] = {
    [ABS] = {"abs", NULL, "|attention|", "Largest attention, whatever its sign", "|attention|", 1,
             0, 0, 0, kl_score_abs, kl_row_abs, NULL},
    [POSITIVE] = {"positive", NULL, "positive", "Most positive attention", "attention", 1, 0, 0, 0,
                  kl_score_positive, kl_row_positive, NULL},
    [NEGATIVE] = {"negative", NULL, "negative", "Most negative attention", "−attention", 1, 0, 0, 0,
                  kl_score_negative, kl_row_negative, NULL},
    [COSINE] =
        {"cosine", NULL, "cosine",
         "Attention over the lengths of key and query: not the dual form, but blind to large keys",
         "cosine", 1, 0, 0, 1, kl_score_cosine, kl_row_cosine, NULL},
    [LOGIT] = {"logit", NULL, "argues for", "Largest contribution to a logit through this layer",
               "contribution", 1, 1, 1, 0, kl_score_logit, NULL, NULL},
    [AGAINST] = {"against", NULL, "argues against",
                 "Most negative contribution to a logit through this layer", "−contribution", 1, 1,
                 1, 0, kl_score_opposite, NULL, &table[LOGIT]},
    [EFFECT] = {"effect", NULL, "argues for, all layers",
                "Largest contribution to a logit, summed over all layers",
                "contribution in all layers", 0, 1, 1, 0, kl_score_effect, NULL, NULL},
    [PROPONENTS] = {"proponents", "helped", "lowered its loss",
                    "What lowered the loss most, summed over all layers", "lowering of its loss", 0,
                    0, 1, 0, kl_score_opposite, NULL, &table[OPPONENTS]},
    [OPPONENTS] = {"opponents", "harmed", "raised its loss",
                   "What raised the loss most, summed over all layers", "raising of its loss", 0, 0,
                   1, 0, kl_score_opponents, NULL, NULL},
    [INFLUENCE] = {"influence", NULL, "would be missed",
                   "What its loss would rise by most without them: an estimate, over all layers",
                   "estimated rise of its loss", 0, 0, 1, 0, kl_score_opposite, NULL,
                   &table[HINDRANCE]},
    [HINDRANCE] = {"hindrance", NULL, "would not be missed",
                   "What its loss would fall by most without them: an estimate, over all layers",
                   "estimated fall of its loss", 0, 0, 1, 0, kl_score_hindrance, NULL, NULL},
};

const struct kl_rank *kl_rank_at(uint32_t i)
{
    return i < sizeof table / sizeof table[0] ? &table[i] : NULL;
}

const struct kl_rank *kl_rank_find(const char *name)
{
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (!strcmp(table[i].name, name))
            return &table[i];
    return NULL;
}

static int is_named(const char *text, size_t length, const char *name)
{
    return name && strlen(name) == length && !memcmp(text, name, length);
}

const struct kl_rank *kl_rank_parse(const char *text, int *logit)
{
    size_t length = strcspn(text, ":");
    const struct kl_rank *rank;
    char *end;
    long number;

    for (uint32_t i = 0; (rank = kl_rank_at(i)); i++) {
        if (!is_named(text, length, rank->name) && !is_named(text, length, rank->older_name))
            continue;
        *logit = -1;
        if (!text[length])
            return rank;
        number = strtol(text + length + 1, &end, 10);
        if (!rank->takes_logit || text[length + 1] < '0' || text[length + 1] > '9' || *end ||
            end - text - (long)length > 10)
            return NULL;
        *logit = (int)number;
        return rank;
    }
    return NULL;
}

void kl_rank_names(int only_rows, char *text, size_t n_bytes)
{
    uint32_t n = 0, told = 0;
    const struct kl_rank *rank;
    size_t used = 0;

    for (uint32_t i = 0; (rank = kl_rank_at(i)); i++)
        n += !only_rows || rank->row;
    text[0] = '\0';
    for (uint32_t i = 0; (rank = kl_rank_at(i)) && used < n_bytes; i++) {
        if (only_rows && !rank->row)
            continue;
        used += (size_t)snprintf(text + used, n_bytes - used, "%s%s%s",
                                 told == 0       ? ""
                                 : told + 1 == n ? " or "
                                                 : ", ",
                                 rank->name, rank->takes_logit ? "[:C]" : "");
        told++;
    }
}
