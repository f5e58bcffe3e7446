/* store/secrets_aws.c - secrets in Secrets Manager; docs: secrets.h, docs/design/aws.md.
 *
 * A value that was asked for is kept in `kept`, also that there is none. Its ages:
 *   up to again_ms   given, whatever a caller suspects
 *   up to keep_ms    given, unless a caller doubts it (secret_doubt), or changed it here
 *   up to an hour    given only when Secrets Manager cannot be reached */
#include <stdlib.h>

#include "aws/client.h"
#include "aws/shared.h"
#include "base/px_id.h"
#include "base/px_json.h"
#include "store/secrets_half.h"

#include <aws/common/encoding.h>

#define KEPT_MAX 16u /* values; Prism has a handful of secrets */
#define NAME_BYTES_MAX 512u
#define KEEP_MS_DEFAULT (5u * 60u * 1000u)
#define AGAIN_MS_DEFAULT (10u * 1000u)
#define STALE_NS_MAX (INT64_C(3600) * PX_NS_PER_S)
#define SCRATCH_BYTES_MAX ((size_t)4 << 20)
#define BODY_BYTES_MAX ((size_t)1 << 20) /* 64 KiB, each byte escaped, and more */
#define TOKEN_BYTES 32                   /* hex digits */

struct kept {
    char name[201];
    enum secret_version version;
    bool used, doubted, absent;
    int64_t asked_ns;
    char *value; /* or NULL */
    size_t bytes;
};
struct secret_manager {
    struct secret_store store; /* first: the header's functions know only this */
    struct cloud_shared own;   /* where nobody shares */
    struct cloud_client *client;
    struct secret_options options; /* with the defaults filled in */
    char prefix[NAME_BYTES_MAX];
    struct kept kept[KEPT_MAX];
};

static struct secret_manager *manager_of(struct secret_store *store)
{
    return (struct secret_manager *)store;
}

static const char *const stage_names[] = {[SECRET_CURRENT] = "AWSCURRENT",
                                          [SECRET_PREVIOUS] = "AWSPREVIOUS",
                                          [SECRET_PENDING] = "AWSPENDING"};

/* ---- what is kept ---- */

static int64_t age_ns(const struct secret_manager *manager, const struct kept *kept)
{
    return px_mono_ns(manager->options.clock) - kept->asked_ns;
}

static void kept_clear(struct kept *kept)
{
    if (kept->value) explicit_bzero(kept->value, kept->bytes);
    free(kept->value);
    *kept = (struct kept){0};
}

static struct kept *kept_find(struct secret_manager *manager, struct px_str name,
                              enum secret_version version)
{
    for (size_t i = 0; i < KEPT_MAX; i++) {
        struct kept *kept = &manager->kept[i];
        if (kept->used && kept->version == version && px_str_eq(name, px_str_c(kept->name)))
            return kept;
    }
    return NULL;
}

/* A place for it: its own, a free one, or the oldest's. */
static struct kept *kept_place(struct secret_manager *manager, struct px_str name,
                               enum secret_version version)
{
    struct kept *place = kept_find(manager, name, version);
    for (size_t i = 0; !place && i < KEPT_MAX; i++)
        if (!manager->kept[i].used) place = &manager->kept[i];
    if (!place) {
        place = &manager->kept[0];
        for (size_t i = 1; i < KEPT_MAX; i++)
            if (manager->kept[i].asked_ns < place->asked_ns) place = &manager->kept[i];
    }
    kept_clear(place);
    return place;
}

/* value.ptr NULL: there is none. Without memory nothing is kept. */
static void keep(struct secret_manager *manager, struct px_str name, enum secret_version version,
                 struct px_str value)
{
    if (version == SECRET_PENDING) return; /* one step asks what another has just put */
    struct kept *kept = kept_place(manager, name, version);
    char *copy = value.ptr ? malloc(value.len) : NULL;
    if (value.ptr && !copy) return;
    if (copy) memcpy(copy, value.ptr, value.len);
    kept->used = true;
    kept->absent = !copy;
    kept->version = version;
    kept->value = copy;
    kept->bytes = value.len;
    kept->asked_ns = px_mono_ns(manager->options.clock);
    memcpy(kept->name, name.ptr, name.len);
}

