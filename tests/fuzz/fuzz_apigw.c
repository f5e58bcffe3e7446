/* Arbitrary text as an API Gateway event and as a function's response: invalid, or written and read
 * again to the same. */
// link: px_lambda
#include <stdlib.h>

#include "lambda/apigw.h"

#define ARENA_BYTES ((size_t)16 << 20)

static bool same_pairs(const struct http_header *a, size_t a_count, const struct http_header *b,
                       size_t b_count)
{
    if (a_count != b_count) return false;
    for (size_t i = 0; i < a_count; i++) { /* of one name, the order stays */
        struct px_str first_a = http_headers_find(a, a_count, a[i].name);
        if (!px_str_eq(first_a, http_headers_find(b, b_count, a[i].name))) return false;
    }
    return true;
}

static void check_event(struct px_str text, struct px_arena *arena)
{
    struct api_event event, again;
    struct px_where where = {0};
    int r = api_event_parse(text, arena, &event, &where);
    if (r == API_INVALID) PX_ASSERT(where.expected[0] && where.offset <= text.len);
    if (r != 0) return;
    (void)api_header(&event, S("content-type"));
    (void)api_caller_may(&event.caller, S("ingest"));
    PX_AUTO(px_buf_deinit) struct px_buf json;
    px_buf_init(&json, ARENA_BYTES);
    api_event_write(&event, &json);
    PX_ASSERT(px_buf_fault(&json) == 0);
    PX_ASSERT(api_event_parse(px_buf_str(&json), arena, &again, NULL) == 0);
    PX_ASSERT(px_str_eq(event.method, again.method) && px_str_eq(event.path, again.path));
    PX_ASSERT(px_str_eq(event.body, again.body) && px_str_eq(event.request_id, again.request_id));
    PX_ASSERT(same_pairs(event.headers, event.header_count, again.headers, again.header_count));
    if (event.caller.tenant.len > 0) PX_ASSERT(px_str_eq(event.caller.tenant, again.caller.tenant));
}

static void check_response(struct px_str text, struct px_arena *arena)
{
    struct api_response response, again;
    if (api_response_parse(text, arena, &response) != 0) return;
    PX_ASSERT(response.status >= 100 && response.status <= 599);
    PX_AUTO(px_buf_deinit) struct px_buf json;
    px_buf_init(&json, ARENA_BYTES);
    api_response_write(&response, &json);
    PX_ASSERT(px_buf_fault(&json) == 0);
    PX_ASSERT(api_response_parse(px_buf_str(&json), arena, &again) == 0);
    PX_ASSERT(response.status == again.status && px_str_eq(response.body, again.body));
    PX_ASSERT(
        same_pairs(response.headers, response.header_count, again.headers, again.header_count));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    px_arena_init(&arena, ARENA_BYTES);
    check_event(px_str((const char *)data, size), &arena);
    check_response(px_str((const char *)data, size), &arena);
    return 0;
}
