/* asl/unpack.h - a Map's files may be packed with gzip or zstd (developer guide, "ItemReader (Map)"); what is says so in its first bytes. */
#pragma once

#include "base/px_arena.h"

enum asl_unpack_answer { ASL_UNPACK_BAD = 1 };
/* ret_text: what was packed, in arena, or text itself. Answers: ASL_UNPACK_BAD: it is damaged, or more than bytes_max. */
PX_MUST_USE int asl_unpack(struct px_str text, size_t bytes_max, struct px_arena *arena,
                           struct px_str *ret_text);
