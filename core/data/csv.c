#include "core/data/csv.h"

#include <string.h>

/* What a spreadsheet would compute, or what begins with the apostrophe that keeps it from it. */
static int is_formula(const char *text)
{
    static const char begins[] = "=+-@\t\r";

    if (*text == '\'')
        text++;
    return *text && strchr(begins, *text);
}

void kl_csv_text(FILE *file, const char *text)
{
    if (!text || !*text)
        return;
    if (!is_formula(text) && !strpbrk(text, ",\"\r\n\t")) {
        fputs(text, file);
        return;
    }
    putc('"', file);
    if (is_formula(text))
        putc('\'', file);
    for (; *text; text++) {
        if (*text == '"')
            putc('"', file);
        putc(*text, file);
    }
    putc('"', file);
}

/* Takes one field and moves *at behind it: returns what ended it (',' or '\n' or 0), or -1. */
static int take_field(char **at, char **field)
{
    char *from = *at, *to = *at, end;

    *field = to;
    if (*from == '"') {
        for (from++; *from; from++) {
            if (*from == '"' && from[1] != '"')
                break;
            from += *from == '"';
            *to++ = *from;
        }
        if (*from != '"')
            return -1;
        from++;
    }
    while (*from && *from != ',' && *from != '\n') {
        if (*from != '\r' || from[1] != '\n')
            *to++ = *from;
        from++;
    }
    end = *from;
    *at = from + (*from != '\0');
    *to = '\0';
    if (**field == '\'' && is_formula(*field + 1))
        ++*field;
    return end;
}

int kl_csv_row(char **at, char **fields, int most)
{
    int n = 0, end = ',';

    if (!**at)
        return 0;
    while (end == ',') {
        char *field;

        end = take_field(at, &field);
        if (end < 0)
            return -1;
        if (n < most)
            fields[n++] = field;
    }
    return n;
}
