#define _GNU_SOURCE /* strverscmp */
#include "core/data/text/text_files.h"

#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/files.h"
#include "core/base/memory.h"
#include "core/base/unicode.h"
#include "core/base/utf8.h"
#include "core/data/split.h"

#define FILES_MAX 100000
#define FILE_BYTES_MAX ((size_t)2 << 30)

static void free_file(struct kl_text_file *file)
{
    free(file->path);
    free(file->raw);
    free(file->spaced);
}

static enum kl_status add_file(struct kl_text_files *list, const char *path, struct kl_error *err)
{
    struct kl_text_file *files = realloc(list->files, (list->n + 1) * sizeof *files);
    struct kl_text_file *file;
    const char *slash = strrchr(path, '/');
    enum kl_status status;

    if (!files)
        return kl_fail(err, KL_ERR_MEMORY, "not enough memory to list the files of %s", path);
    list->files = files;
    file = &files[list->n];
    *file = (struct kl_text_file){.split = -1};
    status = kl_alloc(&file->path, strlen(path) + 1, 1, "a file's name", err);
    if (status)
        return status;
    memcpy(file->path, path, strlen(path));
    file->name = file->path + (slash ? slash + 1 - path : 0);
    list->n++;
    return KL_OK;
}

static int by_name(const void *a, const void *b)
{
    return strverscmp(((const struct kl_text_file *)a)->name,
                      ((const struct kl_text_file *)b)->name);
}

/* What a folder of texts holds and is not read. */
struct unread {
    char names[200]; /* of the first */
    uint32_t n;
};

static void name_unread(struct unread *unread, const char *name)
{
    size_t used = strlen(unread->names);

    snprintf(unread->names + used, sizeof unread->names - used, "%s%s", unread->n++ ? ", " : "",
             name);
}

/* The file, or the folder's regular files but for hidden and empty ones. */
enum kl_status kl_text_files_list(struct kl_text_files *files, const char *path,
                                  struct kl_notes *notes, struct kl_error *err)
{
    struct unread unread = {0};
    struct stat info;
    struct dirent *entry;
    enum kl_status status = KL_OK;
    DIR *dir;

    if (stat(path, &info))
        return kl_fail(err, KL_ERR_NOT_FOUND, "cannot read the text %s: %s", path, strerror(errno));
    if (!S_ISDIR(info.st_mode))
        return add_file(files, path, err);
    dir = opendir(path);
    if (!dir)
        return kl_fail(err, KL_ERR_IO, "cannot read the folder %s: %s", path, strerror(errno));
    while (!status && (entry = readdir(dir))) {
        char name[4096];

        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        if (kl_file_is_system(entry->d_name))
            continue;
        if (stat(name, &info) || !S_ISREG(info.st_mode) || info.st_size == 0) {
            name_unread(&unread, entry->d_name);
            continue;
        }
        status = files->n == FILES_MAX
                     ? kl_fail(err, KL_ERR_INPUT, "%s has more than %d files", path, FILES_MAX)
                     : add_file(files, name, err);
    }
    closedir(dir);
    if (!status && files->n == 0)
        status = unread.n
                     ? kl_fail(err, KL_ERR_INPUT,
                               "the folder %s has no text files itself (but %.150s, folders or "
                               "empty files): put the files into it, or name one of its folders",
                               path, unread.names)
                     : kl_fail(err, KL_ERR_INPUT,
                               "the folder %s has no text files: put some into it", path);
    else if (!status && unread.n)
        kl_note(notes, "%u folder%s or empty file%s not read: %s", unread.n,
                unread.n > 1 ? "s" : "", unread.n > 1 ? "s are" : " is", unread.names);
    if (!status)
        qsort(files->files, files->n, sizeof *files->files, by_name);
    return status;
}

/* What was read, n bytes, as clean UTF-8 in normal form C, in *text's place. */
static enum kl_status to_utf8(const struct kl_text_file *file, char **text, size_t n,
                              struct kl_error *err)
{
    char *other = NULL;
    size_t bad;
    enum kl_status status = KL_OK;

    if (kl_unicode_is_utf16(*text, n)) {
        status = kl_unicode_from_utf16(*text, n, &other, err);
        if (status == KL_ERR_INPUT) {
            struct kl_error cause = *err;

            return kl_fail(err, KL_ERR_INPUT, "%s is not UTF-16, as its first bytes say: %.60s",
                           file->path, cause.message);
        }
        if (status)
            return status;
        free(*text);
        *text = other;
    } else if (memchr(*text, '\0', n)) {
        return kl_fail(err, KL_ERR_INPUT, "%s is no text: it has bytes of 0", file->path);
    }
    bad = kl_utf8_clean(*text);
    if (bad)
        return kl_fail(err, KL_ERR_INPUT,
                       "%s is not UTF-8 (byte %zu): convert it, with iconv for example", file->path,
                       bad);
    status = kl_unicode_compose(*text, &other, err);
    if (status)
        return status;
    free(*text);
    *text = other;
    return KL_OK;
}

enum kl_status kl_text_file_read(const struct kl_text_file *file, char **out, struct kl_error *err)
{
    FILE *stream = NULL;
    char *text = NULL;
    struct stat info = {0};
    size_t n = 0;
    enum kl_status status = kl_file_open(file->path, &stream, err);

