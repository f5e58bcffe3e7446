/* svc/lending/lending.c - see lending.h. */
#include "svc/lending/lending.h"

#include "sql/remote.h"

int lend_access(struct object_readers *readers, struct px_str tenant, struct sql_engine *engine,
                uint64_t *reader)
{
    if (!object_readers_remote(readers)) return 0;
    struct object_reader found;
    PX_TRY(object_readers_get(readers, tenant, &found));
    if (*reader == found.serial) return 0;
    const struct sql_secret secret = {.key_id = found.key_id,
                                      .secret = found.secret,
                                      .token = found.token,
                                      .region = found.region,
                                      .host = found.host,
                                      .tls = found.tls,
                                      .path_style = found.path_style};
    PX_TRY(sql_remote_secret(engine, &secret));
    *reader = found.serial;
    return 0;
}

int lending_open(const struct lending_settings *settings, struct object_store *segments,
                 struct object_store *analytics, struct px_arena *arena,
                 struct object_readers **ret_readers, struct sql_remote *ret_remote)
{
    PX_AUTO(object_readers_free) struct object_readers *readers = NULL;
    const struct object_readers_options options = {
        .cloud = settings->cloud, .stores = {segments, analytics}, .role_arn = settings->role_arn};
    struct sql_remote remote = {.ca_file = settings->ca_file};
    PX_TRY(object_readers_new(&options, &readers));
    if (object_readers_remote(readers))
        PX_TRY(sql_remote_find(settings->extensions, arena, &remote.extension));
    *ret_readers = PX_TAKE(readers);
    *ret_remote = remote;
    return 0;
}
