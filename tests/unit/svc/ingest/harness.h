/* tests/unit/svc/ingest/harness.h - an ingest instance over real stores in the scratch folder, requests
 * to it, and what stands in the hot store afterwards. Several instances may share the folder. */
#pragma once

#include "support/support.h"

#include "base/px_json.h"
#include "columnar/frame.h"
#include "svc/catalog/catalog.h"
#include "svc/ingest/ingest.h"

struct instance {
    struct hot_store *hot;
    struct hot_writer *writer;
    struct table_store *tables;
    struct meta *meta;
    struct catalog *catalog;
    struct ingest *ingest;
};

/* All but the hot store, which is open. `tables` and `meta` are paths. */
static void instance_start(struct instance *it, const struct px_clock *clock, struct px_str tables,
                           struct px_str meta, struct home home, const struct ingest_limits *limits)
{
    struct table_options of_tables = {.clock = clock, .busy_ms = 20000};
    CHECK_OK(hot_writer_new(it->hot, NULL, &it->writer));
    CHECK_OK(table_store_open(tables, &of_tables, &it->tables));
    CHECK_OK(meta_open(meta, NULL, &it->meta));
    CHECK_OK(catalog_new(it->meta, clock, &it->catalog));
    struct ingest_options options = {.writer = it->writer,
                                     .hot = it->hot,
                                     .tables = it->tables,
                                     .catalog = it->catalog,
                                     .clock = clock,
                                     .home = home};
    if (limits) options.limits = *limits;
    CHECK_OK(ingest_new(&options, &it->ingest));
}
__attribute__((unused)) static struct instance instance_new(struct test *t,
                                                            const struct px_clock *clock,
                                                            const struct ingest_limits *limits)
{
    struct instance it = {0};
    CHECK_OK(hot_store_open(test_path(t, "hot"), &it.hot));
    instance_start(&it, clock, test_path(t, "tables.db"), test_path(t, "meta.db"),
                   (struct home){S("here"), S("neighbour")}, limits);
    return it;
}
static void instance_free(struct instance *it)
{
    ingest_free(&it->ingest);
    hot_writer_free(&it->writer);
    hot_store_close(&it->hot);
    table_store_close(&it->tables);
    catalog_free(&it->catalog);
    meta_close(&it->meta);
}

/* ---- requests ---- */

struct request {
    const char *resource; /* NULL: /v1/ingest/{dataset} */
    const char *dataset;  /* NULL: "events" */
    const char *type;     /* NULL: application/x-ndjson */
    const char *key, *encoding, *method, *tenant, *scopes, *home_region, *time_field, *quotas;
    struct px_str body;
};
struct reply {
    int r; /* of ingest_handle() */
    int status;
    struct px_str type, retry_after, replayed, left, body; /* in the test's arena */
    yyjson_val *json;                                      /* NULL: the body is none */
};

static struct px_str or_else(const char *text, const char *otherwise)
{
    return px_str_c(text ? text : otherwise);
}

static void request_event(const struct request *request, struct http_header headers[4],
                          struct http_header *param, struct http_header *query,
                          struct api_event *ret_event)
{
    size_t count = 0;
    headers[count++] = (struct http_header){S("Content-Type"),
                                            or_else(request->type, "application/x-ndjson")};
    if (request->key)
        headers[count++] = (struct http_header){S("Idempotency-Key"), px_str_c(request->key)};
    if (request->encoding)
        headers[count++] = (struct http_header){S("Content-Encoding"), px_str_c(request->encoding)};
    *param = (struct http_header){S("dataset"), or_else(request->dataset, "events")};
    *query = (struct http_header){S("time_field"), or_else(request->time_field, "")};
    *ret_event = (struct api_event){
        .resource = or_else(request->resource, "/v1/ingest/{dataset}"),
        .method = or_else(request->method, "POST"),
        .headers = headers,
        .header_count = count,
        .query = query,
        .query_count = request->time_field != NULL,
        .path_params = param,
        .path_param_count = 1,
        .request_id = S("req-1"),
        .caller = {.tenant = or_else(request->tenant, "acme"),
                   .scopes = or_else(request->scopes, "ingest query"),
                   .home_region = or_else(request->home_region, ""),
                   .quotas = or_else(request->quotas, "")},
        .body = request->body,
    };
}