    if (status)
        return status;
    if (fstat(fileno(stream), &info))
        status = kl_fail(err, KL_ERR_IO, "cannot read %s: %s", file->path, strerror(errno));
    else if ((size_t)info.st_size > FILE_BYTES_MAX)
        status = kl_fail(err, KL_ERR_INPUT, "%s is larger than 2 GB: cut it into smaller files",
                         file->path);
    if (!status)
        status = kl_alloc(&text, (size_t)info.st_size + 1, 1, "a text", err);
    if (!status) {
        n = fread(text, 1, (size_t)info.st_size, stream);
        if (ferror(stream))
            status = kl_fail(err, KL_ERR_IO, "cannot read %s: %s", file->path, strerror(errno));
    }
    fclose(stream);
    if (status) {
        free(text);
        return status;
    }
    status = to_utf8(file, &text, n, err);
    if (status)
        free(text);
    else
        *out = text;
    return status;
}

/* Files that match the pattern are the test split. */
static enum kl_status split_by_pattern(struct kl_text_files *files, const char *pattern,
                                       struct kl_error *err)
{
    uint32_t n_test = 0;

    for (uint32_t i = 0; i < files->n; i++) {
        int is_test = !fnmatch(pattern, files->files[i].name, 0);

        files->files[i].split = is_test ? KL_SPLIT_TEST : KL_SPLIT_TRAIN;
        n_test += (uint32_t)is_test;
    }
    if (n_test && n_test < files->n)
        return KL_OK;
    return kl_fail_on(err, KL_ERR_USAGE, "test_files", "test_files '%.60s': %s file is called so",
                      pattern, n_test ? "every" : "no");
}

/* Takes the files that are called no split out of those that are used. */
static void leave_out_unnamed(struct kl_text_files *files, struct kl_notes *notes)
{
    char names[200] = "";
    size_t used = 0;
    uint32_t kept = 0, n = 0;

    for (uint32_t i = 0; i < files->n; i++) {
        struct kl_text_file file = files->files[i];

        if (file.split >= 0) {
            files->files[kept++] = file;
            continue;
        }
        if (used < sizeof names)
            used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", n++ ? ", " : "",
                                     file.name);
        free_file(&file);
    }
    files->n = kept;
    if (n)
        kl_note(notes, "%u file%s not used, called neither train nor validation nor test: %s", n,
                n > 1 ? "s are" : " is", names);
}

/* Of several files those that are called a split are it. Beside train, files without such a name
 * are left out; without it, they are the training split. Where none is called test, a share of the
 * training files becomes it. */
enum kl_status kl_text_files_split(struct kl_text_files *files, const char *pattern,
                                   struct kl_notes *notes, struct kl_error *err)
{
    uint32_t named[KL_N_SPLITS] = {0, 0, 0};

    if (pattern[0])
        return split_by_pattern(files, pattern, err);
    for (uint32_t i = 0; files->n > 1 && i < files->n; i++) {
        struct kl_text_file *file = &files->files[i];

        file->split = kl_split_named(file->name);
        if (file->split >= 0)
            named[file->split]++;
    }
    if (named[0] + named[1] + named[2] == 0)
        return KL_OK;
    if (named[KL_SPLIT_TRAIN] == 0 && named[1] + named[2] == files->n)
        return kl_fail(err, KL_ERR_INPUT,
                       "there is nothing to train on: every file is called validation or test, as "
                       "%s is",
                       files->files[0].path);
    if (named[KL_SPLIT_TRAIN])
        leave_out_unnamed(files, notes);
    named[KL_SPLIT_TRAIN] = files->n - named[1] - named[2];
    kl_note(notes, "split by the files' names: %u for training, %u for validation, %u for the test",
            named[KL_SPLIT_TRAIN], named[KL_SPLIT_VALIDATION], named[KL_SPLIT_TEST]);
    for (uint32_t i = 0; i < files->n; i++) {
        struct kl_text_file *file = &files->files[i];

        if (file->split < 0 || file->split == KL_SPLIT_TRAIN)
            file->split = named[KL_SPLIT_TEST] ? KL_SPLIT_TRAIN : -1;
    }
    return KL_OK;
}

/* Counts files outside the training split whose text is that of one in it. */
void kl_text_files_note_leaks(const struct kl_text_files *files, struct kl_notes *notes)
{
    const struct kl_text_file *first = NULL, *same = NULL;
    uint32_t n = 0;

    for (uint32_t i = 0; i < files->n; i++) {
        const struct kl_text_file *file = &files->files[i];

        if (file->split != KL_SPLIT_VALIDATION && file->split != KL_SPLIT_TEST)
            continue;
        for (uint32_t k = 0; k < files->n; k++) {
            const struct kl_text_file *other = &files->files[k];

            if (other->split == KL_SPLIT_VALIDATION || other->split == KL_SPLIT_TEST ||
                other->n_tokens != file->n_tokens || file->n_tokens == 0 ||
                memcmp(other->raw, file->raw, file->n_tokens * sizeof *file->raw) != 0)
                continue;
            first = n++ ? first : file;
            same = first == file ? other : same;
            break;
        }
    }
    if (n)
        kl_note(notes,
                "%u held out file%s the text of a training file (%s that of %s): it does not "
                "measure what the network does with new texts",
                n, n > 1 ? "s have" : " has", first->name, same->name);
}

void kl_text_files_clear(struct kl_text_files *files)
{
    for (uint32_t i = 0; i < files->n; i++)
        free_file(&files->files[i]);
    free(files->files);
    *files = (struct kl_text_files){0, NULL};
}
