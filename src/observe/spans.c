/* observe/spans.c - see spans.h. The messages are protobuf-c's, made from the official .proto files; here
 * they are only filled, in an arena that goes when they are packed. */
#include "observe/spans.h"

#include <opentelemetry/proto/collector/trace/v1/trace_service.pb-c.h>
#include <stdio.h>
#include <stdlib.h>

#define MESSAGES_BYTES_MAX ((size_t)4 << 20)

typedef Opentelemetry__Proto__Collector__Trace__V1__ExportTraceServiceRequest request_message;
typedef Opentelemetry__Proto__Trace__V1__ResourceSpans resource_spans_message;
typedef Opentelemetry__Proto__Trace__V1__ScopeSpans scope_spans_message;
typedef Opentelemetry__Proto__Trace__V1__Span span_message;
typedef Opentelemetry__Proto__Trace__V1__Span__Link link_message;
typedef Opentelemetry__Proto__Trace__V1__Status status_message;
typedef Opentelemetry__Proto__Resource__V1__Resource resource_message;
typedef Opentelemetry__Proto__Common__V1__InstrumentationScope scope_message;
typedef Opentelemetry__Proto__Common__V1__KeyValue pair_message;
typedef Opentelemetry__Proto__Common__V1__AnyValue value_message;

#define VALUE_CASE(name) OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_##name##_VALUE
#define FLAG_SAMPLED 1u
#define FLAG_HAS_IS_REMOTE 0x100u /* trace.proto, SpanFlags */
#define FLAG_IS_REMOTE 0x200u

/* ---- recording ---- */

void spans_init(struct spans *spans)
{
    *spans = (struct spans){0};
    px_arena_init(&spans->text, SPAN_TEXT_BYTES_MAX);
}

void spans_deinit(struct spans *spans)
{
    free(spans->at);
    spans->at = NULL;
    px_arena_deinit(&spans->text);
}

struct span *spans_add(struct spans *spans)
{
    if (!spans->at) spans->at = calloc(SPANS_MAX, sizeof *spans->at);
    if (!spans->at || spans->count == SPANS_MAX) {
        spans->dropped++;
        return NULL;
    }
    struct span *span = &spans->at[spans->count++];
    *span = (struct span){.kind = SPAN_INTERNAL};
    return span;
}

/* Cut to length between two characters, and what is no UTF-8 is none of ours to send. */
static struct px_str text_keep(struct spans *spans, struct px_str text)
{
    text.len = PX_MIN(text.len, (size_t)SPAN_TEXT_MAX);
    while (text.len > 0 && !px_utf8_ok(text)) text.len--;
    return px_arena_dup(&spans->text, text);
}

void span_set_name(struct span *span, struct px_str name)
{
    (void)snprintf(span->name, sizeof span->name, "%.*s", PX_FMT(name));
}

void span_set_state(struct spans *spans, struct span *span, struct px_str state)
{
    struct px_str kept = px_arena_dup(&spans->text, state);
    if (kept.ptr) span->state = kept;
}

static struct span_attribute *attribute_add(struct span *span, const char *key)
{
    if (span->attribute_count == SPAN_ATTRIBUTES_MAX) {
        span->dropped_attributes++;
        return NULL;
    }
    struct span_attribute *attribute = &span->attributes[span->attribute_count++];
    *attribute = (struct span_attribute){.key = key};
    return attribute;
}

void span_add_text(struct spans *spans, struct span *span, const char *key, struct px_str value)
{
    struct px_str kept = text_keep(spans, value);
    struct span_attribute *attribute = kept.ptr ? attribute_add(span, key) : NULL;
    if (!kept.ptr) span->dropped_attributes++;
    if (!attribute) return;
    attribute->is_text = true;
    attribute->text = kept;
}

void span_add_number(struct span *span, const char *key, int64_t value)
{
    struct span_attribute *attribute = attribute_add(span, key);
    if (attribute) attribute->number = value;
}

void spans_clear(struct spans *spans)
{
    spans->count = 0;
    px_arena_reset(&spans->text);
}

/* ---- encoding ---- */

static ProtobufCBinaryData bytes_of(struct px_str s)
{
    return (ProtobufCBinaryData){s.len, (uint8_t *)(uintptr_t)s.ptr};
}

static ProtobufCBinaryData id_of(const uint8_t *id, size_t count)
{
    return (ProtobufCBinaryData){count, (uint8_t *)(uintptr_t)id};
}

/* A new message, set up by protobuf-c's own function. */
#define MESSAGE(arena, var, type, init)                                                            \
    type *var = px_arena_new(arena, type); /* NOLINT(bugprone-macro-parentheses) */                \
    if (!(var)) return px_arena_fault(arena);                                                      \
    init(var)
/* A list of one, as protobuf-c wants repeated fields. */
#define LIST(arena, var, type)                                                                     \
    type **var = px_arena_new(arena, type *); /* NOLINT(bugprone-macro-parentheses) */             \
    if (!(var)) return px_arena_fault(arena)

static int pair_of(struct px_arena *arena, const struct span_attribute *attribute,
                   pair_message **ret_pair)
{
    MESSAGE(arena, pair, pair_message, opentelemetry__proto__common__v1__key_value__init);
    MESSAGE(arena, value, value_message, opentelemetry__proto__common__v1__any_value__init);
    value->value_case = attribute->is_text ? VALUE_CASE(STRING) : VALUE_CASE(INT);
    if (attribute->is_text)
        value->string_value = bytes_of(attribute->text);
    else
        value->int_value = attribute->number;
    pair->key = bytes_of(px_str_c(attribute->key));
    pair->value = value;
    *ret_pair = pair;
    return 0;
}

