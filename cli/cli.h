/* The subcommands of keylight, one file each. Every one gets its own argv, whose first entry is its
 * name, writes results to stdout and everything else to stderr, and returns a status; a failure has
 * filled *err, which main prints. KL_OK after --help, too. */
#ifndef KL_CLI_CLI_H
#define KL_CLI_CLI_H

#include "core/base/error.h"

enum kl_status kl_cli_train(int argc, char **argv, struct kl_error *err);
enum kl_status kl_cli_serve(int argc, char **argv, struct kl_error *err);
enum kl_status kl_cli_query(int argc, char **argv, struct kl_error *err);
enum kl_status kl_cli_figure(int argc, char **argv, struct kl_error *err);
enum kl_status kl_cli_report(int argc, char **argv, struct kl_error *err);
enum kl_status kl_cli_suspects(int argc, char **argv, struct kl_error *err);
enum kl_status kl_cli_influence(int argc, char **argv, struct kl_error *err);
enum kl_status kl_cli_retrain(int argc, char **argv, struct kl_error *err);
enum kl_status kl_cli_marks(int argc, char **argv, struct kl_error *err);
enum kl_status kl_cli_verify(int argc, char **argv, struct kl_error *err);
enum kl_status kl_cli_split(int argc, char **argv, struct kl_error *err);
enum kl_status kl_cli_upgrade(int argc, char **argv, struct kl_error *err);
enum kl_status kl_cli_info(int argc, char **argv, struct kl_error *err);

#endif
