/* asl/fields.c - the table of members, and what is told from it.
 *
 * Sources: states-language.net; Step Functions developer guide, the pages of the states and of input and output processing;
 * statelint. Which members a state type takes, bounds and words are those that CreateStateMachine and
 * ValidateStateMachineDefinition answer with where others have written them down. */
#include "asl/fields.h"

#include <stdio.h>

#include "asl/timestamp.h"

#define STATES 0xffu
#define MOVES                                                                                      \
    (ASL_O_TASK | ASL_O_PASS | ASL_O_WAIT | ASL_O_PARALLEL | ASL_O_MAP) /* have Next or End */
#define WORKS                                                                                      \
    (ASL_O_TASK | ASL_O_PARALLEL | ASL_O_MAP) /* have a result that others make, and can fail */
#define FLOWS (ASL_O_MACHINE | ASL_O_BRANCH | ASL_O_PROCESSOR)
#define EVERYWHERE (~(unsigned)ASL_O_CREDENTIALS)
#define TIME_MAX 99999999
#define YEAR_S 31622400

enum languages { PATH = 1u << ASL_JSONPATH, JSONATA = 1u << ASL_JSONATA, BOTH = PATH | JSONATA };

enum value_type {
    ANYTHING,
    TEXT,
    FLAG,
    INTEGER,
    NUMBER,
    OBJECT,
    LIST,     /* not empty */
    ANY_LIST, /* may be empty */
    TEMPLATE, /* any value; compiling tells what is wrong in it */
    PATH_OR_NULL,
    PATH_TEXT, /* a path or an intrinsic function, which compiling tells */
    ONE_OF,    /* the field's words */
    TIMESTAMP,
    CONDITION, /* true, false, or an expression */
};
struct member {
    const char *name;
    unsigned in, needed; /* kinds of objects */
    enum languages languages;
    enum value_type type;
    bool computed; /* in JSONata also "{% ... %}" */
    double from, to;
    const char *words;
};