static int pairs_of(struct px_arena *arena, const struct span_attribute *attributes, size_t count,
                    pair_message ***ret_pairs)
{
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): an array of pointers */
    pair_message **pairs = px_arena_array(arena, pair_message *, count);
    if (!pairs) return px_arena_fault(arena);
    for (size_t i = 0; i < count; i++) PX_TRY(pair_of(arena, &attributes[i], &pairs[i]));
    *ret_pairs = pairs;
    return 0;
}

static int link_of(struct px_arena *arena, const struct span *span, span_message *message)
{
    if (!trace_is_set(&span->link)) return 0;
    MESSAGE(arena, link, link_message, opentelemetry__proto__trace__v1__span__link__init);
    LIST(arena, links, link_message);
    link->trace_id = id_of(span->link.trace, 16);
    link->span_id = id_of(span->link.span, 8);
    link->flags = (span->link.sampled ? FLAG_SAMPLED : 0) | FLAG_HAS_IS_REMOTE | FLAG_IS_REMOTE;
    *links = link;
    message->links = links;
    message->n_links = 1;
    return 0;
}

static int status_of(struct px_arena *arena, const struct span *span, span_message *message)
{
    if (!span->error) return 0;
    MESSAGE(arena, status, status_message, opentelemetry__proto__trace__v1__status__init);
    status->code = OPENTELEMETRY__PROTO__TRACE__V1__STATUS__STATUS_CODE__STATUS_CODE_ERROR;
    status->message = bytes_of(px_str_c(span->error));
    message->status = status;
    return 0;
}

static int span_of(struct px_arena *arena, const struct span *span, span_message **ret_message)
{
    static const uint8_t none[8];
    bool is_root = memcmp(span->parent, none, sizeof none) == 0;
    MESSAGE(arena, message, span_message, opentelemetry__proto__trace__v1__span__init);
    message->trace_id = id_of(span->trace, 16);
    message->span_id = id_of(span->id, 8);
    if (!is_root) message->parent_span_id = id_of(span->parent, 8);
    message->trace_state = bytes_of(span->state);
    message->flags = FLAG_SAMPLED | FLAG_HAS_IS_REMOTE |
                     (!is_root && span->kind == SPAN_SERVER ? FLAG_IS_REMOTE : 0);
    message->name = bytes_of(px_str_c(span->name));
    message->kind = (Opentelemetry__Proto__Trace__V1__Span__SpanKind)span->kind;
    message->start_time_unix_nano = (uint64_t)span->start_ns;
    message->end_time_unix_nano = (uint64_t)span->end_ns;
    message->n_attributes = span->attribute_count;
    message->dropped_attributes_count = span->dropped_attributes;
    PX_TRY(pairs_of(arena, span->attributes, span->attribute_count, &message->attributes));
    PX_TRY(link_of(arena, span, message));
    PX_TRY(status_of(arena, span, message));
    *ret_message = message;
    return 0;
}

static int scope_of(struct px_arena *arena, const struct spans *spans,
                    scope_spans_message **ret_scope)
{
    MESSAGE(arena, scope, scope_message,
            opentelemetry__proto__common__v1__instrumentation_scope__init);
    MESSAGE(arena, message, scope_spans_message,
            opentelemetry__proto__trace__v1__scope_spans__init);
    scope->name = bytes_of(S("prism"));
    message->scope = scope;
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): an array of pointers */
    message->spans = px_arena_array(arena, span_message *, spans->count);
    if (!message->spans) return px_arena_fault(arena);
    for (uint32_t i = 0; i < spans->count; i++)
        if (spans->at[i].end_ns != 0)
            PX_TRY(span_of(arena, &spans->at[i], &message->spans[message->n_spans++]));
    *ret_scope = message;
    return 0;
}

static int request_of(struct px_arena *arena, const struct spans *spans,
                      const struct spans_source *source, request_message **ret_request)
{
    MESSAGE(arena, request, request_message,
            opentelemetry__proto__collector__trace__v1__export_trace_service_request__init);
    MESSAGE(arena, whole, resource_spans_message,
            opentelemetry__proto__trace__v1__resource_spans__init);
    MESSAGE(arena, resource, resource_message, opentelemetry__proto__resource__v1__resource__init);
    LIST(arena, wholes, resource_spans_message);
    LIST(arena, scopes, scope_spans_message);
    resource->n_attributes = source->count;
    PX_TRY(pairs_of(arena, source->attributes, source->count, &resource->attributes));
    PX_TRY(scope_of(arena, spans, scopes));
    whole->resource = resource;
    whole->n_scope_spans = 1;
    whole->scope_spans = scopes;
    *wholes = whole;
    request->n_resource_spans = 1;
    request->resource_spans = wholes;
    *ret_request = request;
    return 0;
}

int spans_encode(const struct spans *spans, const struct spans_source *source, struct px_buf *buf)
{
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    px_arena_init(&arena, MESSAGES_BYTES_MAX);
    request_message *request = NULL;
    PX_TRY(request_of(&arena, spans, source, &request));
    size_t bytes = protobuf_c_message_get_packed_size(&request->base);
    char *at = px_buf_reserve(buf, bytes);
    if (!at) return px_buf_fault(buf);
    buf->len += protobuf_c_message_pack(&request->base, (uint8_t *)at);
    return 0;
}
