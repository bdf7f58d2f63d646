#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/options.h"
#include "core/base/blas.h"
#include "core/base/memory.h"
#include "db/run.h"
#include "server/server.h"

#define RUNS_MAX 64
#define DEFAULT_PORT 8420

static const char help[] =
    "usage: keylight serve RUN... [OPTION...]\n"
    "\n"
    "Serves a page to explore runs with, on this machine, until interrupted.\n"
    "\n"
    "  --port N           port to listen on (default 8420, or a free one if that is taken;\n"
    "                     0: any free one)\n"
    "  --open             open the page in a browser\n"
    "  --memory SIZE      how much of the histories to keep in memory, such as 4G (default: half\n"
    "                     of this machine's; 0: read from the file at every query)\n"
    "  --bind ADDRESS     address to listen on (default 127.0.0.1); others need --token, and\n"
    "                     0.0.0.0 the --allow-host names it is asked by\n"
    "  --token SECRET     ask for this secret (letters, digits, '-', '_')\n"
    "  --allow-host NAME  answer to this host name besides localhost; may be repeated\n"
    "  --help, --version\n";

static const struct option options[] = {
    {"port", required_argument, NULL, 'p'},
    {"open", no_argument, NULL, 'o'},
    {"memory", required_argument, NULL, 'm'},
    {"bind", required_argument, NULL, 'b'},
    {"token", required_argument, NULL, 't'},
    {"allow-host", required_argument, NULL, 'a'},
    KL_COMMON_OPTIONS,
    {NULL, 0, NULL, 0},
};

struct request {
    struct kl_server_options server;
    uint64_t memory_bytes;
    int port_given, open, helped;
};

static enum kl_status set_token(struct request *request, struct kl_error *err)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";

    if (strlen(optarg) < 8 || strlen(optarg) > 128 || strspn(optarg, letters) != strlen(optarg))
        return kl_fail(err, KL_ERR_USAGE,
                       "--token is a secret of 8 to 128 letters, digits, '-' and '_'");
    request->server.token = optarg;
    return KL_OK;
}

static enum kl_status set(int option, struct request *request, struct kl_error *err)
{
    struct kl_server_options *server = &request->server;
    uint64_t value = 0;
    enum kl_status status = KL_OK;

    switch (option) {
    case 'p':
        status = kl_option_integer("port", optarg, 0, 65535, &value, err);
        server->port = (uint16_t)value;
        request->port_given = 1;
        break;
    case 'o':
        request->open = 1;
        break;
    case 'm':
        status = kl_option_size("memory", optarg, &request->memory_bytes, err);
        break;
    case 'b':
        server->bind = optarg;
        break;
    case 't':
        status = set_token(request, err);
        break;
    case 'a':
        if (server->n_allowed_hosts == KL_ALLOWED_HOSTS_MAX)
            return kl_fail(err, KL_ERR_USAGE, "--allow-host may be given %d times",
                           KL_ALLOWED_HOSTS_MAX);
        server->allowed_hosts[server->n_allowed_hosts++] = optarg;
        break;
    }
    return status;
}

static enum kl_status parse(int argc, char **argv, struct request *request, struct kl_error *err)
{
    long pages = sysconf(_SC_PHYS_PAGES), page_bytes = sysconf(_SC_PAGESIZE);
    enum kl_status status = KL_OK;
    int option;

    request->server.port = DEFAULT_PORT;
    request->memory_bytes = (uint64_t)(pages > 0 ? pages : 0) * (uint64_t)page_bytes / 2;
    optind = 0;
    while (!status && (option = kl_next_option(argc, argv, options, help, err)) != -1) {
        if (option == '?')
            return KL_ERR_USAGE;
        if (option == -2) {
            request->helped = 1;
            return KL_OK;
        }
        status = set(option, request, err);
    }
    if (!status && optind == argc)
        status =
            kl_fail(err, KL_ERR_USAGE, "name the run files to serve: see 'keylight serve --help'");
    if (!status && argc - optind > RUNS_MAX)
        status = kl_fail(err, KL_ERR_USAGE, "at most %d runs can be served at once", RUNS_MAX);
    return status;
}

