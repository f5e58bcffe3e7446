/* columnar/convert_value.h - one value at a time, from any column type to any other, without loss
 * or not at all. The rules are in docs/design/schema.md. Internal to columnar. */
#pragma once

#include "base/px_arena.h"
#include "base/px_buf.h"
#include "columnar/frame.h"

struct value {
    enum col_type type; /* never MIXED */
    union {
        bool b;
        int64_t i; /* INT, TIME */
        double d;
        struct px_str s; /* STRING, JSON */
    };
};
/* What text is made in, and kept. */
struct value_space {
    struct px_arena *arena; /* keeps converted text; borrowed */
    struct px_buf scratch;
};
void value_space_init(struct value_space *space, struct px_arena *arena);
void value_space_deinit(struct value_space *space);

static inline bool values_have_row(const struct frame_values *values, uint32_t row)
{
    return !values->validity || (values->validity[row / 64] >> row % 64 & 1);
}
enum value_answer { VALUE_NO = 1 };
/* The value of a row that has one; a MIXED one gets the type that its JSON text has. Answers:
 * VALUE_NO for a JSON null. */
PX_MUST_USE int value_of_row(const struct frame_values *values, uint32_t row,
                             struct value_space *space, struct value *ret_value);
/* Answers: VALUE_NO when it would lose something. */
PX_MUST_USE int value_convert(const struct value *value, enum col_type to,
                              struct value_space *space, struct value *ret_value);
/* Append a value as JSON. */
void value_add_json(const struct value *value, struct px_buf *buf);
/* Whether every value of a frame's column fits into a column of this type. */
bool column_always_converts(const struct frame_column *column, enum col_type to);
