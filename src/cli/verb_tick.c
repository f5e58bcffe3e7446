/* cli/verb_tick.c - `prism tick seal|compact|retain|ttl|rotate`: what the schedules do, now. */
#include "base/px_words.h"
#include "cli/remote.h"
#include "cli/verbs.h"

static const char *const jobs[] = {"seal", "compact", "retain", "ttl", "rotate"};

static bool is_job(const char *name)
{
    for (size_t i = 0; i < PX_COUNT(jobs); i++)
        if (strcmp(jobs[i], name) == 0) return true;
    return false;
}

static int unknown(struct cli *cli, const char *name)
{
    const char *meant = px_words_nearest(px_str_c(name), jobs, PX_COUNT(jobs));
    return cli_fail(cli, CLI_USAGE,
                    "there is no job '%s': seal, compact, retain, ttl, rotate%s%s%s", name,
                    meant ? "; did you mean '" : "", meant ? meant : "", meant ? "'?" : "");
}

/* "seal: datasets 3, rows 8 (12 ms)": the counts that are not 0. */
static void print_done(struct cli *cli, const char *name, yyjson_val *done)
{
    size_t i, n, shown = 0;
    yyjson_val *key, *val;
    (void)fprintf(cli->out, "%s:", name);
    px_json_obj_foreach(done, i, n, key, val)
    {
        char count[32];
        const char *field = yyjson_get_str(key);
        if (!yyjson_is_uint(val) || yyjson_get_uint(val) == 0 || strcmp(field, "ms") == 0) continue;
        (void)fputs(shown++ > 0 ? ", " : " ", cli->out);
        for (; *field; field++) (void)fputc(*field == '_' ? ' ' : *field, cli->out);
        (void)fprintf(cli->out, " %s", cli_count(yyjson_get_uint(val), count));
    }
    (void)fprintf(cli->out, "%s%s (%lld ms)\n", shown > 0 ? "" : " nothing to do",
                  px_json_bool(done, "more", false) ? ", and more to do" : "",
                  (long long)px_json_i64(done, "ms", 0));
}

static int report(struct cli *cli, const char *name, const struct http_response *response)
{
    yyjson_val *done = NULL;
    struct px_str error = http_response_header(response, S("X-Amz-Function-Error"));
    if (error.len > 0)
        return cli_fail(cli, CLI_REGION_ERROR, "%s failed: %.*s", name, PX_FMT(response->body));
    if (px_json_parse(response->body, &cli->arena, &done, NULL) != 0) done = NULL;
    if (cli->json || !done)
        (void)fprintf(cli->out, "%.*s\n", PX_FMT(response->body));
    else
        print_done(cli, name, done);
    if (px_json_i64(done, "failed", 0) == 0) return CLI_OK;
    struct cli told = *cli;
    told.json = false; /* the counts are the one document on standard output */
    return cli_fail(&told, CLI_REGION_ERROR, "%s did not do all of it; see prism logs %s", name,
                    strcmp(name, "rotate") == 0 ? "rotation" : "storage");
}

static int run(struct cli *cli, const void *values, int arg_count, char **args)
{
    (void)values, (void)arg_count;
    struct remote remote;
    struct http_response response;
    if (!is_job(args[0])) return unknown(cli, args[0]);
    struct px_str path = px_arena_printf(&cli->arena, "/tick/%s", args[0]);
    int exit = remote_open_control(cli, 0, &remote);
    if (exit != CLI_OK) return exit;
    exit = remote_run(&remote, &(struct remote_call){.method = "POST", .path = path}, &response);
    if (exit == CLI_OK) exit = report(cli, args[0], &response);
    remote_close(&remote);
    return exit;
}

const struct cli_verb verb_tick = {
    .name = "tick",
    .arguments = "seal|compact|retain|ttl|rotate",
    .summary = "run a scheduled job now and show what it did",
    .details =
        "seal: write-ahead files to Parquet segments. compact: segments to larger, time-sorted Parquet. "
        "retain: remove what is past its retention. ttl: remove expired table items. "
        "rotate: new values for secrets older than 90 days, and the end of rotations that were begun.",
    .complete = "seal compact retain ttl rotate",
    .args_min = 1,
    .args_max = 1,
    .run = run,
};
