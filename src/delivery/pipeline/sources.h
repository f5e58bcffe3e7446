/* delivery/pipeline/sources.h - the sources that a stack is planned from, as one text that can be laid out again: infra/ and what it
 * reads beside it, platform/. Not what Terraform leaves there: hidden files (but for its lock of providers) and states.
 *
 *   {"files":[{"path":"infra/region/main.tf","text":"..."},...]}     sorted by path; all of them are text */
#pragma once

#include "base/px_arena.h"
#include "base/px_buf.h"

#define SOURCES_BYTES_MAX (64u << 20)
#define SOURCES_FILES_MAX 8192

/*   infra, platform  folders; they become "infra" and "platform" */
PX_MUST_USE int sources_gather(const char *infra, const char *platform, struct px_buf *text);
/* Make them again in dir, which must not hold others. Faults: PX_F_CORRUPT: it is no such text. */
PX_MUST_USE int sources_lay_out(struct px_str text, const char *dir);
