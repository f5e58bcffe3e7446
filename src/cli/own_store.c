/* cli/own_store.c - see own_store.h. */
#include "cli/own_store.h"

#include <stdlib.h>

#include "base/px_json.h"
#include "cli/settings.h"

int own_store_url(struct cli *cli, const char *file, const char *scheme, const char *option,
                  struct px_str *ret_url)
{
    yyjson_val *root = NULL;
    if (settings_is_fleet(cli))
        return cli_fail(cli, CLI_USAGE, "%s has several regions: say --region NAME", cli->data_dir);
    int r = px_json_load(settings_path(cli, "prism.json"), 64 * 1024, &cli->arena, &root);
    if (r != 0)
        return cli_fail(cli, CLI_NOT_RUNNING,
                        "no region was ever started on %s: start one with prism up, or say which "
                        "%s with --store",
                        cli->data_dir, option);
    yyjson_val *aws = px_json_obj(root, "aws");
    struct px_str endpoint = px_json_str(aws, "endpoint");
    if (endpoint.len == 0) {
        *ret_url = px_str_c(settings_path(cli, file));
        return CLI_OK;
    }
    const char *text = px_arena_cstr(&cli->arena, endpoint);
    if (!text || setenv("AWS_ENDPOINT_URL", text, 0) != 0 ||
        setenv("AWS_REGION", "us-east-1", 0) != 0)
        return cli_fault(cli, PX_F_OOM, "%s", option);
    *ret_url = px_arena_printf(&cli->arena, "%s://%.*s", scheme,
                               PX_FMT(px_json_str(aws, "prefix")));
    return CLI_OK;
}
