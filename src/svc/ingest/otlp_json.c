/* svc/ingest/otlp_json.c - OTLP's JSON mapping to the structs that protobuf unpacks into.
 *
 * The mapping is protobuf's own (names in lowerCamelCase or as in the .proto file, 64-bit integers as
 * numbers or strings, bytes in base64, unknown fields ignored), driven by protobuf-c's descriptors, with
 * OTLP's differences: trace and span ids are hex. Enums are numbers; names are accepted as well.
 * Source: OTLP specification 1.x, "JSON Protobuf Encoding".
 *
 * Recursion is bounded by PX_JSON_DEPTH_MAX. Text stays in the parsed document. */
#include "svc/ingest/otlp.h"

#include <aws/common/encoding.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/px_id.h"
#include "base/px_json.h"

#define FIELD_NAME_BYTES_MAX 64

/* The way from the root to a value, for the message about it. */
struct step {
    const struct step *up;
    const char *key; /* NULL: an element of the array that `up` is */
    size_t index;
};
struct reader {
    struct px_arena *arena;
    struct px_where *where;
};

static int message_read(struct reader *reader, const ProtobufCMessageDescriptor *type,
                        yyjson_val *obj, const struct step *at, ProtobufCMessage **ret_message);

static size_t path_write(const struct step *at, char *text, size_t room)
{
    size_t n = at->up ? path_write(at->up, text, room) : 0;
    if (n >= room) return n;
    int more = at->key ? snprintf(text + n, room - n, "%s%.40s", n ? "." : "", at->key)
                       : snprintf(text + n, room - n, "[%zu]", at->index);
    return n + (size_t)PX_MAX(more, 0);
}

static int refused(struct reader *reader, const struct step *at, const char *wanted)
{
    char path[sizeof reader->where->path] = "";
    if (at) (void)path_write(at, path, sizeof path);
    px_where_set(reader->where, 0, path, "OTLP/JSON: %s", wanted);
    return DECODE_INVALID;
}

/* ---- scalars: false when the value is not one ---- */

static bool real_of(yyjson_val *val, double *ret_value)
{
    if (yyjson_is_num(val)) {
        *ret_value = yyjson_get_num(val);
        return true;
    }
    struct px_str s = px_json_val_str(val); /* also "NaN", "Infinity" and "-Infinity" */
    if (s.len == 0 || strspn(s.ptr, "0123456789+-.eENaInfity") != s.len) return false;
    char *end;
    *ret_value = strtod(s.ptr, &end);
    return end == s.ptr + s.len;
}
static bool signed_of(yyjson_val *val, int64_t *ret_value)
{
    if (yyjson_is_str(val)) return px_str_to_i64(px_json_val_str(val), ret_value);
    if (yyjson_is_int(val)) {
        *ret_value = yyjson_get_sint(val);
        return !yyjson_is_uint(val) || yyjson_get_uint(val) <= (uint64_t)INT64_MAX;
    }
    double real = yyjson_get_real(val); /* 3.0 and 1e3 are integers too */
    if (!yyjson_is_real(val) || !(real >= -0x1p63 && real < 0x1p63)) return false;
    *ret_value = (int64_t)real;
    return real == (double)*ret_value;
}
static bool unsigned_of(yyjson_val *val, uint64_t *ret_value)
{
    if (yyjson_is_str(val)) return px_str_to_u64(px_json_val_str(val), ret_value);
    if (yyjson_is_uint(val)) {
        *ret_value = yyjson_get_uint(val);
        return true;
    }
    double real = yyjson_get_real(val);
    if (!yyjson_is_real(val) || !(real >= 0 && real < 0x1p64)) return false;
    *ret_value = (uint64_t)real;
    return real == (double)*ret_value;
}

static int int32_read(struct reader *reader, yyjson_val *val, const struct step *at,
                      int32_t *ret_value)
{
    int64_t wide;
    if (!signed_of(val, &wide) || wide < INT32_MIN || wide > INT32_MAX)
        return refused(reader, at, "a 32-bit integer");
    *ret_value = (int32_t)wide;
    return 0;
}
static int uint32_read(struct reader *reader, yyjson_val *val, const struct step *at,
                       uint32_t *ret_value)
{
    uint64_t wide;
    if (!unsigned_of(val, &wide) || wide > UINT32_MAX)
        return refused(reader, at, "a 32-bit integer that is not negative");
    *ret_value = (uint32_t)wide;
    return 0;
}
static int enum_read(struct reader *reader, const ProtobufCEnumDescriptor *type, yyjson_val *val,
                     const struct step *at, int32_t *ret_value)
{
    if (!yyjson_is_str(val)) return int32_read(reader, val, at, ret_value);
    const ProtobufCEnumValue *named = protobuf_c_enum_descriptor_get_value_by_name(
        type, yyjson_get_str(val));
    if (!named) return refused(reader, at, "the number of an enum value, or its name");
    *ret_value = named->value;
    return 0;
}

