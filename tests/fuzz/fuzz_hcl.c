/* Arbitrary bytes as a module's source: read, and every local value, output and attribute of it
 * evaluated. No file is read: the plan has no folder of sources. */
// link: px_delivery
#include <stdlib.h>

#include "delivery/eval.h"

#define ARENA_BYTES ((size_t)64 << 20)

static void eval_body(struct plan_module *module, const struct hcl_body *body, unsigned depth)
{
    struct eval_scope scope = {.module = module};
    for (const struct hcl_attr *attr = body->attrs; attr; attr = attr->next) {
        const struct value *v = eval(&scope, attr->expr);
        if (!v) continue;
        struct px_buf buf;
        px_buf_init(&buf, 1u << 20);
        value_write_json(&buf, v);
        px_buf_deinit(&buf);
        (void)value_shown(module->plan->arena, v);
    }
    for (const struct hcl_block *block = body->blocks; block && depth < 8; block = block->next)
        eval_body(module, &block->body, depth + 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct px_arena arena;
    struct plan *plan = NULL;
    struct hcl_body body = {0};
    struct px_where where = {0};
    px_arena_init(&arena, ARENA_BYTES);
    struct px_str none = S("{\"configuration\":{\"root_module\":{}},\"resource_changes\":[]}");
    if (plan_open(none, "fuzz", NULL, &arena, &plan, NULL) != 0) abort();
    int r = hcl_parse(px_str((const char *)data, size), &arena, &body, &where);
    PX_ASSERT(r <= 0 || (r == HCL_INVALID && where.expected[0] && where.offset <= size));
    if (r == 0) {
        plan->config->body = body;
        plan->config->from_sources = true;
        plan->steps = UINT64_C(50000000) - 100000; /* an input is small; so is its work */
        eval_body(plan->module, &body, 0);
    }
    px_arena_deinit(&arena);
    return 0;
}
