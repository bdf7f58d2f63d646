/* Data sets: IDX files read and refused, strokes, ids of samples. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "core/data/collection.h"
#include "core/data/images/idx.h"
#include "core/data/loading.h"
#include "tests/lib/suite.h"

static char folder[256];

static void make_folder(void)
{
    snprintf(folder, sizeof folder, "tests-data-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void remove_folder(void)
{
    char command[300];

    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    ck_assert_int_eq(system(command), 0);
}

static void write_file(const char *name, const void *bytes, size_t n_bytes, int gzip)
{
    char path[400];

    snprintf(path, sizeof path, "%s/%s%s", folder, name, gzip ? ".gz" : "");
    if (gzip) {
        gzFile file = gzopen(path, "wb");

        ck_assert_int_eq(gzwrite(file, bytes, (unsigned)n_bytes), (int)n_bytes);
        gzclose(file);
    } else {
        FILE *file = fopen(path, "wb");

        ck_assert_uint_eq(fwrite(bytes, 1, n_bytes, file), n_bytes);
        fclose(file);
    }
}

/* Three training images and two test images of 2 x 2. */
static const unsigned char train_images[] = {0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 2,  0,  0,
                                             0, 2, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
static const unsigned char train_labels[] = {0, 0, 8, 1, 0, 0, 0, 3, 0, 1, 2};
static const unsigned char test_images[] = {0, 0, 8, 3, 0, 0, 0, 2,   0,   0,   0,   2,
                                            0, 0, 0, 2, 0, 0, 0, 255, 255, 255, 255, 0};
static const unsigned char test_labels[] = {0, 0, 8, 1, 0, 0, 0, 2, 2, 0};

static void write_all(int gzip)
{
    write_file("train-images-idx3-ubyte", train_images, sizeof train_images, gzip);
    write_file("train-labels-idx1-ubyte", train_labels, sizeof train_labels, gzip);
    write_file("t10k-images-idx3-ubyte", test_images, sizeof test_images, gzip);
    write_file("t10k-labels-idx1-ubyte", test_labels, sizeof test_labels, gzip);
}

static enum kl_status load(struct kl_dataset **dataset, struct kl_error *err)
{
    char spec[300];

    snprintf(spec, sizeof spec, "tiny=%s", folder);
    return kl_dataset_load(spec, 0, &(struct kl_selection){0}, dataset, err);
}

START_TEST(idx_files_are_read_plain_and_gzipped)
{
    for (int gzip = 0; gzip < 2; gzip++) {
        struct kl_dataset *dataset = NULL;
        struct kl_error err;

        make_folder();
        write_all(gzip);
        ck_ok(load(&dataset, &err), err);
        ck_assert_str_eq(dataset->name, "tiny");
        ck_assert_uint_eq(dataset->n_classes, 3);
        ck_assert_uint_eq(dataset->width, 2);
        ck_assert_uint_eq(dataset->splits[KL_SPLIT_TRAIN].count, 3);
        ck_assert_uint_eq(dataset->splits[KL_SPLIT_TEST].count, 2);
        ck_assert_uint_eq(dataset->splits[KL_SPLIT_TRAIN].pixels[11], 12);
        ck_assert_uint_eq(dataset->splits[KL_SPLIT_TEST].labels[0], 2);
        ck_assert_double_eq_tol(dataset->mean[0], 6.5, 1e-12);
        ck_assert_double_eq_tol(dataset->deviation[0], 3.452052529534663, 1e-9);
        kl_dataset_free(dataset);
        remove_folder();
    }
}
END_TEST

struct damage {
    const char *what, *file;
    size_t length, at; /* the file's new length; a byte to change */
    unsigned char byte;
    enum kl_status status;
    const char *says;
};

static const struct damage damages[] = {
    {"truncated images", "train-images-idx3-ubyte", 20, 0, 0, KL_ERR_INPUT, "too early"},
    {"truncated header", "train-images-idx3-ubyte", 6, 0, 0, KL_ERR_INPUT, "too early"},
    {"too long", "t10k-labels-idx1-ubyte", 11, 10, 0, KL_ERR_INPUT, "longer"},
    {"labels for images", "train-images-idx3-ubyte", 28, 3, 1, KL_ERR_INPUT, "not an IDX file"},
    {"no IDX file", "train-labels-idx1-ubyte", 11, 0, 77, KL_ERR_INPUT, "not an IDX file"},
    {"fewer labels", "train-labels-idx1-ubyte", 10, 7, 2, KL_ERR_INPUT, "2 labels for 3 images"},
    {"huge count", "train-images-idx3-ubyte", 28, 4, 255, KL_ERR_INPUT, "impossible size"},
    {"huge side", "train-images-idx3-ubyte", 28, 9, 255, KL_ERR_INPUT, "impossible size"},
    {"zero width", "train-images-idx3-ubyte", 28, 15, 0, KL_ERR_INPUT, "impossible size"},
    {"other size", "t10k-images-idx3-ubyte", 20, 11, 1, KL_ERR_INPUT, "training images are"},
    {"unknown test label", "t10k-labels-idx1-ubyte", 10, 8, 9, KL_ERR_INPUT, "outside"},
};

START_TEST(damaged_idx_files_are_refused_in_words)
{
    for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
        const struct damage *damage = &damages[i];
        struct kl_dataset *dataset = NULL;
        struct kl_error err = {0};
        unsigned char bytes[32] = {0};
        char path[400];
        FILE *file;

        make_folder();
        write_all(0);
        snprintf(path, sizeof path, "%s/%s", folder, damage->file);
        file = fopen(path, "rb");
        (void)!fread(bytes, 1, sizeof bytes, file);
        fclose(file);
        if (damage->at)
            bytes[damage->at] = damage->byte;
        else if (damage->byte)
            bytes[0] = damage->byte;
        write_file(damage->file, bytes, damage->length, 0);
        ck_assert_msg(load(&dataset, &err) == damage->status, "%s: %s", damage->what, err.message);
        ck_assert_msg(strstr(err.message, damage->says), "%s: %s", damage->what, err.message);
        ck_assert_ptr_null(dataset);
        remove_folder();
    }
}
END_TEST

