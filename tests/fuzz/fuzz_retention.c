/* Rules of retention as anybody with the scope for it may send them: those that are taken are within the bounds that SQL is made from. */
// link: px_svc_catalog
#include <stdlib.h>

#include "svc/catalog/retention.h"

#define ARENA_BYTES ((size_t)8 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(struct px_str text)
{
    PX_ASSERT(text.ptr && text.len <= RETENTION_TEXT_MAX);
    PX_ASSERT(!memchr(text.ptr, '\0', text.len) && px_utf8_ok(text));
}

static void check_rules(const struct retention_rules *rules)
{
    PX_ASSERT(rules->count <= RETENTION_RULES_MAX);
    for (size_t i = 0; i < rules->count; i++) {
        const struct retention_rule *rule = &rules->at[i];
        PX_ASSERT(rule->attribute.len > 0);
        PX_ASSERT(rule->days >= 1 && rule->days <= RETENTION_DAYS_MAX);
        check_text(rule->attribute);
        check_text(rule->value);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct px_arena arena;
    struct retention_rules sent, kept;
    const char *why = NULL;
    yyjson_val *list = NULL;
    if (size == 0 || size > 16 * 1024) return 0;
    px_arena_init(&arena, ARENA_BYTES);
    struct px_str text = px_str((const char *)data, size);
    bool is_json = px_json_parse(text, &arena, &list, NULL) == 0;
    int r = is_json ? retention_rules_parse(list, &arena, &sent, &why) : RETENTION_INVALID;
    PX_ASSERT(r >= 0);
    if (r == 0) check_rules(&sent);
    if (r != 0 && is_json) PX_ASSERT(why);
    /* what was refused is corrupt where it is found in the catalog, and nothing else is */
    PX_ASSERT((retention_rules_read(text, &arena, &kept) == 0) == (r == 0));
    PX_ASSERT(kept.count == (r == 0 ? sent.count : 0));
    px_arena_deinit(&arena);
    return 0;
}
