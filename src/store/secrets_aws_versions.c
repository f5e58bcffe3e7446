/* store/secrets_aws_versions.c - the versions of a secret in Secrets Manager: what there is, and the steps of a rotation. */
#include "store/secrets_aws.h"

const char *const secrets_aws_stages[] = {[SECRET_CURRENT] = "AWSCURRENT",
                                          [SECRET_PREVIOUS] = "AWSPREVIOUS",
                                          [SECRET_PENDING] = "AWSPENDING"};

static int64_t time_of(yyjson_val *obj, const char *field)
{
    return (int64_t)(px_json_f64(obj, field, 0) * 1e3) * PX_NS_PER_MS;
}

static unsigned stages_of(yyjson_val *names)
{
    unsigned stages = 0;
    size_t i, n;
    yyjson_val *name;
    px_json_arr_foreach(names, i, n, name)
    {
        for (int stage = SECRET_CURRENT; stage <= SECRET_PENDING; stage++)
            if (px_str_eq(px_json_val_str(name), px_str_c(secrets_aws_stages[stage])))
                stages |= SECRET_BIT(stage);
    }
    return stages;
}

static int add_state(struct secret_info *info, struct px_str id, yyjson_val *stages,
                     int64_t created_ns, struct px_arena *arena)
{
    struct px_str copy = px_arena_dup(arena, id);
    if (!copy.ptr) return px_arena_fault(arena);
    info->versions[info->count++] = (struct secret_state){copy, stages_of(stages), created_ns};
    return 0;
}

/* VersionIdsToStages: {"<id>": ["AWSCURRENT"]} */
static int take_stages(yyjson_val *root, struct px_arena *arena, struct secret_info *info)
{
    yyjson_val *stages = px_json_obj(root, "VersionIdsToStages"), *id, *names;
    size_t i, n;
    info->versions = px_arena_array(arena, struct secret_state, yyjson_obj_size(stages) + 1);
    if (!info->versions) return px_arena_fault(arena);
    px_json_obj_foreach(stages, i, n, id, names)
    {
        PX_TRY(add_state(info, px_json_val_str(id), names, 0, arena));
    }
    return 0;
}

/* The newest page: Secrets Manager removes most old versions by itself. */
static int take_history(struct secret_manager *manager, struct px_str name, struct px_arena *arena,
                        struct secret_info *info)
{
    PX_AUTO(px_arena_deinit_wiped) struct px_arena scratch;
    px_arena_init(&scratch, SECRETS_AWS_SCRATCH_BYTES_MAX);
    PX_AUTO(px_buf_deinit_wiped) struct px_buf body;
    px_buf_init(&body, SECRETS_AWS_BODY_BYTES_MAX);
    yyjson_val *root = NULL, *version;
    size_t i, n;
    secrets_aws_begin(&body, manager, "SecretId", name);
    px_buf_add_c(&body, ",\"IncludeDeprecated\":true,\"MaxResults\":100}");
    int r = secrets_aws_exchange(manager, "ListSecretVersionIds", &body, &scratch, &root);
    if (r == SECRET_EXISTS) return px_fault(PX_F_PROTOCOL, "ListSecretVersionIds: it exists");
    if (r == SECRET_ABSENT) return r;
    PX_TRY(r);
    yyjson_val *versions = px_json_arr(root, "Versions");
    info->count = 0;
    info->versions = px_arena_array(arena, struct secret_state, yyjson_arr_size(versions) + 1);
    if (!info->versions) return px_arena_fault(arena);
    px_json_arr_foreach(versions, i, n, version)
    {
        PX_TRY(add_state(info, px_json_str(version, "VersionId"),
                         px_json_arr(version, "VersionStages"), time_of(version, "CreatedDate"),
                         arena));
    }
    return 0;
}

int secrets_aws_describe(struct secret_store *store, struct px_str name, enum secret_detail detail,
                         struct px_arena *arena, struct secret_info *ret_info)
{
    struct secret_manager *manager = secrets_aws_of(store);
    PX_AUTO(px_arena_deinit_wiped) struct px_arena scratch;
    px_arena_init(&scratch, SECRETS_AWS_SCRATCH_BYTES_MAX);
    PX_AUTO(px_buf_deinit_wiped) struct px_buf body;
    px_buf_init(&body, SECRETS_AWS_BODY_BYTES_MAX);
    yyjson_val *root = NULL;
    secrets_aws_begin(&body, manager, "SecretId", name);
    px_buf_add_char(&body, '}');
    int r = secrets_aws_exchange(manager, "DescribeSecret", &body, &scratch, &root);
    if (r == SECRET_EXISTS) return px_fault(PX_F_PROTOCOL, "DescribeSecret: it exists");
    if (r == SECRET_ABSENT) return r;
    PX_TRY(r);
    struct secret_info info = {.rotated_ns = time_of(root, "LastRotatedDate")};
    if (px_json_bool(root, "RotationEnabled", false))
        info.automatic_days = (int32_t)px_json_i64(px_json_obj(root, "RotationRules"),
                                                   "AutomaticallyAfterDays", 0);
    PX_TRY(take_stages(root, arena, &info));
    if (detail == SECRET_HISTORY) {
        r = take_history(manager, name, arena, &info);
        if (r == SECRET_ABSENT) return r;
        PX_TRY(r);
    }
    *ret_info = info;
    return 0;
}

