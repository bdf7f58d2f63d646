#include "core/base/files.h"

#include <string.h>
#include <strings.h>

int kl_file_is_system(const char *name)
{
    static const char *const names[] = {"Thumbs.db", "ehthumbs.db", "desktop.ini", "__MACOSX",
                                        "@eaDir"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (!strcasecmp(name, names[i]))
            return 1;
    return name[0] == '.';
}
