/* How a job's processes reach each other: by MPI, where it was built in. Internal to cli/job. */
#ifndef KL_CLI_JOB_TRANSPORT_H
#define KL_CLI_JOB_TRANSPORT_H

#include "core/peers/peers.h"

/* Whether this build has one. */
int kl_transport_exists(void);

/* Joins the others; *n_neighbours of all are on this machine. Once; ended with kl_transport_close.
 * Errors: KL_ERR_PEERS. */
enum kl_status kl_transport_open(struct kl_transport *transport, uint32_t *n_neighbours,
                                 struct kl_error *err);
void kl_transport_close(void);

#endif
