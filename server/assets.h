/* The page's files, built into the program from web/ by web/embed.sh. */
#ifndef KL_SERVER_ASSETS_H
#define KL_SERVER_ASSETS_H

#include <stddef.h>

struct kl_asset {
    const char *path; /* below web/, such as "views/answer.js" */
    const char *type; /* its media type */
    const unsigned char *bytes;
    size_t n_bytes;
    int is_gzip; /* compressed; pages are not, because they are completed for each address */
};

extern const struct kl_asset kl_assets[];
extern const size_t kl_n_assets;

/* The file of that path, or NULL. */
const struct kl_asset *kl_asset_find(const char *path);

#endif
