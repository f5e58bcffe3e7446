/* Arbitrary bytes as an entry of the audit log and as a head: what is read can be written and is read the same again; and as an export. */
// link: px_svc_audit
#include "svc/audit/verify.h"

static void add(struct px_buf *buf, yyjson_val *object)
{
    if (object) px_buf_add_json(buf, object);
}

/* Whatever stands in a file is told of, and never more entries than it has lines. */
static void verify_lines(struct px_str text)
{
    PX_AUTO(audit_lines_free) struct audit_lines *lines = NULL;
    struct audit_report report;
    uint64_t count = 0;
    PX_ASSERT(audit_lines_new(&(struct audit_check){0}, &lines) == 0);
    for (; text.len > 0; count++) {
        struct px_str line;
        (void)px_str_cut(&text, '\n', &line);
        PX_ASSERT(audit_lines_take(lines, line) == 0);
    }
    PX_ASSERT(audit_lines_end(lines, &report, NULL, NULL) == 0);
    PX_ASSERT(report.entries == count && report.chains <= count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    PX_AUTO(px_buf_deinit) struct px_buf text, asked, before, after;
    struct px_str given = px_str((const char *)data, size);
    struct audit_entry entry, again;
    struct audit_head head;
    px_arena_init(&arena, (size_t)64 << 20);
    px_buf_init(&text, 1u << 24);
    px_buf_init(&asked, 1u << 24);
    px_buf_init(&before, 1u << 24);
    px_buf_init(&after, 1u << 24);
    verify_lines(given);
    int r = audit_head_parse(given, &head);
    PX_ASSERT(r <= 0 && (r < 0 || (head.seq > 0 && strlen(head.hash) == DIGEST_HEX_BYTES - 1)));
    r = audit_entry_read(given, &arena, &entry);
    PX_ASSERT(r <= 0);
    if (r != 0) return 0;
    add(&asked, entry.asked);
    add(&before, entry.before);
    add(&after, entry.after);
    audit_entry_write(
        &text, &entry,
        &(struct audit_states){px_buf_str(&asked), px_buf_str(&before), px_buf_str(&after)});
    if (px_buf_fault(&text) != 0) return 0;
    PX_ASSERT(audit_entry_read(px_buf_str(&text), &arena, &again) == 0);
    PX_ASSERT(again.seq == entry.seq && again.event == entry.event && again.of == entry.of &&
              px_str_eq(again.chain, entry.chain) && px_str_eq(again.prev, entry.prev));
    return 0;
}
