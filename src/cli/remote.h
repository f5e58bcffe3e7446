/* cli/remote.h - calls to a region: over its port as any client makes them, or over the control socket
 * of its data folder. What goes wrong is said here, once, with its reason and exit code. */
#pragma once

#include "base/px_json.h"
#include "cli/cli.h"
#include "http/client.h"

struct remote {
    struct cli *cli;
    struct http_client *client;
    struct px_str authorization; /* "Bearer ..."; empty on the control socket */
    const char *where;           /* for messages */
};
/* The region's port, with the key given or that of <data>/<key_file>. timeout_ms 0: none. */
PX_MUST_USE int remote_open(struct cli *cli, const char *key_file, int timeout_ms,
                            struct remote *ret_remote);
/* The control socket. Exit CLI_NOT_RUNNING, said, when nobody listens there. */
PX_MUST_USE int remote_open_control(struct cli *cli, int timeout_ms, struct remote *ret_remote);
void remote_close(struct remote *remote);

struct remote_call {
    const char *method;
    struct px_str path;
    struct px_str body;
    const char *content_type; /* NULL: application/json when there is a body */
    const char *accept;       /* may be NULL */
    struct http_header more;  /* one more header; empty name: none */
    /* The body of a good answer (2xx) in pieces; NULL: whole in ret_response. */
    int (*on_body)(void *ctx, struct px_str piece);
    void *ctx;
};
/* An enum cli_exit: CLI_OK for a 2xx answer; everything else has been said. */
PX_MUST_USE int remote_run(struct remote *remote, const struct remote_call *call,
                           struct http_response *ret_response);
/* The same with the answer parsed; ret_root is NULL for an empty body. */
PX_MUST_USE int remote_json(struct remote *remote, const struct remote_call *call,
                            yyjson_val **ret_root, struct px_str *ret_text);
/* Whether a region answers on the data folder's socket. */
bool remote_is_running(struct cli *cli);

/* Say why an answer is no success: "refused (403): ..." from problem details; returns the exit code. */
int remote_refused(struct cli *cli, const struct http_response *response);
/* Percent-encode one path segment or query value. */
struct px_str remote_encode(struct px_arena *arena, struct px_str text);
