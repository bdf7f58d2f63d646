/* How a job's processes reach each other: by MPI, where it was built in. Internal to cli/job. */
#ifndef KL_CLI_JOB_TRANSPORT_H
#define KL_CLI_JOB_TRANSPORT_H

#include "core/peers/peers.h"

/* Whether this build has one. */
int kl_transport_exists(void);

/* Joins the others, as many as expected with this one; *n_neighbours of all are on this machine.
 * Once; ended with kl_transport_close, which ends the whole job where messages are lost. Errors:
 * KL_ERR_PEERS. */
enum kl_status kl_transport_open(uint32_t expected, struct kl_transport *transport,
                                 uint32_t *n_neighbours, struct kl_error *err);
void kl_transport_close(int is_lost);

#endif
