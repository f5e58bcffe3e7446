/* svc/audit/entry.c - see entry.h. Whatever a caller sent is cut to a length, so that a line always fits into an item. */
#include "svc/audit/entry.h"

#include <inttypes.h>

#include "base/px_clock.h"

#define TEXT_BYTES_MAX 512u

static const char *const events[] = {[AUDIT_INTENT] = "intent", [AUDIT_OUTCOME] = "outcome"};

/* ---- writing ---- */

static void add_text(struct px_buf *buf, const char *before, struct px_str text)
{
    if (text.len == 0) return;
    px_buf_add_c(buf, before);
    px_buf_add_json_str(buf, px_str(text.ptr, PX_MIN(text.len, TEXT_BYTES_MAX)));
}

static void add_state(struct px_buf *buf, const char *name, struct px_str json)
{
    if (json.len == 0) return;
    if (json.len > AUDIT_STATE_BYTES_MAX)
        px_buf_printf(buf, ",\"%s\":{\"omitted_bytes\":%zu}", name, json.len);
    else
        px_buf_printf(buf, ",\"%s\":%.*s", name, PX_FMT(json));
}

static void add_who(struct px_buf *buf, const struct audit_who *who)
{
    px_buf_printf(buf, ",\"who\":{\"direct\":%s", who->direct ? "true" : "false");
    add_text(buf, ",\"tenant\":", who->tenant);
    add_text(buf, ",\"key_id\":", who->key_id);
    add_text(buf, ",\"source\":", who->source);
    add_text(buf, ",\"request_id\":", who->request_id);
    px_buf_add_char(buf, '}');
}

void audit_entry_write(struct px_buf *buf, const struct audit_entry *entry,
                       const struct audit_states *states)
{
    char at[32];
    (void)px_time_format(entry->at_ns, 6, at);
    px_buf_add_c(buf, "{\"chain\":");
    px_buf_add_json_str(buf, entry->chain);
    px_buf_printf(buf, ",\"seq\":%" PRIu64 ",\"at\":\"%s\",\"prev\":\"%.*s\"", entry->seq, at,
                  PX_FMT(entry->prev));
    add_text(buf, ",\"id\":", entry->id);
    px_buf_printf(buf, ",\"event\":\"%s\"", events[entry->event]);
    if (entry->event == AUDIT_INTENT) {
        add_text(buf, ",\"operation\":", entry->operation);
        add_text(buf, ",\"target\":", entry->target);
        add_who(buf, &entry->who);
    } else {
        px_buf_printf(buf, ",\"of\":%" PRIu64 ",\"status\":%d", entry->of, entry->status);
        add_text(buf, ",\"detail\":", entry->detail);
    }
    add_state(buf, "asked", states->asked);
    add_state(buf, "before", states->before);
    add_state(buf, "after", states->after);
    px_buf_add_char(buf, '}');
}

/* ---- reading ---- */

static bool read_count(yyjson_val *root, const char *name, uint64_t *ret_count)
{
    int64_t n = px_json_i64(root, name, 0);
    if (n < 1) return false;
    *ret_count = (uint64_t)n;
    return true;
}

static int read_intent(yyjson_val *root, struct audit_entry *e)
{
    yyjson_val *who = px_json_obj(root, "who");
    e->operation = px_json_str(root, "operation");
    e->target = px_json_str(root, "target");
    if (e->operation.len == 0) return px_fault(PX_F_CORRUPT, "no operation");
    if (!who) return px_fault(PX_F_CORRUPT, "no who");
    e->who = (struct audit_who){.tenant = px_json_str(who, "tenant"),
                                .key_id = px_json_str(who, "key_id"),
                                .source = px_json_str(who, "source"),
                                .request_id = px_json_str(who, "request_id"),
                                .direct = px_json_bool(who, "direct", false)};
    return 0;
}

static int read_outcome(yyjson_val *root, struct audit_entry *e)
{
    int64_t status = px_json_i64(root, "status", 0);
    if (!read_count(root, "of", &e->of) || e->of >= e->seq)
        return px_fault(PX_F_CORRUPT, "an outcome of no entry before it");
    if (status < 100 || status > 599) return px_fault(PX_F_CORRUPT, "no status");
    e->status = (int)status;
    e->detail = px_json_str(root, "detail");
    return 0;
}

int audit_entry_read(struct px_str text, struct px_arena *arena, struct audit_entry *ret_entry)
{
    struct audit_entry e = {0};
    struct px_where where = {0};
    yyjson_val *root = NULL;
    int r = px_json_parse(text, arena, &root, &where);
    if (r == PX_JSON_INVALID)
        return px_fault(PX_F_CORRUPT, "no JSON at byte %zu: %s", where.offset, where.expected);
    PX_TRY(r);
    e.chain = px_json_str(root, "chain");
    if (e.chain.len == 0 || e.chain.len > AUDIT_CHAIN_BYTES_MAX)
        return px_fault(PX_F_CORRUPT, "no chain");
    if (!read_count(root, "seq", &e.seq)) return px_fault(PX_F_CORRUPT, "no seq");
    if (!px_time_parse(px_json_str(root, "at"), &e.at_ns))
        return px_fault(PX_F_CORRUPT, "no time in at");
    e.prev = px_json_str(root, "prev");
    if (!digest_is_hex(e.prev)) return px_fault(PX_F_CORRUPT, "no hash in prev");
    e.id = px_json_str(root, "id");
    struct px_str event = px_json_str(root, "event");
    bool outcome = px_str_eq(event, px_str_c(events[AUDIT_OUTCOME]));
    if (!outcome && !px_str_eq(event, px_str_c(events[AUDIT_INTENT])))
        return px_fault(PX_F_CORRUPT, "unknown event");
    e.event = outcome ? AUDIT_OUTCOME : AUDIT_INTENT;
    PX_TRY(outcome ? read_outcome(root, &e) : read_intent(root, &e));
    e.asked = px_json_obj(root, "asked");
    e.before = px_json_obj(root, "before");
    e.after = px_json_obj(root, "after");
    *ret_entry = e;
    return 0;
}
