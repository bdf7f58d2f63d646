#define _GNU_SOURCE /* strverscmp */
#include "core/data/images/listing.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "core/base/files.h"
#include "core/data/images/image_file.h"

#define DESCRIBED 5

static int compare_names(const void *a, const void *b)
{
    return strverscmp(*(char *const *)a, *(char *const *)b);
}

static enum kl_status add_name(struct kl_names *list, const char *name, struct kl_error *err)
{
    char **grown, *copy;

    if ((list->n & (list->n - 1)) == 0) { /* at every power of two, room for twice as many */
        grown = realloc(list->names, (list->n ? 2 * list->n : 1) * sizeof *grown);
        if (!grown)
            return kl_fail(err, KL_ERR_MEMORY, "not enough memory for the names of the files");
        list->names = grown;
    }
    copy = strdup(name);
    if (!copy)
        return kl_fail(err, KL_ERR_MEMORY, "not enough memory for the names of the files");
    list->names[list->n++] = copy;
    return KL_OK;
}

static void sort(struct kl_names *list)
{
    if (list->n)
        qsort(list->names, list->n, sizeof *list->names, compare_names);
}

enum kl_status kl_join_path(char path[KL_PATH_BYTES], const char *folder, const char *name,
                            struct kl_error *err)
{
    if ((size_t)snprintf(path, KL_PATH_BYTES, "%s/%s", folder, name) < KL_PATH_BYTES)
        return KL_OK;
    return kl_fail(err, KL_ERR_USAGE, "the path of %.200s in the data folder is too long", name);
}

enum kl_status kl_list_folder(const char *folder, struct kl_listing *listing, struct kl_error *err)
{
    DIR *dir = opendir(folder);
    const struct dirent *entry;
    enum kl_status status = KL_OK;

    *listing = (struct kl_listing){0};
    if (!dir)
        return kl_fail(err, KL_ERR_NOT_FOUND, "cannot open the data folder %s: %s", folder,
                       strerror(errno));
    while (!status && (entry = readdir(dir))) {
        char path[KL_PATH_BYTES];
        struct stat info;

        if (kl_file_is_system(entry->d_name))
            continue;
        status = kl_join_path(path, folder, entry->d_name, err);
        if (status)
            continue;
        if (stat(path, &info) || (!S_ISDIR(info.st_mode) && !S_ISREG(info.st_mode)))
            status = add_name(&listing->others, "link to nothing, or pipe", err);
        else if (S_ISDIR(info.st_mode))
            status = add_name(&listing->folders, entry->d_name, err);
        else
            status =
                add_name(kl_image_file_named(entry->d_name) ? &listing->images : &listing->others,
                         entry->d_name, err);
    }
    closedir(dir);
    sort(&listing->folders);
    sort(&listing->images);
    sort(&listing->others);
    return status;
}

static void clear_names(struct kl_names *list)
{
    for (size_t i = 0; i < list->n; i++)
        free(list->names[i]);
    free(list->names);
    *list = (struct kl_names){NULL, 0};
}

void kl_listing_clear(struct kl_listing *listing)
{
    clear_names(&listing->folders);
    clear_names(&listing->images);
    clear_names(&listing->others);
}

void kl_count_endings(struct kl_endings *endings, const struct kl_names *files)
{
    size_t most = sizeof endings->kinds / sizeof endings->kinds[0];

    for (size_t i = 0; i < files->n; i++) {
        const char *dot = strrchr(files->names[i], '.');
        const char *ending = dot && strlen(dot) < sizeof endings->kinds[0].ending ? dot : "others";
        size_t k = 0;

        endings->total++;
        while (k < endings->n_kinds && strcasecmp(endings->kinds[k].ending, ending) != 0)
            k++;
        if (k == most)
            continue;
        if (k == endings->n_kinds)
            snprintf(endings->kinds[endings->n_kinds++].ending, sizeof endings->kinds[0].ending,
                     "%s", ending);
        endings->kinds[k].n++;
    }
}

void kl_describe_endings(const struct kl_endings *endings, char *text, size_t n_bytes)
{
    struct kl_endings left = *endings;
    size_t used = 0;

    text[0] = '\0';
    for (size_t i = 0; i < DESCRIBED && i < left.n_kinds && used < n_bytes; i++) {
        size_t best = 0;

        for (size_t k = 1; k < left.n_kinds; k++)
            best = left.kinds[k].n > left.kinds[best].n ? k : best;
        used += (size_t)snprintf(text + used, n_bytes - used, "%s%s %zu", i ? ", " : "",
                                 left.kinds[best].ending, left.kinds[best].n);
        left.kinds[best].n = 0;
    }
}
