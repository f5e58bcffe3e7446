/* region/changes.h - changes of the tables on their way between two regions: one JSON object.
 *
 *   {"origin":"us-east-1","id":"<of its log>","known":{"id":"<of a log>","seq":12},"upto":14,"complete_ns":0,
 *    "changes":[{"table":"tenants","pk":"<hex>","sk":"<hex>","document":"{...}","version":2,"expires_ns":0,
 *                "stamp_ns":1767323045000000000,"region":"us-east-1"}, ...]}
 *
 * `known` is where the sender believes the receiver's cursor to be; it takes nothing else.
 * A removal has no document. Keys are bytes, so they travel in hex. */
#pragma once

#include "base/px_json.h"
#include "store/table_log.h"

#define CHANGES_MAX 256u                     /* of one batch */
#define CHANGES_BYTES_MAX (512u << 10)       /* before they are written as JSON */
#define CHANGES_MESSAGE_BYTES_MAX (6u << 20) /* as the control socket takes them */

struct changes {
    struct px_str origin;
    char id[33]; /* of the origin's log */
    struct table_log_cursor known;
    int64_t upto; /* place in the log that the receiver has reached with this */
    int64_t complete_ns;
    const struct table_change *changes;
    size_t count;
};
void changes_write(const struct changes *batch, struct px_buf *buf);
/* Views live in arena. Answers: PX_JSON_INVALID. */
PX_MUST_USE int changes_read(struct px_str text, struct px_arena *arena, struct changes *ret_batch);
