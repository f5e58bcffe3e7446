/* Arbitrary bytes as an environment's template: evaluated within bounds, checked against the schema as AWS's and as the machine's own,
 * and rendered whatever it is. */
// link: px_config
#include <stdlib.h>

#include "config/config.h"

#define ARENA_BYTES ((size_t)256 << 20)
#define STEPS_MAX 20000

static const struct config_schema *schema_once(void)
{
    static struct px_arena arena; /* as long as the process: it is the same for every input */
    static struct config_schema *schema;
    if (schema) return schema;
    px_arena_init(&arena, ARENA_BYTES);
    if (config_schema_open(PX_SOURCE_DIR "/platform", PX_SOURCE_DIR "/infra", &arena, &schema) != 0)
        abort();
    return schema;
}

static void check(struct config *config, struct px_str name)
{
    struct config_report report = {.arena = config->arena};
    config->name = name;
    config_check(config, &report);
    for (size_t i = 0; i < report.count; i++)
        PX_ASSERT(report.faults[i].place.file.len > 0 && report.faults[i].message.len > 0);
    for (int output = CONFIG_TFVARS; output <= CONFIG_JSON && report.count == 0; output++) {
        PX_AUTO(px_buf_deinit) struct px_buf text;
        yyjson_val *root = NULL;
        px_buf_init(&text, (size_t)16 << 20);
        int r = config_render(config, (enum config_output)output, S("local"), &text);
        PX_ASSERT(r == CONFIG_NO_ENVIRONMENT || r == PX_F_LIMIT ||
                  (r == 0 && px_json_parse(px_buf_str(&text), config->arena, &root, NULL) == 0));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct px_arena arena;
    px_arena_init(&arena, ARENA_BYTES);
    const char *text = px_arena_cstr(&arena, px_str((const char *)data, size));
    struct config config = {.schema = schema_once(), .file = S("text"), .arena = &arena};
    if (text && strlen(text) == size &&
        config_evaluate_text(text, STEPS_MAX, &arena, &config.tree) == 0) {
        check(&config, S("prod"));
        check(&config, S("local"));
    }
    px_arena_deinit(&arena);
    return 0;
}