static struct px_str header_of(struct test *t, const struct api_response *response,
                               const char *name)
{
    for (size_t i = 0; i < response->header_count; i++)
        if (px_str_ieq(response->headers[i].name, px_str_c(name)))
            return px_arena_dup(&t->arena, response->headers[i].value);
    return (struct px_str){0};
}

static struct reply reply_read(struct test *t, struct px_str payload)
{
    struct api_response response;
    struct reply reply = {0};
    CHECK_OK(api_response_parse(payload, &t->arena, &response));
    reply.status = response.status;
    reply.type = header_of(t, &response, "content-type");
    reply.retry_after = header_of(t, &response, "retry-after");
    reply.replayed = header_of(t, &response, "idempotent-replayed");
    reply.left = header_of(t, &response, "ratelimit");
    reply.body = px_arena_dup(&t->arena, response.body);
    if (px_json_parse(reply.body, &t->arena, &reply.json, NULL) != 0) reply.json = NULL;
    return reply;
}

static struct reply send_to(struct test *t, struct ingest *ingest, const struct request *request)
{
    struct http_header headers[4], param, query;
    struct api_event event;
    struct px_arena arena;
    struct px_buf buf;
    request_event(request, headers, &param, &query, &event);
    px_arena_init(&arena, 64u << 20);
    px_buf_init(&buf, 1u << 20);
    struct reply reply = {.r = ingest_handle(ingest, &event, &arena, &buf)};
    if (reply.r == 0) reply = reply_read(t, px_buf_str(&buf));
    px_buf_deinit(&buf);
    px_arena_deinit(&arena);
    return reply;
}

/* The reply comes last: it may be a call with commas in it. */
#define CHECK_STATUS(want, ...)                                                                    \
    do {                                                                                           \
        const struct reply check_reply_ = (__VA_ARGS__);                                           \
        char check_fault_[512];                                                                    \
        if (check_reply_.r != 0)                                                                   \
            TEST_FAIL("%d %s", check_reply_.r, px_fault_text(check_reply_.r, check_fault_, 512));  \
        if (check_reply_.status != (want))                                                         \
            TEST_FAIL("status %d, not %d: %.*s", check_reply_.status, (want),                      \
                      PX_FMT(check_reply_.body));                                                  \
    } while (0)

/* ---- what is stored ---- */

struct stored {
    size_t frames;
    uint64_t rows;
    uint8_t ids[2048][16]; /* request ids in order of (writer, number) */
};

static void stored_add_file(struct test *t, const struct hot_file *file, struct stored *stored)
{
    struct hot_reader *reader;
    struct hot_frame frame;
    struct frame opened;
    if (hot_reader_open(file, &reader) != 0) return;
    while (hot_reader_next(reader, &frame) == 0) {
        CHECK_OK(frame_open(frame.payload, &t->arena, &opened));
        CHECK(stored->frames < PX_COUNT(stored->ids));
        memcpy(stored->ids[stored->frames++], opened.header.request_id, 16);
        stored->rows += opened.header.rows;
    }
    hot_reader_close(&reader);
}

__attribute__((unused)) static struct stored stored_in(struct test *t, struct hot_store *hot,
                                                       const char *dataset)
{
    struct hot_file *files;
    size_t count;
    struct stored stored = {0};
    CHECK_OK(hot_list(hot, S("acme"), px_str_c(dataset), &t->arena, &files, &count));
    for (size_t i = 0; i < count; i++) stored_add_file(t, &files[i], &stored);
    return stored;
}
