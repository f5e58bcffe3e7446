/* delivery/rollout/target_machine.c - versions and aliases of state machines, in Step Functions' JSON protocol.
 *
 * An alias has one or two versions with weights that add up to 100, and no revision: the order in which they were written is kept where
 * it is known, and the caller knows which of them is the old one. Source: Step Functions API reference. */
#include "delivery/rollout/target_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define SERVICE "AWSStepFunctions."
#define MACHINES_MAX 1000
#define VERSIONS_MAX 1000 /* Step Functions' quota */
#define BODY_BYTES_MAX ((size_t)8 << 20)

static int call(struct rollout_target *target, const char *action, struct px_str body,
                struct px_arena *arena, yyjson_val **ret_root)
{
    int r = target_json_call(target, target->service, SERVICE, action, body, arena, ret_root);
    if (r != 0) return r;
    return *ret_root ? 0 : px_fault(PX_F_PROTOCOL, "%s: an empty answer", action);
}

/* ---- names ---- */

/* In a local region by the catalogue's name as well, which stands behind the prefix. */
static bool is_named(const struct rollout_target *target, struct px_str full, struct px_str name)
{
    if (px_str_eq(full, name)) return true;
    return target->is_local && px_str_ends(full, name) && full.len > name.len &&
           full.ptr[full.len - name.len - 1] == '-';
}

/* One page of ListStateMachines or ListStateMachineVersions. */
static int list_page(struct rollout_target *target, const char *action, struct px_str arn,
                     struct px_str token, struct px_arena *arena, yyjson_val **ret_root)
{
    PX_AUTO(px_buf_deinit) struct px_buf body;
    px_buf_init(&body, 8192);
    px_buf_add_c(&body, "{\"maxResults\":1000");
    if (arn.len) {
        px_buf_add_c(&body, ",\"stateMachineArn\":");
        px_buf_add_json_str(&body, arn);
    }
    if (token.len) {
        px_buf_add_c(&body, ",\"nextToken\":");
        px_buf_add_json_str(&body, token);
    }
    px_buf_add_c(&body, "}");
    PX_TRY(px_buf_fault(&body));
    return call(target, action, px_buf_str(&body), arena, ret_root);
}

static int remember(struct rollout_target *target, struct px_str name, struct px_str arn)
{
    if (name.len >= sizeof target->machine || arn.len >= sizeof target->arn)
        return px_fault(PX_F_LIMIT, "a machine's name of %zu bytes", name.len);
    (void)snprintf(target->machine, sizeof target->machine, "%.*s", PX_FMT(name));
    (void)snprintf(target->arn, sizeof target->arn, "%.*s", PX_FMT(arn));
    return 0;
}

int machine_arn(struct rollout_target *target, struct px_str name, struct px_arena *arena,
                struct px_str *ret_arn)
{
    struct px_str token = {0};
    size_t i, n;
    if (px_str_eq(name, px_str_c(target->machine))) {
        *ret_arn = px_str_c(target->arn);
        return 0;
    }
    do {
        yyjson_val *root = NULL, *item;
        int r = list_page(target, "ListStateMachines", S(""), token, arena, &root);
        if (r != 0) return r;
        px_json_arr_foreach(px_json_arr(root, "stateMachines"), i, n, item)
        {
            if (!is_named(target, px_json_str(item, "name"), name)) continue;
            PX_TRY(remember(target, name, px_json_str(item, "stateMachineArn")));
            *ret_arn = px_str_c(target->arn);
            return 0;
        }
        token = px_json_str(root, "nextToken");
    } while (token.len > 0);
    (void)snprintf(target->why, sizeof target->why, "there is no state machine %.*s", PX_FMT(name));
    return TARGET_ABSENT;
}

