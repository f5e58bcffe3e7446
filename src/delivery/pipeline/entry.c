/* delivery/pipeline/entry.c - see entry.h. */
#include "delivery/pipeline/entry.h"

#include "base/px_clock.h"

static const char *const names[] = {
#define X(name, text) text,
    ENTRY_EVENTS(X)
#undef X
};

const char *entry_event_name(enum entry_event event) { return names[event]; }

static void add_text(struct px_buf *buf, const char *name, struct px_str text)
{
    if (text.len == 0) return;
    px_buf_printf(buf, ",\"%s\":", name);
    px_buf_add_json_str(buf, text);
}

void entry_write(struct px_buf *buf, const struct entry *entry, struct px_str data)
{
    char at[32];
    (void)px_time_format(entry->at_ns, 3, at);
    px_buf_printf(
        buf, "{\"run\":%u,\"seq\":%u,\"at\":\"%s\",\"prev\":\"%.*s\",\"id\":\"%.*s\",\"fence\":%u",
        entry->run, entry->seq, at, PX_FMT(entry->prev), PX_FMT(entry->id), entry->fence);
    add_text(buf, "who", entry->who);
    px_buf_printf(buf, ",\"event\":\"%s\"", names[entry->event]);
    add_text(buf, "step", entry->step);
    add_text(buf, "stage", entry->stage);
    add_text(buf, "release", entry->release);
    add_text(buf, "plan", entry->plan);
    if (data.len > 0) px_buf_printf(buf, ",\"data\":%.*s", PX_FMT(data));
    px_buf_add_c(buf, "}\n");
}

static bool event_of(struct px_str name, enum entry_event *ret_event)
{
    for (size_t i = 0; i < PX_COUNT(names); i++) {
        if (!px_str_eq(px_str_c(names[i]), name)) continue;
        *ret_event = (enum entry_event)i;
        return true;
    }
    return false;
}

static bool count_of(yyjson_val *root, const char *name, uint32_t *ret_count)
{
    int64_t n = px_json_i64(root, name, -1);
    if (n < 0 || n > UINT32_MAX) return false;
    *ret_count = (uint32_t)n;
    return true;
}

int entry_read(struct px_str text, struct px_arena *arena, struct entry *ret_entry)
{
    struct entry e = {0};
    struct px_where where = {0};
    yyjson_val *root = NULL;
    int r = px_json_parse(text, arena, &root, &where);
    if (r == PX_JSON_INVALID)
        return px_fault(PX_F_CORRUPT, "no JSON at byte %zu: %s", where.offset, where.expected);
    PX_TRY(r);
    if (!count_of(root, "run", &e.run) || !count_of(root, "seq", &e.seq) || e.run == 0 ||
        e.seq == 0)
        return px_fault(PX_F_CORRUPT, "no run and seq");
    if (!count_of(root, "fence", &e.fence)) return px_fault(PX_F_CORRUPT, "no fence");
    if (!px_time_parse(px_json_str(root, "at"), &e.at_ns))
        return px_fault(PX_F_CORRUPT, "no time in at");
    if (!event_of(px_json_str(root, "event"), &e.event))
        return px_fault(PX_F_CORRUPT, "unknown event");
    e.prev = px_json_str(root, "prev");
    if (!digest_is_hex(e.prev)) return px_fault(PX_F_CORRUPT, "no hash in prev");
    e.id = px_json_str(root, "id");
    e.who = px_json_str(root, "who");
    e.step = px_json_str(root, "step");
    e.stage = px_json_str(root, "stage");
    e.release = px_json_str(root, "release");
    e.plan = px_json_str(root, "plan");
    e.data = px_json_obj(root, "data");
    digest_of(text, e.hash);
    *ret_entry = e;
    return 0;
}