/* One change; answers as secrets_aws_exchange() does. The body is whole. */
static int change(struct secret_manager *manager, const char *what, struct px_str name,
                  const struct px_buf *body)
{
    PX_AUTO(px_arena_deinit_wiped) struct px_arena scratch;
    px_arena_init(&scratch, SECRETS_AWS_SCRATCH_BYTES_MAX);
    yyjson_val *root = NULL;
    int r = secrets_aws_exchange(manager, what, body, &scratch, &root);
    secrets_aws_forget(manager, name);
    return r;
}

int secrets_aws_put_pending(struct secret_store *store, struct px_str name, struct px_str id,
                            struct px_str value)
{
    struct secret_manager *manager = secrets_aws_of(store);
    PX_AUTO(px_buf_deinit_wiped) struct px_buf body;
    px_buf_init(&body, SECRETS_AWS_BODY_BYTES_MAX);
    secrets_aws_begin(&body, manager, "SecretId", name);
    px_buf_add_c(&body, ",\"ClientRequestToken\":");
    px_buf_add_json_str(&body, id);
    secrets_aws_add_value(&body, value);
    px_buf_add_c(&body, ",\"VersionStages\":[\"AWSPENDING\"]}");
    int r = change(manager, "PutSecretValue", name, &body);
    if (r == SECRET_EXISTS) return SECRET_TAKEN;
    if (r == SECRET_ABSENT) return r;
    PX_TRY(r);
    return 0;
}

struct move {
    const char *stage;
    struct px_str to, from; /* one of them may be empty */
};

/* Answers: SECRET_ABSENT. */
static int move_stage(struct secret_manager *manager, struct px_str name, const struct move *move)
{
    PX_AUTO(px_buf_deinit_wiped) struct px_buf body;
    px_buf_init(&body, SECRETS_AWS_BODY_BYTES_MAX);
    secrets_aws_begin(&body, manager, "SecretId", name);
    px_buf_printf(&body, ",\"VersionStage\":\"%s\"", move->stage);
    if (move->to.len > 0) {
        px_buf_add_c(&body, ",\"MoveToVersionId\":");
        px_buf_add_json_str(&body, move->to);
    }
    if (move->from.len > 0) {
        px_buf_add_c(&body, ",\"RemoveFromVersionId\":");
        px_buf_add_json_str(&body, move->from);
    }
    px_buf_add_char(&body, '}');
    int r = change(manager, "UpdateSecretVersionStage", name, &body);
    if (r == SECRET_EXISTS) return px_fault(PX_F_PROTOCOL, "UpdateSecretVersionStage: it exists");
    if (r == SECRET_ABSENT) return r;
    PX_TRY(r);
    return 0;
}

static const struct secret_state *state_by_id(const struct secret_info *info, struct px_str id)
{
    for (size_t i = 0; i < info->count; i++)
        if (px_str_eq(info->versions[i].id, id)) return &info->versions[i];
    return NULL;
}

/* AWSPREVIOUS follows by itself. The label AWSPENDING may stay with what has become current, for Secrets Manager counts
 * that as ended; taking it away is for whoever looks. */
int secrets_aws_promote(struct secret_store *store, struct px_str name, struct px_str id)
{
    struct secret_manager *manager = secrets_aws_of(store);
    PX_AUTO(px_arena_deinit_wiped) struct px_arena scratch;
    px_arena_init(&scratch, SECRETS_AWS_SCRATCH_BYTES_MAX);
    struct secret_info info = {0};
    int r = secrets_aws_describe(store, name, SECRET_STAGES, &scratch, &info);
    if (r == SECRET_ABSENT) return r;
    PX_TRY(r);
    const struct secret_state *version = state_by_id(&info, id);
    const struct secret_state *current = secret_at(&info, SECRET_CURRENT);
    if (!version || version->stages == 0) return SECRET_ABSENT;
    if (version != current) {
        const struct move move = {secrets_aws_stages[SECRET_CURRENT], id,
                                  current ? current->id : (struct px_str){0}};
        r = move_stage(manager, name, &move);
        if (r == SECRET_ABSENT) return r;
        PX_TRY(r);
    }
    if (!(version->stages & SECRET_BIT(SECRET_PENDING))) return 0;
    r = move_stage(manager, name, &(struct move){secrets_aws_stages[SECRET_PENDING], .from = id});
    if (r != SECRET_ABSENT) PX_TRY(r);
    return 0;
}

