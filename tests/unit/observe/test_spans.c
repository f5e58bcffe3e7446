/* Spans of an event, as what who collects them gets. */
#include "support/support.h"

#include <opentelemetry/proto/collector/trace/v1/trace_service.pb-c.h>
#include <pthread.h>

#include "base/px_id.h"
#include "base/px_json.h"
#include "observe/observe.h"

#define TRACE "Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Parent=00f067aa0ba902b7;Sampled="

typedef Opentelemetry__Proto__Collector__Trace__V1__ExportTraceServiceRequest request;
typedef Opentelemetry__Proto__Trace__V1__Span span_message;
typedef Opentelemetry__Proto__Common__V1__KeyValue pair;

static struct observe *observer(struct test *t, struct observe_options options)
{
    struct observe *observe = NULL;
    options.clock = &t->clock;
    options.function = S("ingest");
    options.region = S("eu-central-1");
    CHECK_OK(observe_new(&options, &observe));
    return observe;
}
static const struct metrics_options some_metrics = {{"Prism/t", 7}, {"ingest", 6}, {NULL, 0}};

static void event(struct observe *observe, const char *sampled)
{
    char trace[128];
    (void)snprintf(trace, sizeof trace, TRACE "%s", sampled);
    observe_event_begin(observe,
                        &(struct observe_event){S("r-1"), px_str_c(trace), S("arn"), true});
}
static request *request_of(struct observe *observe)
{
    struct px_str batch = observe_span_batch(observe, true);
    request *all = opentelemetry__proto__collector__trace__v1__export_trace_service_request__unpack(
        NULL, batch.len, (const uint8_t *)batch.ptr);
    CHECK(all);
    return all;
}
static void request_free(request **all)
{
    opentelemetry__proto__collector__trace__v1__export_trace_service_request__free_unpacked(*all,
                                                                                            NULL);
}
static span_message *span_named(const request *all, const char *name)
{
    for (size_t r = 0; r < all->n_resource_spans; r++) {
        Opentelemetry__Proto__Trace__V1__ScopeSpans *scope = all->resource_spans[r]->scope_spans[0];
        for (size_t i = 0; i < scope->n_spans; i++)
            if (px_str_eq(px_str((char *)scope->spans[i]->name.data, scope->spans[i]->name.len),
                          px_str_c(name)))
                return scope->spans[i];
    }
    TEST_FAIL("no span is called %s", name);
}
static struct px_str hex(struct test *t, ProtobufCBinaryData bytes)
{
    char *text = px_arena_alloc(&t->arena, 2 * bytes.len + 1);
    px_hex(bytes.data, bytes.len, text);
    return px_str(text, 2 * bytes.len);
}
static struct px_str text_of(pair *const *pairs, size_t count, const char *key)
{
    for (size_t i = 0; i < count; i++)
        if (px_str_eq(px_str((char *)pairs[i]->key.data, pairs[i]->key.len), px_str_c(key)))
            return px_str((char *)pairs[i]->value->string_value.data,
                          pairs[i]->value->string_value.len);
    return S("(none)");
}

TEST(an_event_and_its_work_are_a_tree_below_the_caller)
{
    PX_AUTO(observe_free)
    struct observe *observe = observer(t, (struct observe_options){.spans = true});
    event(observe, "1");
    observe_tenant(S("acme"));
    observe_event_text("http.route", S("/v1/query"));
    test_advance(t, 2 * PX_NS_PER_MS);
    struct observe_work outer = observe_begin("DuckDB run", SPAN_INTERNAL);
    test_advance(t, PX_NS_PER_MS);
    struct observe_work inner = observe_begin("s3 GetObject", SPAN_CLIENT);
    observe_number(&inner, "http.response.status_code", 503);
    test_advance(t, PX_NS_PER_MS);
    observe_end_store(&inner, PX_F_UNAVAILABLE);
    observe_end(&outer, 1); /* an answer */
    struct observe_work later = observe_begin("hot append", SPAN_CLIENT);
    observe_end_store(&later, 0);
    observe_event_end(observe, 200);

    PX_AUTO(request_free) request *all = request_of(observe);
    CHECK_INT(all->n_resource_spans, 1);
    pair **resource = all->resource_spans[0]->resource->attributes;
    size_t count = all->resource_spans[0]->resource->n_attributes;
    CHECK_STR(text_of(resource, count, "service.name"), S("ingest"));
    CHECK_STR(text_of(resource, count, "cloud.region"), S("eu-central-1"));
    span_message *root = span_named(all, "ingest"), *run = span_named(all, "DuckDB run");
    span_message *get = span_named(all, "s3 GetObject"), *append = span_named(all, "hot append");
    CHECK_STR(hex(t, root->trace_id), S("4bf92f3577b34da6a3ce929d0e0e4736"));
    CHECK_STR(hex(t, root->parent_span_id), S("00f067aa0ba902b7"));
    CHECK_STR(hex(t, run->parent_span_id), hex(t, root->span_id));
    CHECK_STR(hex(t, get->parent_span_id), hex(t, run->span_id));
    CHECK_STR(hex(t, append->parent_span_id), hex(t, root->span_id));
    CHECK_INT(root->kind, SPAN_SERVER);
    CHECK_INT(get->kind, SPAN_CLIENT);
    CHECK_INT(root->end_time_unix_nano - root->start_time_unix_nano, 4 * PX_NS_PER_MS);
    CHECK_INT(get->end_time_unix_nano - get->start_time_unix_nano, PX_NS_PER_MS);
    CHECK_INT(run->start_time_unix_nano, t->now_ns - 2 * PX_NS_PER_MS);
    CHECK(get->status && get->status->code == 2 && !run->status && !root->status);
    CHECK_STR(text_of(root->attributes, root->n_attributes, "prism.tenant"), S("acme"));
    CHECK_STR(text_of(root->attributes, root->n_attributes, "faas.invocation_id"), S("r-1"));
}

