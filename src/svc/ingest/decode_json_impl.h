/* svc/ingest/decode_json_impl.h - between decode_json.c, which cuts a body into records and parses
 * them, and decode_fields.c, which makes a row of a record. */
#pragma once

#include "base/px_json.h"
#include "svc/ingest/decode.h"

enum record_answer { RECORD_REFUSED = 1, RECORD_FULL };

/* Fields that may be a record's time, best first; 0 is the one that the request names. */
enum time_rank { RANK_CHOSEN, RANK_TIME, RANK_LAST = 5, RANK_COUNT };

struct decoding {
    struct px_str body, time_field;
    const struct decode_limits *limits;
    struct px_arena *arena;
    struct batch *batch;
    struct decode_result *result;

    char *text;        /* the record, padded */
    char *pool;        /* yyjson's values */
    size_t record_cap; /* bytes of record that text and pool have room for */
    size_t pool_bytes;
    char *pool_at, *pool_last; /* free from here; the newest allocation */
    struct px_buf path;        /* name of a nested field */
    struct px_buf json;        /* text of an array */

    uint64_t record; /* number of the current one */
    size_t record_offset;
    uint32_t fields;
    yyjson_val *times[RANK_COUNT], *time_keys[RANK_COUNT];
    struct px_where where; /* why the current record is refused */
};

/* Count the current record as refused because of `where`. */
void decoding_refuse(struct decoding *in);
/* One parsed record to one row, or one refusal. Answers: RECORD_FULL. */
PX_MUST_USE int decoding_add_record(struct decoding *in, yyjson_val *root);