static void forget(struct secret_manager *manager, struct px_str name)
{
    for (int version = SECRET_CURRENT; version <= SECRET_PREVIOUS; version++) {
        struct kept *kept = kept_find(manager, name, (enum secret_version)version);
        if (kept) kept_clear(kept);
    }
}

static int give(const struct kept *kept, struct px_arena *arena, struct px_str *ret_value)
{
    if (kept->absent) return SECRET_ABSENT;
    struct px_str copy = px_arena_dup(arena, px_str(kept->value, kept->bytes));
    if (!copy.ptr) return px_arena_fault(arena);
    *ret_value = copy;
    return 0;
}

/* ---- one request ---- */

/* {"SecretId"|"Name":"<prefix>/<name>" */
static void request_begin(struct px_buf *body, const struct secret_manager *manager,
                          const char *field, struct px_str name)
{
    char full[2 * NAME_BYTES_MAX];
    int n = snprintf(full, sizeof full, "%s%.*s", manager->prefix, PX_FMT(name));
    PX_ASSERT(n > 0 && (size_t)n < sizeof full);
    px_buf_printf(body, "{\"%s\":", field);
    px_buf_add_json_str(body, px_str(full, (size_t)n));
}

/* The same token makes a repetition of the same request harmless. */
static void add_token(struct px_buf *body)
{
    unsigned char raw[TOKEN_BYTES / 2];
    char token[TOKEN_BYTES + 1];
    px_random(raw, sizeof raw);
    px_hex(raw, sizeof raw, token);
    px_buf_printf(body, ",\"ClientRequestToken\":\"%s\"", token);
}

static void add_value(struct px_buf *body, struct px_str value)
{
    px_buf_add_char(body, ',');
    if (px_utf8_ok(value)) {
        px_buf_add_c(body, "\"SecretString\":");
        px_buf_add_json_str(body, value);
    } else {
        px_buf_add_c(body, "\"SecretBinary\":\"");
        px_buf_add_base64(body, value);
        px_buf_add_char(body, '"');
    }
}

/* Answers: SECRET_ABSENT, SECRET_EXISTS. */
static int exchange(struct secret_manager *manager, const char *what, const struct px_buf *body,
                    struct px_arena *scratch, yyjson_val **ret_root)
{
    char target[64];
    (void)snprintf(target, sizeof target, "secretsmanager.%s", what);
    struct cloud_header headers[] = {{S("X-Amz-Target"), px_str_c(target)},
                                     {S("Content-Type"), S("application/x-amz-json-1.1")}};
    struct cloud_request request = {.what = what,
                                    .method = "POST",
                                    .path = S("/"),
                                    .headers = headers,
                                    .header_count = PX_COUNT(headers),
                                    .body = px_buf_str(body),
                                    .deadline_ms = manager->options.call_ms,
                                    .body_bytes_max = BODY_BYTES_MAX,
                                    .secret = true};
    struct cloud_response response = {0};
    if (px_buf_fault(body)) return px_fault(px_buf_fault(body), "%s: a request", what);
    int r = cloud_call(manager->client, &request, scratch, &response);
    if (r == CLOUD_REFUSED && px_str_eq(response.error, S("ResourceNotFoundException")))
        return SECRET_ABSENT;
    if (r == CLOUD_REFUSED && px_str_eq(response.error, S("ResourceExistsException")))
        return SECRET_EXISTS;
    if (r == CLOUD_REFUSED)
        return px_fault(PX_F_PROTOCOL, "%s: %d %.*s", what, response.status,
                        PX_FMT(response.error));
    PX_TRY(r);
    r = px_json_parse(response.body, scratch, ret_root, NULL);
    if (r == PX_JSON_INVALID) return px_fault(PX_F_PROTOCOL, "%s: the answer is not JSON", what);
    PX_TRY(r);
    return 0;
}