/* In the order in which Step Functions lists those that are missing. */
static const struct member members[] = {
    {"States", FLOWS, FLOWS, BOTH, OBJECT, false, 0, 0, NULL},
    {"StartAt", FLOWS, FLOWS, BOTH, TEXT, false, 0, 0, NULL},
    {"Type", STATES, STATES, BOTH, TEXT, false, 0, 0, NULL},
    {"Comment", EVERYWHERE, 0, BOTH, TEXT, false, 0, 0, NULL},
    {"QueryLanguage", STATES | ASL_O_MACHINE, 0, BOTH, ONE_OF, false, 0, 0, "JSONPath, JSONata"},
    {"Version", ASL_O_MACHINE, 0, BOTH, ONE_OF, false, 0, 0, "1.0"},
    {"Next", MOVES | ASL_O_CATCHER | ASL_O_RULE, ASL_O_CATCHER | ASL_O_RULE, BOTH, TEXT, false, 0,
     0, NULL},
    {"End", MOVES, 0, BOTH, FLAG, false, 0, 0, NULL},

    {"InputPath", STATES & ~ASL_O_FAIL, 0, PATH, PATH_OR_NULL, false, 0, 0, NULL},
    {"OutputPath", STATES & ~ASL_O_FAIL, 0, PATH, PATH_OR_NULL, false, 0, 0, NULL},
    {"ResultPath", WORKS | ASL_O_PASS | ASL_O_CATCHER, 0, PATH, PATH_OR_NULL, false, 0, 0, NULL},
    {"Parameters", WORKS | ASL_O_PASS | ASL_O_READER | ASL_O_WRITER, 0, PATH, TEMPLATE, false, 0, 0,
     NULL},
    {"ResultSelector", WORKS, 0, PATH, TEMPLATE, false, 0, 0, NULL},
    {"Result", ASL_O_PASS, 0, PATH, ANYTHING, false, 0, 0, NULL},
    {"Arguments", ASL_O_TASK | ASL_O_PARALLEL | ASL_O_READER | ASL_O_WRITER, 0, JSONATA, TEMPLATE,
     false, 0, 0, NULL},
    {"Output", (STATES & ~ASL_O_FAIL) | ASL_O_CATCHER | ASL_O_RULE, 0, JSONATA, TEMPLATE, false, 0,
     0, NULL},
    {"Assign", (STATES & ~(ASL_O_FAIL | ASL_O_SUCCEED)) | ASL_O_CATCHER | ASL_O_RULE, 0, BOTH,
     OBJECT, false, 0, 0, NULL},

    {"Resource", ASL_O_TASK | ASL_O_READER | ASL_O_WRITER, ASL_O_TASK | ASL_O_READER, BOTH, TEXT,
     false, 0, 0, NULL},
    {"Credentials", ASL_O_TASK, 0, BOTH, OBJECT, false, 0, 0, NULL},
    {"RoleArn", ASL_O_CREDENTIALS, 0, BOTH, TEXT, true, 0, 0, NULL},
    {"RoleArn.$", ASL_O_CREDENTIALS, 0, PATH, PATH_TEXT, false, 0, 0, NULL},
    /* 0 is none for a machine, as measured by others */
    {"TimeoutSeconds", ASL_O_MACHINE, 0, BOTH, INTEGER, false, 0, TIME_MAX, NULL},
    {"TimeoutSeconds", ASL_O_TASK, 0, BOTH, INTEGER, true, 1, TIME_MAX, NULL},
    {"TimeoutSecondsPath", ASL_O_TASK, 0, PATH, PATH_TEXT, false, 0, 0, NULL},
    {"HeartbeatSeconds", ASL_O_TASK, 0, BOTH, INTEGER, true, 1, TIME_MAX, NULL},
    {"HeartbeatSecondsPath", ASL_O_TASK, 0, PATH, PATH_TEXT, false, 0, 0, NULL},

    {"Retry", WORKS, 0, BOTH, ANY_LIST, false, 0, 0, NULL},
    {"Catch", WORKS, 0, BOTH, ANY_LIST, false, 0, 0, NULL},
    {"ErrorEquals", ASL_O_RETRIER | ASL_O_CATCHER, ASL_O_RETRIER | ASL_O_CATCHER, BOTH, LIST, false,
     0, 0, NULL},
    {"IntervalSeconds", ASL_O_RETRIER, 0, BOTH, INTEGER, false, 0, TIME_MAX, NULL},
    {"MaxAttempts", ASL_O_RETRIER, 0, BOTH, INTEGER, false, 0, TIME_MAX, NULL},
    {"BackoffRate", ASL_O_RETRIER, 0, BOTH, NUMBER, false, 1, 1e9, NULL},
    {"MaxDelaySeconds", ASL_O_RETRIER, 0, BOTH, INTEGER, false, 1, YEAR_S, NULL},
    {"JitterStrategy", ASL_O_RETRIER, 0, BOTH, ONE_OF, false, 0, 0, "NONE, FULL"},

    {"Choices", ASL_O_CHOICE, ASL_O_CHOICE, BOTH, LIST, false, 0, 0, NULL},
    {"Default", ASL_O_CHOICE, 0, BOTH, TEXT, false, 0, 0, NULL},
    {"Condition", ASL_O_RULE, ASL_O_RULE, JSONATA, CONDITION, true, 0, 0, NULL},

    {"SecondsPath", ASL_O_WAIT, 0, PATH, PATH_TEXT, false, 0, 0, NULL},
    {"Seconds", ASL_O_WAIT, 0, BOTH, INTEGER, true, 0, TIME_MAX, NULL},
    {"TimestampPath", ASL_O_WAIT, 0, PATH, PATH_TEXT, false, 0, 0, NULL},
    {"Timestamp", ASL_O_WAIT, 0, BOTH, TIMESTAMP, true, 0, 0, NULL},

    {"Error", ASL_O_FAIL, 0, BOTH, TEXT, true, 0, 0, NULL},
    {"ErrorPath", ASL_O_FAIL, 0, PATH, PATH_TEXT, false, 0, 0, NULL},
    {"Cause", ASL_O_FAIL, 0, BOTH, TEXT, true, 0, 0, NULL},
    {"CausePath", ASL_O_FAIL, 0, PATH, PATH_TEXT, false, 0, 0, NULL},

    {"Branches", ASL_O_PARALLEL, ASL_O_PARALLEL, BOTH, LIST, false, 0, 0, NULL},

    {"ItemProcessor", ASL_O_MAP, 0, BOTH, OBJECT, false, 0, 0, NULL},
    {"Iterator", ASL_O_MAP, 0, BOTH, OBJECT, false, 0, 0, NULL},
    {"ItemsPath", ASL_O_MAP, 0, PATH, PATH_OR_NULL, false, 0, 0, NULL},
    {"Items", ASL_O_MAP, 0, JSONATA, ANYTHING, true, 0, 0, NULL},
    {"ItemSelector", ASL_O_MAP, 0, BOTH, TEMPLATE, false, 0, 0, NULL},
    {"MaxConcurrency", ASL_O_MAP, 0, BOTH, INTEGER, true, 0, 1e9, NULL},
    {"MaxConcurrencyPath", ASL_O_MAP, 0, PATH, PATH_TEXT, false, 0, 0, NULL},
    {"ToleratedFailureCount", ASL_O_MAP, 0, BOTH, INTEGER, true, 0, 1e12, NULL},
    {"ToleratedFailureCountPath", ASL_O_MAP, 0, PATH, PATH_TEXT, false, 0, 0, NULL},
    {"ToleratedFailurePercentage", ASL_O_MAP, 0, BOTH, NUMBER, true, 0, 100, NULL},
    {"ToleratedFailurePercentagePath", ASL_O_MAP, 0, PATH, PATH_TEXT, false, 0, 0, NULL},
    {"Label", ASL_O_MAP, 0, BOTH, TEXT, false, 0, 0, NULL},
    {"ItemReader", ASL_O_MAP, 0, BOTH, OBJECT, false, 0, 0, NULL},
    {"ItemBatcher", ASL_O_MAP, 0, BOTH, OBJECT, false, 0, 0, NULL},
    {"ResultWriter", ASL_O_MAP, 0, BOTH, OBJECT, false, 0, 0, NULL},

    {"ProcessorConfig", ASL_O_PROCESSOR, 0, BOTH, OBJECT, false, 0, 0, NULL},
    {"Mode", ASL_O_PROCESSOR_CONFIG, 0, BOTH, ONE_OF, false, 0, 0, "INLINE, DISTRIBUTED"},
    {"ExecutionType", ASL_O_PROCESSOR_CONFIG, 0, BOTH, ONE_OF, false, 0, 0, "STANDARD, EXPRESS"},

    {"ReaderConfig", ASL_O_READER, 0, BOTH, OBJECT, false, 0, 0, NULL},
    {"InputType", ASL_O_READER_CONFIG, 0, BOTH, ONE_OF, false, 0, 0,
     "CSV, JSON, JSONL, PARQUET, MANIFEST"},
    {"ManifestType", ASL_O_READER_CONFIG, 0, BOTH, ONE_OF, false, 0, 0,
     "ATHENA_DATA, S3_INVENTORY"},
    {"Transformation", ASL_O_READER_CONFIG, 0, BOTH, ONE_OF, false, 0, 0, "NONE, LOAD_AND_FLATTEN"},
    {"CSVHeaderLocation", ASL_O_READER_CONFIG, 0, BOTH, ONE_OF, false, 0, 0, "FIRST_ROW, GIVEN"},
    {"CSVHeaders", ASL_O_READER_CONFIG, 0, BOTH, LIST, false, 0, 0, NULL},
    {"CSVDelimiter", ASL_O_READER_CONFIG, 0, BOTH, ONE_OF, false, 0, 0,
     "COMMA, PIPE, SEMICOLON, SPACE, TAB"},
    {"ItemsPointer", ASL_O_READER_CONFIG, 0, BOTH, TEXT, false, 0, 0, NULL},
    {"MaxItems", ASL_O_READER_CONFIG, 0, BOTH, INTEGER, true, 0, 100000000, NULL},
    {"MaxItemsPath", ASL_O_READER_CONFIG, 0, PATH, PATH_TEXT, false, 0, 0, NULL},

    {"MaxItemsPerBatch", ASL_O_BATCHER, 0, BOTH, INTEGER, true, 1, 100000000, NULL},
    {"MaxItemsPerBatchPath", ASL_O_BATCHER, 0, PATH, PATH_TEXT, false, 0, 0, NULL},
    {"MaxInputBytesPerBatch", ASL_O_BATCHER, 0, BOTH, INTEGER, true, 1, ASL_DATA_BYTES_MAX, NULL},
    {"MaxInputBytesPerBatchPath", ASL_O_BATCHER, 0, PATH, PATH_TEXT, false, 0, 0, NULL},
    {"BatchInput", ASL_O_BATCHER, 0, BOTH, TEMPLATE, false, 0, 0, NULL},

    {"WriterConfig", ASL_O_WRITER, 0, BOTH, OBJECT, false, 0, 0, NULL},
    {"Transformation", ASL_O_WRITER_CONFIG, 0, BOTH, ONE_OF, false, 0, 0, "NONE, COMPACT, FLATTEN"},
    {"OutputType", ASL_O_WRITER_CONFIG, 0, BOTH, ONE_OF, false, 0, 0, "JSON, JSONL"},
};
#define MEMBERS PX_COUNT(members)

