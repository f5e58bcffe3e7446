/* store/secrets_aws.c - secrets in Secrets Manager; docs: secrets.h, docs/design/aws.md.
 *
 * A value that was asked for is kept in `kept`, also that there is none. Its ages:
 *   up to again_ms   given, whatever a caller suspects
 *   up to keep_ms    given, unless a caller doubts it (secret_doubt), or changed it here
 *   up to an hour    given only when Secrets Manager cannot be reached */
#include <stdlib.h>

#include "base/px_id.h"
#include "store/secrets_aws.h"

#include <aws/common/encoding.h>

#define KEEP_MS_DEFAULT (5u * 60u * 1000u)
#define AGAIN_MS_DEFAULT (10u * 1000u)
#define STALE_NS_MAX (INT64_C(3600) * PX_NS_PER_S)
#define TOKEN_BYTES 32 /* hex digits */

/* ---- what is kept ---- */

static int64_t age_ns(const struct secret_manager *manager, const struct secrets_aws_kept *kept)
{
    return px_mono_ns(manager->options.clock) - kept->asked_ns;
}

static void kept_clear(struct secrets_aws_kept *kept)
{
    if (kept->value) explicit_bzero(kept->value, kept->bytes);
    free(kept->value);
    *kept = (struct secrets_aws_kept){0};
}

static struct secrets_aws_kept *kept_find(struct secret_manager *manager, struct px_str name,
                                          enum secret_version version)
{
    for (size_t i = 0; i < SECRETS_AWS_KEPT_MAX; i++) {
        struct secrets_aws_kept *kept = &manager->kept[i];
        if (kept->used && kept->version == version && px_str_eq(name, px_str_c(kept->name)))
            return kept;
    }
    return NULL;
}

