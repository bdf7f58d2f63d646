/* Where a large value of a row stands in a file that is mapped into memory: in pieces, a page's
 * share each, so that it is read where it is. Follows a table's tree as
 * https://sqlite.org/fileformat2.html says. Internal to db/.
 *
 * Nothing of the file is trusted: what is not as it should be is not found, and SQLite, which is
 * asked then, says why. */
#ifndef KL_DB_FILE_VALUE_H
#define KL_DB_FILE_VALUE_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"
#include "db/file/mapping.h"

/* All pieces of a value that was found, one after the other. Starts as zeros; free what piece
 * points to. */
struct kl_value {
    struct kl_value_piece {
        const char *bytes;
        size_t at, n_bytes; /* of the value's bytes: from at on */
    } * piece;
    size_t n_pieces, room;
    size_t n_bytes; /* of all of them */
};

/* Finds the value of a column (from 0), a blob, of the row of a table whose tree begins at page
 * root: its pieces are valid while somebody has the mapping. *found: whether it is there, and not
 * empty. Errors: KL_ERR_MEMORY. */
enum kl_status kl_value_find(const struct kl_mapping *mapping, uint32_t root, int64_t rowid,
                             unsigned column, struct kl_value *value, int *found,
                             struct kl_error *err);

/* Copies n bytes from at on: at + n <= n_bytes. */
void kl_value_copy(const struct kl_value *value, size_t at, size_t n, char *to);

/* The bytes from at <= n_bytes on, and in *together how many of them, n at most, lie together. */
const char *kl_value_bytes(const struct kl_value *value, size_t at, size_t n, size_t *together);

#endif
