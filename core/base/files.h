/* Names of files. */
#ifndef KL_CORE_BASE_FILES_H
#define KL_CORE_BASE_FILES_H

/* Whether a file or folder is hidden, or a system's own, which nobody put there as data. */
int kl_file_is_system(const char *name);

#endif
