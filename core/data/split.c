#include "core/data/split.h"

#include <string.h>
#include <strings.h>

static const char *const split_names[KL_N_SPLITS] = {"train", "validation", "test"};

const char *kl_split_name(enum kl_split split)
{
    return split_names[split];
}

enum kl_status kl_split_parse(const char *name, enum kl_split *split, struct kl_error *err)
{
    for (int i = 0; i < KL_N_SPLITS; i++) {
        if (!strcmp(name, split_names[i])) {
            *split = (enum kl_split)i;
            return KL_OK;
        }
    }
    return kl_fail(err, KL_ERR_USAGE,
                   "there is no split of that name: use train, validation or test");
}

static const struct {
    const char *word;
    enum kl_split split;
} words[] = {
    {"train", KL_SPLIT_TRAIN},           {"training", KL_SPLIT_TRAIN},
    {"val", KL_SPLIT_VALIDATION},        {"valid", KL_SPLIT_VALIDATION},
    {"validation", KL_SPLIT_VALIDATION}, {"dev", KL_SPLIT_VALIDATION},
    {"eval", KL_SPLIT_VALIDATION},       {"test", KL_SPLIT_TEST},
    {"testing", KL_SPLIT_TEST},
};
#define N_WORDS (sizeof words / sizeof words[0])

int kl_split_called(const char *name)
{
    for (size_t i = 0; i < N_WORDS; i++)
        if (!strcasecmp(name, words[i].word))
            return (int)words[i].split;
    return -1;
}

int kl_split_named(const char *name)
{
    static const char ends[] = "._- ";
    char word[16];

    while (*name) {
        size_t length = strcspn(name, ends);

        if (length < sizeof word) {
            memcpy(word, name, length);
            word[length] = '\0';
            if (kl_split_called(word) >= 0)
                return kl_split_called(word);
        }
        name += length;
        name += strspn(name, ends);
    }
    return -1;
}