static void buf_wipe(struct px_buf *buf)
{
    secret_wipe(px_str(buf->ptr, buf->cap));
    px_buf_deinit(buf);
}

/* ---- getting ---- */

static int value_of(yyjson_val *root, struct px_arena *scratch, struct px_str *ret_value)
{
    struct px_str text = px_json_str(root, "SecretString");
    struct px_str encoded = px_json_str(root, "SecretBinary");
    if (text.len > 0) {
        *ret_value = text;
        return 0;
    }
    struct aws_byte_cursor in = aws_byte_cursor_from_array(encoded.ptr, encoded.len);
    char *room = px_arena_alloc(scratch, encoded.len + 1);
    if (!room) return px_arena_fault(scratch);
    struct aws_byte_buf out = aws_byte_buf_from_empty_array(room, encoded.len + 1);
    if (encoded.len == 0 || aws_base64_decode(&in, &out) != 0)
        return px_fault(PX_F_PROTOCOL, "GetSecretValue: no value");
    *ret_value = px_str(room, out.len);
    return 0;
}

/* Ask, and keep what comes. Answers: SECRET_ABSENT. */
static int ask(struct secret_manager *manager, struct px_str name, enum secret_version version,
               struct px_arena *arena, struct px_str *ret_value)
{
    PX_AUTO(px_arena_deinit_wiped) struct px_arena scratch;
    px_arena_init(&scratch, SCRATCH_BYTES_MAX);
    PX_AUTO(buf_wipe) struct px_buf body;
    px_buf_init(&body, BODY_BYTES_MAX);
    yyjson_val *root = NULL;
    struct px_str value = {0};
    request_begin(&body, manager, "SecretId", name);
    px_buf_printf(&body, ",\"VersionStage\":\"%s\"}", stage_names[version]);
    int r = exchange(manager, "GetSecretValue", &body, &scratch, &root);
    if (r == SECRET_ABSENT) {
        keep(manager, name, version, (struct px_str){0});
        return r;
    }
    PX_TRY(r);
    PX_TRY(value_of(root, &scratch, &value));
    keep(manager, name, version, value);
    value = px_arena_dup(arena, value);
    if (!value.ptr) return px_arena_fault(arena);
    *ret_value = value;
    return 0;
}

static bool is_passing(int fault)
{
    return fault == PX_F_UNAVAILABLE || fault == PX_F_TIMEOUT || fault == PX_F_BUSY;
}

static int manager_get(struct secret_store *store, struct px_str name, enum secret_version version,
                       struct px_arena *arena, struct px_str *ret_value)
{
    struct secret_manager *manager = manager_of(store);
    const struct kept *kept = kept_find(manager, name, version);
    int64_t fresh_ns = manager->options.keep_ms * PX_NS_PER_MS;
    if (kept && !kept->doubted && age_ns(manager, kept) < fresh_ns)
        return give(kept, arena, ret_value);
    int r = ask(manager, name, version, arena, ret_value);
    if (r == SECRET_ABSENT) return r;
    kept = kept_find(manager, name, version);
    if (is_passing(r) && kept && !kept->absent && age_ns(manager, kept) < STALE_NS_MAX)
        return give(kept, arena, ret_value);
    PX_TRY(r);
    return 0;
}

static bool manager_doubt(struct secret_store *store, struct px_str name)
{
    struct secret_manager *manager = manager_of(store);
    int64_t again_ns = manager->options.again_ms * PX_NS_PER_MS;
    bool any = false;
    for (int version = SECRET_CURRENT; version <= SECRET_PREVIOUS; version++) {
        struct kept *kept = kept_find(manager, name, (enum secret_version)version);
        if (!kept || age_ns(manager, kept) < again_ns) continue;
        kept->doubted = true;
        any = true;
    }
    return any;
}

