#include "api/asked/question.h"

#include <string.h>

#include "api/asked/sample_name.h"
#include "core/base/number.h"

void kl_question_init(const struct kl_history *history, struct kl_question *question)
{
    memset(question, 0, sizeof *question);
    question->query = (struct kl_query){.layer = history->final->shape.n_layers,
                                        .rank = kl_rank_at(0),
                                        .target = KL_ANY_CLASS,
                                        .logit = KL_ANY_CLASS,
                                        .only_class = KL_ANY_CLASS,
                                        .top = KL_DEFAULT_TOP,
                                        .training_sample = UINT32_MAX,
                                        .parts = KL_ANSWER_ALWAYS};
}

/* Takes the next term of a list with commas between them: 1, 0 at its end, -1 where a term is
 * empty, or -2 where it is longer than n_bytes. */
static int next_term(const char **list, char *term, size_t n_bytes)
{
    size_t length = strcspn(*list, ",");

    if (!**list)
        return 0;
    if (length == 0 || length >= n_bytes)
        return length ? -2 : -1;
    memcpy(term, *list, length);
    term[length] = '\0';
    *list += length;
    if (**list == ',' && !*++*list)
        return -1;
    return 1;
}

static enum kl_status set_layer(struct kl_question *question, const struct kl_history *history,
                                const char *text, struct kl_error *err)
{
    uint32_t n_layers = history->final->shape.n_layers, layer = 0;
    char name[KL_LAYER_NAME_MAX];

    for (uint32_t l = 0; l < n_layers && layer == 0; l++) {
        kl_shape_layer_name(&history->final->shape, l, name);
        layer = !strcmp(name, text) ? l + 1 : 0;
    }
    if (layer == 0 && (kl_parse_number(text, &layer) || layer < 1 || layer > n_layers))
        return kl_fail_on(err, KL_ERR_USAGE, "layer",
                          "layer is 1 to %u in this run, or a layer's name", n_layers);
    question->query.layer = layer;
    return KL_OK;
}

static enum kl_status set_place(struct kl_question *question, const struct kl_history *history,
                                const char *text, struct kl_error *err)
{
    uint32_t place = 0;

    (void)history;
    if (kl_parse_number(text, &place))
        return kl_fail_on(err, KL_ERR_USAGE, "place",
                          "place counts those at which the layer sees the sample, from 0");
    question->query.place = place + 1;
    return KL_OK;
}

static enum kl_status set_rank(struct kl_question *question, const struct kl_history *history,
                               const char *text, struct kl_error *err)
{
    int n_logits = (int)kl_shape_n_outputs(&history->final->shape), logit = KL_ANY_CLASS;
    const struct kl_rank *rank = kl_rank_parse(text, &logit);
    char names[300];

    if (!rank) {
        kl_rank_names(0, names, sizeof names);
        return kl_fail_on(err, KL_ERR_USAGE, "rank", "rank is %s, not '%.40s'", names, text);
    }
    if (logit >= n_logits)
        return kl_fail_on(err, KL_ERR_USAGE, "rank",
                          "rank is %s:C where the logit is 0 to %d in this run", rank->name,
                          n_logits - 1);
    question->query.rank = rank;
    question->query.logit = logit;
    return KL_OK;
}

static enum kl_status set_by(struct kl_question *question, const struct kl_history *history,
                             const char *text, struct kl_error *err)
{
    (void)history;
    question->query.by_sample = !strcmp(text, "sample");
    return question->query.by_sample || !strcmp(text, "pattern")
               ? KL_OK
               : kl_fail_on(err, KL_ERR_USAGE, "by", "by is pattern or sample, not '%.40s'", text);
}

/* How many classes have a name, over all data sets; *class is the last one's number. */
static uint32_t count_named(const struct kl_history *history, const char *name, uint32_t *class)
{
    const struct kl_collection *data = history->data;
    uint32_t n = 0;

    for (uint32_t d = 0, base = 0; d < data->n_datasets; base += data->datasets[d++]->n_classes)
        for (uint32_t label = 0; label < data->datasets[d]->n_classes; label++)
            if (!strcmp(kl_dataset_class_name(data->datasets[d], label), name)) {
                *class = base + label;
                n++;
            }
    return n;
}

/* A class by its number over all data sets, or by its name, if one alone has it: 0, or -1. */
static int find_class(const struct kl_history *history, const char *text, uint32_t *class)
{
    if (!kl_parse_number(text, class))
        return *class < history->n_classes ? 0 : -1;
    return count_named(history, text, class) == 1 ? 0 : -1;
}

