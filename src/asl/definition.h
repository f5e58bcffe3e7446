/* asl/definition.h - a state machine as it is run: parsed, checked, compiled, constant. Any number of executions read it.
 *
 * Specification: states-language.net; where Step Functions does otherwise, Step Functions. Every rule that it checks is told
 * with its place and in its words where they are known. */
#pragma once

#include "asl/choice.h"

enum asl_machine_type { ASL_STANDARD, ASL_EXPRESS };
enum asl_state_type {
    ASL_TASK,
    ASL_PASS,
    ASL_CHOICE,
    ASL_WAIT,
    ASL_SUCCEED,
    ASL_FAIL,
    ASL_PARALLEL,
    ASL_MAP,
};

struct asl_state;
struct asl_flow;

/* A field that can be written out, or computed: Seconds and SecondsPath, Error and ErrorPath, "{% ... %}". */
enum asl_field_kind { ASL_FIELD_ABSENT, ASL_FIELD_WRITTEN, ASL_FIELD_COMPUTED };
struct asl_field {
    enum asl_field_kind kind;
    yyjson_val *written;
    const struct asl_expr *expr;
    const char *name; /* as in the definition: "SecondsPath"; static */
};
/* InputPath, OutputPath, ResultPath, ItemsPath. */
enum asl_path_kind { ASL_PATH_ROOT /* absent or "$" */, ASL_PATH_NULL /* null */, ASL_PATH_EXPR };
struct asl_path_field {
    enum asl_path_kind kind;
    const struct asl_expr *expr;
};

struct asl_retrier {
    const struct px_str *errors;
    size_t error_count;
    int64_t interval_s;   /* 1 */
    int64_t max_attempts; /* 3; 0 never retries */
    double backoff_rate;  /* 2.0 */
    int64_t max_delay_s;  /* 0: no ceiling */
    bool full_jitter;     /* JitterStrategy FULL */
};
struct asl_catcher {
    const struct px_str *errors;
    size_t error_count;
    const struct asl_state *next;
    struct asl_path_field result_path; /* JSONPath */
    const struct asl_template *assign; /* NULL: none */
    const struct asl_template *output; /* JSONata; NULL: the error output */
};

/* How a Task's Resource is called. */
enum asl_pattern {
    ASL_REQUEST_RESPONSE,
    ASL_SYNC /* .sync */,
    ASL_SYNC2 /* .sync:2 */,
    ASL_TASK_TOKEN /* .waitForTaskToken */
};
enum asl_resource_kind {
    ASL_RESOURCE_LAMBDA /* a function's ARN */,
    ASL_RESOURCE_ACTIVITY,
    ASL_RESOURCE_SERVICE
};
struct asl_resource {
    struct px_str arn;
    enum asl_resource_kind kind;
    struct px_str
        service; /* "lambda", "dynamodb", "aws-sdk:efs", ...; "lambda" too for a function's ARN */
    struct px_str action; /* "invoke", "getItem"; "function" for a function's ARN */
    enum asl_pattern pattern;
};
struct asl_task {
    struct asl_resource resource;
    const struct asl_template
        *payload; /* Parameters or Arguments; NULL: the effective input ({} in JSONata) */
    struct asl_field timeout_s, heartbeat_s;
    struct asl_field role; /* Credentials.RoleArn */
};

struct asl_choice_rule {
    const struct asl_rule *rule; /* JSONPath */
    struct asl_field condition;  /* JSONata */
    const struct asl_state *next;
    const struct asl_template *assign, *output;
};
struct asl_choice {
    const struct asl_choice_rule *rules;
    size_t rule_count;
    const struct asl_state *otherwise; /* Default; NULL: none */
};
struct asl_wait {
    struct asl_field seconds, timestamp; /* one of them */
};
struct asl_fail_state {
    struct asl_field error, cause;
};
struct asl_parallel {
    const struct asl_flow *const *branches;
    size_t branch_count;
    const struct asl_template *payload; /* Parameters or Arguments; NULL: the effective input */
};