/* ---- text and bytes: all are ProtobufCBinaryData; the field's name tells which coding ---- */

enum coding { CODING_TEXT, CODING_HEX, CODING_BASE64 };
static enum coding coding_of(const ProtobufCFieldDescriptor *field)
{
    static const struct {
        const char *name;
        enum coding coding;
    } codings[] = {{"trace_id", CODING_HEX},
                   {"span_id", CODING_HEX},
                   {"parent_span_id", CODING_HEX},
                   {"bytes_value", CODING_BASE64}};
    for (size_t i = 0; i < PX_COUNT(codings); i++)
        if (strcmp(field->name, codings[i].name) == 0) return codings[i].coding;
    return CODING_TEXT;
}

static int hex_read(struct reader *reader, struct px_str text, const struct step *at,
                    ProtobufCBinaryData *ret_bytes)
{
    size_t n = text.len / 2;
    uint8_t *bytes = px_arena_alloc(reader->arena, n);
    if (!bytes) return px_arena_fault(reader->arena);
    if (!px_unhex(text, bytes, n)) return refused(reader, at, "an id in hex digits");
    *ret_bytes = (ProtobufCBinaryData){n, bytes};
    return 0;
}

/* Standard or URL-safe alphabet, with or without padding, as protobuf's JSON mapping asks. */
static int base64_read(struct reader *reader, struct px_str text, const struct step *at,
                       ProtobufCBinaryData *ret_bytes)
{
    while (text.len > 0 && text.ptr[text.len - 1] == '=') text.len--;
    size_t padded = (text.len + 3) / 4 * 4;
    char *plain = px_arena_alloc(reader->arena, padded + 1);
    uint8_t *bytes = px_arena_alloc(reader->arena, padded + 1);
    if (!plain || !bytes) return px_arena_fault(reader->arena);
    for (size_t i = 0; i < padded; i++) {
        char c = i < text.len ? text.ptr[i] : '=';
        plain[i] = c == '-' ? '+' : c == '_' ? '/' : c;
    }
    struct aws_byte_cursor in = aws_byte_cursor_from_array(plain, padded);
    struct aws_byte_buf out = aws_byte_buf_from_empty_array(bytes, padded + 1);
    if (text.len % 4 == 1 || (padded > 0 && aws_base64_decode(&in, &out) != AWS_OP_SUCCESS))
        return refused(reader, at, "bytes in base64");
    *ret_bytes = (ProtobufCBinaryData){out.len, bytes};
    return 0;
}

static int bytes_read(struct reader *reader, const ProtobufCFieldDescriptor *field, yyjson_val *val,
                      const struct step *at, ProtobufCBinaryData *ret_bytes)
{
    if (!yyjson_is_str(val)) return refused(reader, at, "a string");
    struct px_str text = px_json_val_str(val);
    switch (coding_of(field)) {
    case CODING_HEX: return hex_read(reader, text, at, ret_bytes);
    case CODING_BASE64: return base64_read(reader, text, at, ret_bytes);
    case CODING_TEXT: break;
    }
    *ret_bytes = (ProtobufCBinaryData){text.len, (uint8_t *)(uintptr_t)text.ptr};
    return 0;
}

/* ---- fields ---- */

static size_t member_bytes(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_BYTES: return sizeof(ProtobufCBinaryData);
    case PROTOBUF_C_TYPE_MESSAGE: return sizeof(ProtobufCMessage *);
    case PROTOBUF_C_TYPE_BOOL: return sizeof(protobuf_c_boolean);
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_ENUM: return sizeof(int32_t);
    default: return sizeof(int64_t);
    }
}

