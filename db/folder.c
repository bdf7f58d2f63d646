#include "db/folder.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/files.h"
#include "core/base/utf8.h"

int kl_is_folder(const char *path)
{
    struct stat info;

    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

enum kl_status kl_paths_add(struct kl_paths *paths, const char *path, struct kl_error *err)
{
    char **grown = realloc(paths->paths, (paths->n + 1) * sizeof *grown);

    if (!grown)
        return kl_fail(err, KL_ERR_MEMORY, "not enough memory for the names of runs");
    paths->paths = grown;
    if (kl_copy_text(&paths->paths[paths->n], path, err))
        return err->status;
    paths->n++;
    return KL_OK;
}

static int ends_with(const char *name, const char *suffix)
{
    size_t length = strlen(name), n = strlen(suffix);

    return length > n && !strcmp(name + length - n, suffix);
}

static int is_run(const struct dirent *entry)
{
    return !kl_file_is_system(entry->d_name) && ends_with(entry->d_name, KL_RUN_SUFFIX);
}

static int is_run_or_draft(const struct dirent *entry)
{
    return is_run(entry) ||
           (!kl_file_is_system(entry->d_name) && ends_with(entry->d_name, KL_RUN_SUFFIX KL_PART));
}

enum kl_status kl_paths_add_folder(struct kl_paths *paths, const char *folder, int drafts,
                                   struct kl_error *err)
{
    struct dirent **entries = NULL;
    int n = scandir(folder, &entries, drafts ? is_run_or_draft : is_run, alphasort);
    size_t length = strlen(folder);
    enum kl_status status = KL_OK;

    if (n < 0)
        return kl_fail(err, KL_ERR_IO, "cannot read the folder %s: %s", folder, strerror(errno));
    for (int i = 0; i < n; i++) {
        size_t n_bytes = length + strlen(entries[i]->d_name) + 2;
        char *path = status ? NULL : malloc(n_bytes);

        if (path) {
            snprintf(path, n_bytes, "%s%s%s", folder, folder[length - 1] == '/' ? "" : "/",
                     entries[i]->d_name);
            status = kl_paths_add(paths, path, err);
        } else if (!status) {
            status = kl_fail(err, KL_ERR_MEMORY, "not enough memory for the names of runs");
        }
        free(path);
        free(entries[i]);
    }
    free(entries);
    return status;
}

void kl_paths_clear(struct kl_paths *paths)
{
    for (size_t i = 0; i < paths->n; i++)
        free(paths->paths[i]);
    free(paths->paths);
    *paths = (struct kl_paths){0};
}
