/* store/secrets_aws.h - what the files of secrets in Secrets Manager share: its state, and one request. Inside store only. */
#pragma once

#include "aws/client.h"
#include "aws/shared.h"
#include "base/px_json.h"
#include "store/secrets_half.h"

#define SECRETS_AWS_KEPT_MAX 16u /* values; Prism has a handful of secrets */
#define SECRETS_AWS_NAME_BYTES_MAX 512u
#define SECRETS_AWS_SCRATCH_BYTES_MAX ((size_t)4 << 20)
#define SECRETS_AWS_BODY_BYTES_MAX ((size_t)1 << 20) /* 64 KiB, each byte escaped, and more */

struct secrets_aws_kept {
    char name[201];
    enum secret_version version;
    bool used, doubted, absent;
    int64_t asked_ns;
    char *value; /* or NULL */
    size_t bytes;
};
struct secret_manager {
    struct secret_store store; /* first: the header's functions know only this */
    struct cloud_shared own;   /* where nobody shares */
    struct cloud_client *client;
    struct secret_options options; /* with the defaults filled in */
    char prefix[SECRETS_AWS_NAME_BYTES_MAX];
    struct secrets_aws_kept kept[SECRETS_AWS_KEPT_MAX];
};

static inline struct secret_manager *secrets_aws_of(struct secret_store *store)
{
    return (struct secret_manager *)store;
}

/* Labels by enum secret_version. */
extern const char *const secrets_aws_stages[SECRET_PENDING + 1];

/* The next get of it asks again. */
void secrets_aws_forget(struct secret_manager *manager, struct px_str name);

/* ---- one request: a body, then what came ---- */

/* {"SecretId"|"Name":"<prefix>/<name>" */
void secrets_aws_begin(struct px_buf *body, const struct secret_manager *manager, const char *field,
                       struct px_str name);
/* ,"SecretString": or, of what is no UTF-8, ,"SecretBinary": */
void secrets_aws_add_value(struct px_buf *body, struct px_str value);
/* Answers: SECRET_ABSENT, SECRET_EXISTS. */
PX_MUST_USE int secrets_aws_exchange(struct secret_manager *manager, const char *what,
                                     const struct px_buf *body, struct px_arena *scratch,
                                     yyjson_val **ret_root);

/* ---- versions: of struct secret_half ---- */
PX_MUST_USE int secrets_aws_describe(struct secret_store *store, struct px_str name,
                                     enum secret_detail detail, struct px_arena *arena,
                                     struct secret_info *ret_info);
PX_MUST_USE int secrets_aws_put_pending(struct secret_store *store, struct px_str name,
                                        struct px_str id, struct px_str value);
PX_MUST_USE int secrets_aws_promote(struct secret_store *store, struct px_str name,
                                    struct px_str id);
PX_MUST_USE int secrets_aws_abandon(struct secret_store *store, struct px_str name,
                                    struct px_str id);
PX_MUST_USE int secrets_aws_list(struct secret_store *store, struct px_arena *arena,
                                 struct px_str **ret_names, size_t *ret_count);
PX_MUST_USE int secrets_aws_rotate(struct secret_store *store, struct px_str name,
                                   struct px_str id);
