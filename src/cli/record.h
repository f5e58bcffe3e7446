/* cli/record.h - one telemetry record or log line as one line for people:
 * time severity message rest=... */
#pragma once

#include "base/px_json.h"
#include "cli/cli.h"

/* Splits a stream of pieces into lines; the callback gets each without its end. */
struct record_lines {
    struct px_buf partial;
    int (*on_line)(void *ctx, struct px_str line);
    void *ctx;
};
void record_lines_init(struct record_lines *lines, int (*on_line)(void *ctx, struct px_str line),
                       void *ctx);
void record_lines_deinit(struct record_lines *lines);
/* A non-zero result of the callback ends it and is returned. */
PX_MUST_USE int record_lines_feed(struct record_lines *lines, struct px_str piece);
/* What stands behind the last line end. */
PX_MUST_USE int record_lines_end(struct record_lines *lines);

/* A JSON object; text that is none is printed as it stands. Control characters are written out. */
void record_print(struct cli *cli, struct px_str json);