/* Of these an object has one at most, and where it is needed, one. */
struct group {
    unsigned in;
    bool needed;
    const char *names[5]; /* NULL-ended */
};
static const struct group groups[] = {
    {MOVES, true, {"Next", "End"}},
    {ASL_O_WAIT, true, {"SecondsPath", "Seconds", "TimestampPath", "Timestamp"}},
    {ASL_O_TASK, false, {"TimeoutSeconds", "TimeoutSecondsPath"}},
    {ASL_O_TASK, false, {"HeartbeatSeconds", "HeartbeatSecondsPath"}},
    {ASL_O_FAIL, false, {"Error", "ErrorPath"}},
    {ASL_O_FAIL, false, {"Cause", "CausePath"}},
    {ASL_O_MAP, true, {"ItemProcessor", "Iterator"}},
    {ASL_O_MAP, false, {"ItemSelector", "Parameters"}},
    {ASL_O_MAP, false, {"MaxConcurrency", "MaxConcurrencyPath"}},
    {ASL_O_MAP, false, {"ToleratedFailureCount", "ToleratedFailureCountPath"}},
    {ASL_O_MAP, false, {"ToleratedFailurePercentage", "ToleratedFailurePercentagePath"}},
    {ASL_O_READER_CONFIG, false, {"MaxItems", "MaxItemsPath"}},
    {ASL_O_BATCHER, false, {"MaxItemsPerBatch", "MaxItemsPerBatchPath"}},
    {ASL_O_BATCHER, false, {"MaxInputBytesPerBatch", "MaxInputBytesPerBatchPath"}},
    {ASL_O_CREDENTIALS, false, {"RoleArn", "RoleArn.$"}},
};

