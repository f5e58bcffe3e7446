/* store/secrets.c - which half an URL means, and what holds for both; docs: secrets.h. */
#include "base/px_id.h"
#include "store/secrets_half.h"

#define SCHEME "secretsmanager://"
#define RANDOM_BYTES_MAX 128u

int secret_store_open(struct px_str url, const struct secret_options *options,
                      struct secret_store **ret_store)
{
    struct secret_options given = options ? *options : (struct secret_options){0};
    if (!px_str_starts(url, S(SCHEME))) return secrets_file_open(url, ret_store);
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

/* Names are Prism's own; a bad one is our mistake. */
static bool name_is_valid(struct px_str name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!plain && (c == '\0' || !strchr("/_+=.@-!", c))) return false;
    }
    return name.len >= 1 && name.len <= 200;
}

int secret_get(struct secret_store *store, struct px_str name, enum secret_version version,
               struct px_arena *arena, struct px_str *ret_value)
{
    PX_ASSERT(name_is_valid(name));
    return store->half->get(store, name, version, arena, ret_value);
}

bool secret_doubt(struct secret_store *store, struct px_str name)
{
    PX_ASSERT(name_is_valid(name));
    return store->half->doubt(store, name);
}

int secret_put(struct secret_store *store, struct px_str name, struct px_str value)
{
    PX_ASSERT(name_is_valid(name));
    if (value.len == 0 || value.len > SECRET_BYTES_MAX)
        return px_fault(PX_F_LIMIT, "a secret of %zu bytes", value.len);
    return store->half->put(store, name, value);
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
