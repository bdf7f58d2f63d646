/* The images of a folder, listed, then read one after the other. */
#ifndef KL_CORE_DATA_IMAGES_CATALOGUE_H
#define KL_CORE_DATA_IMAGES_CATALOGUE_H

#include "core/data/dataset.h"
#include "core/data/images/listing.h"
#include "core/data/selection.h"

struct kl_catalogue_entry {
    char *path;      /* below the data set's folder; owned */
    int is_left_out; /* it cannot be read */
    uint8_t label;
    enum kl_split split;
};

/* All zeros is an empty one. */
struct kl_catalogue {
    struct kl_catalogue_entry *entries; /* (n) in the order of classes and names */
    size_t n, room;
    /* What is there and not read: files of other kinds, images beside the classes, and folders
     * inside the classes', of which the first is named. */
    struct kl_endings unread;
    size_t n_beside, n_deeper;
    char deeper[200];
};

/* Errors: KL_ERR_MEMORY. */
enum kl_status kl_catalogue_add(struct kl_catalogue *catalogue, const char *path, uint32_t label,
                                enum kl_split split, struct kl_error *err);
void kl_catalogue_clear(struct kl_catalogue *catalogue);

/* Reads all of them into the splits of *dataset, brought to one size and to the colours that they
 * have together; see core/data/images/folder.h. Those that cannot be read are left out, counted and
 * the first of them named. Errors: KL_ERR_INPUT (of a class nothing can be read), KL_ERR_MEMORY. */
enum kl_status kl_catalogue_read(struct kl_catalogue *catalogue, const char *folder,
                                 const struct kl_selection *selection, struct kl_dataset *dataset,
                                 struct kl_error *err);

#endif
