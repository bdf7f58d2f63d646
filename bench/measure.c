#include "bench/measure.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/memory.h"

static cJSON *facts, *rows; /* of the whole program */
static const char *title;
static unsigned n_bars, n_held;

void must(enum kl_status status, const struct kl_error *err)
{
    if (status) {
        fprintf(stderr, "bench: %s\n", err->message);
        exit(1);
    }
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

struct spread spread_of(double *values, size_t n)
{
    qsort(values, n, sizeof *values, by_value);
    return (struct spread){values[0], values[n / 2], values[n - 1]};
}

struct spread single(double value)
{
    return (struct spread){value, value, value};
}

void measure(struct timed *timed, size_t n, unsigned rounds)
{
    double *times = NULL, *ratios = NULL;
    struct kl_error err;

    must(kl_alloc(&times, n * rounds, sizeof *times, "times", &err), &err);
    must(kl_alloc(&ratios, rounds, sizeof *ratios, "times", &err), &err);
    for (size_t i = 0; rounds > FEW_ROUNDS && i < n; i++)
        timed[i].run(timed[i].job);
    for (unsigned round = 0; round < rounds; round++) {
        for (size_t i = 0; i < n; i++) {
            double started;

            usleep(timed[i].rest_ms * 1000);
            started = kl_now_ms();
            timed[i].run(timed[i].job);
            times[i * rounds + round] = kl_now_ms() - started;
        }
    }
    for (size_t i = 0; i < n; i++) {
        for (unsigned round = 0; round < rounds; round++)
            ratios[round] = times[i * rounds + round] / times[timed[i].over * rounds + round];
        timed[i].ratio = spread_of(ratios, rounds).median;
    }
    for (size_t i = 0; i < n; i++)
        timed[i].spread = spread_of(times + i * rounds, rounds);
    free(times);
    free(ratios);
}

void section(const char *name)
{
    title = name;
    printf("\n%s\n%-52s %9s %9s %9s %-8s  ratio\n", name, "", "min", "median", "max", "");
}

static cJSON *add_row(const char *what)
{
    cJSON *row = cJSON_CreateObject();

    if (!rows)
        rows = cJSON_CreateArray();
    cJSON_AddItemToArray(rows, row);
    cJSON_AddStringToObject(row, "section", title);
    cJSON_AddStringToObject(row, "what", what);
    return row;
}

static cJSON *add_figures(const char *what, const char *unit, struct spread spread)
{
    cJSON *row = add_row(what);

    printf("%-52s %9.4g %9.4g %9.4g %-8s", what, spread.min, spread.median, spread.max, unit);
    cJSON_AddStringToObject(row, "unit", unit);
    cJSON_AddNumberToObject(row, "min", spread.min);
    cJSON_AddNumberToObject(row, "median", spread.median);
    cJSON_AddNumberToObject(row, "max", spread.max);
    return row;
}

void tell(const char *what, const char *unit, struct spread spread)
{
    add_figures(what, unit, spread);
    printf("\n");
    fflush(stdout);
}

static void tell_bar(cJSON *row, double ratio, struct bar bar)
{
    int holds = ratio >= bar.at_least && (!bar.at_most || ratio <= bar.at_most);

    if (bar.at_least) {
        printf("; at least %.2f", bar.at_least);
        cJSON_AddNumberToObject(row, "at_least", bar.at_least);
    }
    if (bar.at_most) {
        printf("; at most %.2f", bar.at_most);
        cJSON_AddNumberToObject(row, "at_most", bar.at_most);
    }
    printf(": %s", holds ? "holds" : "MISSED");
    cJSON_AddBoolToObject(row, "holds", holds);
    n_bars++;
    n_held += holds ? 1 : 0;
}

void tell_ratio(const char *what, const char *unit, struct spread spread, double ratio,
                const char *over, struct bar bar)
{
    cJSON *row = add_figures(what, unit, spread);

    printf("  %5.2f of %s", ratio, over);
    cJSON_AddNumberToObject(row, "ratio", ratio);
    cJSON_AddStringToObject(row, "over", over);
    if (bar.at_least || bar.at_most)
        tell_bar(row, ratio, bar);
    printf("\n");
    fflush(stdout);
}

void tell_missing(const char *what, const char *why)
{
    cJSON_AddStringToObject(add_row(what), "missing", why);
    printf("%-52s not measured: %s\n", what, why);
}

static cJSON *all_facts(void)
{
    if (!facts)
        facts = cJSON_CreateObject();
    return facts;
}

void note_text(const char *name, const char *value)
{
    cJSON_AddStringToObject(all_facts(), name, value);
}

void note_number(const char *name, double value)
{
    cJSON_AddNumberToObject(all_facts(), name, value);
}

void conclude(const char *path)
{
    cJSON *all = cJSON_CreateObject();
    FILE *file = fopen(path, "w");
    char *text;

    printf("\n%u of %u bars hold; the figures are in %s\n", n_held, n_bars, path);
    cJSON_AddItemToObject(all, "facts", all_facts());
    cJSON_AddItemToObject(all, "figures", rows);
    text = cJSON_Print(all);
    if (!file || fprintf(file, "%s\n", text) < 0 || fclose(file)) {
        fprintf(stderr, "bench: cannot write %s\n", path);
        exit(1);
    }
    free(text);
    cJSON_Delete(all);
}