/* ---- putting ---- */

static int manager_make(struct secret_store *store, struct px_str name, struct px_str value)
{
    struct secret_manager *manager = manager_of(store);
    PX_AUTO(px_arena_deinit_wiped) struct px_arena scratch;
    px_arena_init(&scratch, SCRATCH_BYTES_MAX);
    PX_AUTO(buf_wipe) struct px_buf body;
    px_buf_init(&body, BODY_BYTES_MAX);
    yyjson_val *root = NULL;
    request_begin(&body, manager, "Name", name);
    add_token(&body);
    add_value(&body, value);
    px_buf_add_char(&body, '}');
    int r = exchange(manager, "CreateSecret", &body, &scratch, &root);
    forget(manager, name);
    if (r == SECRET_ABSENT) return px_fault(PX_F_PROTOCOL, "CreateSecret: not found");
    if (r == SECRET_EXISTS) return r;
    PX_TRY(r);
    keep(manager, name, SECRET_CURRENT, value); /* it may take a moment to be found */
    return 0;
}

/* Answers: SECRET_ABSENT. */
static int put_value(struct secret_manager *manager, struct px_str name, struct px_str value)
{
    PX_AUTO(px_arena_deinit_wiped) struct px_arena scratch;
    px_arena_init(&scratch, SCRATCH_BYTES_MAX);
    PX_AUTO(buf_wipe) struct px_buf body;
    px_buf_init(&body, BODY_BYTES_MAX);
    yyjson_val *root = NULL;
    request_begin(&body, manager, "SecretId", name);
    add_token(&body);
    add_value(&body, value);
    px_buf_add_char(&body, '}');
    int r = exchange(manager, "PutSecretValue", &body, &scratch, &root);
    forget(manager, name);
    if (r == SECRET_EXISTS) return px_fault(PX_F_PROTOCOL, "PutSecretValue: it exists");
    if (r == SECRET_ABSENT) return r;
    PX_TRY(r);
    return 0;
}

static int manager_put(struct secret_store *store, struct px_str name, struct px_str value)
{
    struct secret_manager *manager = manager_of(store);
    int r = put_value(manager, name, value);
    if (r == SECRET_ABSENT) r = manager_make(store, name, value);
    if (r == SECRET_EXISTS) r = put_value(manager, name, value); /* made by another just now */
    if (r == SECRET_ABSENT) return px_fault(PX_F_BUSY, "PutSecretValue: it comes and goes");
    PX_TRY(r);
    return 0;
}

/* ---- rotation ---- */

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
            if (px_str_eq(px_json_val_str(name), px_str_c(stage_names[stage])))
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
    px_arena_init(&scratch, SCRATCH_BYTES_MAX);
    PX_AUTO(buf_wipe) struct px_buf body;
    px_buf_init(&body, BODY_BYTES_MAX);
    yyjson_val *root = NULL, *version;
    size_t i, n;
    request_begin(&body, manager, "SecretId", name);
    px_buf_add_c(&body, ",\"IncludeDeprecated\":true,\"MaxResults\":100}");
    int r = exchange(manager, "ListSecretVersionIds", &body, &scratch, &root);
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

