/* store/secrets.c - which half an URL means, and what holds for both; docs: secrets.h. */
#include <stdlib.h>

#include "base/px_id.h"
#include "store/secrets_half.h"

#define SCHEME "secretsmanager://"
#define RANDOM_BYTES_MAX 128u

int secret_store_open(struct px_str url, const struct secret_options *options,
                      struct secret_store **ret_store)
{
    struct secret_options given = options ? *options : (struct secret_options){0};
    if (!px_str_starts(url, S(SCHEME))) return secrets_file_open(url, &given, ret_store);
    return secrets_aws_open(px_str_skip(url, sizeof SCHEME - 1), &given, ret_store);
}

void secret_store_close(struct secret_store **store)
{
    if (!*store) return;
    (*store)->half->close(*store);
    *store = NULL;
}

void secret_wipe(struct px_str value)
{
    if (value.len) explicit_bzero((char *)(uintptr_t)value.ptr, value.len);
}

bool secret_name_ok(struct px_str name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!plain && (c == '\0' || !strchr("/_+=.@-!", c))) return false;
    }
    return name.len >= 1 && name.len <= SECRET_NAME_MAX;
}

int secret_get(struct secret_store *store, struct px_str name, enum secret_version version,
               struct px_arena *arena, struct px_str *ret_value)
{
    PX_ASSERT(secret_name_ok(name));
    return store->half->get(store, name, version, arena, ret_value);
}

bool secret_doubt(struct secret_store *store, struct px_str name)
{
    PX_ASSERT(secret_name_ok(name));
    return store->half->doubt(store, name);
}

static int check_length(struct px_str value)
{
    if (value.len == 0 || value.len > SECRET_BYTES_MAX)
        return px_fault(PX_F_LIMIT, "a secret of %zu bytes", value.len);
    return 0;
}

int secret_put(struct secret_store *store, struct px_str name, struct px_str value)
{
    PX_ASSERT(secret_name_ok(name));
    PX_TRY(check_length(value));
    return store->half->put(store, name, value);
}

int secret_create(struct secret_store *store, struct px_str name, struct px_str value)
{
    PX_ASSERT(secret_name_ok(name));
    PX_TRY(check_length(value));
    int r = store->half->make(store, name, value);
    if (r == SECRET_EXISTS) return SECRET_TAKEN;
    PX_TRY(r);
    return 0;
}

static int make_random(struct secret_store *store, struct px_str name, size_t bytes)
{
    unsigned char raw[RANDOM_BYTES_MAX];
    char hex[2 * sizeof raw + 1];
    PX_ASSERT(bytes > 0 && bytes <= sizeof raw);
    px_random(raw, bytes);
    px_hex(raw, bytes, hex);
    int r = store->half->make(store, name, px_str(hex, 2 * bytes));
    explicit_bzero(raw, sizeof raw);
    explicit_bzero(hex, sizeof hex);
    if (r != SECRET_EXISTS) PX_TRY(r); /* else somebody was faster, and theirs counts */
    return 0;
}

int secret_get_or_make(struct secret_store *store, struct px_str name, size_t bytes,
                       struct px_arena *arena, struct px_str *ret_value)
{
    int r = secret_get(store, name, SECRET_CURRENT, arena, ret_value);
    if (r != SECRET_ABSENT) {
        PX_TRY(r);
        return 0;
    }
    PX_TRY(make_random(store, name, bytes));
    r = secret_get(store, name, SECRET_CURRENT, arena, ret_value);
    if (r == SECRET_ABSENT)
        return px_fault(PX_F_CONFIG, "secret %.*s exists and has no value", PX_FMT(name));
    PX_TRY(r);
    return 0;
}

/* ---- rotation ---- */

static bool id_is_valid(struct px_str id) { return id.len >= 1 && id.len <= SECRET_ID_MAX; }

static int rank(const struct secret_state *state)
{
    if (state->stages & SECRET_BIT(SECRET_CURRENT)) return 0;
    if (state->stages & SECRET_BIT(SECRET_PENDING)) return 1;
    return state->stages & SECRET_BIT(SECRET_PREVIOUS) ? 2 : 3;
}

static int compare_states(const void *a, const void *b)
{
    const struct secret_state *one = a, *two = b;
    if (rank(one) != rank(two)) return rank(one) - rank(two);
    return (one->created_ns < two->created_ns) - (one->created_ns > two->created_ns);
}

int secret_describe(struct secret_store *store, struct px_str name, enum secret_detail detail,
                    struct px_arena *arena, struct secret_info *ret_info)
{
    PX_ASSERT(secret_name_ok(name));
    struct secret_info info = {0};
    int r = store->half->describe(store, name, detail, arena, &info);
    if (r == SECRET_ABSENT) return r;
    PX_TRY(r);
    if (info.count > 1) qsort(info.versions, info.count, sizeof info.versions[0], compare_states);
    *ret_info = info;
    return 0;
}

const struct secret_state *secret_at(const struct secret_info *info, enum secret_version stage)
{
    for (size_t i = 0; i < info->count; i++)
        if (info->versions[i].stages & SECRET_BIT(stage)) return &info->versions[i];
    return NULL;
}

int secret_put_pending(struct secret_store *store, struct px_str name, struct px_str id,
                       struct px_str value)
{
    PX_ASSERT(secret_name_ok(name) && id_is_valid(id));
    PX_TRY(check_length(value));
    return store->half->put_pending(store, name, id, value);
}

int secret_promote(struct secret_store *store, struct px_str name, struct px_str id)
{
    PX_ASSERT(secret_name_ok(name) && id_is_valid(id));
    return store->half->promote(store, name, id);
}

int secret_abandon(struct secret_store *store, struct px_str name, struct px_str id)
{
    PX_ASSERT(secret_name_ok(name) && id_is_valid(id));
    return store->half->abandon(store, name, id);
}

static int compare_names(const void *a, const void *b)
{
    return px_str_cmp(*(const struct px_str *)a, *(const struct px_str *)b);
}

int secret_list(struct secret_store *store, struct px_arena *arena, struct px_str **ret_names,
                size_t *ret_count)
{
    struct px_str *names = NULL;
    size_t count = 0;
    PX_TRY(store->half->list(store, arena, &names, &count));
    if (count > 1) qsort(names, count, sizeof names[0], compare_names);
    *ret_names = names;
    *ret_count = count;
    return 0;
}

int secret_rotate(struct secret_store *store, struct px_str name, struct px_str id)
{
    PX_ASSERT(secret_name_ok(name) && id_is_valid(id));
    return store->half->rotate(store, name, id);
}
