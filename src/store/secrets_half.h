/* store/secrets_half.h - what a half of the secrets implements. Inside store only. */
#pragma once

#include "store/secrets.h"

#define SECRET_BYTES_MAX 65536u /* Secrets Manager's limit */
#define SECRET_NAME_MAX 200
#define SECRETS_MAX 1000u /* that a list shows */
#define SECRET_BIT(stage) (1u << (unsigned)(stage))
enum secret_half_answer { SECRET_EXISTS = 100 }; /* beside secret_answer */

/* Names and lengths have been checked. */
struct secret_half {
    int (*get)(struct secret_store *store, struct px_str name, enum secret_version version,
               struct px_arena *arena, struct px_str *ret_value);
    bool (*doubt)(struct secret_store *store, struct px_str name);
    int (*put)(struct secret_store *store, struct px_str name, struct px_str value);
    /* Answers: SECRET_EXISTS, with nothing changed; of several at once one gets 0. */
    int (*make)(struct secret_store *store, struct px_str name, struct px_str value);
    int (*describe)(struct secret_store *store, struct px_str name, enum secret_detail detail,
                    struct px_arena *arena, struct secret_info *ret_info);
    int (*put_pending)(struct secret_store *store, struct px_str name, struct px_str id,
                       struct px_str value);
    int (*promote)(struct secret_store *store, struct px_str name, struct px_str id);
    int (*abandon)(struct secret_store *store, struct px_str name, struct px_str id);
    /* In any order. */
    int (*list)(struct secret_store *store, struct px_arena *arena, struct px_str **ret_names,
                size_t *ret_count);
    int (*rotate)(struct secret_store *store, struct px_str name, struct px_str id);
    void (*close)(struct secret_store *store); /* and free */
};
/* Each half's own struct begins with one. */
struct secret_store {
    const struct secret_half *half;
};

PX_MUST_USE int secrets_file_open(struct px_str folder, const struct secret_options *options,
                                  struct secret_store **ret_store);
PX_MUST_USE int secrets_aws_open(struct px_str prefix, const struct secret_options *options,
                                 struct secret_store **ret_store);