int machine_names(struct rollout_target *target, struct px_str prefix, struct px_arena *arena,
                  struct px_str **ret_names, size_t *ret_count)
{
    struct px_str *names = px_arena_array(arena, struct px_str, MACHINES_MAX), token = {0};
    size_t count = 0, i, n;
    if (!names) return px_arena_fault(arena);
    do {
        yyjson_val *root = NULL, *item;
        int r = list_page(target, "ListStateMachines", S(""), token, arena, &root);
        if (r != 0) return r;
        px_json_arr_foreach(px_json_arr(root, "stateMachines"), i, n, item)
        {
            struct px_str name = px_json_str(item, "name");
            if (px_str_starts(name, prefix) && count < MACHINES_MAX) names[count++] = name;
        }
        token = px_json_str(root, "nextToken");
    } while (token.len > 0);
    *ret_names = names;
    *ret_count = count;
    return 0;
}

/* ---- versions ---- */

/* The number behind the last colon. */
static bool number_of(struct px_str arn, int64_t *ret_number)
{
    const char *colon = arn.len ? memrchr(arn.ptr, ':', arn.len) : NULL;
    return colon && px_str_to_i64(px_str_skip(arn, (size_t)(colon - arn.ptr) + 1), ret_number) &&
           *ret_number > 0;
}

int machine_versions(struct rollout_target *target, struct px_str name, struct px_arena *arena,
                     struct target_version **ret_versions, size_t *ret_count)
{
    struct target_version *versions = px_arena_array(arena, struct target_version, VERSIONS_MAX);
    struct px_str token = {0}, arn = {0};
    size_t count = 0, i, n;
    if (!versions) return px_arena_fault(arena);
    int r = machine_arn(target, name, arena, &arn);
    if (r != 0) return r;
    do {
        yyjson_val *root = NULL, *item;
        r = list_page(target, "ListStateMachineVersions", arn, token, arena, &root);
        if (r != 0) return r;
        px_json_arr_foreach(px_json_arr(root, "stateMachineVersions"), i, n, item)
        {
            struct target_version version = {0};
            if (count == VERSIONS_MAX ||
                !number_of(px_json_str(item, "stateMachineVersionArn"), &version.number))
                return px_fault(PX_F_PROTOCOL, "ListStateMachineVersions: no such version");
            versions[count++] = version;
        }
        token = px_json_str(root, "nextToken");
    } while (token.len > 0);
    if (count > 1) qsort(versions, count, sizeof *versions, target_by_number);
    *ret_versions = versions;
    *ret_count = count;
    return 0;
}

int machine_update(struct rollout_target *target, struct px_str name, struct px_str definition,
                   struct px_arena *arena)
{
    yyjson_val *root = NULL;
    struct px_str arn = {0};
    PX_AUTO(px_buf_deinit) struct px_buf body;
    px_buf_init(&body, BODY_BYTES_MAX);
    int r = machine_arn(target, name, arena, &arn);
    if (r != 0) return r;
    px_buf_add_c(&body, "{\"stateMachineArn\":");
    px_buf_add_json_str(&body, arn);
    px_buf_add_c(&body, ",\"definition\":");
    px_buf_add_json_str(&body, definition);
    px_buf_add_c(&body, "}");
    PX_TRY(px_buf_fault(&body));
    return call(target, "UpdateStateMachine", px_buf_str(&body), arena, &root);
}

int machine_publish(struct rollout_target *target, struct px_str name, struct px_arena *arena,
                    int64_t *ret_number)
{
    yyjson_val *root = NULL;
    struct px_str arn = {0};
    int r = machine_arn(target, name, arena, &arn);
    if (r != 0) return r;
    struct px_str body = target_json_object(arena, "stateMachineArn", arn);
    if (!body.ptr) return px_arena_fault(arena);
    r = call(target, "PublishStateMachineVersion", body, arena, &root);
    if (r != 0) return r;
    return number_of(px_json_str(root, "stateMachineVersionArn"), ret_number)
               ? 0
               : px_fault(PX_F_PROTOCOL, "PublishStateMachineVersion: no version's number");
}

