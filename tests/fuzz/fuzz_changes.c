/* Arbitrary bytes as a plan: its changes are read, told, written as the document, held against themselves, and searched for drift. Whatever
 * a plan says, that ends; the document is JSON, and the same each time. */
// link: px_delivery_terraform
#include "base/px_json.h"
#include "delivery/terraform/drift.h"
#include "delivery/terraform/summary.h"

#define ARENA_BYTES ((size_t)256 << 20)
#define BUF_BYTES ((size_t)64 << 20)

static void look(const struct changes *changes, struct px_arena *arena)
{
    struct px_buf buf, again;
    struct words words = {0};
    struct drift drift;
    yyjson_val *document = NULL;
    px_buf_init(&buf, BUF_BYTES);
    px_buf_init(&again, BUF_BYTES);
    int r = changes_document(changes, &buf);
    if (r == 0) r = changes_document(changes, &again);
    if (r == 0) {
        PX_ASSERT(px_str_eq(px_buf_str(&buf), px_buf_str(&again)));
        r = px_json_parse(px_buf_str(&buf), arena, &document, NULL);
        /* it wraps what it holds in a few objects of its own */
        PX_ASSERT(r != PX_JSON_INVALID || buf.len > PX_JSON_DEPTH_MAX);
    }
    px_buf_clear(&again);
    if (r == 0) {
        r = changes_within(document, document, arena, &again);
        PX_ASSERT(r <= 0 || r == CHANGES_DIFFER);
    }
    px_buf_clear(&buf);
    r = drift_find(changes, &words, "prism pipeline run", &drift);
    if (r == 0) {
        drift_write_text(&drift, S("fuzz"), true, &buf);
        px_buf_clear(&buf);
        drift_write_json(&drift, &buf);
        r = px_buf_fault(&buf) ? 0 : px_json_parse(px_buf_str(&buf), arena, &document, NULL);
        PX_ASSERT(r <= 0);
    }
    px_buf_clear(&buf);
    r = summary_write(changes, &(struct summary_options){.stack = "fuzz", .words = &words}, &buf);
    PX_ASSERT(r <= 0);
    px_buf_deinit(&buf);
    px_buf_deinit(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct px_arena arena;
    struct changes changes;
    struct px_where where = {0};
    px_arena_init(&arena, ARENA_BYTES);
    int r = changes_open(px_str((const char *)data, size), &arena, &changes, &where);
    PX_ASSERT(r <= 0 || (r == CHANGES_INVALID && where.expected[0]));
    if (r == 0) look(&changes, &arena);
    px_arena_deinit(&arena);
    return 0;
}
