/* The job that this process is one of: several that mpirun starts with the same words, each of
 * which holds some of a run's shards (core/peers/peers.h). Process 0 speaks to people; the others
 * compute. Without mpirun there is one process, and all of this does nothing. */
#ifndef KL_CLI_JOB_JOB_H
#define KL_CLI_JOB_JOB_H

#include "core/peers/peers.h"
#include "db/run.h"

/* Joins the job, if this process was started by mpirun with others: from here on the process is a
 * child of the one that was started, which waits for it and, should it be killed, says which shards
 * went with it; and stdout and stderr of all but process 0 lead nowhere. At the start of a program,
 * once, with its words, which have to be the same for all. Errors: KL_ERR_USAGE (this build has no
 * MPI, or the words differ), KL_ERR_PEERS. */
enum kl_status kl_job_join(int argc, char **argv, struct kl_error *err);

/* Ends what that began, after all processes have met (kl_peers_end). */
void kl_job_leave(void);

struct kl_peers *kl_job_peers(void);

/* Whether this process tells people what was found; whether there are others. */
int kl_job_speaks(void);
int kl_job_is_shared(void);

/* How many of its processes are on this machine. */
uint32_t kl_job_neighbours(void);

/* What is lost with this process, besides what was told before, should it be killed: its shards of
 * a run that it opened. */
void kl_job_holds(const struct kl_run *run);

#endif