int machine_delete_version(struct rollout_target *target, struct px_str name, int64_t number,
                           struct px_arena *arena)
{
    yyjson_val *root = NULL;
    struct px_str arn = {0};
    int r = machine_arn(target, name, arena, &arn);
    if (r != 0) return r;
    struct px_str version = px_arena_printf(arena, "%.*s:%lld", PX_FMT(arn), (long long)number);
    struct px_str body = target_json_object(arena, "stateMachineVersionArn", version);
    if (!body.ptr) return px_arena_fault(arena);
    return call(target, "DeleteStateMachineVersion", body, arena, &root);
}

/* ---- alias ---- */

static int read_routes(yyjson_val *routes, struct target_alias *alias)
{
    yyjson_val *first = yyjson_arr_get_first(routes), *second = yyjson_arr_get(routes, 1);
    if (!number_of(px_json_str(first, "stateMachineVersionArn"), &alias->main) ||
        (second && !number_of(px_json_str(second, "stateMachineVersionArn"), &alias->other)))
        return px_fault(PX_F_PROTOCOL, "DescribeStateMachineAlias: a route to no version");
    alias->weight = second ? (double)px_json_i64(second, "weight", 0) / 100 : 0;
    return 0;
}

int machine_alias(struct rollout_target *target, struct px_str name, struct px_str alias,
                  struct px_arena *arena, struct target_alias *ret_alias)
{
    yyjson_val *root = NULL;
    struct px_str arn = {0};
    struct target_alias found = {.revision = S("")};
    int r = machine_arn(target, name, arena, &arn);
    if (r != 0) return r;
    struct px_str full = px_arena_printf(arena, "%.*s:%.*s", PX_FMT(arn), PX_FMT(alias));
    struct px_str body = target_json_object(arena, "stateMachineAliasArn", full);
    if (!body.ptr) return px_arena_fault(arena);
    r = call(target, "DescribeStateMachineAlias", body, arena, &root);
    if (r != 0) return r;
    PX_TRY(read_routes(px_json_arr(root, "routingConfiguration"), &found));
    *ret_alias = found;
    return 0;
}

static void add_route(struct px_buf *body, struct px_str arn, int64_t version, long weight)
{
    struct px_buf text;
    px_buf_init(&text, 1024);
    px_buf_printf(&text, "%.*s:%lld", PX_FMT(arn), (long long)version);
    px_buf_add_c(body, "{\"stateMachineVersionArn\":");
    px_buf_add_json_str(body, px_buf_str(&text));
    px_buf_printf(body, ",\"weight\":%ld}", weight);
    px_buf_deinit(&text);
}

int machine_set_alias(struct rollout_target *target, struct px_str name, struct px_str alias,
                      const struct target_alias *wanted, struct px_arena *arena)
{
    yyjson_val *root = NULL;
    struct px_str arn = {0};
    long weight = wanted->other ? lround(wanted->weight * 100) : 0;
    PX_AUTO(px_buf_deinit) struct px_buf body;
    px_buf_init(&body, 8192);
    int r = machine_arn(target, name, arena, &arn);
    if (r != 0) return r;
    struct px_str full = px_arena_printf(arena, "%.*s:%.*s", PX_FMT(arn), PX_FMT(alias));
    if (!full.ptr) return px_arena_fault(arena);
    px_buf_add_c(&body, "{\"stateMachineAliasArn\":");
    px_buf_add_json_str(&body, full);
    px_buf_add_c(&body, ",\"routingConfiguration\":[");
    add_route(&body, arn, wanted->main, 100 - weight);
    if (wanted->other) {
        px_buf_add_c(&body, ",");
        add_route(&body, arn, wanted->other, weight);
    }
    px_buf_add_c(&body, "]}");
    PX_TRY(px_buf_fault(&body));
    return call(target, "UpdateStateMachineAlias", px_buf_str(&body), arena, &root);
}
