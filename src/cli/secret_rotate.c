/* cli/secret_rotate.c - `prism secret rotate`. */
#include <time.h>

#include "base/px_id.h"
#include "base/px_json.h"
#include "cli/remote.h"
#include "cli/secret.h"
#include "svc/security/rotation.h"

#define CALL_TIMEOUT_MS 90000
#define LOOK_MS 500
#define DEATHS_MAX 3

static const struct cli_option rotate_options[] = {
    {"timeout", 't', CLI_TIME, offsetof(struct secret_values, timeout_ms), "TIME",
     "how long to wait for Secrets Manager's rotation (default 2m)", NULL, 0, 0},
    SECRET_WHERE_OPTIONS};
static const struct secret_values rotate_defaults = {.timeout_ms = 120000};

struct rotating {
    struct secret_place place;
    struct px_str name, id;
    bool resumed; /* somebody began it */
};

/* One step by the region's function, with Secrets Manager's own event. ret_type: of a function error; empty: none. */
static int call_step(const struct rotating *it, struct remote *remote, int step, bool may_retry,
                     struct px_str *ret_type)
{
    struct cli *cli = it->place.cli;
    struct http_response response;
    yyjson_val *root = NULL;
    PX_AUTO(px_buf_deinit) struct px_buf event;
    px_buf_init(&event, 4096);
    px_buf_printf(&event, "{\"Step\":\"%s\",\"SecretId\":", rotation_step_names[step]);
    px_buf_add_json_str(&event, it->name);
    px_buf_add_c(&event, ",\"ClientRequestToken\":");
    px_buf_add_json_str(&event, it->id);
    px_buf_add_char(&event, '}');
    const struct remote_call call = {.method = "POST",
                                     .path = S("/2015-03-31/functions/rotation/invocations"),
                                     .body = px_buf_str(&event)};
    if (px_buf_fault(&event)) return cli_fault(cli, px_buf_fault(&event), "an event");
    int exit = remote_run(remote, &call, &response);
    if (exit != CLI_OK) return exit;
    *ret_type = (struct px_str){0};
    if (http_response_header(&response, S("X-Amz-Function-Error")).len == 0) return CLI_OK;
    if (px_json_parse(response.body, &cli->arena, &root, NULL) != 0) root = NULL;
    *ret_type = px_json_str(root, "errorType");
    if (px_str_eq(*ret_type, S("Overtaken")) && it->resumed) return CLI_OK;
    if (may_retry && px_str_eq(*ret_type, S("Runtime.ExitError"))) return CLI_OK;
    return cli_fail(cli, CLI_REGION_ERROR, "secret %.*s: %s: %.*s", PX_FMT(it->name),
                    rotation_step_names[step], PX_FMT(px_json_str(root, "errorMessage")));
}

static void fresh_id(struct rotating *it)
{
    char id[37];
    px_uuid7(px_wall_ns(it->place.cli->clock), id);
    it->id = px_arena_dup(&it->place.cli->arena, px_str_c(id));
    it->resumed = false;
}

/* What was begun on a value that has changed since cannot end; it is dropped once, and the rotation begins anew. A step
 * whose function was killed is called again, as Secrets Manager does: it may have done all of it, or nothing. */
static int rotate_here(struct rotating *it)
{
    struct remote remote;
    struct px_str type = {0};
    int exit = remote_open_control(it->place.cli, CALL_TIMEOUT_MS, &remote);
    if (exit != CLI_OK) return exit;
    int deaths = 0;
    for (int step = 0; exit == CLI_OK && step < ROTATION_STEPS; step++) {
        exit = call_step(it, &remote, step, deaths < DEATHS_MAX, &type);
        if (exit != CLI_OK || type.len == 0) continue;
        if (px_str_eq(type, S("Runtime.ExitError"))) {
            deaths++;
            step--;
            continue;
        }
        int r = secret_abandon(it->place.store, it->name, it->id);
        if (r < 0) exit = cli_fault(it->place.cli, r, "secret %.*s", PX_FMT(it->name));
        fresh_id(it);
        step = -1;
    }
    remote_close(&remote);
    return exit;
}