static const char *language_name(enum asl_language language)
{
    return language == ASL_JSONATA ? "JSONata" : "JSONPath";
}

static const struct member *find(enum asl_object kind, struct px_str name)
{
    for (size_t i = 0; i < MEMBERS; i++)
        if ((members[i].in & kind) && px_str_eq(px_str_c(members[i].name), name))
            return &members[i];
    return NULL;
}

/* ---- values ---- */

static void wrong_type(struct asl_check *check, const struct asl_place *place, const char *type)
{
    asl_problem(check, place, ASL_C_SCHEMA, "Expected value of type %s", type);
}

static void check_number(struct asl_check *check, const struct asl_place *place,
                         const struct member *member, yyjson_val *val)
{
    double number = yyjson_is_num(val) ? yyjson_get_num(val) : 0;
    bool whole = yyjson_is_int(val) ||
                 (number > -0x1p53 && number < 0x1p53 && number == (double)(int64_t)number);
    if (!yyjson_is_num(val) || (member->type == INTEGER && !whole))
        wrong_type(check, place, member->type == INTEGER ? "Integer" : "Float");
    else if (number < member->from)
        asl_problem(check, place, ASL_C_SCHEMA, "Minimum value is %g", member->from);
    else if (number > member->to)
        asl_problem(check, place, ASL_C_SCHEMA, "Maximum value is %.0f", member->to);
}

