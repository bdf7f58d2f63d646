#include "cli/output/progress.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/base/clock.h"

#define MEGABYTE 1000000
#define BAR_WIDTH 24
#define REDRAW_SECONDS 0.1
#define QUIET_SECONDS 10 /* before work that nobody watches says how far it is */

static volatile sig_atomic_t interrupted;

static void interrupt(int signal)
{
    (void)signal;
    interrupted = 1;
}

void kl_meter_start(struct kl_meter *meter, uint32_t n_steps, uint32_t steps_done, int quiet)
{
    struct sigaction action;

    memset(meter, 0, sizeof *meter);
    meter->n_steps = n_steps;
    meter->first_step = steps_done;
    meter->terminal = isatty(STDERR_FILENO);
    meter->quiet = quiet;
    meter->started = kl_now_ms() / 1e3;
    memset(&action, 0, sizeof action);
    action.sa_handler = interrupt;
    action.sa_flags = (int)SA_RESETHAND; /* a second interrupt ends the program at once */
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

static void fill_bar(char bar[BAR_WIDTH + 1], uint32_t done, uint32_t total)
{
    int full = (int)((uint64_t)BAR_WIDTH * done / total);

    for (int i = 0; i < BAR_WIDTH; i++)
        bar[i] = i < full ? '#' : '.';
    bar[BAR_WIDTH] = '\0';
}

static void draw_bar(const struct kl_meter *meter, uint32_t step, double now)
{
    char bar[BAR_WIDTH + 1];
    double rate = (step - meter->first_step) / (now - meter->started + 1e-9);
    double left = (meter->n_steps - step) / (rate > 0 ? rate : 1);

    fill_bar(bar, step, meter->n_steps);
    fprintf(stderr, "\r[%s] %u/%u  loss %.4f  %.0f steps/s  %d:%02d left \033[K", bar, step,
            meter->n_steps, meter->loss, rate, (int)left / 60, (int)left % 60);
    fflush(stderr);
}

static int after_step(void *self, uint32_t step, double loss)
{
    struct kl_meter *meter = self;
    double now = kl_now_ms() / 1e3;

    meter->loss = meter->loss > 0 ? 0.98 * meter->loss + 0.02 * loss : loss;
    if (meter->terminal && !meter->quiet && now - meter->drawn >= REDRAW_SECONDS) {
        draw_bar(meter, step, now);
        meter->drawn = now;
    }
    return interrupted;
}

static void after_evaluation(void *self, uint32_t step, const struct kl_dataset *dataset,
                             const struct kl_evaluation *evaluation)
{
    const struct kl_meter *meter = self;
    double rate = (step - meter->first_step) / (kl_now_ms() / 1e3 - meter->started + 1e-9);

    if (meter->terminal || meter->quiet)
        return;
    if (dataset->splits[KL_SPLIT_TEST].count == 0) {
        fprintf(stderr, "step %u of %u, no test split, training loss %.4f\n", step, meter->n_steps,
                meter->loss);
        return;
    }
    fprintf(stderr, "step %u of %u: %s test accuracy %.2f %%, test loss %.4f", step, meter->n_steps,
            dataset->name, 100 * evaluation->accuracy, evaluation->loss);
    if (dataset->corpus)
        fprintf(stderr, " (%.3f bits per token, perplexity %.2f)", evaluation->loss / log(2),
                exp(evaluation->loss));
    if (step > meter->first_step)
        fprintf(stderr, ", training loss %.4f, %.0f steps/s, %.0f s left", meter->loss, rate,
                (meter->n_steps - step) / rate);
    fprintf(stderr, "\n");
}

struct kl_progress kl_meter_progress(struct kl_meter *meter)
{
    return (struct kl_progress){after_step, after_evaluation, meter};
}

void kl_meter_end(const struct kl_meter *meter)
{
    if (meter->terminal && !meter->quiet)
        fprintf(stderr, "\r\033[K");
}

void kl_counter_start(struct kl_counter *counter, const char *unit)
{
    *counter = (struct kl_counter){.unit = unit};
    counter->terminal = isatty(STDERR_FILENO);
    counter->started = kl_now_ms() / 1e3;
}

void kl_counter_show(void *self, uint32_t done, uint32_t total)
{
    struct kl_counter *counter = self;
    uint32_t tenth = (uint32_t)((uint64_t)10 * done / total);
    double spent = kl_now_ms() / 1e3 - counter->started, left = spent * (total - done) / done;
    char bar[BAR_WIDTH + 1];

    if (!counter->terminal) {
        if (spent > QUIET_SECONDS && tenth > counter->reported_tenth)
            fprintf(stderr, "%u of %u %s, %.0f s left\n", done, total, counter->unit, left);
        counter->reported_tenth = tenth;
        return;
    }
    fill_bar(bar, done, total);
    fprintf(stderr, "\r[%s] %u/%u %s  %d:%02d left \033[K", bar, done, total, counter->unit,
            (int)left / 60, (int)left % 60);
    fflush(stderr);
}

void kl_counter_show_bytes(void *counter, uint64_t done_bytes, uint64_t total_bytes)
{
    uint32_t done = (uint32_t)(done_bytes / MEGABYTE);

    if (done)
        kl_counter_show(counter, done, (uint32_t)(total_bytes / MEGABYTE) + 1);
}

void kl_counter_end(const struct kl_counter *counter)
{
    if (counter->terminal)
        fprintf(stderr, "\r\033[K");
}