static int rotate_there(struct rotating *it)
{
    struct cli *cli = it->place.cli;
    int64_t until_ns = px_mono_ns(cli->clock) + it->place.v->timeout_ms * PX_NS_PER_MS;
    int r = it->resumed ? 0 : secret_rotate(it->place.store, it->name, it->id);
    if (r < 0) return cli_fault(cli, r, "secret %.*s", PX_FMT(it->name));
    for (;;) {
        struct px_str id = {0};
        r = secret_current_id(&it->place, it->name, &id);
        if (r < 0) return cli_fault(cli, r, "secret %.*s", PX_FMT(it->name));
        if (px_str_eq(id, it->id)) return CLI_OK;
        if (px_mono_ns(cli->clock) >= until_ns)
            return cli_fail(cli, CLI_FAILED,
                            "secret %.*s: Secrets Manager has not ended the rotation yet; the "
                            "current value stays meanwhile",
                            PX_FMT(it->name));
        (void)nanosleep(&(struct timespec){.tv_nsec = LOOK_MS * PX_NS_PER_MS}, NULL);
    }
}

static int find_id(struct rotating *it)
{
    struct cli *cli = it->place.cli;
    struct secret_info info = {0};
    int r = secret_describe(it->place.store, it->name, SECRET_STAGES, &cli->arena, &info);
    if (r == SECRET_ABSENT)
        return cli_fail(cli, CLI_REFUSED, "there is no secret %.*s", PX_FMT(it->name));
    if (r != 0) return cli_fault(cli, r, "secret %.*s", PX_FMT(it->name));
    const struct secret_state *pending = secret_at(&info, SECRET_PENDING);
    fresh_id(it);
    it->resumed = pending && pending != secret_at(&info, SECRET_CURRENT);
    if (it->resumed) it->id = pending->id;
    return CLI_OK;
}

static int run_rotate(struct cli *cli, const void *values, int arg_count, char **args)
{
    PX_AUTO(secret_place_close) struct secret_place place = {0};
    struct rotating it = {0};
    (void)arg_count;
    int exit = secret_place_open(cli, values, &place);
    if (exit != CLI_OK) return exit;
    it.place = place;
    exit = secret_name_of(&place, args[0], &it.name);
    if (exit == CLI_OK && !rotation_knows(it.name))
        exit = cli_fail(cli, CLI_REFUSED, "secret %.*s: nothing here knows how to rotate it",
                        PX_FMT(it.name));
    if (exit == CLI_OK) exit = find_id(&it);
    if (exit != CLI_OK) return exit;
    exit = place.region ? rotate_here(&it) : rotate_there(&it);
    secret_audit(&place, &(struct secret_deed){"rotate", it.name, it.id,
                                               exit == CLI_OK ? "done" : "failed"});
    if (exit != CLI_OK) return exit;
    if (cli->json)
        (void)fprintf(cli->out, "{\"secret\":\"%.*s\",\"version\":\"%.*s\",\"resumed\":%s}\n",
                      PX_FMT(it.name), PX_FMT(it.id), it.resumed ? "true" : "false");
    else
        (void)fprintf(cli->out, "secret %.*s has a new value%s\n", PX_FMT(it.name),
                      it.resumed ? ": the rotation that was begun has ended" : "");
    return CLI_OK;
}

const struct cli_verb secret_verb_rotate = {
    .name = "rotate",
    .arguments = "NAME",
    .summary = "give a secret a new value, which nobody who uses it notices",
    .details =
        "Of a region here by its function `rotation`, in the four steps of Secrets Manager; on AWS Secrets Manager is asked to. A "
        "rotation that was begun and not ended is ended.",
    CLI_OPTIONS(rotate_options),
    .values_bytes = sizeof(struct secret_values),
    .defaults = &rotate_defaults,
    .args_min = 1,
    .args_max = 1,
    .run = run_rotate,
};