static void check_word(struct asl_check *check, const struct asl_place *place, const char *words,
                       yyjson_val *val)
{
    struct px_str rest = px_str_c(words), word;
    if (!yyjson_is_str(val)) {
        wrong_type(check, place, "[STRING]");
        return;
    }
    bool more = true;
    while (more) {
        more = px_str_cut(&rest, ',', &word);
        if (px_str_eq(px_str_trim(word), px_json_val_str(val))) return;
    }
    asl_problem(check, place, ASL_C_SCHEMA, "Value should be one of the following: [%s]", words);
}

static void check_timestamp(struct asl_check *check, const struct asl_place *place, yyjson_val *val)
{
    int64_t wall_ns;
    if (!yyjson_is_str(val))
        wrong_type(check, place, "[STRING]");
    else if (!asl_timestamp_parse(px_json_val_str(val), &wall_ns))
        asl_problem(check, place, ASL_C_SCHEMA, "String does not match RFC3339 timestamp");
}

/* Text that looks as if it should have been computed. */
static void check_text(struct asl_check *check, const struct asl_place *place,
                       const struct member *member, yyjson_val *val, enum asl_language language)
{
    struct px_str text = px_json_val_str(val);
    if (!yyjson_is_str(val))
        wrong_type(check, place, "[STRING]");
    else if (language == ASL_JSONPATH && member->computed && px_str_starts(text, S("$.")))
        asl_warning(check, place, ASL_C_NO_PATH,
                    "The value looks like a path and is taken as it stands; a path belongs in "
                    "the field '%s%s'",
                    member->name, strcmp(member->name, "RoleArn") == 0 ? ".$" : "Path");
}

/* 0 right, or the words for what it should be. */
static const char *expected_type(const struct member *member, yyjson_val *val)
{
    switch (member->type) {
    case FLAG: return yyjson_is_bool(val) ? NULL : "[BOOLEAN]";
    case OBJECT: return yyjson_is_obj(val) ? NULL : "[OBJECT]";
    case LIST:
    case ANY_LIST: return yyjson_is_arr(val) ? NULL : "[ARRAY]";
    case PATH_OR_NULL: return yyjson_is_str(val) || yyjson_is_null(val) ? NULL : "[STRING, NULL]";
    case PATH_TEXT: return yyjson_is_str(val) ? NULL : "[STRING]";
    case CONDITION: return yyjson_is_bool(val) ? NULL : "[BOOLEAN]";
    default: return NULL;
    }
}

static void check_value(const struct asl_reader *r, const struct asl_place *place,
                        const struct member *member, yyjson_val *val)
{
    struct asl_check *check = r->check;
    if (member->computed && r->language == ASL_JSONATA && asl_is_expression(val)) return;
    const char *type = expected_type(member, val);
    if (type)
        wrong_type(check, place, type);
    else if (member->type == LIST && yyjson_arr_size(val) == 0)
        asl_problem(check, place, ASL_C_SCHEMA, "Value cannot be empty");
    else if (member->type == INTEGER || member->type == NUMBER)
        check_number(check, place, member, val);
    else if (member->type == ONE_OF)
        check_word(check, place, member->words, val);
    else if (member->type == TIMESTAMP)
        check_timestamp(check, place, val);
    else if (member->type == TEXT)
        check_text(check, place, member, val, r->language);
}

