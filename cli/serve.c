#define _GNU_SOURCE /* pipe2 */
#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/job/job.h"
#include "cli/options/options.h"
#include "cli/options/run_files.h"
#include "cli/remedy.h"
#include "cli/session.h"
#include "core/base/blas.h"
#include "core/base/files.h"
#include "core/base/memory.h"
#include "core/scan/keeper.h"
#include "db/follow.h"
#include "db/run.h"
#include "server/confine.h"
#include "server/server.h"

#define DEFAULT_PORT 8420

struct request {
    struct kl_server_options server;
    uint64_t memory_bytes;
    uint32_t port; /* UINT32_MAX: not said */
    int open, helped, n_runs;
    char token[140]; /* from a file */
};

static enum kl_status set_token(void *target, const char *value, struct kl_error *err)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";

    if (strlen(value) < 8 || strlen(value) > 128 || strspn(value, letters) != strlen(value))
        return kl_fail(err, KL_ERR_USAGE,
                       "--token is a secret of 8 to 128 letters, digits, '-' and '_'");
    ((struct request *)target)->server.token = value;
    return KL_OK;
}

/* The secret on the first line of a file that others cannot read: command lines are seen by all. */
static enum kl_status read_token(void *target, const char *path, struct kl_error *err)
{
    struct request *request = target;
    FILE *file = NULL;
    enum kl_status status = kl_file_open(path, &file, err);

    if (status)
        return status;
    if (!fgets(request->token, sizeof request->token, file))
        request->token[0] = '\0';
    fclose(file);
    request->token[strcspn(request->token, "\r\n")] = '\0';
    if (set_token(target, request->token, err))
        return kl_fail(err, KL_ERR_USAGE,
                       "%s has no secret of 8 to 128 letters, digits, '-' and '_' on its first "
                       "line",
                       path);
    return KL_OK;
}

static enum kl_status allow_host(void *target, const char *value, struct kl_error *err)
{
    struct kl_server_options *server = &((struct request *)target)->server;

    if (server->n_allowed_hosts == KL_ALLOWED_HOSTS_MAX)
        return kl_fail(err, KL_ERR_USAGE, "--allow-host may be given %d times",
                       KL_ALLOWED_HOSTS_MAX);
    server->allowed_hosts[server->n_allowed_hosts++] = value;
    return KL_OK;
}

static enum kl_status allow_frame(void *target, const char *value, struct kl_error *err)
{
    return kl_frame_allow(value, &((struct request *)target)->server, err);
}

static enum kl_status set_public_url(void *target, const char *value, struct kl_error *err)
{
    return kl_public_address_parse(value, &((struct request *)target)->server.public_address, err);
}

