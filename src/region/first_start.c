/* region/first_start.c - a key file is written last, so its presence says that its tenant is complete. */
#include "region/first_start.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/px_file.h"
#include "region/homes.h"
#include "svc/security/wiring.h"

static int ensure_tenant(const struct security_stores *stores, const char *name,
                         struct px_str region, struct px_arena *arena)
{
    struct registry registry = security_registry(stores, NULL);
    struct tenant tenant;
    const char *why = NULL;
    const struct tenant_spec spec = {.name = px_str_c(name), .home_region = region};
    int r = registry_create(&registry, &spec, arena, &tenant, &why);
    if (r == REGISTRY_EXISTS) return 0;
    if (r == REGISTRY_INVALID) return px_fault(PX_F_BUG, "first tenant %s: %s", name, why);
    PX_TRY(r);
    return 0;
}

/* Issue a key and write it to <data>/<file>, mode 0600. */
static int ensure_key(const struct data_dir *dir, const struct security_stores *stores,
                      const char *tenant, unsigned scopes, const char *file, struct px_arena *arena,
                      struct px_str *ret_key)
{
    struct keys keys = security_keys(stores);
    struct key_info info;
    char text[KEY_TEXT_LEN + 1];
    const struct key_spec spec = {
        .tenant = px_str_c(tenant), .scopes = scopes, .label = S("made by prism up")};
    int r = keys_issue(&keys, &spec, arena, text, &info);
    if (r == KEYS_TOO_MANY) return px_fault(PX_F_LIMIT, "tenant %s has too many keys", tenant);
    PX_TRY(r);
    const char *path = data_dir_sub(dir, arena, file);
    struct px_str line = px_arena_printf(arena, "%s\n", text);
    if (!path || !line.ptr) return px_arena_fault(arena);
    PX_TRY(px_file_write_atomic(path, line, 0600));
    if (ret_key) *ret_key = px_arena_dup(arena, px_str_c(text));
    explicit_bzero(text, sizeof(text));
    return 0;
}

static bool missing(const struct data_dir *dir, const char *name)
{
    char path[4096];
    snprintf(path, sizeof(path), "%.*s/%s", PX_FMT(dir->path), name);
    return access(path, F_OK) != 0;
}

int first_start(const struct data_dir *dir, struct px_arena *arena, const struct px_clock *clock,
                struct px_str *ret_key)
{
    bool need_admin = missing(dir, "admin.key"), need_tenant = missing(dir, "tenant.key");
    *ret_key = (struct px_str){0};
    if (!need_admin && !need_tenant) return 0;
    PX_AUTO(security_stores_close) struct security_stores stores = {.clock = clock};
    const char *tables = homes_url(dir, "tables", arena),
               *secrets = homes_url(dir, "secrets", arena);
    if (!tables || !secrets) return px_arena_fault(arena);
    const struct security_urls urls = {px_str_c(tables), px_str_c(secrets)};
    PX_TRY(security_stores_open(&stores, &urls));
    if (need_admin) {
        PX_TRY(ensure_tenant(&stores, TENANT_SYSTEM, dir->region_name, arena));
        PX_TRY(ensure_key(dir, &stores, TENANT_SYSTEM, KEY_ADMIN | KEY_QUERY, "admin.key", arena,
                          NULL));
    }
    if (need_tenant) {
        PX_TRY(ensure_tenant(&stores, FIRST_TENANT, dir->region_name, arena));
        PX_TRY(ensure_key(dir, &stores, FIRST_TENANT, KEY_INGEST | KEY_QUERY, "tenant.key", arena,
                          ret_key));
    }
    return 0;
}
