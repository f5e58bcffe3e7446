/* Function audit: chains and entries for operators, in pages, each line as it is stored. */
// link: px_svc_security px_svc_audit px_svc_sharding px_store px_aws px_lambda
#include "store/tables_kit.h"

#include "lambda/apigw.h"
#include "svc/security/audit_admin.h"

struct fixture {
    struct test *t;
    struct table_store *tables;
    struct px_buf body;
};

static struct fixture *open_function(struct test *t)
{
    static const char *const names[] = {AUDIT_TABLE, AUDIT_HEADS};
    struct fixture *f = px_arena_new(&t->arena, struct fixture);
    f->t = t;
    tables_prepare(t, names, PX_COUNT(names));
    CHECK_OK(table_store_open(tables_url(t), NULL, &f->tables));
    px_buf_init(&f->body, 6u << 20);
    return f;
}

static void close_function(struct fixture *f)
{
    px_buf_deinit(&f->body);
    table_store_close(&f->tables);
}

/* calls with `asked` bytes each: two entries a call. */
static void write_calls(struct fixture *f, const char *region, const char *tenant, int calls,
                        size_t bytes)
{
    const struct audit audit = {f->tables, &f->t->clock, px_str_c(region)};
    char *big = px_arena_alloc(&f->t->arena, bytes + 16);
    int n = snprintf(big, bytes + 16, "{\"x\":\"%0*d\"}", (int)bytes, 7);
    for (int i = 0; i < calls; i++) {
        struct audit_intent intent;
        const struct audit_call call = {.tenant = px_str_c(tenant),
                                        .operation = S("tenant.change"),
                                        .target = px_str_c(tenant),
                                        .asked = px_str(big, (size_t)n)};
        const struct audit_outcome outcome = {.status = 200};
        CHECK_OK(audit_intend(&audit, &call, &intent));
        CHECK_OK(audit_conclude(&audit, &intent, &outcome));
    }
}

struct asked {
    const char *tenant; /* NULL: the chains */
    const char *after, *limit, *region;
    const char *caller, *scopes; /* NULL: an operator */
};

static struct api_response ask(struct fixture *f, const struct asked *asked)
{
    const char *resource = asked->tenant ? "/v1/admin/audit/{tenant}" : "/v1/admin/audit";
    const struct http_header params[] = {{S("tenant"), px_str_c(asked->tenant)}};
    struct http_header query[3];
    size_t count = 0;
    if (asked->after) query[count++] = (struct http_header){S("after"), px_str_c(asked->after)};
    if (asked->limit) query[count++] = (struct http_header){S("limit"), px_str_c(asked->limit)};
    if (asked->region) query[count++] = (struct http_header){S("region"), px_str_c(asked->region)};
    const struct api_event event = {
        .resource = px_str_c(resource),
        .path = px_str_c(resource),
        .method = S("GET"),
        .query = query,
        .query_count = count,
        .path_params = params,
        .path_param_count = asked->tenant ? 1 : 0,
        .request_id = S("req-1"),
        .stage = S("v1"),
        .caller = {.tenant = px_str_c(asked->caller ? asked->caller : "_system"),
                   .key_id = S("k"),
                   .scopes = px_str_c(asked->scopes ? asked->scopes : "admin"),
                   .epoch = 1}};
    const struct audit_admin admin = {f->tables, S("here")};
    struct lambda_reply reply = {.body = &f->body};
    struct api_response response;
    PX_AUTO(px_buf_deinit) struct px_buf payload;
    px_buf_init(&payload, 1u << 20);
    api_event_write(&event, &payload);
    px_buf_clear(&f->body);
    struct lambda_event lambda = {.payload = px_arena_dup(&f->t->arena, px_buf_str(&payload)),
                                  .arena = &f->t->arena,
                                  .reply = &reply};
    CHECK_OK(audit_admin_handle(&admin, &lambda));
    CHECK_OK(api_response_parse(px_buf_str(&f->body), &f->t->arena, &response));
    return response;
}

static yyjson_val *chains(struct fixture *f, const char *after, const char *limit,
                          struct px_str *ret_next)
{
    yyjson_val *root = NULL;
    struct api_response response = ask(f, &(struct asked){.after = after, .limit = limit});
    CHECK_INT(response.status, 200);
    CHECK_OK(px_json_parse(response.body, &f->t->arena, &root, NULL));
    *ret_next = px_json_str(root, "next");
    return px_json_arr(root, "chains");
}

/* ---- tests ---- */

TEST(chains_come_in_pages_with_their_tips)
{
    struct fixture *f = open_function(t);
    struct audit_head head;
    struct px_str next = {0};
    write_calls(f, "here", "acme", 2, 10);
    write_calls(f, "here", "zoo", 1, 10);
    write_calls(f, "there", "acme", 1, 10);
    size_t seen = 0, pages = 0;
    const char *after = NULL;
    do {
        yyjson_val *page = chains(f, after, "2", &next), *chain;
        size_t i, n;
        px_json_arr_foreach(page, i, n, chain)
        {
            CHECK_OK(audit_head_read(f->tables, px_json_str(chain, "chain"), &head));
            CHECK_STR(px_json_str(chain, "tip"), px_str_c(head.hash));
            CHECK_INT(px_json_i64(chain, "seq", 0), head.seq);
            seen++;
        }
        after = px_arena_cstr(&t->arena, next);
        pages++;
    } while (next.len > 0);
    CHECK_INT(seen, 3);
    CHECK_INT(pages, 2);
    close_function(f);
}

