#include "core/base/files.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

int kl_file_is_system(const char *name)
{
    static const char *const names[] = {"Thumbs.db", "ehthumbs.db", "desktop.ini", "__MACOSX",
                                        "@eaDir"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (!strcasecmp(name, names[i]))
            return 1;
    return name[0] == '.';
}

enum kl_status kl_file_descriptor(const char *path, int *fd, struct kl_error *err)
{
    struct stat info;
    int opened = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (opened < 0)
        return kl_fail(err, errno == ENOENT ? KL_ERR_NOT_FOUND : KL_ERR_IO, "cannot read %s: %s",
                       path, strerror(errno));
    if (fstat(opened, &info) || !S_ISREG(info.st_mode)) {
        close(opened);
        return kl_fail(err, KL_ERR_INPUT, "%s is no regular file: save what it has in one first",
                       path);
    }
    *fd = opened;
    return KL_OK;
}

enum kl_status kl_file_open(const char *path, FILE **file, struct kl_error *err)
{
    int fd = -1;
    enum kl_status status = kl_file_descriptor(path, &fd, err);

    if (status)
        return status;
    *file = fdopen(fd, "rb");
    if (*file)
        return KL_OK;
    close(fd);
    return kl_fail(err, KL_ERR_MEMORY, "not enough memory to read %s", path);
}
