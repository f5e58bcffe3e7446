/* asl/digest.h - what both query languages have: hashes (States.Hash, $hash) and UUIDs (States.UUID, $uuid). */
#pragma once

#include "asl/expr.h"

#define ASL_DIGEST_HEX_BYTES 129 /* SHA-512, with a NUL */
#define ASL_UUID_BYTES 37

/* Lower-case hexadecimal, NUL-terminated. Answers: ASL_INVALID for an algorithm that is none of MD5, SHA-1, SHA-256, SHA-384,
 * SHA-512. */
PX_MUST_USE int asl_digest(struct px_str text, struct px_str algorithm, char *hex);
/* Version 4 of the scope's dice (RFC 9562, section 5.4). */
void asl_uuid(const struct asl_scope *scope, char *text);
