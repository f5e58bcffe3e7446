/* cli/restrict.c - see restrict.h. */
#include "cli/restrict.h"

#include "lambda/restriction.h"

int restrict_write(struct cli *cli, const char *json, struct px_buf *body)
{
    struct restriction restriction;
    struct px_str text;
    yyjson_val *root = NULL;
    const char *why = "it is no JSON";
    if (!json) return CLI_OK;
    int r = px_json_parse(px_str_c(json), &cli->arena, &root, NULL);
    if (r == 0) r = restriction_take(root, &cli->arena, &restriction, &text, &why);
    if (r > 0) return cli_fail(cli, CLI_USAGE, "--restrict: %s", why);
    if (r < 0) return cli_fault(cli, r, "--restrict");
    px_buf_add_c(body, ",\"restriction\":");
    px_buf_add_str(body, text);
    return CLI_OK;
}
