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

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t n_bytes)
{
    struct fuzz_bytes rest = {bytes, n_bytes};
    struct kl_run *run = NULL;
    struct kl_writer *writer = NULL;
    struct kl_training training = {0};
    struct kl_collection data = {0};
    struct kl_training_state state = {0};
    struct kl_error err = {0};
    enum kl_status status;

    fuzz_write_edited("cut.keylight.part", "gone-on.keylight.part", &rest);
    status = kl_follow_open("gone-on.keylight.part", 1, &run, &err);
    fuzz_check(status, &err);
    kl_run_close(run);
    err = (struct kl_error){0};
    status = kl_writer_resume("gone-on.keylight", 0, &writer, &training, &data, &state, &err);
    fuzz_check(status, &err);
    if (!status) {
        kl_training_state_clear(&state);
        kl_collection_clear(&data);
        kl_writer_close(writer);
    }
    unlink("gone-on.keylight.part-journal");
    unlink("gone-on.keylight.part");
    unlink("gone-on.keylight");
    fuzz_check_pieces();
    return 0;
}
