#include "core/data/split.h"

#include <ctype.h>
#include <string.h>

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

/* Whether a file's name has the word between dots, dashes, underlines, or its ends. */
static int has_word(const char *name, const char *word)
{
    static const char ends[] = "._-";
    size_t length = strlen(word);

    for (const char *at = name; (at = strstr(at, word)); at++)
        if ((at == name || strchr(ends, at[-1])) && (!at[length] || strchr(ends, at[length])))
            return 1;
    return 0;
}

int kl_split_named(const char *name)
{
    return has_word(name, "train")                                   ? KL_SPLIT_TRAIN
           : has_word(name, "valid") || has_word(name, "validation") ? KL_SPLIT_VALIDATION
           : has_word(name, "test")                                  ? KL_SPLIT_TEST
                                                                     : -1;
}