static enum kl_status read_words(int argc, char **argv, struct request *request,
                                 struct kl_error *err)
{
    const struct kl_option table[] = {
        {.type = KL_OPTION_NUMBER,
         .name = "port",
         .value = "N",
         .target = &request->port,
         .high = 65535,
         .help = "port to listen on (default 8420, or a free one if that is taken; 0: any free "
                 "one)"},
        {.type = KL_OPTION_FLAG,
         .name = "open",
         .target = &request->open,
         .help = "open the page in a browser"},
        {.type = KL_OPTION_SIZE,
         .name = "memory",
         .value = "SIZE",
         .target = &request->memory_bytes,
         .help =
             "how much of the histories to keep in memory at most, such as 4G (default: a "
             "quarter of what is free): the layers that are asked about, in place of those that "
             "nobody asks about any more; 0: read from the file at every query"},
        {.type = KL_OPTION_TEXT,
         .name = "bind",
         .value = "ADDRESS",
         .target = &request->server.bind,
         .help = "address to listen on (default 127.0.0.1); others need --token, and 0.0.0.0 the "
                 "--allow-host names it is asked by"},
        {.type = KL_OPTION_CALL,
         .name = "token",
         .value = "SECRET",
         .target = request,
         .call = set_token,
         .help = "ask for this secret (letters, digits, '-', '_')"},
        {.type = KL_OPTION_CALL,
         .name = "token-file",
         .value = "FILE",
         .target = request,
         .call = read_token,
         .help = "ask for the secret on the first line of FILE, which other users need not see"},
        {.type = KL_OPTION_CALL,
         .name = "allow-host",
         .value = "NAME",
         .target = request,
         .call = allow_host,
         .help = "answer to this host name besides localhost; may be repeated"},
        {.type = KL_OPTION_CALL,
         .name = "allow-frame",
         .value = "ORIGIN",
         .target = request,
         .call = allow_frame,
         .help =
             "let pages of this origin, such as http://localhost:8888, show this one in a frame; "
             "may be repeated"},
        {.type = KL_OPTION_CALL,
         .name = "public-url",
         .value = "URL",
         .target = request,
         .call = set_public_url,
         .help = "the address that people use behind a proxy, such as "
                 "https://lab.example.org/keylight: "
                 "its host, its https and its path are then right"},
        {.type = KL_OPTION_END}};
    const struct kl_options options = {
        .examples = "one run, in the browser\nkeylight serve quick.keylight --open\n"
                    "every run of a folder, on another port\nkeylight serve runs --port 9000\n"
                    "a run in shards, held by four processes\nmpirun -n 4 keylight serve DIR\n",
        .command = "serve",
        .usage = "serve RUN|FOLDER... [OPTION...]",
        .about =
            "Serves a page to explore runs with, all those of a folder if one is named, on this "
            "machine, until interrupted. One in training is shown as of its last checkpoint, and "
            "followed until it is finished. Started by mpirun, several processes share a run that "
            "is "
            "cut into shards (keylight split).",
        .options = table};

    return kl_options_parse(&options, argc, argv, &request->n_runs, &request->helped, err);
}

static enum kl_status parse(int argc, char **argv, struct request *request, struct kl_error *err)
{
    enum kl_status status;

    request->port = UINT32_MAX;
    request->memory_bytes = UINT64_MAX;
    status = read_words(argc, argv, request, err);
    if (status || request->helped)
        return status;
    request->server.port = request->port == UINT32_MAX ? DEFAULT_PORT : (uint16_t)request->port;
    return request->n_runs ? KL_OK
                           : kl_fail(err, KL_ERR_USAGE,
                                     "name the run files to serve, or a folder of them: see "
                                     "'keylight serve --help'");
}

/* A run that is not finished is followed. */
static enum kl_status follow(struct kl_served *served, const char *draft, struct kl_error *err)
{
    enum kl_status status =
        kl_job_is_shared()
            ? kl_fail(err, KL_ERR_UNFINISHED,
                      "%s is not finished: several processes share finished runs alone", draft)
            : kl_served_follow(served, draft, err);

    if (kl_job_is_shared()) { /* as after each run that is opened */
        status = kl_peers_end(kl_job_peers(), status, err);
        kl_peers_begin(kl_job_peers());
    }
    if (!status)
        fprintf(stderr, "%s is not finished: it is shown as of its last checkpoint%s\n", draft,
                kl_follow_is_written(draft) ? ", and followed" : "");
    return status;
}

static enum kl_status open_finished(struct kl_served *served, const struct kl_run_files *files,
                                    size_t i, struct kl_error *err)
{
    const char *path = files->paths.paths[i];
    const struct kl_run *same = NULL;
    struct stat info;
    enum kl_status status;

    if (isatty(STDERR_FILENO) && !stat(path, &info))
        fprintf(stderr, "Opening %s (%.0f MB)\n", path, (double)info.st_size / 1e6);
    status = kl_served_open(served, path, files->paths.paths, files->paths.n, &same, err);
    if (!status && same && i < files->n_named)
        status = kl_fail(err, KL_ERR_USAGE, "%s and %s are the same run (%s): name it once",
                         same->path, path, same->fingerprint);
    return status;
}