TEST(what_is_not_sampled_leaves_nothing)
{
    PX_AUTO(observe_free)
    struct observe *observe = observer(t, (struct observe_options){.spans = true});
    event(observe, "0");
    struct trace_context context;
    CHECK(observe_context(&context) && !context.sampled); /* but is passed on */
    struct observe_work work = observe_begin("x", SPAN_CLIENT);
    CHECK(!work.span && !observe_is_recorded());
    observe_end_store(&work, 0);
    observe_event_end(observe, 200);
    CHECK_INT(observe_span_batch(observe, true).len, 0);
    CHECK_INT(observe_due_ms(observe), 0);
}

TEST(nobody_looks_where_there_is_no_observer_or_no_event)
{
    observe_add(METRIC_STORE_CALLS, 1);
    struct observe_work work = observe_begin("x", SPAN_CLIENT);
    observe_text(&work, "k", S("v"));
    observe_end_store(&work, PX_F_IO);
    struct trace_context context;
    CHECK(!observe_context(&context));
    PX_AUTO(observe_free)
    struct observe *observe = observer(
        t, (struct observe_options){.spans = true, .metrics = &some_metrics});
    work = observe_begin("x", SPAN_CLIENT); /* of a function's start, say */
    observe_end_store(&work, 0);
    CHECK_INT(observe_metric_lines(observe, true).len, 0);
    CHECK_INT(observe_span_batch(observe, true).len, 0);
}

static void *elsewhere(void *ctx)
{
    struct observe_work work = observe_begin("elsewhere", SPAN_CLIENT);
    *(bool *)ctx = work.observe != NULL;
    observe_end_store(&work, 0);
    return NULL;
}