/* Opens every run and keeps in memory what the budget allows, in the order given. */
static enum kl_status open_runs(char **paths, size_t n, uint64_t memory_bytes, struct kl_pool *pool,
                                struct kl_run **runs, struct kl_error *err)
{
    for (size_t i = 0; i < n; i++) {
        enum kl_status status = kl_run_open(paths[i], kl_pool_n_workers(pool), &runs[i], err);

        if (!status && isatty(STDERR_FILENO))
            fprintf(stderr, "Opening %s (%.0f MB)\n", paths[i], (double)runs[i]->file_bytes / 1e6);

        for (size_t other = 0; !status && other < i; other++)
            if (!strcmp(runs[i]->fingerprint, runs[other]->fingerprint))
                status = kl_fail(err, KL_ERR_USAGE, "%s and %s are the same run (%s): name it once",
                                 paths[other], paths[i], runs[i]->fingerprint);
        if (!status)
            status = kl_run_load(runs[i], pool, memory_bytes, err);
        if (status)
            return status;
        memory_bytes -= kl_run_resident_bytes(runs[i]);
    }
    return KL_OK;
}

/* Tells the desktop to open the page; without one, the printed address has to do. */
static void open_browser(const char *url)
{
    pid_t child = fork();

    if (child == 0) {
        execlp("xdg-open", "xdg-open", url, (char *)NULL);
        execlp("open", "open", url, (char *)NULL);
        fprintf(stderr, "keylight: no browser found to open; open the address by hand\n");
        _exit(1);
    }
}

static void print_address(const struct kl_server *server, const struct request *request, char *url,
                          size_t n_bytes)
{
    const char *bind = request->server.bind ? request->server.bind : "127.0.0.1";
    int wildcard = !strcmp(bind, "0.0.0.0") || !strcmp(bind, "::");
    char host[80];

    if (wildcard)
        snprintf(host, sizeof host, "localhost");
    else
        snprintf(host, sizeof host, strchr(bind, ':') ? "[%s]" : "%s", bind);
    snprintf(url, n_bytes, "http://%s:%u/%s%s", host, kl_server_port(server),
             request->server.token ? "?token=" : "",
             request->server.token ? request->server.token : "");
    printf("keylight is ready: %s\n", url);
    fflush(stdout);
}

static enum kl_status serve(struct request *request, struct kl_run **runs, size_t n_runs,
                            struct kl_pool *pool, const sigset_t *signals, struct kl_error *err)
{
    struct kl_server *server = NULL;
    char url[300];
    int signal_number;
    enum kl_status status = kl_server_start(&request->server, runs, n_runs, pool, &server, err);

    if (status == KL_ERR_BUSY && !request->port_given) {
        request->server.port = 0; /* the usual port is only a habit */
        status = kl_server_start(&request->server, runs, n_runs, pool, &server, err);
    }
    if (status)
        return status;
    print_address(server, request, url, sizeof url);
    if (request->open)
        open_browser(url);
    sigwait(signals, &signal_number);
    /* A second interrupt does not wait for what is under way. */
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    pthread_sigmask(SIG_UNBLOCK, signals, NULL);
    kl_server_stop(server);
    return KL_OK;
}

enum kl_status kl_cli_serve(int argc, char **argv, struct kl_error *err)
{
    struct request request = {0};
    struct kl_run *runs[RUNS_MAX] = {NULL};
    struct kl_pool *pool = NULL;
    sigset_t signals;
    size_t n_runs;
    enum kl_status status = parse(argc, argv, &request, err);

    if (status || request.helped)
        return status;
    signal(SIGPIPE, SIG_IGN);
    signal(SIGCHLD, SIG_IGN); /* the browser's end is nobody's concern */
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    n_runs = (size_t)(argc - optind);
    /* Signals are for sigwait: no thread but this one may get them, and this one not while serving.
     * While runs are opened, they end the program. */
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    kl_blas_single_thread();
    status = kl_pool_create(0, &pool, err);
    pthread_sigmask(SIG_UNBLOCK, &signals, NULL);
    if (!status)
        status = open_runs(argv + optind, n_runs, request.memory_bytes, pool, runs, err);
    if (!status) {
        pthread_sigmask(SIG_BLOCK, &signals, NULL);
        status = serve(&request, runs, n_runs, pool, &signals, err);
    }
    for (size_t i = 0; i < n_runs && i < RUNS_MAX; i++)
        kl_run_close(runs[i]);
    kl_pool_free(pool);
    return status;
}
