/* hcl/value.h - what an expression of Terraform has as its value, as far as a plan can tell.
 *
 * What is known only after apply is not lost: it stands as a *symbol*, the address that it will come
 * from (`module.network.aws_vpc.this.id`) between two control characters, alone or inside a text.
 * So a reference stays a reference through templates, jsonencode() and module outputs.
 *
 * Values are immutable and live in the arena of their plan. */
#pragma once

#include "base/px_json.h"

enum value_kind {
    VALUE_NULL,
    VALUE_BOOL,
    VALUE_NUMBER,
    VALUE_TEXT,
    VALUE_LIST,     /* also tuples and sets */
    VALUE_MAP,      /* also objects; fields in order of their names */
    VALUE_RESOURCE, /* one instance; its attributes are looked up when asked for */
    VALUE_MODULE,   /* one instance; its outputs likewise */
    VALUE_UNKNOWN,  /* nothing can be said */
};
struct plan_resource;
struct plan_module;
struct value_field {
    struct px_str name;
    const struct value *value;
};
struct value {
    enum value_kind kind;
    union {
        bool truth;
        double number;
        struct px_str text;
        struct {
            const struct value **items;
            size_t count;
        } list;
        struct {
            struct value_field *fields;
            size_t count;
        } map;
        struct plan_resource *resource;
        struct plan_module *module;
    };
};
extern const struct value value_null, value_unknown, value_true, value_false;

#define VALUE_SYMBOL_BEGIN '\x02'
#define VALUE_SYMBOL_END '\x03'

/* Making; NULL when the arena is full. */
const struct value *value_text(struct px_arena *arena, struct px_str text);
const struct value *value_number(struct px_arena *arena, double number);
const struct value *value_bool(bool truth);
const struct value *value_symbol(struct px_arena *arena, struct px_str address);
const struct value *value_list(struct px_arena *arena, const struct value **items, size_t count);
/* Sorts the fields; of two with one name the later stays. */
const struct value *value_map(struct px_arena *arena, struct value_field *fields, size_t count);
const struct value *value_from_json(struct px_arena *arena, yyjson_val *json);
/* JSON text as a value; value_unknown when it is none. */
const struct value *value_parse(struct px_arena *arena, struct px_str text);

/* Asking; a NULL value is asked as null is. */
static inline bool value_is(const struct value *v, enum value_kind kind)
{
    return v && v->kind == kind;
}
static inline bool value_is_null(const struct value *v) { return !v || v->kind == VALUE_NULL; }
struct px_str value_str(const struct value *v); /* of a text; else empty */
double value_num(const struct value *v, double otherwise);
bool value_truth(const struct value *v);
size_t value_count(const struct value *v); /* of a list or map; else 0 */
const struct value *value_item(const struct value *v, size_t i);
/* A field of a map; NULL: none. */
const struct value *value_get(const struct value *v, struct px_str name);
/* Whether a symbol stands anywhere inside. */
bool value_is_open(const struct value *v);
bool text_is_open(struct px_str text);
/* Where a part first stands in a text; NULL: nowhere, as an empty part does. */
const char *text_find(struct px_str text, struct px_str part);
/* The address of a text that is one symbol and nothing else. */
bool text_symbol(struct px_str text, struct px_str *ret_address);
/* The first symbol in a text, from *at on; *at moves behind it. */
bool text_next_symbol(struct px_str text, size_t *at, struct px_str *ret_address);
/* 1 equal, 0 not, -1 cannot be said before apply. */
int value_equal(const struct value *a, const struct value *b);

/* As text for templates: numbers and booleans too; others are unknown and give false. */
bool value_to_text(struct px_arena *arena, const struct value *v, struct px_str *ret_text);
void value_write_json(struct px_buf *buf, const struct value *v);
/* For messages: symbols as ${address}, at most 160 bytes. */
struct px_str value_shown(struct px_arena *arena, const struct value *v);
struct px_str text_shown(struct px_arena *arena, struct px_str text);