/* What cannot be served and is only one of a folder is left out, and that is said. */
static enum kl_status open_one(struct kl_served *served, const struct kl_run_files *files, size_t i,
                               size_t *n_opened, struct kl_error *err)
{
    const char *path = files->paths.paths[i];
    char *file = NULL;
    enum kl_status status = kl_follow_find(path, &file, err);

    if (!status && kl_follow_is_written(file)) {
        status = follow(served, file, err);
    } else {
        status = open_finished(served, files, i, err);
        if ((status == KL_ERR_UNFINISHED || status == KL_ERR_RECORDING) && file)
            status = follow(served, file, err);
    }
    free(file);
    *n_opened += !status;
    if (status && i < files->n_named)
        return kl_remedy(err, path);
    if (status)
        fprintf(stderr, "keylight: left out: %s\n", err->message);
    return KL_OK;
}

/* What of a run is damaged, and what becomes of it. */
static void print_damage(const struct kl_run *run, const struct kl_run_damage *damage)
{
    fprintf(stderr,
            "keylight: %s is damaged: %s; what needs layer %u is refused, the rest is served: "
            "restore it from a copy, or train it again\n",
            run->path, damage->what, damage->layer);
}

static void print_what_is_missing(struct kl_served *served)
{
    struct kl_run *runs[KL_SERVED_MAX];
    size_t n = kl_served_take_all(served, runs);

    for (size_t i = 0; i < n; i++) {
        kl_job_holds(runs[i]);
        kl_print_missing(runs[i]);
        kl_served_give(served, runs[i]);
    }
}

/* In the order in which they were named. */
static enum kl_status open_all(const struct kl_run_files *files, struct kl_served *served,
                               struct kl_error *err)
{
    size_t n_opened = 0;
    unsigned char *chosen = NULL;
    enum kl_status status = kl_alloc(&chosen, files->paths.n, 1, "the names of runs", err);

    if (!status)
        status = kl_run_choose_files(files->paths.paths, files->paths.n, chosen, err);
    for (size_t i = 0; !status && i < files->paths.n; i++)
        if (chosen[i])
            status = open_one(served, files, i, &n_opened, err);
    free(chosen);
    return status || n_opened
               ? status
               : kl_fail(err, KL_ERR_USAGE, "none of these runs can be served: see above");
}

/* Starts what tells the desktop to open the page once its address is known, while programs may
 * still be started: where that is written to, or -1. Without a browser the printed address has to
 * do. */
static int prepare_browser(void)
{
    int ends[2];
    char url[700];
    ssize_t n;
    pid_t child;

    if (pipe2(ends, O_CLOEXEC))
        return -1;
    child = fork();
    if (child != 0) {
        close(ends[0]);
        if (child > 0)
            return ends[1];
        close(ends[1]);
        return -1;
    }
    close(ends[1]);
    n = read(ends[0], url, sizeof url - 1);
    if (n > 0) {
        url[n] = '\0';
        execlp("xdg-open", "xdg-open", url, (char *)NULL);
        execlp("open", "open", url, (char *)NULL);
        fprintf(stderr, "keylight: no browser found to open; open the address by hand\n");
    }
    _exit(n > 0);
}

static void open_browser(int browser, const char *url)
{
    if (browser < 0)
        return;
    if (write(browser, url, strlen(url)) < 0)
        fprintf(stderr, "keylight: cannot open a browser; open the address by hand\n");
    close(browser);
}

/* What could not be given up is said. */
static void give_up(int gave_up_files)
{
    int gave_up_calls;

    if (kl_job_is_shared()) {
        printf("It gives up no rights, as MPI opens files and connections when it needs them.\n");
        fflush(stdout);
        return;
    }
    gave_up_calls = kl_confine_calls();
    if (!gave_up_files)
        printf("It could write elsewhere, if it were taken over: this kernel or build has no "
               "Landlock.\n");
    if (!gave_up_calls)
        printf("It could open connections, if it were taken over: this kernel or build has no "
               "seccomp.\n");
    fflush(stdout);
}

