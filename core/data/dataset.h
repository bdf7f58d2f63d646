/* Data sets of labelled images, of text, or of labelled samples that words describe, in memory.
 *
 * A sample is one image, or one description, with its label, or a position in a text with the token
 * that follows it (core/data/text/corpus.h). Samples of a data set are numbered from 0 within each
 * split
 * ("index"). Pixels are bytes, rows from the top, channels one after the other (planar). */
#ifndef KL_CORE_DATA_DATASET_H
#define KL_CORE_DATA_DATASET_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/notes.h"
#include "core/data/split.h"

#define KL_CLASSES_MAX 256      /* labels of images are bytes */
#define KL_TYPES_MAX (1 << 20)  /* of a text's vocabulary */
#define KL_CHANNELS_MAX 4       /* grey, grey + alpha, RGB, RGBA */
#define KL_DESCRIPTION_MAX 8192 /* bytes */
#define KL_IMAGE_SIDE_MAX 4096  /* a larger side is a damaged header, not a thumbnail data set */

struct kl_image_set {
    uint32_t count;
    uint8_t *pixels;      /* (count, channels, height, width) */
    uint8_t *labels;      /* (count), each below the data set's n_classes */
    uint8_t *true_labels; /* (count), as the files have them, where some were flipped; or NULL */
    char **paths; /* (count) owned: the file of each below the data set's folder, UTF-8; or NULL */
    char **descriptions; /* (count) owned: what is shown in place of pixels, UTF-8; or NULL */
};

struct kl_corpus;

/* What the samples of a run are. */
enum kl_data_kind {
    KL_DATA_IMAGES,
    KL_DATA_TEXT,
    KL_DATA_DESCRIBED, /* rows of tables, labelled texts: what is shown of them are words */
};

/* "images", "text", "described"; a static string. */
const char *kl_data_kind_name(enum kl_data_kind kind);

struct kl_dataset {
    char name[KL_NAME_MAX];
    struct kl_corpus *corpus; /* of a text, owned; NULL: labelled samples */
    uint32_t n_classes;       /* of a text: its vocabulary */
    /* Of labelled samples: */
    uint32_t width, height, channels;  /* of images; 0 of described ones */
    char *class_names[KL_CLASSES_MAX]; /* owned, UTF-8; NULL: not named */
    /* Standardisation, per channel, in units of a byte: input = (pixel - mean) / deviation. */
    double mean[KL_CHANNELS_MAX], deviation[KL_CHANNELS_MAX];
    struct kl_image_set splits[KL_N_SPLITS]; /* of a text only the counts */
    struct kl_notes notes;                   /* on how it was read */
};

enum kl_data_kind kl_dataset_kind(const struct kl_dataset *dataset);

/* Names a class: text is copied, what is not UTF-8 in it replaced. Errors: KL_ERR_MEMORY. */
enum kl_status kl_dataset_name_class(struct kl_dataset *dataset, uint32_t label, const char *text,
                                     struct kl_error *err);

/* The file of a sample below the data set's folder, or NULL. */
const char *kl_dataset_path(const struct kl_dataset *dataset, enum kl_split split, uint32_t index);

/* What is shown of a sample that has no pixels, or NULL; for as long as the data set lives. */
const char *kl_dataset_description(const struct kl_dataset *dataset, enum kl_split split,
                                   uint32_t index);

/* What a label is called; for as long as the data set lives. */
const char *kl_dataset_class_name(const struct kl_dataset *dataset, uint32_t label);

/* The label of a sample, as the run was told it, and as its file has it. */
uint32_t kl_dataset_label(const struct kl_dataset *dataset, enum kl_split split, uint32_t index);
uint32_t kl_dataset_true_label(const struct kl_dataset *dataset, enum kl_split split,
                               uint32_t index);

/* Numbers of one image: channels * height * width; 0 of described samples. */
size_t kl_dataset_image_size(const struct kl_dataset *dataset);

/* Sets mean and deviation to those of the training pixels, per channel (a channel that never
 * varies gets deviation 1). */
void kl_dataset_measure(struct kl_dataset *dataset);

/* Writes the standardised inputs of one image: inputs (image_size) float32. */
void kl_dataset_standardise(const struct kl_dataset *dataset, const uint8_t *pixels, float *inputs);

/* The same in place, of one image's pixels as floats. */
void kl_dataset_standardise_floats(const struct kl_dataset *dataset, float *pixels);

/* A size to bring images to. */
struct kl_image_size {
    uint32_t width, height;
};

/* Frees a data set; NULL is allowed. */
void kl_dataset_free(struct kl_dataset *dataset);

#endif
