/* Tables of a run's. */
#ifndef KL_API_CSV_H
#define KL_API_CSV_H

#include "db/marks.h"
#include "db/run.h"

/* The marks of a run as a table, which keylight train --corrections takes: dataset, split, index,
 * file, label, decision, correct_label; names of classes, not numbers. has_bom: begins with the
 * byte order mark by which a spreadsheet knows UTF-8. The caller frees it; NULL: memory ran out. */
char *kl_csv_marks(const struct kl_run *run, const struct kl_mark *marks, uint32_t n, int has_bom);

#endif
