/* svc/security/rotation_kind.h - what one kind of secret means for a rotation. Inside security only. */
#pragma once

#include "svc/security/rotation.h"

struct rotation {
    struct rotation_options options; /* with the defaults filled in */
    struct secret_store *secrets;
    struct table_store *tables; /* NULL: not opened yet */
};
PX_MUST_USE int rotation_tables(struct rotation *rotation, struct table_store **ret_tables);

struct rotation_values {
    struct px_str name;
    struct px_str pending, current, previous; /* empty: there is none */
};
struct rotation_kind {
    struct px_str
        name;       /* the last part of the secret's name; "<folder>/": any name in that folder */
    bool shared;    /* one for all regions */
    bool made_here; /* Prism makes the first value itself */
    /* The value that follows `current`. */
    int (*make)(struct rotation *rotation, const struct rotation_values *values,
                struct px_buf *value);
    /* Who has to accept it. NULL: nobody. Answers: ROTATION_OVERTAKEN. */
    int (*set)(struct rotation *rotation, const struct rotation_values *values);
    /* Whether it works, and leaves nobody out who needs the current one. Answers: ROTATION_OVERTAKEN. */
    int (*test)(struct rotation *rotation, const struct rotation_values *values);
};
extern const struct rotation_kind rotation_pepper, rotation_token, rotation_database;