static int manager_describe(struct secret_store *store, struct px_str name,
                            enum secret_detail detail, struct px_arena *arena,
                            struct secret_info *ret_info)
{
    struct secret_manager *manager = manager_of(store);
    PX_AUTO(px_arena_deinit_wiped) struct px_arena scratch;
    px_arena_init(&scratch, SCRATCH_BYTES_MAX);
    PX_AUTO(buf_wipe) struct px_buf body;
    px_buf_init(&body, BODY_BYTES_MAX);
    yyjson_val *root = NULL;
    request_begin(&body, manager, "SecretId", name);
    px_buf_add_char(&body, '}');
    int r = exchange(manager, "DescribeSecret", &body, &scratch, &root);
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

/* One change; answers as exchange() does. The body is whole. */
static int change(struct secret_manager *manager, const char *what, struct px_str name,
                  const struct px_buf *body)
{
    PX_AUTO(px_arena_deinit_wiped) struct px_arena scratch;
    px_arena_init(&scratch, SCRATCH_BYTES_MAX);
    yyjson_val *root = NULL;
    int r = exchange(manager, what, body, &scratch, &root);
    forget(manager, name);
    return r;
}

static int manager_put_pending(struct secret_store *store, struct px_str name, struct px_str id,
                               struct px_str value)
{
    struct secret_manager *manager = manager_of(store);
    PX_AUTO(buf_wipe) struct px_buf body;
    px_buf_init(&body, BODY_BYTES_MAX);
    request_begin(&body, manager, "SecretId", name);
    px_buf_add_c(&body, ",\"ClientRequestToken\":");
    px_buf_add_json_str(&body, id);
    add_value(&body, value);
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
    PX_AUTO(buf_wipe) struct px_buf body;
    px_buf_init(&body, BODY_BYTES_MAX);
    request_begin(&body, manager, "SecretId", name);
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
static int manager_promote(struct secret_store *store, struct px_str name, struct px_str id)
{
    struct secret_manager *manager = manager_of(store);
    PX_AUTO(px_arena_deinit_wiped) struct px_arena scratch;
    px_arena_init(&scratch, SCRATCH_BYTES_MAX);
    struct secret_info info = {0};
    int r = manager_describe(store, name, SECRET_STAGES, &scratch, &info);
    if (r == SECRET_ABSENT) return r;
    PX_TRY(r);
    const struct secret_state *version = state_by_id(&info, id);
    const struct secret_state *current = secret_at(&info, SECRET_CURRENT);
    if (!version || version->stages == 0) return SECRET_ABSENT;
    if (version != current) {
        const struct move move = {stage_names[SECRET_CURRENT], id,
                                  current ? current->id : (struct px_str){0}};
        r = move_stage(manager, name, &move);
        if (r == SECRET_ABSENT) return r;
        PX_TRY(r);
    }
    if (!(version->stages & SECRET_BIT(SECRET_PENDING))) return 0;
    r = move_stage(manager, name, &(struct move){stage_names[SECRET_PENDING], .from = id});
    if (r != SECRET_ABSENT) PX_TRY(r);
    return 0;
}

static int manager_abandon(struct secret_store *store, struct px_str name, struct px_str id)
{
    PX_AUTO(px_arena_deinit_wiped) struct px_arena scratch;
    px_arena_init(&scratch, SCRATCH_BYTES_MAX);
    struct secret_info info = {0};
    int r = manager_describe(store, name, SECRET_STAGES, &scratch, &info);
    if (r == SECRET_ABSENT) return r;
    PX_TRY(r);
    const struct secret_state *version = state_by_id(&info, id);
    if (!version || !(version->stages & SECRET_BIT(SECRET_PENDING))) return SECRET_ABSENT;
    return move_stage(manager_of(store), name,
                      &(struct move){stage_names[SECRET_PENDING], .from = id});
}

/* Names of one page below the prefix; ret_next: empty behind the last page. */
static int list_page(struct secret_manager *manager, struct px_str next, struct px_arena *arena,
                     struct px_str *names, size_t *count, struct px_str *ret_next)
{
    PX_AUTO(px_arena_deinit_wiped) struct px_arena scratch;
    px_arena_init(&scratch, SCRATCH_BYTES_MAX);
    PX_AUTO(buf_wipe) struct px_buf body;
    px_buf_init(&body, BODY_BYTES_MAX);
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
    int r = exchange(manager, "ListSecrets", &body, &scratch, &root);
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

static int manager_list(struct secret_store *store, struct px_arena *arena,
                        struct px_str **ret_names, size_t *ret_count)
{
    struct px_str *names = px_arena_array(arena, struct px_str, SECRETS_MAX), next = {0};
    size_t count = 0;
    if (!names) return px_arena_fault(arena);
    do PX_TRY(list_page(manager_of(store), next, arena, names, &count, &next));
    while (next.len > 0);
    *ret_names = names;
    *ret_count = count;
    return 0;
}

static int manager_rotate(struct secret_store *store, struct px_str name, struct px_str id)
{
    struct secret_manager *manager = manager_of(store);
    PX_AUTO(buf_wipe) struct px_buf body;
    px_buf_init(&body, BODY_BYTES_MAX);
    request_begin(&body, manager, "SecretId", name);
    px_buf_add_c(&body, ",\"ClientRequestToken\":");
    px_buf_add_json_str(&body, id);
    px_buf_add_c(&body, ",\"RotateImmediately\":true}");
    int r = change(manager, "RotateSecret", name, &body);
    if (r == SECRET_EXISTS) return px_fault(PX_F_PROTOCOL, "RotateSecret: it exists");
    if (r == SECRET_ABSENT) return r;
    PX_TRY(r);
    return 0;
}

/* ---- opening ---- */

static void manager_close(struct secret_store *store)
{
    struct secret_manager *manager = manager_of(store);
    for (size_t i = 0; i < KEPT_MAX; i++) kept_clear(&manager->kept[i]);
    cloud_client_free(&manager->client);
    cloud_shared_close(&manager->own);
    free(manager);
}

static const struct secret_half half = {.get = manager_get,
                                        .doubt = manager_doubt,
                                        .put = manager_put,
                                        .make = manager_make,
                                        .describe = manager_describe,
                                        .put_pending = manager_put_pending,
                                        .promote = manager_promote,
                                        .abandon = manager_abandon,
                                        .list = manager_list,
                                        .rotate = manager_rotate,
                                        .close = manager_close};

/* "<prefix>/", or nothing. */
static int prefix_set(struct secret_manager *manager, struct px_str prefix)
{
    while (px_str_ends(prefix, S("/"))) prefix.len--;
    bool valid = prefix.len + 1 + 200 <= NAME_BYTES_MAX && !px_str_starts(prefix, S("/"));
    for (size_t i = 0; valid && i < prefix.len; i++) {
        char c = prefix.ptr[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        valid = plain || (c != '\0' && strchr("/_+=.@-", c));
    }
    if (!valid)
        return px_fault(PX_F_CONFIG, "secretsmanager://%.*s: not the beginning of a secret's name",
                        PX_FMT(prefix));
    (void)snprintf(manager->prefix, sizeof manager->prefix, "%.*s%s", PX_FMT(prefix),
                   prefix.len > 0 ? "/" : "");
    return 0;
}

int secrets_aws_open(struct px_str prefix, const struct secret_options *options,
                     struct secret_store **ret_store)
{
    struct secret_manager *manager = calloc(1, sizeof *manager);
    if (!manager) return px_fault(PX_F_OOM, "the secret store");
    PX_AUTO(secret_store_close) struct secret_store *store = &manager->store;
    store->half = &half;
    manager->options = (struct secret_options){
        .clock = options->clock ? options->clock : &px_clock_system,
        .call_ms = options->call_ms,
        .keep_ms = options->keep_ms ? options->keep_ms : KEEP_MS_DEFAULT,
        .again_ms = options->again_ms ? options->again_ms : AGAIN_MS_DEFAULT};
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): PX_AUTO frees it */
    PX_TRY(prefix_set(manager, prefix));
    struct cloud *cloud = NULL;
    PX_TRY(cloud_shared_take(options->cloud ? options->cloud : &manager->own, &cloud));
    struct cloud_client_options client = {.service = S("secretsmanager")};
    PX_TRY(cloud_client_new(cloud, &client, &manager->client));
    *ret_store = PX_TAKE(store);
    return 0;
}
