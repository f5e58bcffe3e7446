/* cli/verb_token.c - `prism token create|inspect`: a signed token of a key, and what a token says. */
#include "cli/remote.h"
#include "cli/restrict.h"
#include "cli/table.h"
#include "cli/verbs.h"
#include "svc/security/token.h"

#define CALL_TIMEOUT_MS 30000

/* ---- create ---- */

struct token_values {
    const char *scopes, *restrict_to;
    int64_t life_ms;
};
static const struct cli_option create_options[] = {
    {"scopes", 's', CLI_TEXT, offsetof(struct token_values, scopes), "LIST",
     "what it may: ingest, query, with commas (default all that the key may, but admin)", NULL, 0,
     0},
    {"expires-in", 'e', CLI_TIME, offsetof(struct token_values, life_ms), "TIME",
     "how long it lives, 24h at most (default 1h)", NULL, 1000, 86400000},
    RESTRICT_OPTION(struct token_values),
};

static int write_wish(struct cli *cli, const struct token_values *v, struct px_buf *body)
{
    struct px_str rest = px_str_c(v->scopes), scope;
    px_buf_printf(body, "{\"expires_in_s\":%lld", (long long)(v->life_ms / 1000));
    for (const char *lead = ",\"scopes\":["; rest.len > 0; lead = ",") {
        px_str_cut(&rest, ',', &scope);
        px_buf_add_c(body, lead);
        px_buf_add_json_str(body, px_str_trim(scope));
    }
    px_buf_add_c(body, v->scopes ? "]" : "");
    int exit = restrict_write(cli, v->restrict_to, body);
    px_buf_add_char(body, '}');
    return exit;
}

static int run_create(struct cli *cli, const void *values, int arg_count, char **args)
{
    (void)arg_count, (void)args;
    struct remote remote;
    yyjson_val *root = NULL;
    struct px_str text;
    PX_AUTO(px_buf_deinit) struct px_buf body;
    px_buf_init(&body, 64 * 1024);
    int exit = write_wish(cli, values, &body);
    if (exit == CLI_OK) exit = remote_open(cli, "tenant.key", CALL_TIMEOUT_MS, &remote);
    if (exit != CLI_OK) return exit;
    const struct remote_call call = {
        .method = "POST", .path = S("/v1/tokens"), .body = px_buf_str(&body)};
    exit = remote_json(&remote, &call, &root, &text);
    remote_close(&remote);
    if (exit != CLI_OK) return exit;
    if (cli->json) {
        (void)fprintf(cli->out, "%.*s\n", PX_FMT(text));
        return CLI_OK;
    }
    (void)fprintf(cli->out, "%.*s\n", PX_FMT(px_json_str(root, "token")));
    (void)fprintf(cli->err, "This token of tenant %.*s ends at %.*s, or with the key %.*s.\n",
                  PX_FMT(px_json_str(root, "tenant")), PX_FMT(px_json_str(root, "expires")),
                  PX_FMT(px_json_str(root, "key_id")));
    return CLI_OK;
}

static const struct token_values create_defaults = {.life_ms = TOKEN_LIFE_S_DEFAULT * 1000};
static const struct cli_verb create = {
    .name = "create",
    .arguments = "",
    .summary = "a signed token that may what the key may, or less, for a while",
    CLI_OPTIONS(create_options),
    .values_bytes = sizeof(struct token_values),
    .defaults = &create_defaults,
    .run = run_create,
};

/* ---- inspect ---- */

static struct px_str read_token(struct cli *cli, const char *argument)
{
    char line[TOKEN_BYTES_MAX + 2];
    if (strcmp(argument, "-") != 0) return px_str_trim(px_str_c(argument));
    if (!fgets(line, sizeof line, stdin)) return (struct px_str){0};
    return px_arena_dup(&cli->arena, px_str_trim(px_str_c(line)));
}

/* A moment as people write it, beside the number. */
static void print_claim(struct cli *cli, yyjson_val *claims, const char *name, const char *what)
{
    char time[32];
    yyjson_val *value = yyjson_obj_get(claims, name);
    if (yyjson_is_int(value)) {
        int64_t s = yyjson_get_sint(value);
        bool fits = s >= 0 && s < INT64_C(9000000000);
        struct px_str text = fits ? px_time_format(s * PX_NS_PER_S, 0, time) : S("?");
        (void)fprintf(cli->out, "%-8s %.*s\n", what, PX_FMT(text));
    } else if (yyjson_is_str(value)) {
        (void)fprintf(cli->out, "%-8s %.*s\n", what, PX_FMT(px_json_val_str(value)));
    } else if (yyjson_is_obj(value)) {
        struct px_str text = table_cell(&cli->arena, value);
        (void)fprintf(cli->out, "%-8s %.*s\n", what, PX_FMT(text));
    }
}

static int run_inspect(struct cli *cli, const void *values, int arg_count, char **args)
{
    static const char *const names[][2] = {
        {"sub", "tenant"}, {"scope", "scopes"}, {"restriction", "only"}, {"key", "key"},
        {"jti", "id"},     {"aud", "for"},      {"iat", "issued"},       {"exp", "expires"}};
    (void)values, (void)arg_count;
    struct token_parts parts;
    yyjson_val *header = NULL, *claims = NULL;
    int r = token_split(read_token(cli, args[0]), &cli->arena, &parts);
    if (r == 0) r = px_json_parse(parts.header, &cli->arena, &header, NULL);
    if (r == 0) r = px_json_parse(parts.claims, &cli->arena, &claims, NULL);
    if (r < 0) return cli_fault(cli, r, "token");
    if (r > 0 || !yyjson_is_obj(header) || !yyjson_is_obj(claims)) {
        return cli_fail(cli, CLI_FAILED,
                        "this is no token: three parts of base64url with dots, the first two JSON "
                        "objects");
    }
    if (cli->json) {
        (void)fprintf(cli->out, "{\"header\":%.*s,\"claims\":%.*s,\"verified\":false}\n",
                      PX_FMT(parts.header), PX_FMT(parts.claims));
        return CLI_OK;
    }
    for (size_t i = 0; i < PX_COUNT(names); i++) print_claim(cli, claims, names[i][0], names[i][1]);
    print_claim(cli, header, "kid", "signed");
    (void)fprintf(
        cli->err,
        "The signature was not looked at: only the region can tell whether it is good.\n");
    return CLI_OK;
}

static const struct cli_verb inspect = {
    .name = "inspect",
    .arguments = "TOKEN|-",
    .summary = "what a token says, without asking whether it is good",
    .args_min = 1,
    .args_max = 1,
    .run = run_inspect,
};

static const struct cli_verb *const verbs[] = {&create, &inspect, NULL};
const struct cli_verb verb_token = {
    .name = "token",
    .arguments = "VERB ...",
    .summary = "create signed tokens and look into them",
    .verbs = verbs,
};
