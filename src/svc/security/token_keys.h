/* svc/security/token_keys.h - the secret "token-signing-key": Ed25519 keys that sign Prism's tokens, newest first, and their
 * public halves by id for whoever verifies.
 *
 * The value is a JWK Set (RFC 7517) of OKP keys (RFC 8037) with one member more, "since"; an id is the key's thumbprint
 * (RFC 7638). Any other text is taken as what one key is derived from, so that what Terraform makes is a key, too.
 * A key that was superseded verifies for a day more, which bounds the life of a token. docs/design/secrets.md */
#pragma once

#include "base/px_arena.h"
#include "base/px_buf.h"
#include "base/px_clock.h"
#include "store/secrets.h"

#define TOKEN_SECRET S("token-signing-key")
/* What a function's setting says of where it stands; unset: TOKEN_SECRET. */
static inline struct px_str token_secret_name(const char *setting)
{
    return setting && setting[0] ? px_str_c(setting) : TOKEN_SECRET;
}
#define TOKEN_KEYS_MAX 32u
#define TOKEN_KEY_ID_LEN 43
#define TOKEN_SIGNATURE_BYTES 64
#define TOKEN_KEY_SETTLE_NS (INT64_C(600) * PX_NS_PER_S) /* a new one signs after this */
#define TOKEN_KEY_KEEP_NS (INT64_C(86400) * PX_NS_PER_S)

struct token_key {
    char id[TOKEN_KEY_ID_LEN + 1];
    uint8_t public_key[32];
    uint8_t private_key[64]; /* AWS-LC's form: seed and public key */
    int64_t since_ns;
};
struct token_keys {
    struct token_key list[TOKEN_KEYS_MAX];
    size_t count;
};
void token_keys_wipe(struct token_keys *keys);
/* Faults: PX_F_CORRUPT. */
PX_MUST_USE int token_keys_parse(struct px_str value, struct token_keys *ret_keys);
/* name: of the secret, TOKEN_SECRET or with the region's path before it. The current ones, and the previous value's that are not among them. Answers: SECRET_ABSENT. */
PX_MUST_USE int token_keys_load(struct secret_store *secrets, struct px_str name,
                                struct token_keys *ret_keys);
/* A new key, and those of before that still verify; before: NULL when there is none. */
PX_MUST_USE int token_keys_add(const struct token_keys *before, int64_t now_ns,
                               struct px_buf *value);
/* What signs now; NULL: there is none. */
const struct token_key *token_keys_signing(const struct token_keys *keys, int64_t now_ns);
const struct token_key *token_keys_find(const struct token_keys *keys, struct px_str id);
PX_MUST_USE int token_key_sign(const struct token_key *key, struct px_str text,
                               uint8_t ret_signature[TOKEN_SIGNATURE_BYTES]);
PX_MUST_USE bool token_key_verify(const struct token_key *key, struct px_str text,
                                  struct px_str signature);
/* A JWK Set without private members. */
void token_keys_write_public(const struct token_keys *keys, struct px_buf *buf);
