/* cli/tenant_offboard.c - `prism tenant offboard NAME --confirm NAME`: starts tenant-offboarding (docs/design/workflows.md), and
 * with --wait shows the proof of deletion that it ends with. */
#include "base/px_file.h"
#include "cli/tenant.h"
#include "cli/workflow_served.h"

#define MACHINE "tenant-offboarding"
#define PROOF_BYTES_MAX ((size_t)64 << 20)

struct offboard_values {
    const char *confirm, *name;
    bool no_export, wait, socket;
};
static const struct cli_option options[] = {
    {"confirm", 'c', CLI_TEXT, offsetof(struct offboard_values, confirm), "NAME",
     "the tenant's name again: its data goes for good", NULL, 0, 0},
    {"no-export", 0, CLI_FLAG, offsetof(struct offboard_values, no_export), NULL,
     "remove the data without exporting it first", NULL, 0, 0},
    {"wait", 'w', CLI_FLAG, offsetof(struct offboard_values, wait), NULL,
     "wait for the end and show the proof of deletion", NULL, 0, 0},
    {"name", 'n', CLI_TEXT, offsetof(struct offboard_values, name), "NAME",
     "the execution's name (default: a new UUID)", NULL, 0, 0},
    WORKFLOW_SOCKET_OPTION(struct offboard_values, socket),
};

static int start(struct cli *cli, const char *tenant, const struct offboard_values *v,
                 struct px_str *ret_arn, struct px_str *ret_text)
{
    PX_AUTO(px_buf_deinit) struct px_buf input;
    px_buf_init(&input, 65536);
    workflow_add(&input, "tenant", tenant);
    workflow_add(&input, "confirm", v->confirm);
    px_buf_printf(&input, ",\"export\":%s}", v->no_export ? "false" : "true");
    if (px_buf_fault(&input)) return cli_fault(cli, px_buf_fault(&input), "the tenant's name");
    const struct workflow_wish wish = {MACHINE, v->name, px_buf_str(&input), v->socket};
    return workflow_start_wish(cli, &wish, ret_arn, ret_text);
}

/* The proof itself where it is a file here, and where it is in any case. */
static int print_proof(struct cli *cli, yyjson_val *proof)
{
    struct px_str url = px_json_str(proof, "url");
    char *path = px_arena_cstr(&cli->arena, url);
    PX_AUTO(px_buf_deinit) struct px_buf text;
    px_buf_init(&text, PROOF_BYTES_MAX);
    if (!path) return cli_fault(cli, px_arena_fault(&cli->arena), "the proof's place");
    if (path[0] == '/' && px_file_read(path, &text) == 0)
        (void)fprintf(cli->out, "%.*s", PX_FMT(px_buf_str(&text)));
    (void)fprintf(cli->err, "proof   %s\nsha256  %.*s\n", path,
                  PX_FMT(px_json_str(proof, "sha256")));
    return CLI_OK;
}

static int wait_for_it(struct cli *cli, struct px_str arn)
{
    yyjson_val *execution = NULL, *output = NULL;
    struct px_str text = {0};
    int exit = workflow_wait(cli, arn, &execution, &text);
    if (exit != CLI_OK) return exit;
    bool good = px_str_eq(px_json_str(execution, "status"), S("SUCCEEDED"));
    if (!good || cli->json ||
        px_json_parse(px_json_str(execution, "output"), &cli->arena, &output, NULL) != 0)
        return workflow_print_end(cli, execution, text);
    yyjson_val *manifest = px_json_obj(output, "manifest");
    if (px_json_bool(output, "exported", false))
        (void)fprintf(cli->err, "export  %.*s (%lld objects, %lld rows)\n",
                      PX_FMT(px_json_str(manifest, "url")),
                      (long long)px_json_i64(manifest, "objects", 0),
                      (long long)px_json_i64(manifest, "rows", 0));
    return print_proof(cli, px_json_obj(output, "proof"));
}

static int run(struct cli *cli, const void *values, int arg_count, char **args)
{
    const struct offboard_values *v = values;
    struct px_str text = {0}, arn = {0};
    (void)arg_count;
    if (!v->confirm || strcmp(v->confirm, args[0]) != 0)
        return cli_fail(cli, CLI_USAGE,
                        "the data of %s will be gone for good: say --confirm %s if that is meant",
                        args[0], args[0]);
    int exit = start(cli, args[0], v, &arn, &text);
    if (exit != CLI_OK) return exit;
    if (v->wait) return wait_for_it(cli, arn);
    (void)fprintf(cli->out, "%.*s\n", PX_FMT(cli->json ? text : arn));
    return CLI_OK;
}

const struct cli_verb verb_tenant_offboard = {
    .name = "offboard",
    .arguments = "TENANT",
    .summary = "export a tenant's data, remove it everywhere, and prove it",
    .details =
        "Starts the state machine tenant-offboarding and shows the execution's ARN: the tenant is suspended, its data exported "
        "and the export read back, and only then it is deleted. It takes half an hour of waiting, and longer for much data. With "
        "--wait it shows the proof, or {\"Error\",\"Cause\"} with exit code 3. A step that fails for good asks: see prism workflow "
        "list --interventions.",
    CLI_OPTIONS(options),
    .values_bytes = sizeof(struct offboard_values),
    .args_min = 1,
    .args_max = 1,
    .run = run,
};
