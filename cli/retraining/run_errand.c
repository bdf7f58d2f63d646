#include <stdio.h>

#include "cli/job/job.h"
#include "cli/output/json.h"
#include "cli/output/progress.h"
#include "cli/retraining/retraining.h"
#include "cli/session.h"

static int show(void *counter, uint32_t done, uint32_t total)
{
    if (done)
        kl_counter_show(counter, done, total);
    return 0;
}

static enum kl_status ask(const struct kl_errand_command *command, const struct kl_run *run,
                          struct kl_errand *errand, struct kl_error *err)
{
    enum kl_status status = kl_errand_possible(command->kind, run, err);

    for (const struct kl_option *option = command->options;
         !status && option->type != KL_OPTION_END; option++) {
        const char *text =
            option->type == KL_OPTION_TEXT ? *(const char *const *)option->target : NULL;

        if (text)
            status = kl_errand_set(errand, run, option->name, text, err);
    }
    return status ? status : kl_errand_check(errand, err);
}

/* The page shows what is kept; where it cannot be, the answer is printed all the same. */
static void keep(const struct kl_errand *errand, const struct kl_run *run,
                 const struct kl_errand_result *result)
{
    struct kl_error err;

    if (kl_errand_keep(errand, run, result, &err))
        fprintf(stderr, "keylight: the answer is not kept beside the run: %s\n", err.message);
}

static enum kl_status tell(const struct kl_errand_command *command, const struct kl_errand *errand,
                           const struct kl_run *run, const struct kl_errand_result *result,
                           struct kl_error *err)
{
    for (size_t i = 0; i < result->notes.n; i++)
        fprintf(stderr, "keylight: %s\n", result->notes.sentences[i]);
    keep(errand, run, result);
    return command->json ? kl_print_json(kl_errand_json(errand, run, result, command->most), err)
                         : command->print(command, errand, run, result, err);
}

enum kl_status kl_errand_run(const struct kl_errand_command *command, struct kl_error *err)
{
    struct kl_session session = {0};
    struct kl_errand errand = {0};
    struct kl_errand_result result = {0};
    struct kl_counter counter;
    const struct kl_work work = {show, &counter};
    enum kl_status status = kl_session_open(command->path, &session, err);

    if (!status) {
        kl_errand_init(command->kind, session.run, &errand);
        status = ask(command, session.run, &errand, err);
    }
    if (!status) {
        kl_counter_start(&counter, command->unit);
        status = kl_errand_do(&errand, session.run, session.pool, &work, &result, err);
        kl_counter_end(&counter);
    }
    if (!status && kl_job_speaks())
        status = tell(command, &errand, session.run, &result, err);
    kl_errand_result_clear(&result);
    kl_errand_clear(&errand);
    kl_session_close(&session);
    return status;
}
