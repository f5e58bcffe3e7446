/* A template, a NUL, a value: the template is refused or rendered; the value, in body and path of a request, never leaves the string that the contract's
 * kind of template gives it; and whatever came before, the engine then still renders. */
// link: px_vtl
#include <stdlib.h>

#include "base/px_buf.h"
#include "base/px_json.h"
#include "vtl/vtl.h"

#define ARENA_BYTES ((size_t)16 << 20)
#define TEXT_BYTES_MAX 4096
#define ESCAPED(x) "$util.escapeJavaScript(" x ").replaceAll(\"\\\\'\",\"'\")"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct vtl *engine;
static const char start[] =
    "{\"name\":\"$context.requestId\",\"input\":\"{\\\"tenant\\\":\\\"" ESCAPED(ESCAPED(
        "$input.params('tenant')")) "\\\",\\\"to\\\":" ESCAPED("$input.json('$.to')") "}\"}";

static int render(struct px_str text, struct px_str body, struct px_str value,
                  struct px_arena *arena, struct vtl_result *ret_result)
{
    struct px_str why = {0};
    const struct vtl_pair path[] = {{S("tenant"), value}};
    const struct vtl_pair context[] = {{S("requestId"), S("r-1")}};
    const struct vtl_input input = {
        .body = body, .path = path, .path_count = 1, .context = context, .context_count = 1};
    int r = vtl_render(engine, text, &input, arena, ret_result, &why);
    PX_ASSERT(r == 0 || (r == VTL_FAILED && why.len > 0));
    return r;
}

static void check_value(struct px_str value, struct px_arena *arena)
{
    PX_AUTO(px_buf_deinit) struct px_buf body;
    struct vtl_result result = {0};
    yyjson_val *root = NULL, *inner = NULL;
    px_buf_init(&body, 1u << 20);
    px_buf_add_c(&body, "{\"to\":");
    px_buf_add_json_str(&body, value);
    px_buf_add_char(&body, '}');
    int r = render(px_str_c(start), px_buf_str(&body), value, arena, &result);
    PX_ASSERT(r == 0);
    r = px_json_parse(result.text, arena, &root, NULL);
    PX_ASSERT(r == 0 && yyjson_obj_size(root) == 2);
    r = px_json_parse(px_json_str(root, "input"), arena, &inner, NULL);
    PX_ASSERT(r == 0 && yyjson_obj_size(inner) == 2);
    PX_ASSERT(px_str_eq(px_json_str(inner, "tenant"), px_json_str(inner, "to")));
    PX_ASSERT(!px_utf8_ok(value) || px_str_eq(px_json_str(inner, "to"), value));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct px_arena arena;
    struct px_str rest = px_str((const char *)data, size), text, why = {0};
    if (size > TEXT_BYTES_MAX) return 0;
    if (!engine && vtl_new(NULL, &engine) != 0) abort();
    px_arena_init(&arena, ARENA_BYTES);
    (void)px_str_cut(&rest, '\0', &text);
    int r = vtl_check(engine, text, &arena, &why);
    PX_ASSERT(r == 0 || (r == VTL_REFUSED && why.len > 0));
    struct vtl_result result = {0};
    yyjson_val *root = NULL;
    if (r == 0 && render(text, rest, rest, &arena, &result) == 0) {
        PX_ASSERT(px_utf8_ok(result.text));
        int parsed = px_json_parse(result.text, &arena, &root, NULL); /* must get through */
        (void)parsed;
    }
    check_value(rest, &arena);
    px_arena_deinit(&arena);
    return 0;
}
