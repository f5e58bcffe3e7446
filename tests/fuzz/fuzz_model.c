/* The first line is a schema, the rest a body: whatever compiles must check without harm. */
// link: px_region
#include "base/px_arena.h"
#include "region/model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void *alloc(void *ctx, size_t bytes) { return px_arena_alloc(ctx, bytes); }

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct px_str body = px_str((const char *)data, size), schema;
    char why[64];
    const struct model *model = NULL;
    struct px_arena arena;
    (void)px_str_cut(&body, '\n', &schema);
    if (schema.len == 0) return 0;
    struct models *models = models_new(schema.ptr, schema.len);
    if (!models) return 0;
    px_arena_init(&arena, 16 << 20);
    int r = model_compile(models, "", alloc, &arena, &model, why, sizeof(why));
    models_free(&models);
    if (r == 0) (void)model_check(model, body.ptr ? body.ptr : "", body.len, why, sizeof(why));
    px_arena_deinit(&arena);
    return 0;
}
