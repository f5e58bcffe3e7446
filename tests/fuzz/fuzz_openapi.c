/* Arbitrary bytes as the API contract; whatever is accepted must route without harm. */
// link: px_region
#include "region/openapi.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_through(struct px_str template_text)
{
    struct px_str before;
    enum api_variable variable;
    while (api_template_next(&template_text, &before, &variable))
        ;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const paths[] = {"/",          "/v1/logs", "/v1/ingest/a%20b",
                                        "/a/b/c/d/e", "//",       "%"};
    struct px_arena arena;
    struct api_contract contract;
    struct api_match match;
    struct px_where where = {0};
    px_arena_init(&arena, 16 << 20);
    if (api_contract_parse(px_str((const char *)data, size), &arena, &contract, &where) == 0) {
        for (size_t i = 0; i < PX_COUNT(paths); i++)
            (void)!api_route_find(&contract, S("POST"), px_str_c(paths[i]), &arena, &match);
        for (size_t i = 0; i < API_GW_COUNT_; i++) read_through(contract.replies[i].template_text);
    }
    px_arena_deinit(&arena);
    return 0;
}
