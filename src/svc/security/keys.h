/* svc/security/keys.h - API keys: issue, verify, list, revoke.
 *
 * A key is `prism_<id>_<secret>`: the secret is 24 random bytes, the id the first 8 bytes of the
 * secret's SHA-256, both in lower-case hex. So a mistyped or cut key is told from an unknown one
 * without a look at the table. At rest there is only HMAC-SHA-256(pepper, whole key) and which pepper it
 * was (peppers.h). docs/design/security.md: items, states, what a thief of each part has.
 *
 * The hash of a key with a restriction is over both, so that it opens nothing for whoever does not know of restrictions (an
 * older release), nor with another restriction.
 */
#pragma once

#include "base/px_arena.h"
#include "base/px_buf.h"
#include "base/px_clock.h"
#include "lambda/restriction.h"
#include "store/secrets.h"
#include "store/tables.h"

#define KEY_ID_LEN 16
#define KEY_TEXT_LEN (6 + KEY_ID_LEN + 1 + 48) /* prism_ id _ secret */
#define KEY_LABEL_BYTES_MAX 128
#define KEYS_PER_TENANT_MAX 1000

enum key_scope { KEY_INGEST = 1, KEY_QUERY = 2, KEY_ADMIN = 4 }; /* a set, as bits */
PX_MUST_USE bool key_scope_parse(struct px_str name, enum key_scope *ret_scope);
/* "ingest query", the form of the authorizer's context; at least one bit is set. */
struct px_str key_scopes_text(unsigned scopes);

/* A restriction that is wished for what has these scopes: restriction_take(), and conditions on rows are for reading alone.
 * Answers: RESTRICTION_INVALID, with a sentence in ret_why. */
PX_MUST_USE int key_restriction_take(yyjson_val *value, unsigned scopes, struct px_arena *arena,
                                     struct restriction *ret_restriction, struct px_str *ret_json,
                                     const char **ret_why);

struct key_info {
    struct px_str id, tenant, label;
    struct px_str restriction; /* JSON (lambda/restriction.h); empty: none. Never with KEY_ADMIN */
    unsigned scopes;
    bool revoked;
    int64_t created_ns, expires_ns; /* 0: never expires */
};
/* The key as the API shows it: members of a JSON object without its braces; never the secret. */
void key_write_members(const struct key_info *key, struct px_buf *buf);

struct keys {
    struct table_store *tables;   /* borrowed */
    struct secret_store *secrets; /* borrowed */
    const struct px_clock *clock; /* borrowed */
};
enum keys_answer {
    KEYS_ABSENT = 1,
    KEYS_MALFORMED, /* not of the form of a key, or cut, or mistyped */
    KEYS_WRONG,     /* no such key, or its secret is another */
    KEYS_REVOKED,
    KEYS_EXPIRED,
    KEYS_TOO_MANY, /* the tenant has KEYS_PER_TENANT_MAX */
};

struct key_spec {
    struct px_str tenant; /* exists: the caller looked */
    unsigned scopes;
    struct px_str label;       /* at most KEY_LABEL_BYTES_MAX; may be empty */
    struct px_str restriction; /* of key_restriction_take(); empty: none */
    int64_t expires_ns;        /* 0: never */
};
/* ret_text gets the whole key and a NUL; this is the only time it is known.
 * Answers: KEYS_TOO_MANY. Views of ret_key live in arena. */
PX_MUST_USE int keys_issue(const struct keys *keys, const struct key_spec *spec,
                           struct px_arena *arena, char ret_text[KEY_TEXT_LEN + 1],
                           struct key_info *ret_key);
/* Whose key is this? Costs one read of the table, none for a malformed key; whatever is wrong with one that is not, the steps to its refusal
 * are the same (`bench/run keys` compares them), and the comparison takes the same time wherever the hashes differ.
 * Answers: KEYS_MALFORMED, KEYS_WRONG (a restricted key that is over, too), KEYS_REVOKED, KEYS_EXPIRED: tell the caller none of them. */
PX_MUST_USE int keys_verify(const struct keys *keys, struct px_str text, struct px_arena *arena,
                            struct key_info *ret_key);
/* The key of an id, for what speaks in its name: one that opens. Answers: KEYS_ABSENT, KEYS_REVOKED, KEYS_EXPIRED. */
PX_MUST_USE int keys_find(const struct keys *keys, struct px_str id, struct px_arena *arena,
                          struct key_info *ret_key);
/* All keys of a tenant, revoked and expired ones too, in order of ids. */
PX_MUST_USE int keys_list(const struct keys *keys, struct px_str tenant, struct px_arena *arena,
                          struct key_info **ret_keys, size_t *ret_count);
/* One key, in whatever state. Answers: KEYS_ABSENT (also when the key is another tenant's). */
PX_MUST_USE int keys_get(const struct keys *keys, struct px_str tenant, struct px_str id,
                         struct px_arena *arena, struct key_info *ret_key);
/* A revoked key stays listed. Answers: KEYS_ABSENT (also when the key is another tenant's). */
PX_MUST_USE int keys_revoke(const struct keys *keys, struct px_str tenant, struct px_str id,
                            struct px_arena *arena, struct key_info *ret_key);
/* Every key of a tenant that is being deleted; may be repeated. */
PX_MUST_USE int keys_revoke_all(const struct keys *keys, struct px_str tenant,
                                struct px_arena *arena, size_t *ret_revoked);
