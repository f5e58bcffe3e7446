/* Arbitrary bytes as a plan: opened, looked at by every rule, written in every format. Whatever a plan
 * says, that ends with findings, a refusal or a limit. */
// link: px_delivery
#include <stdlib.h>

#include "delivery/verify.h"

#define ARENA_BYTES ((size_t)256 << 20)

static void write_all(const struct verify *v)
{
    struct px_buf buf;
    FILE *null = fopen("/dev/null", "we");
    px_buf_init(&buf, ARENA_BYTES);
    verify_write_json(v, &buf);
    verify_write_sarif(v, "0", &buf);
    PX_ASSERT(px_buf_fault(&buf) == 0);
    px_buf_deinit(&buf);
    if (!null) return;
    verify_write_text(v, true, null);
    (void)fclose(null);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct px_arena arena;
    struct plan *plans[2] = {NULL, NULL};
    struct px_where where = {0};
    struct verify_options options = {.platform_dir = PX_SOURCE_DIR "/platform"};
    px_arena_init(&arena, ARENA_BYTES);
    struct px_str text = px_str((const char *)data, size);
    int r = plan_open(text, "fuzz", NULL, &arena, &plans[0], &where);
    PX_ASSERT(r <= 0 || (r == PLAN_INVALID && where.expected[0]));
    if (r == 0) r = plan_open(text, "again", NULL, &arena, &plans[1], &where);
    if (r == 0) {
        struct verify v;
        r = verify_run(&arena, &options, plans, 2, &v);
        PX_ASSERT(r == 0 || r == PX_F_LIMIT);
        if (r == 0) write_all(&v);
    }
    px_arena_deinit(&arena);
    return 0;
}
