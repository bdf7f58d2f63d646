#include "cli/job/transport.h"

#include "config.h"

#ifdef HAVE_MPI

#include <mpi.h>
#include <sched.h>
#include <string.h>
#include <time.h>

#define AT_ONCE ((size_t)1 << 26) /* bytes a call: MPI counts in int */

/* Waiting: first awake, leaving the processor to whoever wants it, as messages come within
 * microseconds, and long ones only go on while somebody looks; then asleep, so that who waits does
 * not take from who computes, longer the longer nothing happens. */
#define LOOKS 4000 /* some milliseconds */
#define NAP_NS 50000
#define NAPS 2000 /* a tenth of a second */
#define LONG_NAP_NS 1000000

static int wait_for(MPI_Request *request)
{
    int is_done = 0;

    for (unsigned long n = 0; !is_done; n++) {
        struct timespec nap = {0, n < LOOKS + NAPS ? NAP_NS : LONG_NAP_NS};

        if (MPI_Test(request, &is_done, MPI_STATUS_IGNORE) != MPI_SUCCESS)
            return -1;
        if (!is_done && n < LOOKS)
            sched_yield();
        else if (!is_done)
            nanosleep(&nap, NULL);
    }
    return 0;
}

/* What process from has, in pieces. */
static int send_from(uint32_t from, char *bytes, size_t n_bytes)
{
    for (size_t at = 0; at < n_bytes; at += AT_ONCE) {
        size_t n = n_bytes - at < AT_ONCE ? n_bytes - at : AT_ONCE;
        MPI_Request request;

        if (MPI_Ibcast(bytes + at, (int)n, MPI_BYTE, (int)from, MPI_COMM_WORLD, &request) !=
                MPI_SUCCESS ||
            wait_for(&request))
            return -1;
    }
    return 0;
}

static int broadcast(void *self, void *bytes, size_t n_bytes)
{
    (void)self;
    return send_from(0, bytes, n_bytes);
}

static struct kl_transport world;

static int gather(void *self, const void *own, size_t n_bytes, void *all)
{
    MPI_Request request;

    if (n_bytes > AT_ONCE / world.n) { /* one process after the other, in pieces */
        memcpy((char *)all + world.own * n_bytes, own, n_bytes);
        for (uint32_t p = 0; p < world.n; p++)
            if (send_from(p, (char *)all + p * n_bytes, n_bytes))
                return -1;
        return 0;
    }
    (void)self;
    if (MPI_Iallgather(own, (int)n_bytes, MPI_BYTE, all, (int)n_bytes, MPI_BYTE, MPI_COMM_WORLD,
                       &request) != MPI_SUCCESS)
        return -1;
    return wait_for(&request);
}

/* To process 0 and from there back, so that all have the same to the bit. */
static int combine_piece(enum kl_combined how, void *numbers, int n)
{
    const MPI_Datatype types[] = {[KL_SUM_COUNTS] = MPI_UINT64_T,
                                  [KL_SUM_FLOATS] = MPI_FLOAT,
                                  [KL_SUM_DOUBLES] = MPI_DOUBLE,
                                  [KL_LARGEST_COUNTS] = MPI_UINT64_T};
    MPI_Op operation = how == KL_LARGEST_COUNTS ? MPI_MAX : MPI_SUM;
    MPI_Request request;

    if (MPI_Ireduce(world.own == 0 ? MPI_IN_PLACE : numbers, world.own == 0 ? numbers : NULL, n,
                    types[how], operation, 0, MPI_COMM_WORLD, &request) != MPI_SUCCESS ||
        wait_for(&request))
        return -1;
    if (MPI_Ibcast(numbers, n, types[how], 0, MPI_COMM_WORLD, &request) != MPI_SUCCESS)
        return -1;
    return wait_for(&request);
}

static int combine(void *self, enum kl_combined how, void *numbers, size_t n)
{
    size_t size = how == KL_SUM_FLOATS ? sizeof(float) : sizeof(double);
    size_t at_once = AT_ONCE / size;
    int failed = 0;

    (void)self;
    for (size_t at = 0; !failed && at < n; at += at_once)
        failed = combine_piece(how, (char *)numbers + at * size,
                               (int)(n - at < at_once ? n - at : at_once));
    return failed;
}

int kl_transport_exists(void)
{
    return 1;
}

enum kl_status kl_transport_open(uint32_t expected, struct kl_transport *transport,
                                 uint32_t *n_neighbours, struct kl_error *err)
{
    MPI_Comm machine;
    int provided = 0, own = 0, n = 1, near = 1;

    if (MPI_Init_thread(NULL, NULL, MPI_THREAD_SERIALIZED, &provided) != MPI_SUCCESS ||
        provided < MPI_THREAD_SERIALIZED)
        return kl_fail(err, KL_ERR_PEERS,
                       "this MPI does not let threads take turns, as keylight needs it to");
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    MPI_Comm_rank(MPI_COMM_WORLD, &own);
    MPI_Comm_size(MPI_COMM_WORLD, &n);
    if ((uint32_t)n != expected)
        return kl_fail(
            err, KL_ERR_PEERS,
            "who started this process says that there are %u, and its MPI finds %d: start "
            "it by the mpirun of the MPI that keylight was built with, or without",
            expected, n);
    MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &machine);
    MPI_Comm_size(machine, &near);
    MPI_Comm_free(&machine);
    world = (struct kl_transport){NULL, (uint32_t)own, (uint32_t)n, gather, combine, broadcast};
    *transport = world;
    *n_neighbours = (uint32_t)near;
    return KL_OK;
}

void kl_transport_close(int is_lost)
{
    if (is_lost) /* the others wait for what does not come */
        MPI_Abort(MPI_COMM_WORLD, 1);
    MPI_Finalize();
}

#else

int kl_transport_exists(void)
{
    return 0;
}

enum kl_status kl_transport_open(uint32_t expected, struct kl_transport *transport,
                                 uint32_t *n_neighbours, struct kl_error *err)
{
    (void)expected;
    (void)transport;
    (void)n_neighbours;
    return kl_fail(err, KL_ERR_PEERS, "this keylight was built without MPI");
}

void kl_transport_close(int is_lost)
{
    (void)is_lost;
}

#endif
