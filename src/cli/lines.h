/* cli/lines.h - a file or a pipe cut into batches of whole lines, the same ones every time: where a
 * batch begins and ends depends on the content and the batch size only, so that a file that is sent
 * again after a crash falls into the same batches with the same keys. Only linger_ms changes that. */
#pragma once

#include "base/px_buf.h"

struct lines {
    int fd;                /* borrowed */
    size_t batch_bytes;    /* a batch is not larger, except for a single line */
    size_t line_bytes_max; /* a longer line is passed over */
    int linger_ms;   /* a pipe's lines wait no longer for a batch to fill; 0: as long as it takes */
    uint64_t offset; /* of the next byte that no batch holds yet */
    uint64_t line;   /* its line number, from 1 */
    struct px_buf ahead; /* read, but behind the last batch */
    bool at_end;
};
struct lines_batch {
    struct px_str
        text;        /* whole lines, in the caller's buffer; the last of the file may lack its \n */
    uint64_t offset; /* in the input */
    uint64_t first_line; /* from 1 */
    uint64_t line_count; /* blank ones too */
};
void lines_init(struct lines *lines, int fd, size_t batch_bytes, size_t line_bytes_max);
void lines_deinit(struct lines *lines);
enum lines_answer {
    LINES_END = 1,
    LINES_TOO_LONG, /* one line, whose number is in ret_batch, was passed over */
};
/* buf is emptied and holds the batch. */
PX_MUST_USE int lines_next(struct lines *lines, struct px_buf *buf, struct lines_batch *ret_batch);

/* The first and second half of a batch of two lines or more, cut at a line's end. */
void lines_halve(const struct lines_batch *batch, struct lines_batch ret_halves[2]);
/* Lines that are not blank: what the region counts as records. */
uint64_t lines_records(struct px_str text);
/* The number of the line that holds record `index` (from 0) of the batch. */
uint64_t lines_of_record(const struct lines_batch *batch, uint64_t index);
/* Each line that is not blank as {"message":line}. */
void lines_wrap(struct px_str text, struct px_buf *ret_ndjson);
/* The batch's Idempotency-Key: who sends (a hash of it), where in the input, what. */
#define LINES_KEY_BYTES 96
struct px_str lines_key(struct px_str identity, const struct lines_batch *batch, bool wrapped,
                        char buf[LINES_KEY_BYTES]);
