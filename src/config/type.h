/* config/type.h - the types, defaults and descriptions of settings, as the variables of a Terraform stack declare them.
 *
 * `variables.tf` is where they are written; here they are read. */
#pragma once

#include "hcl/hcl.h"

enum type_kind {
    TYPE_ANY,
    TYPE_BOOL,
    TYPE_NUMBER,
    TYPE_TEXT,
    TYPE_LIST,
    TYPE_SET,
    TYPE_MAP,
    TYPE_OBJECT
};
struct config_type {
    enum type_kind kind;
    const struct config_type *of;  /* of a list's, set's or map's parts */
    struct config_member *members; /* of an object */
    size_t count;
};
struct config_member {
    struct px_str name;
    const struct config_type *type;
    const struct value *otherwise; /* its default; NULL: none, or one that is computed */
    struct px_str about;           /* what it is for; may be empty */
    bool required, nullable;
};

/* The variables of one file, as an object's members.
 *
 * Faults: PX_F_CONFIG, naming the file, where it cannot be read as HCL or a type is none. */
PX_MUST_USE int config_type_of_variables(const char *path, struct px_arena *arena,
                                         struct config_type *ret_type);
const struct config_member *config_type_member(const struct config_type *type,
                                               struct px_str name); /* NULL: none */
/* An expression without references as a value; NULL: it is something else. */
const struct value *config_literal(struct px_arena *arena, const struct hcl_expr *expr);
const char *config_type_name(const struct config_type *type); /* "a number" */