static enum kl_status set_class(struct kl_question *question, const struct kl_history *history,
                                const char *text, struct kl_error *err)
{
    uint32_t class = 0;

    if (find_class(history, text, &class))
        return kl_fail_on(err, KL_ERR_USAGE, "class",
                          "class is 0 to %u in this run, or the name that one class has",
                          history->n_classes - 1);
    question->query.only_class = (int)class;
    return KL_OK;
}

static enum kl_status set_k(struct kl_question *question, const struct kl_history *history,
                            const char *text, struct kl_error *err)
{
    uint32_t k = 0;

    (void)history;
    if (kl_parse_number(text, &k) || k < 1 || k > KL_TOP_MAX)
        return kl_fail_on(err, KL_ERR_USAGE, "k", "k is 1 to %d", KL_TOP_MAX);
    question->query.top = k;
    return KL_OK;
}

static enum kl_status set_contributions(struct kl_question *question,
                                        const struct kl_history *history, const char *text,
                                        struct kl_error *err)
{
    (void)history;
    question->query.attention_alone = !strcmp(text, "no");
    return question->query.attention_alone || !strcmp(text, "yes")
               ? KL_OK
               : kl_fail_on(err, KL_ERR_USAGE, "contributions",
                            "contributions is yes or no, not '%.40s'", text);
}

static enum kl_status set_scan(struct kl_question *question, const struct kl_history *history,
                               const char *text, struct kl_error *err)
{
    (void)history;
    question->query.by_bytes = !strcmp(text, "8-bit");
    return question->query.by_bytes || !strcmp(text, "full")
               ? KL_OK
               : kl_fail_on(err, KL_ERR_USAGE, "scan", "scan is full or 8-bit, not '%.40s'", text);
}

static enum kl_status set_training(struct kl_question *question, const struct kl_history *history,
                                   const char *text, struct kl_error *err)
{
    return kl_sample_named(history->data, text, "training", &question->query.training_sample, err);
}

static enum kl_status set_views(struct kl_question *question, const struct kl_history *history,
                                const char *text, struct kl_error *err)
{
    static const struct {
        const char *name;
        enum kl_part_of_answer part;
    } views[] = {{"curves", KL_ANSWER_CURVES},
                 {"time", KL_ANSWER_TIME},
                 {"samples", KL_ANSWER_SAMPLES},
                 {"learning", KL_ANSWER_LEARNING},
                 {"places", KL_ANSWER_PLACES}};
    size_t n = sizeof views / sizeof views[0], i = 0;
    char term[16];
    int found;

    (void)history;
    while ((found = next_term(&text, term, sizeof term)) > 0) {
        for (i = 0; i < n && strcmp(views[i].name, term) != 0;)
            i++;
        if (i == n)
            break;
        question->query.parts |= views[i].part;
    }
    return found == 0 ? KL_OK
                      : kl_fail_on(err, KL_ERR_USAGE, "views",
                                   "views is a list of curves, time, samples, learning and "
                                   "places, with a comma between two");
}

static enum kl_status bad_term(const char *word, const char *term, const char *rule,
                               struct kl_error *err)
{
    return kl_fail_on(err, KL_ERR_USAGE, word, "%s cannot take '%.40s': %s", word, term, rule);
}

/* "FIRST-LAST" */
static int parse_range(const char *text, uint32_t n_steps, uint32_t *first, uint32_t *last)
{
    char digits[16];
    size_t length = strcspn(text, "-");

    if (text[length] != '-' || length >= sizeof digits)
        return -1;
    memcpy(digits, text, length);
    digits[length] = '\0';
    return kl_parse_number(digits, first) || kl_parse_number(text + length + 1, last) ||
                   *first < 1 || *last < *first || *last > n_steps
               ? -1
               : 0;
}

static enum kl_status too_many(const char *word, const char *term, struct kl_error *err)
{
    return bad_term(word, term,
                    "that is more than 64 classes, data sets or ranges, or 1000 samples", err);
}

/* One term, whose value comes after its colon. */
static enum kl_status add_term(const char *word, const char *term, const char *value,
                               const struct kl_history *history, struct kl_removal *removal,
                               struct kl_error *err)
{
    uint32_t number = 0, first, last;
    int is_number = value && !kl_parse_number(value, &number);