static void print_address(const struct kl_server *server, const struct request *request, char *url,
                          size_t n_bytes)
{
    const char *bind = request->server.bind ? request->server.bind : "127.0.0.1";
    const struct kl_public_address *public = &request->server.public_address;
    int wildcard = !strcmp(bind, "0.0.0.0") || !strcmp(bind, "::");
    char host[80], own[120];

    if (wildcard)
        snprintf(host, sizeof host, "localhost");
    else
        snprintf(host, sizeof host, strchr(bind, ':') && *bind != '[' ? "[%s]" : "%s", bind);
    snprintf(own, sizeof own, "http://%s:%u", host, kl_server_port(server));
    snprintf(url, n_bytes, "%s%s/%s%s", *public->origin ? public->origin : own, public->path,
             request->server.token ? "?token=" : "",
             request->server.token ? request->server.token : "");
    printf(*public->origin ? "keylight is ready: %s (%s, for its proxy)\n"
                           : "keylight is ready: %s\n",
           url, own);
    if (*public->origin && !request->server.token)
        printf("Whoever reaches it can see these runs, mark their suspects and have them trained "
               "again; --token asks for a secret.\n");
    fflush(stdout);
}

/* Any thread may get the signal, those of libraries, too. */
static sem_t asked_to_stop;

static void ask_to_stop(int number)
{
    (void)number;
    sem_post(&asked_to_stop);
}

static enum kl_status serve(struct request *request, struct kl_served *served, struct kl_pool *pool,
                            int browser, int gave_up_files, struct kl_error *err)
{
    struct kl_server *server = NULL;
    const struct sigaction action = {.sa_handler = ask_to_stop, .sa_flags = SA_RESTART};
    char url[700];
    enum kl_status status = kl_server_start(&request->server, served, pool, &server, err);

    if (status == KL_ERR_BUSY && request->port == UINT32_MAX) {
        request->server.port = 0; /* the usual port is only a habit */
        status = kl_server_start(&request->server, served, pool, &server, err);
    }
    if (status)
        return status;
    sem_init(&asked_to_stop, 0, 0);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    print_address(server, request, url, sizeof url);
    open_browser(browser, url);
    give_up(gave_up_files);
    while (sem_wait(&asked_to_stop) && errno == EINTR)
        ;
    /* A second interrupt does not wait for what is under way. */
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    kl_server_stop(server);
    return KL_OK;
}

enum kl_status kl_cli_serve(int argc, char **argv, struct kl_error *err)
{
    struct request request = {0};
    struct kl_served *served = NULL;
    struct kl_pool *pool = NULL;
    struct kl_run_files files = {0};
    int browser = -1, gave_up_files = 0;
    enum kl_status status = parse(argc, argv, &request, err);

    if (status || request.helped)
        return status;
    signal(SIGPIPE, SIG_IGN);
    signal(SIGCHLD, SIG_IGN); /* the browser's end is nobody's concern */
    kl_memory_share_pools();
    kl_runs_survive();
    status = kl_run_files_find(argv + 1, (size_t)request.n_runs, &files, err);
    if (!status) /* workers, requests, and this one */
        status = kl_blas_reserve(kl_pool_processors() + KL_SCANS_MAX + 1, err);
    if (request.memory_bytes == UINT64_MAX)
        request.memory_bytes = kl_keeper_usual_room() / kl_job_neighbours();
    if (!status) { /* before there are threads */
        browser = request.open && kl_job_speaks() ? prepare_browser() : -1;
        gave_up_files = !kl_job_is_shared() && kl_confine_files(files.paths.paths, files.paths.n);
        status = kl_pool_create(0, &pool, err);
    }
    if (!status)
        status = kl_served_create(pool, kl_job_peers(), request.memory_bytes, print_damage, &served,
                                  err);
    if (!status)
        status = open_all(&files, served, err);
    if (!status)
        print_what_is_missing(served);
    status = kl_peers_end(kl_job_peers(), status, err); /* each request is a talk of its own */
    if (!status && kl_job_speaks()) {
        status = serve(&request, served, pool, browser, gave_up_files, err);
        kl_server_dismiss(served);
    } else if (!status) {
        status = kl_server_help(served, pool, err);
    }
    kl_served_free(served);
    kl_run_files_clear(&files);
    kl_pool_free(pool);
    return status;
}