START_TEST(missing_data_is_told_with_its_remedy)
{
    struct kl_dataset *dataset = NULL;
    struct kl_error err;

    ck_assert_int_eq(
        kl_dataset_load("letters=/nowhere", 0, &(struct kl_selection){0}, &dataset, &err),
        KL_ERR_NOT_FOUND);
    setenv("XDG_CACHE_HOME", "/nowhere", 1);
    ck_assert_int_eq(kl_dataset_load("letters", 0, &(struct kl_selection){0}, &dataset, &err),
                     KL_ERR_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(err.message, "bootstrap data"));
    ck_assert_int_eq(kl_dataset_load("../etc", 0, &(struct kl_selection){0}, &dataset, &err),
                     KL_ERR_USAGE);
    ck_assert_int_eq(kl_dataset_load("", 0, &(struct kl_selection){0}, &dataset, &err),
                     KL_ERR_USAGE);
}
END_TEST

START_TEST(strokes_are_the_same_at_every_call_and_have_all_classes)
{
    struct kl_dataset *a = NULL, *b = NULL;
    struct kl_error err;
    size_t counts[10] = {0};

    ck_ok(kl_dataset_load("strokes", 0, &(struct kl_selection){0}, &a, &err), err);
    ck_ok(kl_dataset_load("strokes", 0, &(struct kl_selection){0}, &b, &err), err);
    ck_assert_int_eq(memcmp(a->splits[0].pixels, b->splits[0].pixels,
                            a->splits[0].count * kl_dataset_image_size(a)),
                     0);
    for (uint32_t i = 0; i < a->splits[0].count; i++)
        counts[a->splits[0].labels[i]]++;
    for (int c = 0; c < 10; c++)
        ck_assert_uint_gt(counts[c], 400);
    kl_dataset_free(a);
    kl_dataset_free(b);
}
END_TEST

START_TEST(standardised_pixels_have_mean_0_and_deviation_1)
{
    struct kl_dataset *dataset = NULL;
    struct kl_error err;
    double sum = 0, squares = 0, n;
    float inputs[784];

    ck_ok(kl_dataset_load("strokes", 0, &(struct kl_selection){0}, &dataset, &err), err);
    for (uint32_t i = 0; i < dataset->splits[0].count; i++) {
        kl_dataset_standardise(dataset, dataset->splits[0].pixels + i * 784, inputs);
        for (int j = 0; j < 784; j++) {
            sum += inputs[j];
            squares += (double)inputs[j] * inputs[j];
        }
    }
    n = 784.0 * dataset->splits[0].count;
    ck_assert_double_eq_tol(sum / n, 0, 1e-5);
    ck_assert_double_eq_tol(squares / n, 1, 1e-5);
    kl_dataset_free(dataset);
}
END_TEST

START_TEST(every_id_has_one_place_and_every_place_one_id)
{
    struct kl_dataset a = {.n_classes = 2}, b = {.n_classes = 3};
    struct kl_collection data = {2, {&a, &b}, KL_HEADS_SHARED};
    uint8_t labels[] = {1, 0, 1, 1};
    uint32_t classes[12];
    uint32_t train = 0;

    a.splits[KL_SPLIT_TRAIN] = (struct kl_image_set){.count = 3, .labels = labels};
    a.splits[KL_SPLIT_TEST] = (struct kl_image_set){.count = 2, .labels = labels};
    b.splits[KL_SPLIT_TRAIN] = (struct kl_image_set){.count = 4, .labels = labels};
    b.splits[KL_SPLIT_VALIDATION] = (struct kl_image_set){.count = 1, .labels = labels};
    ck_assert_uint_eq(kl_collection_size(&data), 10);
    ck_assert_uint_eq(kl_collection_train_size(&data), 7);
    ck_assert_uint_eq(kl_collection_n_outputs(&data), 3);
    ck_assert_uint_eq(kl_collection_classes(&data, classes), 5);
    for (uint32_t id = 0; id < 10; id++) {
        struct kl_sample_place place = kl_collection_place(&data, id);

        ck_assert_uint_eq(kl_collection_id(&data, place), id);
        if (place.split == KL_SPLIT_TRAIN)
            ck_assert_uint_eq(kl_collection_train_id(&data, train++), id);
        ck_assert_uint_eq(classes[id], (place.dataset ? 2u : 0u) + labels[place.index]);
        ck_assert_uint_eq(kl_collection_target(&data, id), labels[place.index]);
    }
    ck_assert_uint_eq(train, 7);
    data.heads = KL_HEADS_SEPARATE;
    ck_assert_uint_eq(kl_collection_n_outputs(&data), 5);
    for (uint32_t id = 0; id < 10; id++)
        ck_assert_uint_eq(kl_collection_target(&data, id), classes[id]);
}
END_TEST

MAIN("data", idx_files_are_read_plain_and_gzipped, damaged_idx_files_are_refused_in_words,
     missing_data_is_told_with_its_remedy, strokes_are_the_same_at_every_call_and_have_all_classes,
     standardised_pixels_have_mean_0_and_deviation_1, every_id_has_one_place_and_every_place_one_id)