    if (!strcmp(term, "all")) {
        removal->all = 1;
    } else if (!strncmp(term, "top:", 4)) {
        if (!is_number || number > KL_TOP_MAX)
            return bad_term(word, term, "top:N takes the first N of the spotlight, at most 1000",
                            err);
        removal->top = number > removal->top ? number : removal->top;
    } else if (!strncmp(term, "class:", 6)) {
        if (find_class(history, value, &number))
            return bad_term(word, term,
                            "class:NUMBER counts the classes of all data sets from 0; class:NAME "
                            "names one, if no other has its name",
                            err);
        if (removal->n_classes == KL_REMOVAL_TERMS_MAX)
            return too_many(word, term, err);
        removal->classes[removal->n_classes++] = number;
    } else if (!strncmp(term, "dataset:", 8)) {
        for (uint32_t d = 0; d < history->data->n_datasets; d++) {
            if (!strcmp(history->data->datasets[d]->name, value)) {
                if (removal->n_datasets == KL_REMOVAL_TERMS_MAX)
                    return too_many(word, term, err);
                removal->datasets[removal->n_datasets++] = d;
                return KL_OK;
            }
        }
        return bad_term(word, term, "dataset:NAME names a data set of the run", err);
    } else if (!strncmp(term, "steps:", 6)) {
        if (parse_range(value, history->n_steps, &first, &last))
            return bad_term(word, term, "steps:FIRST-LAST is a range of the run's steps, from 1",
                            err);
        if (removal->n_ranges == KL_REMOVAL_TERMS_MAX)
            return too_many(word, term, err);
        removal->first_steps[removal->n_ranges] = first;
        removal->last_steps[removal->n_ranges++] = last;
    } else if (!strncmp(term, "sample:", 7)) {
        if (!is_number || number >= kl_collection_size(history->data) ||
            kl_collection_place(history->data, number).split != KL_SPLIT_TRAIN)
            return bad_term(word, term, "sample:ID is the id of a training sample", err);
        if (removal->n_samples == KL_REMOVAL_SAMPLES_MAX)
            return too_many(word, term, err);
        removal->samples[removal->n_samples++] = number;
    } else {
        return bad_term(word, term,
                        "its terms are top:N, class:NUMBER, dataset:NAME, steps:FIRST-LAST, "
                        "sample:ID and all",
                        err);
    }
    return KL_OK;
}

enum kl_status kl_question_terms(const char *word, const char *text,
                                 const struct kl_history *history, struct kl_removal *removal,
                                 struct kl_error *err)
{
    char term[KL_NAME_MAX + 16];
    int found;

    memset(removal, 0, sizeof *removal);
    while ((found = next_term(&text, term, sizeof term)) > 0) {
        const char *colon = strchr(term, ':');

        if (add_term(word, term, colon ? colon + 1 : NULL, history, removal, err))
            return err->status;
    }
    if (found == -2)
        return bad_term(word, text, "it is too long", err);
    if (found < 0)
        return bad_term(
            word, text,
            "its terms are top:N, class:NUMBER, dataset:NAME, steps:FIRST-LAST, sample:ID and all, "
            "and a comma stands between two terms",
            err);
    return KL_OK;
}

static enum kl_status set_removal(struct kl_question *question, const struct kl_history *history,
                                  const char *text, struct kl_error *err)
{
    enum kl_status status = kl_question_terms("remove", text, history, &question->removal, err);

    if (!status)
        question->query.removal = &question->removal;
    return status;
}

static const struct {
    const char *word;
    enum kl_status (*set)(struct kl_question *question, const struct kl_history *history,
                          const char *text, struct kl_error *err);
} words[] = {{"layer", set_layer},
             {"place", set_place},
             {"rank", set_rank},
             {"by", set_by},
             {"class", set_class},
             {"k", set_k},
             {"contributions", set_contributions},
             {"scan", set_scan},
             {"views", set_views},
             {"remove", set_removal},
             {"training", set_training}};
#define N_WORDS (sizeof words / sizeof words[0])

const char *kl_question_word(uint32_t i)
{
    return i < N_WORDS ? words[i].word : NULL;
}

enum kl_status kl_question_set(struct kl_question *question, const struct kl_history *history,
                               const char *word, const char *text, struct kl_error *err)
{
    for (size_t i = 0; i < N_WORDS; i++)
        if (!strcmp(words[i].word, word))
            return words[i].set(question, history, text, err);
    return kl_fail_on(err, KL_ERR_USAGE, word, "a question has no word of that name");
}

enum kl_status kl_question_row_rank(const char *text, int may_need_lengths,
                                    const struct kl_rank **out, struct kl_error *err)
{
    int logit;
    const struct kl_rank *rank = kl_rank_parse(text, &logit);

    if (!rank || !rank->row || (rank->needs_lengths && !may_need_lengths))
        return kl_fail_on(err, KL_ERR_USAGE, "rank", "rank is abs, positive%s here",
                          may_need_lengths ? ", negative or cosine" : " or negative");
    *out = rank;
    return KL_OK;
}
