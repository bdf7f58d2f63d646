/* Tables of comma-separated values (RFC 4180) that spreadsheets open without computing anything. */
#ifndef KL_CORE_DATA_CSV_H
#define KL_CORE_DATA_CSV_H

#include <stdio.h>

/* Writes a text (may be NULL: nothing) as one field: in quotes where it must be, and with an
 * apostrophe before what a spreadsheet would take for a formula (= + - @ tab). */
void kl_csv_text(FILE *file, const char *text);

/* Takes one row off a text, in place: fields[i] points into it, ended with NUL and without quotes
 * and that apostrophe. *at moves behind the row. Returns how many fields there are (the first most
 * are kept), 0 at the end of the text, -1 if a quote is not closed. */
int kl_csv_row(char **at, char **fields, int most);

#endif