/* ---- objects ---- */

static bool in_language(const struct member *member, enum asl_language language)
{
    return (member->languages & (1u << language)) != 0;
}

static void check_member(const struct asl_reader *r, enum asl_object kind, yyjson_val *key,
                         yyjson_val *val, bool seen[MEMBERS])
{
    struct px_str name = px_json_val_str(key);
    const struct member *member = find(kind, name);
    struct asl_place place = asl_member_place(r->place, key);
    if (!member && kind == ASL_O_RULE && r->language == ASL_JSONPATH)
        return; /* asl_read_choice() */
    struct asl_place holder =
        *r->place; /* Step Functions names the object, the line may as well be the member's */
    holder.near = key;
    if (!member) {
        asl_problem(r->check, &holder, ASL_C_SCHEMA, "Field '%.*s' is not supported", PX_FMT(name));
        return;
    }
    if (seen[member - members])
        asl_problem(r->check, &place, ASL_C_JSON, "Duplicate field '%.*s'", PX_FMT(name));
    seen[member - members] = true;
    if (in_language(member, r->language))
        check_value(r, &place, member, val);
    else
        asl_problem(r->check, &holder, ASL_C_SCHEMA,
                    "The QueryLanguage is set to '%s', but field '%s' is only supported for the "
                    "'%s' QueryLanguage",
                    language_name(r->language), member->name,
                    language_name(r->language == ASL_JSONATA ? ASL_JSONPATH : ASL_JSONATA));
}

static void add_name(char *list, size_t list_bytes, const char *name)
{
    size_t used = strlen(list);
    (void)snprintf(list + used, list_bytes - used, "%s%s", used > 0 ? ", " : "", name);
}

static void check_needed(const struct asl_reader *r, enum asl_object kind, const bool seen[MEMBERS])
{
    char missing[256] = "";
    for (size_t i = 0; i < MEMBERS; i++)
        if ((members[i].needed & kind) && in_language(&members[i], r->language) && !seen[i])
            add_name(missing, sizeof missing, members[i].name);
    if (missing[0])
        asl_problem(r->check, r->place, ASL_C_SCHEMA, "These fields are required: [%s]", missing);
}

/* "End": false is as good as none. */
static bool is_there(const struct asl_reader *r, const char *name)
{
    yyjson_val *val = yyjson_obj_get(r->object, name);
    return val && !(strcmp(name, "End") == 0 && yyjson_is_false(val));
}

static void check_group(const struct asl_reader *r, enum asl_object kind, const struct group *group)
{
    char names[160] = "";
    size_t there = 0;
    for (size_t i = 0; group->names[i]; i++) {
        const struct member *member = find(kind, px_str_c(group->names[i]));
        PX_ASSERT(member);
        if (!in_language(member, r->language)) continue;
        add_name(names, sizeof names, member->name);
        there += is_there(r, member->name);
    }
    if (there > 1)
        asl_problem(r->check, r->place, ASL_C_SCHEMA,
                    "There should only be one of the following fields: [%s]", names);
    else if (there == 0 && group->needed)
        asl_problem(r->check, r->place, ASL_C_SCHEMA,
                    "This object should have only one of the following fields: [%s]", names);
}

bool asl_check_object(const struct asl_reader *r, enum asl_object kind)
{
    bool seen[MEMBERS] = {false};
    size_t i, n;
    yyjson_val *key, *val;
    if (!yyjson_is_obj(r->object)) {
        wrong_type(r->check, r->place, "[OBJECT]");
        return false;
    }
    yyjson_obj_foreach(r->object, i, n, key, val) check_member(r, kind, key, val, seen);
    check_needed(r, kind, seen);
    for (size_t g = 0; g < PX_COUNT(groups); g++)
        if (groups[g].in & kind) check_group(r, kind, &groups[g]);
    return true;
}