enum asl_input_type {
    ASL_INPUT_CSV,
    ASL_INPUT_JSON,
    ASL_INPUT_JSONL,
    ASL_INPUT_MANIFEST,
    ASL_INPUT_OBJECTS /* listObjectsV2 */,
    ASL_INPUT_PARQUET
};
struct asl_item_reader {
    struct asl_resource resource;
    struct asl_resource object_resource; /* getObject, for what a list or a manifest names */
    const struct asl_template *payload;
    enum asl_input_type input_type;
    bool csv_header_given; /* CSVHeaderLocation GIVEN, else FIRST_ROW */
    const struct px_str *csv_headers;
    size_t csv_header_count;
    char csv_delimiter; /* , | ; space tab */
    /* What stands in the objects that a manifest or a list names: for ASL_INPUT_MANIFEST of Athena, and for ASL_INPUT_OBJECTS
     * with Transformation LOAD_AND_FLATTEN, which makes their items the items. */
    enum asl_input_type object_type;
    bool of_athena;        /* the manifest; else an inventory of S3 */
    bool load_and_flatten; /* the objects of the list */
    struct asl_field max_items;
    struct px_str items_pointer; /* ItemsPointer of a JSON object; empty: the root */
};
struct asl_result_writer {
    struct asl_resource resource; /* arn empty: only WriterConfig */
    const struct asl_template *payload;
    enum asl_transformation {
        ASL_TRANSFORM_NONE,
        ASL_TRANSFORM_COMPACT,
        ASL_TRANSFORM_FLATTEN
    } transformation;
    bool json_lines; /* OutputType JSONL */
};
struct asl_map {
    const struct asl_flow *processor;
    bool distributed;
    enum asl_machine_type child_type; /* distributed: STANDARD or EXPRESS */
    bool legacy_iterator;             /* the selector stands in Parameters, not in ItemSelector */
    struct asl_path_field items_path; /* JSONPath */
    struct asl_field
        items; /* JSONata; written may be an array with expressions: then items_template */
    const struct asl_template *items_template;
    const struct asl_template
        *selector; /* ItemSelector, or Parameters of an Iterator; NULL: the item */
    struct asl_field max_concurrency;     /* 0: no bound of its own */
    const struct asl_item_reader *reader; /* NULL: none */
    /* ItemBatcher; all absent: none */
    bool batches;
    struct asl_field items_per_batch, bytes_per_batch;
    const struct asl_template *batch_input;
    const struct asl_result_writer *writer; /* NULL: none */
    struct asl_field tolerated_count, tolerated_percentage;
    struct px_str label;
};

struct asl_state {
    struct px_str name;
    enum asl_state_type type;
    enum asl_language language;
    const struct asl_flow *flow;  /* where it stands */
    uint32_t index;               /* in flow->states */
    const struct asl_state *next; /* NULL: End, or a type that has none */
    struct asl_path_field input_path, output_path, result_path; /* JSONPath */
    const struct asl_template *result_selector;                 /* NULL: none */
    const struct asl_template *assign;                          /* NULL: none */
    const struct asl_template *output; /* JSONata; NULL: the result, or the input */
    const struct asl_retrier *retriers;
    size_t retrier_count;
    const struct asl_catcher *catchers;
    size_t catcher_count;
    union {
        struct asl_task task;
        struct asl_choice choice;
        struct asl_wait wait;
        struct asl_fail_state fail;
        struct asl_parallel parallel;
        struct asl_map map;
        struct {
            yyjson_val *result; /* JSONPath; NULL: none */
            const struct asl_template *parameters;
        } pass;
    } of;
};
/* A block of States: the machine's own, a branch's, or an item processor's. */
struct asl_flow {
    const struct asl_state *start;
    const struct asl_state *states; /* in the order of the definition */
    size_t state_count;
    const uint32_t *by_name;       /* indices of the states in the order of their names */
    const struct asl_state *owner; /* the Parallel or Map; NULL: the machine */
    uint32_t branch;               /* in a Parallel */
};
struct asl_machine {
    struct asl_flow flow;
    enum asl_language language;
    enum asl_machine_type type;
    int64_t timeout_s; /* 0: none */
    struct px_str comment;
    struct px_str source; /* the text */
};

struct asl_problem {
    const char *
        code; /* "SCHEMA_VALIDATION_FAILED", "INVALID_JSON_DESCRIPTION", ...: ValidateStateMachineDefinition's */
    struct px_str
        place; /* "/States/Wait/Seconds", "/States/Both/Branches[0]/States/A", "/": the definition */
    struct px_str message;
    bool warning;
    size_t line, column; /* 1..; 0: not known */
};
struct asl_problems {
    struct asl_problem *list;
    size_t count, cap;
};

/* Parse, check and compile.
 *   arena         holds the machine and the problems; the text is copied
 *   jsonata       checks expressions; NULL: they are checked when they are evaluated
 *   ret_problems  filled in every case, warnings too, in the order of the text; at most 1000
 * Answers: ASL_INVALID when a problem is not a warning; ret_machine is not written. */
PX_MUST_USE int asl_machine_parse(struct px_str text, enum asl_machine_type type,
                                  struct asl_jsonata *jsonata, struct px_arena *arena,
                                  const struct asl_machine **ret_machine,
                                  struct asl_problems *ret_problems);
/* A state of a flow by name; NULL: there is none. */
const struct asl_state *asl_flow_state(const struct asl_flow *flow, struct px_str name);
const char *asl_state_type_name(enum asl_state_type type); /* "Task" */

/* A way out of a state. */
enum asl_edge_kind { ASL_EDGE_NEXT, ASL_EDGE_RULE, ASL_EDGE_DEFAULT, ASL_EDGE_CATCH };
struct asl_edge {
    enum asl_edge_kind kind;
    size_t index;               /* of the rule or catcher */
    const struct asl_state *to; /* NULL: this way is not there */
};
/* The i-th; false behind the last. */
bool asl_state_edge(const struct asl_state *state, size_t i, struct asl_edge *ret_edge);
