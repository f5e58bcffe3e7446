/* asl/path_tokens.h - what a compiled path consists of; for path*.c only. */
#pragma once

#include "asl/path.h"

enum token_kind {
    TOKEN_MEMBER,
    TOKEN_MEMBERS, /* ['a','b'] */
    TOKEN_INDEX,
    TOKEN_INDEXES, /* [0,2] */
    TOKEN_SLICE,   /* [1:3] */
    TOKEN_WILDCARD,
    TOKEN_SCAN,    /* .. */
    TOKEN_FILTER,  /* [?(...)] */
    TOKEN_FUNCTION /* .length() */
};
struct slice {
    int32_t from, to;
    bool has_from, has_to;
};
struct token {
    enum token_kind kind;
    char quote;     /* around the names, for texts */
    uint32_t count; /* of names, indexes */
    union {
        struct px_str name; /* member, function */
        const struct px_str *names;
        int32_t index;
        const int32_t *indexes;
        struct slice slice;
        const struct filter *filter;
    } of;
};

struct asl_path {
    enum asl_path_root root;
    bool item; /* begins with @; else with the root of the whole */
    bool in_filter;
    bool definite;
    uint32_t count;
    const struct token *tokens;
    struct px_str variable;
    struct px_str text;
};

/* ---- filters ---- */

enum filter_op {
    OP_EQ,
    OP_NE,
    OP_SAME,     /* === */
    OP_NOT_SAME, /* !== */
    OP_LT,
    OP_LE,
    OP_GT,
    OP_GE,
    OP_MATCHES, /* =~ */
    OP_IN,
    OP_NIN,
    OP_SUBSETOF,
    OP_ANYOF,
    OP_NONEOF,
    OP_ALL,
    OP_CONTAINS,
    OP_SIZE,
    OP_EMPTY,
};
/* A path or a value. */
struct operand {
    const struct asl_path *path;
    yyjson_mut_val *value;
};
enum filter_kind {
    FILTER_OR,
    FILTER_AND,
    FILTER_NOT,
    FILTER_COMPARE,
    FILTER_EXISTS,
    FILTER_ABSENT
};
struct filter {
    enum filter_kind kind;
    enum filter_op op;
    const struct filter *left, *right; /* OR, AND, NOT */
    struct operand a, b;               /* COMPARE, EXISTS, ABSENT */
    const struct pattern *pattern;     /* for =~ */
};

/* A budget for one evaluation, filters and what they contain included. */
struct walk {
    struct asl_values *values;
    yyjson_mut_val *root; /* $ inside filters */
    uint64_t visits_left;
    unsigned depth;
    bool exhausted;
    int fault;
    void *matching; /* what patterns work in */
};
/* Values that a path found, in the step's arena. */
struct hits {
    yyjson_mut_val **list;
    size_t count, cap;
};
/* Evaluate any path; false when the walk ended early (exhausted or fault). */
bool path_collect(struct walk *walk, const struct asl_path *path, yyjson_mut_val *from,
                  struct hits *hits);
/* The value of a definite path; NULL: nothing. */
yyjson_mut_val *path_definite(struct walk *walk, const struct asl_path *path, yyjson_mut_val *from,
                              struct asl_path_miss *miss);
bool path_function_known(struct px_str name);
/* A list of copies of what was found. NULL: fault. */
yyjson_mut_val *path_list(struct walk *walk, const struct hits *hits);
bool filter_accepts(struct walk *walk, const struct filter *filter, yyjson_mut_val *item);

/* ---- patterns ---- */

/* Compile the pattern between two slashes. ret_wrong: the offset of what is wrong in it. Answers: ASL_INVALID. */
int pattern_compile(struct px_str text, struct px_str flags, struct px_arena *arena,
                    const struct pattern **ret_pattern, size_t *ret_wrong);
/* Whether the pattern is the whole of text; false too when the walk ends by it. */
bool pattern_is(struct walk *walk, const struct pattern *pattern, struct px_str text);

/* ---- reading ---- */

/* A reader over the text of a path; the first error stays. */
struct path_reader {
    struct px_str text;
    size_t at;
    struct px_arena *arena;
    struct px_where *where;
    unsigned depth; /* of filters in filters */
    enum asl_path_place place;
    bool in_filter;
};
#define PATH_NEST_MAX 16u    /* filters, brackets and lists in one another */
#define PATH_TOKENS_MAX 256u /* so that evaluating may recurse */

static inline bool reader_more(const struct path_reader *reader)
{
    return reader->at < reader->text.len;
}
static inline char reader_peek(const struct path_reader *reader, size_t ahead)
{
    return reader->at + ahead < reader->text.len ? reader->text.ptr[reader->at + ahead] : '\0';
}
static inline void reader_blanks(struct path_reader *reader)
{
    while (reader_more(reader) &&
           (reader_peek(reader, 0) == ' ' || reader_peek(reader, 0) == '\t' ||
            reader_peek(reader, 0) == '\n' || reader_peek(reader, 0) == '\r'))
        reader->at++;
}
static inline bool reader_take(struct path_reader *reader, char c)
{
    if (!reader_more(reader) || reader_peek(reader, 0) != c) return false;
    reader->at++;
    return true;
}
/* Note what was expected here; ASL_INVALID. */
int reader_wrong(struct path_reader *reader, const char *expected);
/* A path that begins here, with $ or @. */
int reader_path(struct path_reader *reader, const struct asl_path **ret_path);
/* The inside of [?( ... )]. */
int reader_filter(struct path_reader *reader, const struct filter **ret_filter);