int secrets_aws_abandon(struct secret_store *store, struct px_str name, struct px_str id)
{
    PX_AUTO(px_arena_deinit_wiped) struct px_arena scratch;
    px_arena_init(&scratch, SECRETS_AWS_SCRATCH_BYTES_MAX);
    struct secret_info info = {0};
    int r = secrets_aws_describe(store, name, SECRET_STAGES, &scratch, &info);
    if (r == SECRET_ABSENT) return r;
    PX_TRY(r);
    const struct secret_state *version = state_by_id(&info, id);
    if (!version || !(version->stages & SECRET_BIT(SECRET_PENDING))) return SECRET_ABSENT;
    return move_stage(secrets_aws_of(store), name,
                      &(struct move){secrets_aws_stages[SECRET_PENDING], .from = id});
}

/* Names of one page below the prefix; ret_next: empty behind the last page. */
static int list_page(struct secret_manager *manager, struct px_str next, struct px_arena *arena,
                     struct px_str *names, size_t *count, struct px_str *ret_next)
{
    PX_AUTO(px_arena_deinit_wiped) struct px_arena scratch;
    px_arena_init(&scratch, SECRETS_AWS_SCRATCH_BYTES_MAX);
    PX_AUTO(px_buf_deinit_wiped) struct px_buf body;
    px_buf_init(&body, SECRETS_AWS_BODY_BYTES_MAX);
    yyjson_val *root = NULL, *secret;
    size_t i, n;
    px_buf_add_c(&body, "{\"MaxResults\":100");
    if (manager->prefix[0]) { /* of any word of the name, so it is looked at again */
        px_buf_add_c(&body, ",\"Filters\":[{\"Key\":\"name\",\"Values\":[");
        px_buf_add_json_str(&body, px_str_c(manager->prefix));
        px_buf_add_c(&body, "]}]");
    }
    if (next.len > 0) {
        px_buf_add_c(&body, ",\"NextToken\":");
        px_buf_add_json_str(&body, next);
    }
    px_buf_add_char(&body, '}');
    int r = secrets_aws_exchange(manager, "ListSecrets", &body, &scratch, &root);
    if (r > 0) return px_fault(PX_F_PROTOCOL, "ListSecrets: no answer to that");
    PX_TRY(r);
    px_json_arr_foreach(px_json_arr(root, "SecretList"), i, n, secret)
    {
        struct px_str name = px_json_str(secret, "Name"), prefix = px_str_c(manager->prefix);
        if (!px_str_starts(name, prefix) || !secret_name_ok(px_str_skip(name, prefix.len)))
            continue;
        if (*count == SECRETS_MAX) return px_fault(PX_F_LIMIT, "more than %u secrets", SECRETS_MAX);
        names[*count] = px_arena_dup(arena, px_str_skip(name, prefix.len));
        if (!names[(*count)++].ptr) return px_arena_fault(arena);
    }
    *ret_next = px_arena_dup(arena, px_json_str(root, "NextToken"));
    return 0;
}

int secrets_aws_list(struct secret_store *store, struct px_arena *arena, struct px_str **ret_names,
                     size_t *ret_count)
{
    struct px_str *names = px_arena_array(arena, struct px_str, SECRETS_MAX), next = {0};
    size_t count = 0;
    if (!names) return px_arena_fault(arena);
    do PX_TRY(list_page(secrets_aws_of(store), next, arena, names, &count, &next));
    while (next.len > 0);
    *ret_names = names;
    *ret_count = count;
    return 0;
}

int secrets_aws_rotate(struct secret_store *store, struct px_str name, struct px_str id)
{
    struct secret_manager *manager = secrets_aws_of(store);
    PX_AUTO(px_buf_deinit_wiped) struct px_buf body;
    px_buf_init(&body, SECRETS_AWS_BODY_BYTES_MAX);
    secrets_aws_begin(&body, manager, "SecretId", name);
    px_buf_add_c(&body, ",\"ClientRequestToken\":");
    px_buf_add_json_str(&body, id);
    px_buf_add_c(&body, ",\"RotateImmediately\":true}");
    int r = change(manager, "RotateSecret", name, &body);
    if (r == SECRET_EXISTS) return px_fault(PX_F_PROTOCOL, "RotateSecret: it exists");
    if (r == SECRET_ABSENT) return r;
    PX_TRY(r);
    return 0;
}
