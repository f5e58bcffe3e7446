/* svc/storage/offboard_event.c - see offboard_event.h. */
#include "svc/storage/offboard_event.h"

#include "base/px_json.h"

#define EXECUTION_BYTES_MAX 512

typedef int offboard_step(struct storage *storage, const struct offboard *offboard,
                          struct px_arena *arena, struct offboarded *ret);
struct offboard_kind {
    const char *name;
    offboard_step *run;
};
static const struct offboard_kind kinds[] = {
    {"offboard-export", offboard_export},
    {"offboard-check", offboard_check},
    {"offboard-remove", offboard_remove},
    {"offboard-prove", offboard_prove},
};

const struct offboard_kind *offboard_find(struct px_str op)
{
    for (size_t i = 0; i < PX_COUNT(kinds); i++)
        if (px_str_eq(px_str_c(kinds[i].name), op)) return &kinds[i];
    return NULL;
}

/* The ARN's last part becomes a part of a key. */
static bool execution_ok(struct px_str arn)
{
    if (arn.len == 0 || arn.len > EXECUTION_BYTES_MAX) return false;
    for (size_t i = 0; i < arn.len; i++) {
        char c = arn.ptr[i];
        bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    c == '-' || c == '_' || c == ':';
        if (!fine) return false;
    }
    return arn.ptr[arn.len - 1] != ':';
}

const char *offboard_read(yyjson_val *root, const struct offboard_kind *kind,
                          struct offboard *offboard)
{
    int64_t began_ns;
    offboard->copy = px_json_bool(root, "export", true);
    offboard->after = px_json_str(root, "after");
    offboard->execution = px_json_str(root, "execution");
    offboard->began = px_json_str(root, "began");
    offboard->keys = px_json_i64(root, "keys", 0);
    if (offboard->tenant.len == 0) return "offboarding needs its tenant";
    if (px_str_eq(offboard->tenant, S("_system"))) return "the operator's tenant stays";
    if (kind->run != offboard_prove) return NULL;
    if (!execution_ok(offboard->execution)) return "execution is the ARN of an execution";
    if (!px_time_parse(offboard->began, &began_ns)) return "began is an RFC 3339 time";
    return offboard->keys < 0 ? "keys is a number of keys" : NULL;
}

static int refuse(int answer, const struct offboarded *done, const struct lambda_event *event)
{
    static const char *const names[] = {[OFFBOARD_NOT_STOPPED] = "NotStopped",
                                        [OFFBOARD_UNEXPORTED] = "Unexported",
                                        [OFFBOARD_DIFFERS] = "ExportDiffers",
                                        [OFFBOARD_REMAINS] = "DataRemains"};
    PX_ASSERT(answer > 0 && (size_t)answer < PX_COUNT(names));
    event->reply->error_type = px_str_c(names[answer]);
    event->reply->error_message = done->why;
    return LAMBDA_ERROR;
}

static int write_done(const struct offboard_kind *kind, struct storage *storage,
                      const struct offboarded *done, int64_t ms, const struct lambda_event *event)
{
    const struct {
        const char *name;
        uint64_t value;
    } members[] = {{"datasets", done->datasets}, {"objects", done->objects},
                   {"rows", done->rows},         {"bytes", done->bytes},
                   {"copied", done->copied},     {"copied_bytes", done->copied_bytes},
                   {"checked", done->checked},   {"removed", done->removed}};
    struct px_buf *body = event->reply->body;
    px_buf_printf(body, "{\"op\":\"%s\"", kind->name);
    for (size_t i = 0; i < PX_COUNT(members); i++)
        px_buf_printf(body, ",\"%s\":%llu", members[i].name, (unsigned long long)members[i].value);
    if (done->key.len > 0) {
        struct px_str url;
        PX_TRY(object_url(storage->options.analytics, done->key, event->arena, &url));
        px_buf_add_c(body, ",\"key\":");
        px_buf_add_json_str(body, done->key);
        px_buf_printf(body, ",\"sha256\":\"%s\",\"url\":", done->sha256);
        px_buf_add_json_str(body, url);
    }
    px_buf_add_c(body, ",\"after\":");
    px_buf_add_json_str(body, done->after);
    px_buf_printf(body, ",\"more\":%s,\"ms\":%lld}", done->more ? "true" : "false", (long long)ms);
    return px_buf_fault(body);
}

int offboard_run(const struct offboard_kind *kind, const struct offboard *offboard,
                 struct storage *storage, const struct lambda_event *event)
{
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    struct offboarded done = {0};
    px_arena_init(&arena, STORAGE_ARENA_BYTES_MAX);
    int64_t begun_ns = px_mono_ns(&px_clock_system);
    int r = kind->run(storage, offboard, &arena, &done);
    if (r > 0) done.why = px_arena_dup(event->arena, done.why);
    if (r > 0) return done.why.ptr ? refuse(r, &done, event) : px_arena_fault(event->arena);
    PX_TRY(r);
    return write_done(kind, storage, &done,
                      (px_mono_ns(&px_clock_system) - begun_ns) / PX_NS_PER_MS, event);
}
