#include "cli/options/run_files.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/files.h"
#include "core/base/utf8.h"
#include "db/run.h"

#define SUFFIX ".keylight"

static int is_folder(const char *path)
{
    struct stat info;

    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

static enum kl_status add(struct kl_run_files *files, const char *path, struct kl_error *err)
{
    char **grown = realloc(files->paths, (files->n + 1) * sizeof *grown);

    if (!grown)
        return kl_fail(err, KL_ERR_MEMORY, "not enough memory for the names of runs");
    files->paths = grown;
    if (kl_copy_text(&files->paths[files->n], path, err))
        return err->status;
    files->n++;
    return KL_OK;
}

static int ends_with(const char *name, const char *suffix)
{
    size_t length = strlen(name), n = strlen(suffix);

    return length > n && !strcmp(name + length - n, suffix);
}

static int is_run(const struct dirent *entry)
{
    return !kl_file_is_system(entry->d_name) &&
           (ends_with(entry->d_name, SUFFIX) || ends_with(entry->d_name, SUFFIX KL_PART));
}

static enum kl_status add_folder(struct kl_run_files *files, const char *folder,
                                 struct kl_error *err)
{
    struct dirent **entries = NULL;
    int n = scandir(folder, &entries, is_run, alphasort);
    enum kl_status status = KL_OK;

    if (n < 0)
        return kl_fail(err, KL_ERR_IO, "cannot read the folder %s: %s", folder, strerror(errno));
    if (n == 0)
        status = kl_fail(err, KL_ERR_NOT_FOUND,
                         "the folder %s has no runs, files whose name ends in " SUFFIX, folder);
    for (int i = 0; i < n; i++) {
        size_t length = strlen(folder), n_bytes = length + strlen(entries[i]->d_name) + 2;
        char *path = status ? NULL : malloc(n_bytes);

        if (path) {
            snprintf(path, n_bytes, "%s%s%s", folder, folder[length - 1] == '/' ? "" : "/",
                     entries[i]->d_name);
            status = add(files, path, err);
        } else if (!status) {
            status = kl_fail(err, KL_ERR_MEMORY, "not enough memory for the names of runs");
        }
        free(path);
        free(entries[i]);
    }
    free(entries);
    return status;
}

enum kl_status kl_run_files_find(char *const *names, size_t n, struct kl_run_files *files,
                                 struct kl_error *err)
{
    enum kl_status status = KL_OK;

    *files = (struct kl_run_files){0};
    for (size_t i = 0; !status && i < n; i++)
        if (!is_folder(names[i]))
            status = add(files, names[i], err);
    files->n_named = files->n;
    for (size_t i = 0; !status && i < n; i++)
        if (is_folder(names[i]))
            status = add_folder(files, names[i], err);
    return status;
}

void kl_run_files_clear(struct kl_run_files *files)
{
    for (size_t i = 0; i < files->n; i++)
        free(files->paths[i]);
    free(files->paths);
    *files = (struct kl_run_files){0};
}