static int value_read(struct reader *reader, const ProtobufCFieldDescriptor *field, yyjson_val *val,
                      const struct step *at, void *to)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32: return int32_read(reader, val, at, to);
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32: return uint32_read(reader, val, at, to);
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        return signed_of(val, to) ? 0 : refused(reader, at, "a 64-bit integer");
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        return unsigned_of(val, to) ? 0
                                    : refused(reader, at, "a 64-bit integer that is not negative");
    case PROTOBUF_C_TYPE_DOUBLE: return real_of(val, to) ? 0 : refused(reader, at, "a number");
    case PROTOBUF_C_TYPE_ENUM: return enum_read(reader, field->descriptor, val, at, to);
    case PROTOBUF_C_TYPE_BYTES: return bytes_read(reader, field, val, at, to);
    case PROTOBUF_C_TYPE_MESSAGE: return message_read(reader, field->descriptor, val, at, to);
    case PROTOBUF_C_TYPE_BOOL:
        if (!yyjson_is_bool(val)) return refused(reader, at, "true or false");
        *(protobuf_c_boolean *)to = yyjson_get_bool(val);
        return 0;
    default: return px_fault(PX_F_BUG, "OTLP has no field of protobuf type %d", (int)field->type);
    }
}

static int list_read(struct reader *reader, const ProtobufCFieldDescriptor *field, yyjson_val *val,
                     const struct step *at, char *message)
{
    if (!yyjson_is_arr(val)) return refused(reader, at, "an array");
    size_t each = member_bytes(field->type), count = 0, index, max;
    char *items = px_arena_zalloc_array(reader->arena, each, yyjson_arr_size(val));
    if (!items) return px_arena_fault(reader->arena);
    yyjson_val *item;
    px_json_arr_foreach(val, index, max, item)
    {
        struct step here = {at, NULL, index};
        OTLP_TRY(value_read(reader, field, item, &here, items + each * count));
        count++;
    }
    *(size_t *)(void *)(message + field->quantifier_offset) = count;
    *(void **)(void *)(message + field->offset) = items;
    return 0;
}

/* "timeUnixNano" or "time_unix_nano" to its descriptor; NULL when there is none. */
static const ProtobufCFieldDescriptor *field_find(const ProtobufCMessageDescriptor *type,
                                                  struct px_str key)
{
    char name[FIELD_NAME_BYTES_MAX];
    size_t n = 0;
    for (size_t i = 0; i < key.len; i++) {
        if (n + 3 > sizeof name) return NULL;
        char c = key.ptr[i];
        bool is_upper = c >= 'A' && c <= 'Z';
        if (is_upper) name[n++] = '_';
        name[n++] = is_upper ? (char)(c - 'A' + 'a') : c;
    }
    name[n] = '\0';
    return protobuf_c_message_descriptor_get_field_by_name(type, name);
}

static int field_read(struct reader *reader, const ProtobufCFieldDescriptor *field, yyjson_val *val,
                      const struct step *at, char *message)
{
    if (field->label == PROTOBUF_C_LABEL_REPEATED)
        return list_read(reader, field, val, at, message);
    OTLP_TRY(value_read(reader, field, val, at, message + field->offset));
    if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
        *(uint32_t *)(void *)(message + field->quantifier_offset) = field->id;
    return 0;
}

static int message_read(struct reader *reader, const ProtobufCMessageDescriptor *type,
                        yyjson_val *obj, const struct step *at, ProtobufCMessage **ret_message)
{
    if (!yyjson_is_obj(obj)) return refused(reader, at, "an object");
    ProtobufCMessage *message = px_arena_alloc(reader->arena, type->sizeof_message);
    if (!message) return px_arena_fault(reader->arena);
    protobuf_c_message_init(type, message);

    size_t index, max;
    yyjson_val *key, *val;
    px_json_obj_foreach(obj, index, max, key, val)
    {
        const ProtobufCFieldDescriptor *field = field_find(type, px_json_val_str(key));
        if (!field || yyjson_is_null(val)) continue;
        struct step here = {at, yyjson_get_str(key), 0};
        OTLP_TRY(field_read(reader, field, val, &here, (char *)message));
    }
    *ret_message = message;
    return 0;
}

int otlp_unpack_json(const ProtobufCMessageDescriptor *type, struct px_str body,
                     struct px_arena *arena, ProtobufCMessage **ret_message,
                     struct px_where *ret_where)
{
    struct reader reader = {arena, ret_where};
    arena->full = false; /* else an earlier overflow would be taken for ours */
    yyjson_val *root;
    int r = px_json_parse(body, arena, &root, ret_where);
    if (r == PX_JSON_INVALID) return DECODE_INVALID;
    if (r == 0) r = message_read(&reader, type, root, NULL, ret_message);
    if (r < 0 && px_arena_full(arena)) {
        px_where_set(ret_where, 0, NULL, "a request that unpacks into at most %zu bytes of memory",
                     arena->limit_bytes);
        return DECODE_TOO_LARGE;
    }
    return r;
}
