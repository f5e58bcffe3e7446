/* store/digest.h - SHA-256 in hex: of entries, plans, artifacts, releases. */
#pragma once

#include "base/px.h"

#define DIGEST_HEX_BYTES 65 /* with the NUL */

void digest_of(struct px_str bytes, char ret_hex[DIGEST_HEX_BYTES]);
/* Of a file's content, read piece by piece. */
PX_MUST_USE int digest_of_file(const char *path, char ret_hex[DIGEST_HEX_BYTES]);
bool digest_is_hex(struct px_str text); /* 64 small hex digits */
