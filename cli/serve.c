#include "cli/cli.h"
enum kl_status kl_cli_serve(int argc, char **argv, struct kl_error *err)
{
    (void)argc; (void)argv;
    return kl_fail(err, KL_ERR_USAGE, "later");
}
