/* Text: how it is cut and split; the LSTM's gradients and its training against PyTorch's. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/models/adam.h"
#include "core/models/optimiser.h"
#include "core/data/text/corpus_read.h"
#include "core/models/lstm/lstm_layers.h"
#include "core/base/random.h"
#include "core/explain/text/reading.h"
#include "core/models/sgd.h"
#include "core/models/lstm/vocabulary_loss.h"
#include "tests/core/torch_trajectory.h"
#include "tests/lib/shapes.h"
#include "tests/lib/suite.h"

#define ALL(array) (sizeof(array) / sizeof(array)[0])

/* The pieces of a text, each after a bar, or after a dash where a space stood. */
static void cut(enum kl_token_kind kind, const char *text, char *out)
{
    struct kl_piece piece;

    *out = '\0';
    while (kl_next_piece(kind, &text, &piece))
        out += sprintf(out, "%c%.*s", piece.spaced ? '-' : '|', (int)piece.n_bytes, piece.text);
}

START_TEST(text_is_cut_into_tokens)
{
    static const struct {
        enum kl_token_kind kind;
        const char *text, *pieces;
    } cases[] = {
        {KL_TOKENS_CHARACTERS, "a b", "|a| |b"},
        {KL_TOKENS_CHARACTERS, "n\xc3\xa4\n\xe2\x80\x94", "|n|\xc3\xa4|\n|\xe2\x80\x94"},
        {KL_TOKENS_WORDS, "Call me Ishmael.", "|Call-me-Ishmael|."},
        {KL_TOKENS_WORDS, "don't \"stop\"--now", "|don't-\"|stop|\"|--|now"},
        {KL_TOKENS_WORDS, "ship\xe2\x80\x99s \xe2\x80\x9cno\xe2\x80\x9d",
         "|ship\xe2\x80\x99s-\xe2\x80\x9c|no|\xe2\x80\x9d"},
        {KL_TOKENS_WORDS, "a  b\tc\n d ", "|a|  |b|\t|c|\n-d| "},
        {KL_TOKENS_WORDS, "dogs' x''y", "|dogs|'-x|''|y"},
        {KL_TOKENS_WORDS, "the <unk>,<<unk>>", "|the-<unk>|,|<|<unk>|>"},
        {KL_TOKENS_WHITESPACE, " = Title = \n The <unk> , @-@ \n",
         "-=-Title-=-\n-The-<unk>-,-@-@-\n"},
        {KL_TOKENS_WHITESPACE, "  ", ""},
        {KL_TOKENS_WORDS, "", ""},
    };
    char pieces[200];

    cut(cases[_i].kind, cases[_i].text, pieces);
    ck_assert_str_eq(pieces, cases[_i].pieces);
}
END_TEST

static char folder[64];