/* A place for it: its own, a free one, or the oldest's. */
static struct secrets_aws_kept *kept_place(struct secret_manager *manager, struct px_str name,
                                           enum secret_version version)
{
    struct secrets_aws_kept *place = kept_find(manager, name, version);
    for (size_t i = 0; !place && i < SECRETS_AWS_KEPT_MAX; i++)
        if (!manager->kept[i].used) place = &manager->kept[i];
    if (!place) {
        place = &manager->kept[0];
        for (size_t i = 1; i < SECRETS_AWS_KEPT_MAX; i++)
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
    struct secrets_aws_kept *kept = kept_place(manager, name, version);
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

void secrets_aws_forget(struct secret_manager *manager, struct px_str name)
{
    for (int version = SECRET_CURRENT; version <= SECRET_PREVIOUS; version++) {
        struct secrets_aws_kept *kept = kept_find(manager, name, (enum secret_version)version);
        if (kept) kept_clear(kept);
    }
}

static int give(const struct secrets_aws_kept *kept, struct px_arena *arena,
                struct px_str *ret_value)
{
    if (kept->absent) return SECRET_ABSENT;
    struct px_str copy = px_arena_dup(arena, px_str(kept->value, kept->bytes));
    if (!copy.ptr) return px_arena_fault(arena);
    *ret_value = copy;
    return 0;
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
    px_arena_init(&scratch, SECRETS_AWS_SCRATCH_BYTES_MAX);
    PX_AUTO(px_buf_deinit_wiped) struct px_buf body;
    px_buf_init(&body, SECRETS_AWS_BODY_BYTES_MAX);
    yyjson_val *root = NULL;
    struct px_str value = {0};
    secrets_aws_begin(&body, manager, "SecretId", name);
    px_buf_printf(&body, ",\"VersionStage\":\"%s\"}", secrets_aws_stages[version]);
    int r = secrets_aws_exchange(manager, "GetSecretValue", &body, &scratch, &root);
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
    struct secret_manager *manager = secrets_aws_of(store);
    const struct secrets_aws_kept *kept = kept_find(manager, name, version);
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
    struct secret_manager *manager = secrets_aws_of(store);
    int64_t again_ns = manager->options.again_ms * PX_NS_PER_MS;
    bool any = false;
    for (int version = SECRET_CURRENT; version <= SECRET_PREVIOUS; version++) {
        struct secrets_aws_kept *kept = kept_find(manager, name, (enum secret_version)version);
        if (!kept || age_ns(manager, kept) < again_ns) continue;
        kept->doubted = true;
        any = true;
    }
    return any;
}

/* ---- putting ---- */

/* The same token makes a repetition of the same request harmless. */
static void add_token(struct px_buf *body)
{
    unsigned char raw[TOKEN_BYTES / 2];
    char token[TOKEN_BYTES + 1];
    px_random(raw, sizeof raw);
    px_hex(raw, sizeof raw, token);
    px_buf_printf(body, ",\"ClientRequestToken\":\"%s\"", token);
}

static int manager_make(struct secret_store *store, struct px_str name, struct px_str value)
{
    struct secret_manager *manager = secrets_aws_of(store);
    PX_AUTO(px_arena_deinit_wiped) struct px_arena scratch;
    px_arena_init(&scratch, SECRETS_AWS_SCRATCH_BYTES_MAX);
    PX_AUTO(px_buf_deinit_wiped) struct px_buf body;
    px_buf_init(&body, SECRETS_AWS_BODY_BYTES_MAX);
    yyjson_val *root = NULL;
    secrets_aws_begin(&body, manager, "Name", name);
    add_token(&body);
    secrets_aws_add_value(&body, value);
    px_buf_add_char(&body, '}');
    int r = secrets_aws_exchange(manager, "CreateSecret", &body, &scratch, &root);
    secrets_aws_forget(manager, name);
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
    px_arena_init(&scratch, SECRETS_AWS_SCRATCH_BYTES_MAX);
    PX_AUTO(px_buf_deinit_wiped) struct px_buf body;
    px_buf_init(&body, SECRETS_AWS_BODY_BYTES_MAX);
    yyjson_val *root = NULL;
    secrets_aws_begin(&body, manager, "SecretId", name);
    add_token(&body);
    secrets_aws_add_value(&body, value);
    px_buf_add_char(&body, '}');
    int r = secrets_aws_exchange(manager, "PutSecretValue", &body, &scratch, &root);
    secrets_aws_forget(manager, name);
    if (r == SECRET_EXISTS) return px_fault(PX_F_PROTOCOL, "PutSecretValue: it exists");
    if (r == SECRET_ABSENT) return r;
    PX_TRY(r);
    return 0;
}

static int manager_put(struct secret_store *store, struct px_str name, struct px_str value)
{
    struct secret_manager *manager = secrets_aws_of(store);
    int r = put_value(manager, name, value);
    if (r == SECRET_ABSENT) r = manager_make(store, name, value);
    if (r == SECRET_EXISTS) r = put_value(manager, name, value); /* made by another just now */
    if (r == SECRET_ABSENT) return px_fault(PX_F_BUSY, "PutSecretValue: it comes and goes");
    PX_TRY(r);
    return 0;
}

/* ---- opening ---- */

static void manager_close(struct secret_store *store)
{
    struct secret_manager *manager = secrets_aws_of(store);
    for (size_t i = 0; i < SECRETS_AWS_KEPT_MAX; i++) kept_clear(&manager->kept[i]);
    cloud_client_free(&manager->client);
    cloud_shared_close(&manager->own);
    free(manager);
}

static const struct secret_half half = {.get = manager_get,
                                        .doubt = manager_doubt,
                                        .put = manager_put,
                                        .make = manager_make,
                                        .describe = secrets_aws_describe,
                                        .put_pending = secrets_aws_put_pending,
                                        .promote = secrets_aws_promote,
                                        .abandon = secrets_aws_abandon,
                                        .list = secrets_aws_list,
                                        .rotate = secrets_aws_rotate,
                                        .close = manager_close};

/* "<prefix>/", or nothing. */
static int prefix_set(struct secret_manager *manager, struct px_str prefix)
{
    while (px_str_ends(prefix, S("/"))) prefix.len--;
    bool valid = prefix.len + 1 + 200 <= SECRETS_AWS_NAME_BYTES_MAX &&
                 !px_str_starts(prefix, S("/"));
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
