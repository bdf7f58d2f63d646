#include "cli/options/run_files.h"

static enum kl_status add_folder(struct kl_paths *paths, const char *folder, struct kl_error *err)
{
    size_t before = paths->n;
    enum kl_status status = kl_paths_add_folder(paths, folder, 1, err);

    return status || paths->n > before
               ? status
               : kl_fail(err, KL_ERR_NOT_FOUND,
                         "the folder %s has no runs, files whose name ends in " KL_RUN_SUFFIX,
                         folder);
}

enum kl_status kl_run_files_find(char *const *names, size_t n, struct kl_run_files *files,
                                 struct kl_error *err)
{
    enum kl_status status = KL_OK;

    *files = (struct kl_run_files){0};
    for (size_t i = 0; !status && i < n; i++)
        if (!kl_is_folder(names[i]))
            status = kl_paths_add(&files->paths, names[i], err);
    files->n_named = files->paths.n;
    for (size_t i = 0; !status && i < n; i++)
        if (kl_is_folder(names[i]))
            status = add_folder(&files->paths, names[i], err);
    return status;
}

void kl_run_files_clear(struct kl_run_files *files)
{
    kl_paths_clear(&files->paths);
    files->n_named = 0;
}
