/* hcl/hcl.h - the HCL of Terraform modules: bodies, blocks and expressions as trees.
 *
 * A plan's JSON lists what an expression refers to, but neither its shape nor any local value. The
 * modules' own sources have both. Strings are copied into the arena; the text may go afterwards.
 * Syntax: HCL's specification, hclsyntax/spec.md of github.com/hashicorp/hcl. */
#pragma once

#include "hcl/value.h"

enum hcl_kind {
    HCL_VALUE,    /* value */
    HCL_TEMPLATE, /* parts: first, next ... */
    HCL_NAME,     /* name */
    HCL_ATTR,     /* a.name */
    HCL_INDEX,    /* a[b] */
    HCL_SPLAT,    /* for every item of a: b, in which HCL_NAME "*" is the item */
    HCL_CALL,     /* name(first, ...) */
    HCL_COND,     /* a ? b : c */
    HCL_UNARY,    /* op a */
    HCL_BINARY,   /* a op b */
    HCL_TUPLE,    /* [first, ...] */
    HCL_OBJECT,   /* {first = second, third = fourth ...} */
    HCL_FOR,      /* [for key_name, name in a : c if first], {for ... : b => c} when b */
    HCL_OPAQUE,   /* something that is not evaluated; first ...: what it refers to */
};
enum hcl_op {
    HCL_OR,
    HCL_AND,
    HCL_EQ,
    HCL_NE,
    HCL_LT,
    HCL_GT,
    HCL_LE,
    HCL_GE,
    HCL_ADD,
    HCL_SUB,
    HCL_MUL,
    HCL_DIV,
    HCL_MOD,
    HCL_NOT,
    HCL_NEG,
};
struct hcl_expr {
    enum hcl_kind kind;
    enum hcl_op op;
    bool expand; /* a call's last argument has ..., or a for groups */
    struct px_str name, key_name;
    const struct value *value;
    struct hcl_expr *a, *b, *c, *first, *next;
};
struct hcl_attr {
    struct px_str name;
    struct hcl_expr *expr;
    struct hcl_attr *next;
};
struct hcl_body {
    struct hcl_attr *attrs;
    struct hcl_block *blocks;
};
struct hcl_block {
    struct px_str type, label, name; /* resource "label" "name" */
    struct hcl_body body;
    struct hcl_block *next;
};

enum hcl_answer { HCL_INVALID = 1 };
/* Append what a file holds to a body (zeroed, or of files read before).
 * Answers: HCL_INVALID, with ret_where filled. Faults: PX_F_OOM, PX_F_LIMIT. */
PX_MUST_USE int hcl_parse(struct px_str text, struct px_arena *arena, struct hcl_body *body,
                          struct px_where *ret_where);
/* One expression, the whole text. */
PX_MUST_USE int hcl_parse_expr(struct px_str text, struct px_arena *arena,
                               struct hcl_expr **ret_expr, struct px_where *ret_where);
/* A file for templatefile(): text with ${...} in it. */
PX_MUST_USE int hcl_parse_template(struct px_str text, struct px_arena *arena,
                                   struct hcl_expr **ret_expr, struct px_where *ret_where);

struct hcl_expr *hcl_attr_of(const struct hcl_body *body, struct px_str name); /* NULL: none */
struct hcl_block *hcl_block_of(const struct hcl_body *body, struct px_str type, struct px_str label,
                               struct px_str name);
