/* cli/restrict.h - the option --restrict of what makes keys and tokens: a restriction as JSON, looked at before it is sent. */
#pragma once

#include "base/px_buf.h"
#include "cli/cli.h"

#define RESTRICT_OPTION(type)                                                                      \
    {                                                                                              \
        "restrict", 'r', CLI_TEXT, offsetof(type, restrict_to), "JSON",                            \
            "datasets, and rows of them, that it is for: {\"datasets\":[...],\"rows\":[...]}",     \
            NULL, 0, 0                                                                             \
    }

/* Append `,"restriction":<json>`; of NULL, nothing. Else an exit code, told. */
PX_MUST_USE int restrict_write(struct cli *cli, const char *json, struct px_buf *body);
