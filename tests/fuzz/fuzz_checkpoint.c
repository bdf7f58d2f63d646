/* An unfinished run that was changed: it is looked at as it is, and gone on with. */
#include <time.h>
#include <unistd.h>

#include "db/follow.h"
#include "db/writer.h"
#include "tests/fuzz/lib/edited.h"

/* Nobody writes meanwhile: there is nothing to wait for. */
int nanosleep(const struct timespec *wanted, struct timespec *left)
{
    (void)wanted;
    (void)left;
    return 0;
}

static void look(void)
{
    struct kl_run *run = NULL;
    struct kl_error err = {0};

    fuzz_check(kl_follow_open("gone-on.keylight.part", 1, &run, &err), &err);
    kl_run_close(run);
}

static void go_on(void)
{
    struct kl_writer *writer = NULL;
    struct kl_training training = {0};
    struct kl_collection data = {0};
    struct kl_training_state state = {0};
    struct kl_error err = {0};
    enum kl_status status =
        kl_writer_resume("gone-on.keylight", 0, &writer, &training, &data, &state, &err);

    fuzz_check(status, &err);
    if (status)
        return;
    kl_training_state_clear(&state);
    kl_collection_clear(&data);
    kl_writer_close(writer);
}

/* The first byte says whether it is looked at, gone on with, or both, one after the other. */
int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t n_bytes)
{
    struct fuzz_bytes rest = {bytes, n_bytes};
    unsigned path = fuzz_byte(&rest) % 3;

    fuzz_write_edited("cut.keylight.part", "gone-on.keylight.part", &rest);
    if (path != 1)
        look();
    if (path != 2)
        go_on();
    unlink("gone-on.keylight.part-journal");
    unlink("gone-on.keylight.part");
    unlink("gone-on.keylight");
    fuzz_check_pieces();
    return 0;
}