TEST(a_spoilt_head_is_a_chain_without_a_tip)
{
    struct fixture *f = open_function(t);
    struct px_str next = {0};
    write_calls(f, "here", "acme", 1, 10);
    const struct table_put put = {.key = {.table = S(AUDIT_HEADS), .partition = S("here/acme")},
                                  .document = S("{}")};
    CHECK_OK(table_put(f->tables, &put, NULL, NULL, NULL));
    yyjson_val *chain = yyjson_arr_get_first(chains(f, NULL, NULL, &next));
    CHECK_INT(px_json_i64(chain, "seq", -1), 0);
    CHECK(!yyjson_obj_get(chain, "tip"));
    CHECK_INT(ask(f, &(struct asked){.tenant = "acme"}).status, 200);
    close_function(f);
}

TEST(lines_are_what_is_stored_and_follow_each_other_over_pages)
{
    struct fixture *f = open_function(t);
    uint64_t seq = 0;
    char after[24], hash[DIGEST_HEX_BYTES] = AUDIT_NO_PREV;
    write_calls(f, "here", "acme", 25, 10);
    for (;;) {
        (void)snprintf(after, sizeof after, "%llu", (unsigned long long)seq);
        struct api_response response = ask(
            f, &(struct asked){.tenant = "acme", .after = after, .limit = "7"});
        CHECK_INT(response.status, 200);
        CHECK_STR(response.headers[0].value, S("application/x-ndjson"));
        struct px_str rest = response.body, line;
        if (rest.len == 0) break;
        while (rest.len > 0) {
            struct audit_entry entry;
            (void)px_str_cut(&rest, '\n', &line);
            CHECK_OK(audit_entry_read(line, &t->arena, &entry));
            CHECK_INT(entry.seq, ++seq);
            CHECK_STR(entry.prev, px_str_c(hash));
            digest_of(line, hash);
        }
    }
    CHECK_INT(seq, 50);
    close_function(f);
}

TEST(a_page_of_large_entries_ends_early_and_the_next_goes_on)
{
    struct fixture *f = open_function(t);
    write_calls(f, "here", "acme", 60, 45000);
    struct api_response response = ask(f, &(struct asked){.tenant = "acme", .limit = "1000"});
    CHECK_INT(response.status, 200);
    CHECK(response.body.len > 1u << 20 && response.body.len <= 2u << 20);
    size_t lines = 0;
    for (size_t i = 0; i < response.body.len; i++) lines += response.body.ptr[i] == '\n';
    CHECK(lines > 0 && lines < 120);
    char after[24];
    (void)snprintf(after, sizeof after, "%zu", lines);
    response = ask(f, &(struct asked){.tenant = "acme", .after = after, .limit = "1"});
    struct audit_entry entry;
    struct px_str rest = response.body, line;
    CHECK(px_str_cut(&rest, '\n', &line));
    CHECK_OK(audit_entry_read(line, &t->arena, &entry));
    CHECK_INT(entry.seq, lines + 1);
    close_function(f);
}

TEST(another_regions_chain_is_read_by_name)
{
    struct fixture *f = open_function(t);
    write_calls(f, "there", "acme", 1, 10);
    CHECK_INT(ask(f, &(struct asked){.tenant = "acme"}).status, 404);
    CHECK_INT(ask(f, &(struct asked){.tenant = "acme", .region = "there"}).status, 200);
    close_function(f);
}

TEST(what_is_no_place_is_refused)
{
    static const struct asked wrong[] = {
        {.tenant = "acme", .region = ""},
        {.tenant = "acme", .region = "a/b"},
        {.tenant = "acme", .region = "A"},
        {.tenant = "acme", .after = "-1"},
        {.tenant = "acme", .after = ""},
        {.tenant = "acme", .after = "1000000000000"},
        {.tenant = "acme", .limit = "0"},
        {.tenant = "acme", .limit = "1001"},
        {.tenant = "../acme"},
        {.tenant = "ACME"},
        {.tenant = "here/acme"},
        {.limit = "x"},
    };
    struct fixture *f = open_function(t);
    write_calls(f, "here", "acme", 1, 10);
    for (size_t i = 0; i < PX_COUNT(wrong); i++) CHECK_INT(ask(f, &wrong[i]).status, 400);
    CHECK_INT(ask(f, &(struct asked){.tenant = "nobody"}).status, 404);
    struct api_response end = ask(f, &(struct asked){.tenant = "acme", .after = "999999999999"});
    CHECK_INT(end.status, 200);
    CHECK_INT(end.body.len, 0);
    close_function(f);
}

TEST(operators_alone_read_it)
{
    static const struct asked others[] = {
        {.caller = "acme"},
        {.tenant = "acme", .caller = "acme"},
        {.tenant = "acme", .caller = "_system", .scopes = "ingest query"},
        {.tenant = "nobody", .caller = "acme"},
        {.tenant = "../acme", .caller = "acme"},
        {.tenant = "acme", .caller = ""},
    };
    struct fixture *f = open_function(t);
    write_calls(f, "here", "acme", 1, 10);
    for (size_t i = 0; i < PX_COUNT(others); i++) CHECK_INT(ask(f, &others[i]).status, 403);
    close_function(f);
}

TEST_MAIN