static void make_folder(void)
{
    snprintf(folder, sizeof folder, "tests-text-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void write_text(const char *name, const char *text, size_t n)
{
    char path[200];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    file = fopen(path, "wb");
    ck_assert_uint_eq(fwrite(text, 1, n, file), n);
    fclose(file);
}

static void remove_folder(void)
{
    char command[100];

    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    ck_assert_int_eq(system(command), 0);
}

static struct kl_dataset *read_corpus(const struct kl_corpus_settings *settings)
{
    struct kl_dataset *dataset = calloc(1, sizeof *dataset);
    struct kl_error err;

    ck_ok(kl_corpus_read(folder, settings, dataset, &err), err);
    return dataset;
}

START_TEST(a_folder_of_documents_is_split_by_share)
{
    struct kl_corpus_settings settings = {KL_TOKENS_CHARACTERS, 1, 0.25, ""};
    struct kl_dataset *dataset;
    const struct kl_corpus *corpus;

    make_folder();
    write_text("2.txt",
               "\xef\xbb\xbf"
               "aab\r\n",
               8); /* a byte order mark, and CRLF */
    write_text("10.txt", "cbad", 4);
    write_text(".hidden", "zzz", 3);
    dataset = read_corpus(&settings);
    corpus = dataset->corpus;
    ck_assert_uint_eq(corpus->lengths[KL_SPLIT_TRAIN], 6);
    ck_assert_uint_eq(corpus->lengths[KL_SPLIT_TEST], 2);
    ck_assert_uint_eq(dataset->splits[KL_SPLIT_TRAIN].count, 5);
    ck_assert_uint_eq(dataset->splits[KL_SPLIT_TEST].count, 1);
    ck_assert_uint_eq(corpus->n_documents, 3); /* 2.txt before 10.txt, which is cut in two */
    ck_assert_str_eq(corpus->documents[0].name, "2.txt");
    ck_assert_str_eq(corpus->documents[1].name, "10.txt");
    ck_assert_int_eq(corpus->documents[2].split, KL_SPLIT_TEST);
    ck_assert_ptr_eq(kl_corpus_document(corpus, KL_SPLIT_TRAIN, 4), &corpus->documents[1]);
    /* The unknown, then by count: a, b (twice), newline, c; d is in no training text. */
    ck_assert_uint_eq(corpus->n_types, 5);
    ck_assert_str_eq(corpus->types[0], "\xef\xbf\xbd");
    ck_assert_str_eq(corpus->types[1], "a");
    ck_assert_uint_eq(corpus->counts[1], 2);
    ck_assert_uint_eq(corpus->tokens[KL_SPLIT_TEST][1], corpus->unknown);
    ck_assert_uint_eq(kl_dataset_label(dataset, KL_SPLIT_TRAIN, 0), 1); /* a follows a */
    kl_dataset_free(dataset);
    remove_folder();
}
END_TEST

START_TEST(files_that_say_train_valid_and_test_are_split_so)
{
    struct kl_corpus_settings settings = {KL_TOKENS_WHITESPACE, 1, 0.5, ""};
    struct kl_dataset *dataset;
    const struct kl_corpus *corpus;

    make_folder();
    write_text("wiki.train.tokens", " = A = \n the <unk> the\n", 23);
    write_text("wiki.valid.tokens", "the b\n", 6);
    write_text("wiki.test.tokens", "= A\n", 4);
    dataset = read_corpus(&settings);
    corpus = dataset->corpus;
    ck_assert_uint_eq(corpus->lengths[KL_SPLIT_TRAIN], 8);
    ck_assert_uint_eq(corpus->lengths[KL_SPLIT_VALIDATION], 3);
    ck_assert_uint_eq(corpus->lengths[KL_SPLIT_TEST], 3);
    ck_assert_str_eq(corpus->types[corpus->unknown], "<unk>");
    ck_assert_uint_eq(corpus->counts[corpus->unknown], 1); /* the file's own <unk> is it */
    ck_assert_uint_eq(corpus->tokens[KL_SPLIT_VALIDATION][1], corpus->unknown);
    kl_dataset_free(dataset);
    strcpy(settings.test_files, "*.valid.*"); /* goes before the names */
    dataset = read_corpus(&settings);
    ck_assert_uint_eq(dataset->corpus->lengths[KL_SPLIT_TEST], 3);
    ck_assert_uint_eq(dataset->corpus->lengths[KL_SPLIT_TRAIN], 11);
    kl_dataset_free(dataset);
    remove_folder();
    make_folder();
    settings.test_files[0] = 0;
    write_text("latest_news.txt", "a b c d", 7); /* words inside words say nothing */
    write_text("strained.txt", "a b c d", 7);
    dataset = read_corpus(&settings);
    ck_assert_uint_eq(dataset->corpus->lengths[KL_SPLIT_TEST], 4);
    kl_dataset_free(dataset);
    remove_folder();
}
END_TEST

START_TEST(rare_words_are_unknown_and_typed_text_is_encoded_alike)
{
    struct kl_corpus_settings settings = {KL_TOKENS_WORDS, 2, 0, ""};
    struct kl_dataset *dataset;
    struct kl_error err;
    uint32_t *tokens = NULL, n = 0;
    uint8_t *spaced = NULL;

    make_folder();
    write_text("a.txt", "the whale, the sea, the whale", 29);
    dataset = read_corpus(&settings);
    ck_assert_uint_eq(dataset->n_classes, 4); /* <unk> the , whale */
    ck_ok(kl_corpus_encode(dataset->corpus, "the old whale", &tokens, &spaced, &n, NULL, &err),
          err);
    ck_assert_uint_eq(n, 3);
    ck_assert_uint_eq(tokens[0], dataset->corpus->tokens[KL_SPLIT_TRAIN][0]);
    ck_assert_uint_eq(tokens[1], dataset->corpus->unknown);
    ck_assert_uint_eq(tokens[2], dataset->corpus->tokens[KL_SPLIT_TRAIN][1]);
    ck_assert_int_eq(spaced[0], 0);
    ck_assert_int_eq(spaced[2], 1);
    ck_assert(kl_corpus_is_spaced(dataset->corpus, tokens[0], tokens[2]));
    ck_assert(!kl_corpus_is_spaced(dataset->corpus, tokens[0], dataset->corpus->tokens[0][2]));
    free(tokens);
    free(spaced);
    ck_ok(kl_corpus_encode(dataset->corpus, "the whale ", &tokens, &spaced, &n, NULL, &err), err);
    ck_assert_uint_eq(n, 2); /* the space belongs to the word that is asked for */
    free(tokens);
    free(spaced);
    kl_dataset_free(dataset);
    remove_folder();
}
END_TEST

START_TEST(what_is_no_text_is_refused)
{
    struct kl_corpus_settings settings = {KL_TOKENS_CHARACTERS, 1, 0.1, ""};
    struct kl_dataset dataset = {0};
    struct kl_error err;

    make_folder();
    ck_assert_int_eq(kl_corpus_read(folder, &settings, &dataset, &err), KL_ERR_INPUT);
    ck_assert_ptr_nonnull(strstr(err.message, "no text files"));
    write_text("latin1.txt", "caf\xe9 au lait", 12);
    ck_assert_int_eq(kl_corpus_read(folder, &settings, &dataset, &err), KL_ERR_INPUT);
    ck_assert_ptr_nonnull(strstr(err.message, "not UTF-8 (byte 4)"));
    write_text("latin1.txt", "a\0b", 3);
    ck_assert_int_eq(kl_corpus_read(folder, &settings, &dataset, &err), KL_ERR_INPUT);
    ck_assert_ptr_nonnull(strstr(err.message, "bytes of 0"));
    write_text("latin1.txt", "a", 1);
    ck_assert_int_eq(kl_corpus_read(folder, &settings, &dataset, &err), KL_ERR_INPUT);
    remove_folder();
    ck_assert_int_eq(kl_corpus_read(folder, &settings, &dataset, &err), KL_ERR_NOT_FOUND);
}
END_TEST

enum { V = 9, STREAMS = 3, UNROLL = 4, ROWS = STREAMS * UNROLL };

struct model {
    struct kl_network *network, *gradient;
    struct kl_lstm_activations *activations;
    uint32_t tokens[ROWS], targets[ROWS];
    float carried[2 * 2 * STREAMS * 5];
};

static void make_model(struct model *model)
{
    struct kl_shape shape;
    struct kl_error err;
    struct kl_random random;

    ck_ok(shape_lstm(V, 4, 5, 2, &shape, &err), err);
    ck_ok(kl_network_create(&shape, &model->network, &err), err);
    ck_ok(kl_network_create(&shape, &model->gradient, &err), err);
    ck_ok(kl_lstm_activations_create(&shape, STREAMS, UNROLL, &model->activations, &err), err);
    kl_random_seed(&random, 3, 0);
    for (size_t i = 0; i < model->network->n_parameters; i++)
        model->network->parameters[i] = (float)(0.6 * kl_random_normal(&random));
    for (uint32_t i = 0; i < ROWS; i++) {
        model->tokens[i] = kl_random_below(&random, V);
        model->targets[i] = kl_random_below(&random, V);
    }
    ck_assert_uint_eq(kl_lstm_carried_size(&shape, STREAMS), ALL(model->carried));
    for (size_t i = 0; i < ALL(model->carried); i++)
        model->carried[i] = (float)(0.5 * kl_random_normal(&random));
}

static void free_model(struct model *model)
{
    kl_network_free(model->network);
    kl_network_free(model->gradient);
    kl_lstm_activations_free(model->activations);
}

/* The mean loss, with dropout; errors and gradient may be NULL. */
static double loss_of(struct model *model, struct kl_vocabulary_errors *errors,
                      struct kl_network *gradient)
{
    float carried[ALL(model->carried)];
    struct kl_vocabulary_loss loss;
    struct kl_error err;

    memcpy(carried, model->carried, sizeof carried);
    kl_lstm_forward(model->network, model->tokens, STREAMS, UNROLL, carried, model->activations);
    kl_lstm_drop(model->activations, 0.3, 7, 1);
    ck_ok(kl_vocabulary_loss(model->network, model->targets, NULL, model->activations, errors,
                             gradient, &loss, &err),
          err);
    if (gradient)
        kl_lstm_backward(model->network, model->tokens, model->activations, gradient);
    return loss.loss / ROWS;
}

START_TEST(gradients_are_finite_differences)
{
    struct model model;
    double worst = 0;

    make_model(&model);
    loss_of(&model, NULL, model.gradient);
    for (size_t i = 0; i < model.network->n_parameters; i++) {
        float *w = &model.network->parameters[i], old = *w;
        double step = 5e-3, high, low, off;

        *w = (float)(old + step);
        high = loss_of(&model, NULL, NULL);
        *w = (float)(old - step);
        low = loss_of(&model, NULL, NULL);
        *w = old;
        off = fabs((high - low) / (2 * step) - (double)model.gradient->parameters[i]);
        worst = off > worst ? off : worst;
    }
    ck_assert_double_lt(worst, 5e-5);
    free_model(&model);
}
END_TEST

START_TEST(weights_get_the_sum_of_error_signal_times_key)
{
    struct model model;
    float numbers[ROWS * V];
    struct kl_vocabulary_errors errors = {0, numbers, NULL, NULL};

    make_model(&model);
    loss_of(&model, &errors, model.gradient);
    for (uint32_t l = 0; l < 3; l++) {
        uint32_t inputs = model.network->shape.inputs[l], outputs = model.network->shape.outputs[l];
        const float *d = l < 2 ? model.activations->errors[l] : numbers;

        for (uint32_t j = 0; j < outputs; j++)
            for (uint32_t i = 0; i < inputs; i++) {
                double sum = 0;

                for (uint32_t t = 0; t < ROWS; t++)
                    sum += (double)d[t * outputs + j] *
                           (double)model.activations->keys[l][t * inputs + i];
                ck_assert_double_eq_tol(sum, (double)model.gradient->weights[l][j * inputs + i],
                                        1e-6);
            }
    }
    free_model(&model);
}
END_TEST

START_TEST(sparse_error_signals_are_the_target_and_the_largest)
{
    struct model model;
    float whole[ROWS * V], part[ROWS * 4], left_out[ROWS];
    uint32_t indices[ROWS * 4];
    struct kl_vocabulary_errors all = {0, whole, NULL, NULL};
    struct kl_vocabulary_errors some = {4, part, indices, left_out};

    make_model(&model);
    loss_of(&model, &all, NULL);
    loss_of(&model, &some, NULL);
    for (uint32_t t = 0; t < ROWS; t++) {
        const float *row = whole + t * V;
        double rest = 0, smallest = 1e9;
        int kept[V] = {0};

        ck_assert_uint_eq(indices[4 * t], model.targets[t]);
        for (uint32_t k = 0; k < 4; k++) {
            kept[indices[4 * t + k]]++;
            ck_assert(part[4 * t + k] == row[indices[4 * t + k]]);
            if (k > 0 && fabs((double)part[4 * t + k]) < smallest)
                smallest = fabs((double)part[4 * t + k]);
            if (k > 1)
                ck_assert_uint_gt(indices[4 * t + k], indices[4 * t + k - 1]);
        }
        for (uint32_t j = 0; j < V; j++) {
            ck_assert_int_le(kept[j], 1);
            if (!kept[j])
                ck_assert_double_le(fabs((double)row[j]), smallest);
            rest += kept[j] ? 0 : (double)row[j] * (double)row[j];
        }
        ck_assert_double_eq_tol((double)left_out[t], rest, 1e-7);
    }
    free_model(&model);
}
END_TEST

static uint32_t torch_token(uint32_t i)
{
    return (i * i + 3 * i) % TORCH_V;
}

static void follow_torch(int adam, const float *losses, const float *final, size_t n_final)
{
    struct kl_step_rule rule = {.learning_rate = adam ? 0.01 : 0.5,
                                .momentum = 0.9,
                                .weight_decay = adam ? 0 : 1e-3,
                                .clip_factor = 1,
                                .beta_1 = 0.9,
                                .beta_2 = 0.999,
                                .epsilon = 1e-8};
    struct kl_network *network, *gradient, *velocity, *squares;
    struct kl_lstm_activations *activations;
    struct kl_shape shape;
    struct kl_error err;
    float carried[2 * TORCH_LAYERS * TORCH_B * TORCH_H] = {0};

    ck_ok(shape_lstm(TORCH_V, TORCH_E, TORCH_H, TORCH_LAYERS, &shape, &err), err);
    ck_ok(kl_network_create(&shape, &network, &err), err);
    ck_ok(kl_network_create(&shape, &gradient, &err), err);
    ck_ok(kl_network_create(&shape, &velocity, &err), err);
    ck_ok(kl_network_create(&shape, &squares, &err), err);
    ck_ok(kl_lstm_activations_create(&shape, TORCH_B, TORCH_U, &activations, &err), err);
    ck_assert_uint_eq(network->n_parameters, n_final);
    for (size_t i = 0; i < n_final; i++)
        network->parameters[i] = (float)(0.4 * sin(1.3 * (double)i + 0.2));
    for (uint32_t step = 0; step < TORCH_STEPS; step++) {
        uint32_t tokens[TORCH_U * TORCH_B], targets[TORCH_U * TORCH_B];
        struct kl_vocabulary_loss loss;

        for (uint32_t u = 0; u < TORCH_U; u++)
            for (uint32_t b = 0; b < TORCH_B; b++) {
                tokens[u * TORCH_B + b] = torch_token(100 * b + step * TORCH_U + u);
                targets[u * TORCH_B + b] = torch_token(100 * b + step * TORCH_U + u + 1);
            }
        kl_lstm_forward(network, tokens, TORCH_B, TORCH_U, carried, activations);
        ck_ok(kl_vocabulary_loss(network, targets, NULL, activations, NULL, gradient, &loss, &err),
              err);
        kl_lstm_backward(network, tokens, activations, gradient);
        ck_assert_double_eq_tol(loss.loss / (TORCH_U * TORCH_B), (double)losses[step], 2e-6);
        rule.clip_factor = kl_clip_factor(NULL, gradient, 0.3);
        if (adam)
            kl_adam_update(&rule, step + 1, gradient, velocity, squares, network);
        else
            kl_sgd_update(&rule, gradient, velocity, network);
    }
    for (size_t i = 0; i < n_final; i++)
        ck_assert_double_eq_tol((double)network->parameters[i], (double) final[i],
                                adam ? 2e-4 : 2e-6); /* Adam magnifies the smallest gradients */
    kl_lstm_activations_free(activations);
    kl_network_free(network);
    kl_network_free(gradient);
    kl_network_free(velocity);
    kl_network_free(squares);
}

START_TEST(training_follows_torch)
{
    follow_torch(0, torch_sgd_losses, torch_sgd_final, ALL(torch_sgd_final));
    follow_torch(1, torch_adam_losses, torch_adam_final, ALL(torch_adam_final));
}
END_TEST

START_TEST(reading_in_stretches_is_reading_at_once)
{
    struct model model;
    struct kl_reading reading;
    struct kl_lstm_activations *activations;
    struct kl_error err;
    uint32_t tokens[] = {1, 5, 2, 8, 0, 3};
    float carried[2 * 2 * 5] = {0}, logits[V];

    make_model(&model);
    ck_ok(kl_read_text(model.network, tokens, ALL(tokens), &reading, &err), err);
    ck_ok(kl_lstm_activations_create(&model.network->shape, 1, 1, &activations, &err), err);
    ck_assert(isnan(reading.bits[0]));
    for (uint32_t i = 0; i + 1 < ALL(tokens); i++) {
        kl_lstm_forward(model.network, &tokens[i], 1, 1, carried, activations);
        kl_lstm_logits(model.network, activations, 0, 1, logits);
        ck_assert_uint_eq(reading.predicted[i + 1], kl_argmax(logits, V));
        ck_assert_double_eq_tol((double)reading.bits[i + 1] * log(2),
                                kl_cross_entropy(logits, 1, V, &tokens[i + 1], NULL), 1e-5);
    }
    kl_reading_clear(&reading);
    kl_lstm_activations_free(activations);
    free_model(&model);
}
END_TEST

START_TEST(a_continuation_is_the_same_for_the_same_seed)
{
    struct kl_corpus corpus = {.kind = KL_TOKENS_CHARACTERS, .n_types = V, .unknown = 0};
    struct kl_continuing how = {40, 0.8, 5};
    struct model model;
    struct kl_error err;
    uint32_t tokens[] = {1, 5, 2}, one[40], two[40];
    float logits[V];

    make_model(&model);
    ck_ok(kl_continue(model.network, &corpus, tokens, 3, &how, one, &err), err);
    ck_ok(kl_continue(model.network, &corpus, tokens, 3, &how, two, &err), err);
    ck_assert_mem_eq(one, two, sizeof one);
    for (int i = 0; i < 40; i++)
        ck_assert_uint_ne(one[i], corpus.unknown);
    how.seed = 6;
    ck_ok(kl_continue(model.network, &corpus, tokens, 3, &how, two, &err), err);
    ck_assert_mem_ne(one, two, sizeof one);
    how = (struct kl_continuing){1, 0, 0};
    ck_ok(kl_continue(model.network, &corpus, tokens, 3, &how, one, &err), err);
    {
        float carried[2 * 2 * 5] = {0};

        kl_lstm_forward(model.network, tokens, 1, 3, carried, model.activations);
        kl_lstm_logits(model.network, model.activations, 2, 1, logits);
        logits[corpus.unknown] = -1e9F;
        ck_assert_uint_eq(one[0], kl_argmax(logits, V));
    }
    free_model(&model);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("text");
    TCase *tcase = tcase_create("text");
    SRunner *runner;
    int failed;

    tcase_add_loop_test(tcase, text_is_cut_into_tokens, 0, 11);
    tcase_add_test(tcase, a_folder_of_documents_is_split_by_share);
    tcase_add_test(tcase, files_that_say_train_valid_and_test_are_split_so);
    tcase_add_test(tcase, rare_words_are_unknown_and_typed_text_is_encoded_alike);
    tcase_add_test(tcase, what_is_no_text_is_refused);
    tcase_add_test(tcase, gradients_are_finite_differences);
    tcase_add_test(tcase, weights_get_the_sum_of_error_signal_times_key);
    tcase_add_test(tcase, sparse_error_signals_are_the_target_and_the_largest);
    tcase_add_test(tcase, training_follows_torch);
    tcase_add_test(tcase, reading_in_stretches_is_reading_at_once);
    tcase_add_test(tcase, a_continuation_is_the_same_for_the_same_seed);
    tcase_set_timeout(tcase, 120);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_SILENT);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
