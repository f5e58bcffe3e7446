/* delivery/pipeline/signature.h - whose release it is: an Ed25519 signature over the very bytes of release.json, beside it in release.sig.
 *
 *   {"algorithm":"ed25519","key":"<first 16 hex digits of the public key's SHA-256>","signature":"<base64>"}
 *
 * Keys are what `openssl genpkey -algorithm ed25519` makes: the private one in PEM, the public one the base64 text that `openssl pkey
 * -pubout` prints between its lines. docs/design/pipeline.md, "Whose release it is". */
#pragma once

#include "delivery/pipeline/action.h"

#define SIGNATURE_FILE "release.sig"
#define SIGNATURE_KEY_BYTES 32

enum signature_answer { SIGNATURE_WRONG = 1 };

/* Sign. Answers: SIGNATURE_WRONG: pem is no private key of Ed25519. ret_text is in arena. */
PX_MUST_USE int signature_make(struct px_str pem, struct px_str document, struct px_arena *arena,
                               struct px_str *ret_text);
/* A public key out of its base64. Answers: SIGNATURE_WRONG. */
PX_MUST_USE int signature_key(struct px_str base64, uint8_t ret_key[SIGNATURE_KEY_BYTES]);
/* Whether one of `signers`, an array of public keys, signed the document. ret_why: why not, a text that stays.
 * Answers: SIGNATURE_WRONG. */
PX_MUST_USE int signature_check(struct px_str text, struct px_str document, yyjson_val *signers,
                                struct px_arena *arena, const char **ret_why);

/* The private key that a variable of the environment leads to: a file, or secretsmanager://<prefix>/<name>. Empty: the variable is not set.
 * Wipe it with secret_wipe(). Answers: those of an action, said. */
PX_MUST_USE int signature_private_key(const struct action_context *ctx, struct px_str variable,
                                      struct px_str *ret_pem);
/* The run's release, where it lies now, is signed by one of signers. Answers: ACTION_REFUSED, said. */
PX_MUST_USE int signature_check_release(const struct action_context *ctx, yyjson_val *signers);
