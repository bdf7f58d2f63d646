/* What a server does not need is given up before strangers are answered: whoever would take it over
 * by a damaged run or request finds little to do. For SECURITY.md. */
#ifndef KL_SERVER_CONFINE_H
#define KL_SERVER_CONFINE_H

#include <stddef.h>

/* From here on the process writes nothing but to files in the folders of n paths, in those for what
 * is put aside (TMPDIR, /var/tmp, /tmp) and to /dev/null, and starts no program; so do the threads
 * that it makes. Returns whether the kernel (Landlock) can that. To be called before there are
 * threads. */
int kl_confine_files(char *const *paths, size_t n);

/* From here on no thread of the process starts a program, opens a socket or looks into another
 * process. Returns whether the kernel (seccomp) and this build can that. */
int kl_confine_calls(void);

#endif
