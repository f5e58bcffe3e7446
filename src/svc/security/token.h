/* svc/security/token.h - signed tokens: what a key may do, or less, for a time that is short and known.
 *
 * A token is a JWT (RFC 7519) as JWS in compact form (RFC 7515) with the algorithm EdDSA over Ed25519 (RFC 8037), and nothing
 * else: the header has `alg`, `kid` and `typ`, once each. It is read only after its signature was found good, and everything
 * that it says is checked again, for a key of the region may be in wrong hands some day. docs/design/security.md
 *
 *   iss  "prism"                        sub  the tenant       key    id of the key that issued it
 *   aud  "prism:<environment>:<region>" jti  its own id       scope  as in a key, without admin
 *   restriction  an object: lambda/restriction.h; may be missing
 *   iat, nbf, exp  whole seconds; exp is at most TOKEN_LIFE_S_MAX after iat */
#pragma once

#include "svc/security/keys.h"
#include "svc/security/token_keys.h"

#define TOKEN_BYTES_MAX 4000u /* with "Bearer " it fits into what a gateway takes as an identity */
#define TOKEN_LIFE_S_MAX (TOKEN_KEY_KEEP_NS / PX_NS_PER_S)
#define TOKEN_LIFE_S_DEFAULT 3600
#define TOKEN_SKEW_S 30 /* between the clocks of who signs and who verifies */
#define TOKEN_ID_LEN 36

struct token_claims {
    struct px_str tenant, key_id, id;
    struct px_str restriction; /* JSON (lambda/restriction.h); empty: none */
    unsigned scopes;           /* never KEY_ADMIN */
    int64_t issued_s, until_s; /* since 1970 */
    int64_t from_s;
};
enum token_answer {
    TOKEN_MALFORMED = 1, /* not of the form, or another algorithm */
    TOKEN_UNKNOWN_KEY,   /* signed by nobody known here */
    TOKEN_FORGED,
    TOKEN_FOREIGN, /* of another issuer, environment or region, or claims that are not whole */
    TOKEN_EARLY,
    TOKEN_EXPIRED,
};

/* A text that may be a token: keys have no dot. */
bool token_is_like(struct px_str text);
/* Where tokens are issued and taken. */
struct token_place {
    struct px_str environment, region;
    struct px_str secret; /* its keys: token_secret_name() */
};
/* The audience of its tokens; in arena. */
PX_MUST_USE int token_audience(const struct token_place *place, struct px_arena *arena,
                               struct px_str *ret_audience);

/* Append the token. Faults: PX_F_LIMIT when it would be longer than TOKEN_BYTES_MAX. */
PX_MUST_USE int token_write(const struct token_claims *claims, struct px_str audience,
                            const struct token_key *key, struct px_buf *buf);

struct token_trust {
    const struct token_keys *keys;
    struct px_str audience;
    int64_t now_s;
};
/* Views of ret_claims live in arena. Answers: all of enum token_answer; tell the caller none of them. */
PX_MUST_USE int token_read(struct px_str text, const struct token_trust *trust,
                           struct px_arena *arena, struct token_claims *ret_claims);

/* The parts of it, for the reader above and for who only looks: header and claims as JSON, the signature's bytes, and
 * what was signed. Nothing is verified but the form. Answers: TOKEN_MALFORMED. */
struct token_parts {
    struct px_str header, claims, signature; /* decoded, in arena */
    struct px_str signed_text;               /* a view of the token */
};
/* Base64 for URLs, without padding (RFC 4648, section 5). */
void token_add_base64url(struct px_buf *buf, struct px_str bytes);
PX_MUST_USE int token_split(struct px_str text, struct px_arena *arena,
                            struct token_parts *ret_parts);
