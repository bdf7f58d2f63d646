/* Finds data sets by name, and reads what is there. */
#ifndef KL_CORE_DATA_LOADING_H
#define KL_CORE_DATA_LOADING_H

#include "core/data/dataset.h"
#include "core/data/selection.h"
#include "core/data/text/corpus.h"

/* Looks data sets up by name and loads them; the caller owns *dataset and ends it with
 * kl_dataset_free. The validation split is empty.
 *
 * spec is NAME or NAME=FOLDER. "strokes" is drawn, not read. Others are read from FOLDER if given,
 * else from $XDG_CACHE_HOME/keylight/data/NAME (or ~/.cache/...), then from
 * /usr/share/datasets/NAME: CIFAR-10's binary files (core/data/images/cifar.h), images by class
 * (core/data/images/folder.h), or IDX files (core/data/images/idx.h). Class names of IDX files are
 * known for fashion-mnist, digits otherwise. Of the selection, image_size, background and
 * split_seed are for images by class (number: of the data set in its run); no other kind is
 * resized, and one of another size is refused. kl_select does the rest of it. Errors: KL_ERR_USAGE
 * (bad name, size), KL_ERR_NOT_FOUND, KL_ERR_INPUT, KL_ERR_IO, KL_ERR_MEMORY.
 */
enum kl_status kl_dataset_load(const char *spec, uint32_t number,
                               const struct kl_selection *selection, struct kl_dataset **dataset,
                               struct kl_error *err);

/* The same for text: PATH is a file, too; see kl_corpus_read. */
enum kl_status kl_text_load(const char *spec, const struct kl_corpus_settings *settings,
                            struct kl_dataset **dataset, struct kl_error *err);

#endif