TEST(another_thread_has_no_event)
{
    PX_AUTO(observe_free)
    struct observe *observe = observer(t, (struct observe_options){.spans = true});
    event(observe, "1");
    pthread_t thread;
    bool looked = true;
    CHECK(pthread_create(&thread, NULL, elsewhere, &looked) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(!looked);
    observe_event_end(observe, 0);
}

TEST(a_caller_in_another_trace_is_a_link)
{
    PX_AUTO(observe_free)
    struct observe *observe = observer(t, (struct observe_options){.spans = true});
    event(observe, "1");
    observe_event_link(S("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"), S("a=1,b=2"));
    observe_event_end(observe, 0);
    event(observe, "1");
    observe_event_link(S("00-4bf92f3577b34da6a3ce929d0e0e4736-b7ad6b7169203331-01"), S(""));
    observe_event_end(observe, 0);
    PX_AUTO(request_free) request *all = request_of(observe);
    Opentelemetry__Proto__Trace__V1__ScopeSpans *scope = all->resource_spans[0]->scope_spans[0];
    CHECK_INT(scope->n_spans, 2);
    CHECK_INT(scope->spans[0]->n_links, 1);
    CHECK_STR(hex(t, scope->spans[0]->links[0]->trace_id), S("0af7651916cd43dd8448eb211c80319c"));
    CHECK_STR(px_str((char *)scope->spans[0]->trace_state.data, scope->spans[0]->trace_state.len),
              S("a=1,b=2"));
    CHECK_INT(scope->spans[1]->n_links, 0); /* it is the same one */
}

TEST(room_is_bounded_and_what_finds_none_is_counted)
{
    PX_AUTO(observe_free)
    struct observe *observe = observer(
        t, (struct observe_options){.spans = true, .metrics = &some_metrics});
    char text[1000];
    memset(text, 'x', sizeof text);
    event(observe, "1");
    for (int i = 0; i < 1000; i++) {
        struct observe_work work = observe_begin("work", SPAN_INTERNAL);
        for (int n = 0; n < 12; n++) observe_text(&work, "k", px_str(text, sizeof text));
        observe_end(&work, 0);
    }
    observe_event_end(observe, 200);
    PX_AUTO(request_free) request *all = request_of(observe);
    Opentelemetry__Proto__Trace__V1__ScopeSpans *scope = all->resource_spans[0]->scope_spans[0];
    CHECK_INT(scope->n_spans, SPANS_MAX);
    CHECK_INT(scope->spans[1]->n_attributes, SPAN_ATTRIBUTES_MAX);
    CHECK_INT(scope->spans[1]->dropped_attributes_count, 2);
    CHECK_INT(scope->spans[1]->attributes[0]->value->string_value.len, SPAN_TEXT_MAX);
    observe_batch_sent(observe, 0);
    struct px_str lines = observe_metric_lines(observe, true);
    yyjson_val *line = NULL;
    CHECK_OK(px_json_parse(px_str(lines.ptr, lines.len - 1), &t->arena, &line, NULL));
    CHECK_INT(px_json_i64(line, "spans_dropped", 0), 1001 - SPANS_MAX);
    CHECK_INT(px_json_i64(line, "spans_sent", 0), SPANS_MAX);
}

TEST(a_batch_leaves_at_once_then_at_most_one_in_an_interval)
{
    PX_AUTO(observe_free)
    struct observe *observe = observer(t, (struct observe_options){.spans = true});
    event(observe, "1");
    CHECK_INT(observe_span_batch(observe, true).len, 0); /* not while the event runs */
    observe_event_end(observe, 0);
    CHECK(observe_span_batch(observe, false).len > 0);
    observe_batch_sent(observe, 0);
    event(observe, "1");
    observe_event_end(observe, 0);
    CHECK_INT(observe_span_batch(observe, false).len, 0);
    uint32_t due_ms = observe_due_ms(observe);
    CHECK(due_ms > 900 && due_ms <= 1001);
    test_advance(t, due_ms * PX_NS_PER_MS);
    CHECK(observe_span_batch(observe, false).len > 0);
}

TEST(a_batch_that_fails_is_kept_and_tried_ever_less_often)
{
    PX_AUTO(observe_free)
    struct observe *observe = observer(t, (struct observe_options){.spans = true});
    event(observe, "1");
    observe_event_end(observe, 0);
    struct px_str first = observe_span_batch(observe, false);
    struct px_str kept = px_arena_dup(&t->arena, first);
    uint32_t waits[8];
    for (int i = 0; i < 8; i++) {
        observe_batch_failed(observe);
        CHECK_INT(observe_span_batch(observe, false).len, 0);
        waits[i] = observe_due_ms(observe);
        for (int n = 0; n < 200; n++) { /* spans go on coming meanwhile, and are bounded */
            event(observe, "1");
            observe_event_end(observe, 0);
        }
        CHECK_INT(observe_span_batch(observe, false).len, 0); /* full or not */
        test_advance(t, waits[i] * PX_NS_PER_MS);
        CHECK_STR(observe_span_batch(observe, false), kept);
    }
    CHECK(waits[0] > 900 && waits[1] > 1900 && waits[2] > 3900 && waits[7] <= 60001);
    observe_batch_sent(observe, 0);
    PX_AUTO(request_free) request *all = request_of(observe);
    CHECK_INT(all->resource_spans[0]->scope_spans[0]->n_spans, SPANS_MAX);
}

TEST(metric_lines_wait_for_their_interval)
{
    PX_AUTO(observe_free)
    struct observe *observe = observer(
        t, (struct observe_options){.metrics = &some_metrics, .metrics_interval_ms = 1000});
    event(observe, "1");
    observe_event_end(observe, 200);
    CHECK(observe_metric_lines(observe, false).len > 0); /* the first at once */
    for (int i = 0; i < 50; i++) {
        event(observe, "1");
        observe_event_end(observe, 404);
    }
    CHECK_INT(observe_metric_lines(observe, false).len, 0);
    test_advance(t, observe_due_ms(observe) * PX_NS_PER_MS);
    struct px_str lines = observe_metric_lines(observe, false);
    yyjson_val *line = NULL;
    CHECK_OK(px_json_parse(px_str(lines.ptr, lines.len - 1), &t->arena, &line, NULL));
    CHECK_INT(px_json_i64(line, "answers_4xx", 0), 50);
    CHECK_INT(px_json_i64(line, "events", 0), 50);
    CHECK(px_json_i64(line, "memory_peak", 0) > 100000);
    for (int i = 0; i < EMF_VALUES_MAX; i++) {
        event(observe, "1");
        observe_event_end(observe, 0);
    }
    CHECK(observe_metric_lines(observe, false).len > 0); /* no room for another value */
}

TEST(a_log_line_says_what_is_known_of_the_event)
{
    PX_AUTO(observe_free) struct observe *observe = observer(t, (struct observe_options){0});
    const struct px_log_context *context = observe_log_context(observe);
    event(observe, "0");
    observe_tenant(S("acme"));
    CHECK_STR(context->trace_id, S("4bf92f3577b34da6a3ce929d0e0e4736"));
    CHECK_STR(context->tenant, S("acme"));
    CHECK(context->cold);
    observe_event_end(observe, 0);
    CHECK(context->trace_id.len == 0 && context->tenant.len == 0 && !context->cold);
    observe_event_begin(observe, &(struct observe_event){S("r"), S("nonsense"), S(""), false});
    CHECK_INT(context->trace_id.len, 0);
    observe_event_end(observe, 0);
}

TEST_MAIN
