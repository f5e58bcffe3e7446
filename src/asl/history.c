/* asl/history.c - kept events as GetExecutionHistory gives them: JSON inside becomes text, times become seconds. */
#include "asl/history.h"

static const char *details_name(struct px_str type)
{
    static const struct {
        const char *name, *details;
    } events[] = {
#define X(name, details) {#name, details},
        ASL_EVENTS(X)
#undef X
    };
    for (size_t i = 0; i < PX_COUNT(events); i++)
        if (px_str_eq(type, px_str_c(events[i].name))) return events[i].details;
    return NULL;
}

/* Members whose value is JSON, shown as a string. */
static bool is_payload(struct px_str name)
{
    return px_str_eq(name, S("input")) || px_str_eq(name, S("output")) ||
           px_str_eq(name, S("parameters"));
}

static void show_member(struct px_str name, yyjson_val *val, struct px_buf *buf)
{
    struct px_buf text;
    px_buf_add_json_str(buf, name);
    px_buf_add_char(buf, ':');
    if (!is_payload(name)) {
        px_buf_add_json(buf, val);
        return;
    }
    px_buf_init(&text, 1u << 20);
    px_buf_add_json(&text, val);
    px_buf_add_json_str(buf, px_buf_str(&text));
    if (px_buf_fault(&text)) buf->fault = px_buf_fault(&text);
    px_buf_deinit(&text);
    if (!px_str_eq(name, S("parameters")))
        px_buf_printf(buf, ",\"%.*sDetails\":{\"truncated\":false}", PX_FMT(name));
}

int asl_event_show(struct px_str line, struct px_arena *arena, struct px_buf *buf)
{
    yyjson_val *event = NULL, *key, *val;
    size_t i, n;
    int r = px_json_parse(line, arena, &event, NULL);
    if (r > 0 || (r == 0 && !px_json_str(event, "y").len))
        return px_fault(PX_F_CORRUPT, "an event of a history");
    PX_TRY(r);
    struct px_str type = px_json_str(event, "y");
    int64_t ms = px_json_i64(event, "t", 0);
    px_buf_printf(buf,
                  "{\"timestamp\":%lld.%03d,\"type\":\"%.*s\",\"id\":%lld,\"previousEventId\":%lld",
                  (long long)(ms / 1000), (int)(ms % 1000), PX_FMT(type),
                  (long long)px_json_i64(event, "id", 0), (long long)px_json_i64(event, "p", 0));
    const char *name = details_name(type);
    yyjson_val *details = px_json_obj(event, "d");
    if (name && details && yyjson_obj_size(details)) {
        px_buf_printf(buf, ",\"%s\":{", name);
        px_json_obj_foreach(details, i, n, key, val)
        {
            if (i) px_buf_add_char(buf, ',');
            show_member(px_json_val_str(key), val, buf);
        }
        px_buf_add_char(buf, '}');
    }
    px_buf_add_char(buf, '}');
    return px_buf_fault(buf);
}
