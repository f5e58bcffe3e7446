/* asl/check.h - what the parts of the definition's parser share: the definition being read, places in it, problems told.
 *
 * Problems never end the reading: whoever meets one tells it and goes on with what is left, so that a definition's
 * mistakes come all at once. What could not be understood is absent from the machine, which is thrown away then. */
#pragma once

#include "asl/definition.h"

#define ASL_PROBLEMS_MAX 1000
#define ASL_DEFINITION_BYTES_MAX (1u << 20)
#define ASL_NAME_MAX 80  /* characters of a state or a variable */
#define ASL_LABEL_MAX 40 /* characters */

/* Codes of ValidateStateMachineDefinition (API reference, ValidateStateMachineDefinitionDiagnostic); the last four have
 * been met in the answers of the service and are not listed there. */
#define ASL_C_JSON "INVALID_JSON_DESCRIPTION"
#define ASL_C_EMPTY "MISSING_DESCRIPTION"
#define ASL_C_SCHEMA "SCHEMA_VALIDATION_FAILED"
#define ASL_C_NO_END "MISSING_END_STATE"
#define ASL_C_DUPLICATE_STATE "DUPLICATE_STATE_NAME"
#define ASL_C_STATE_NAME "INVALID_STATE_NAME"
#define ASL_C_DUPLICATE_LABEL "DUPLICATE_LABEL_NAME"
#define ASL_C_LABEL "INVALID_LABEL_NAME"
#define ASL_C_TARGET "MISSING_TRANSITION_TARGET"
#define ASL_C_DEPTH "TOO_DEEPLY_NESTED"
#define ASL_C_NO_DOLLAR "NO_DOLLAR"
#define ASL_C_NO_PATH "NO_PATH"
#define ASL_C_STATIC_RESULT "PASS_RESULT_IS_STATIC"
#define ASL_C_VARIABLE "INVALID_VARIABLE_NAME"
#define ASL_C_RESERVED "RESERVED_VARIABLE_NAME"
#define ASL_C_JSONATA "INVALID_JSONATA_EXPRESSION"
#define ASL_C_UNSUPPORTED "UNSUPPORTED_JSONATA_EXPRESSION"
/* Warnings of Prism's own. */
#define ASL_C_UNUSED "FIELD_HAS_NO_EFFECT"
#define ASL_C_ERROR_NAME "UNKNOWN_ERROR_NAME"

/* A place: a member of what is above it, or an element ("Branches[0]" is two). On the stack of whoever reads it. */
struct asl_place {
    const struct asl_place *up; /* NULL: the definition itself */
    struct px_str name;         /* of a member; ptr NULL: an element */
    size_t index;               /* of an element */
    yyjson_val *near;           /* a string of the text that is at or near it; NULL: ask `up` */
};
struct asl_place asl_member_place(const struct asl_place *up, yyjson_val *key);
struct asl_place asl_element_place(const struct asl_place *up, size_t index, yyjson_val *element);
/* A member that need not be there. */
struct asl_place asl_named_place(const struct asl_place *up, yyjson_val *object, const char *name);

struct asl_noted;
struct asl_name {
    struct px_str text;
    struct asl_name *left, *right; /* of a tree by the text's hash */
    uint64_t hash;
};
struct asl_check {
    struct px_arena *arena;
    struct asl_jsonata *jsonata;
    struct px_str text;
    const char *origin; /* where the JSON parser has its copy of the text; NULL: not known */
    enum asl_machine_type type; /* that what is read will run in: EXPRESS below such a child, too */
    enum asl_language language; /* the machine's */
    struct asl_noted *noted;
    size_t noted_count, noted_cap;
    struct asl_name *states, *labels; /* met so far, in all flows */
    bool refused;                     /* a problem that is no warning */
    int fault;                        /* of the arena; later calls do nothing */
};

/* Tell a problem; the place is written as Step Functions does, "/States/A/Branches[0]/States/B". */
void asl_problem(struct asl_check *check, const struct asl_place *place, const char *code,
                 const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void asl_warning(struct asl_check *check, const struct asl_place *place, const char *code,
                 const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* A problem of the text at an offset, before there is a document. */
void asl_text_problem(struct asl_check *check, const char *code, size_t offset, const char *fmt,
                      ...) __attribute__((format(printf, 4, 5)));
/* What was told, in the order of the text, with lines and columns. */
PX_MUST_USE int asl_problems_finish(struct asl_check *check, struct asl_problems *ret_problems);
/* Zeroed memory of the definition; NULL and check->fault when there is none. */
void *asl_check_alloc(struct asl_check *check, size_t count, size_t bytes);
#define asl_check_array(check, type, count)                                                        \
    ((type *)asl_check_alloc((check), (count), sizeof(type)))
/* False when the name was there before. */
bool asl_name_is_new(struct asl_check *check, struct asl_name **names, struct px_str name);
/* Characters of UTF-8. */
size_t asl_char_count(struct px_str text);

/* ---- values of fields, compiled (definition_value.c) ---- */

/* What a field of an object needs to be read. */
struct asl_reader {
    struct asl_check *check;
    const struct asl_place *place; /* of the object */
    yyjson_val *object;
    enum asl_language language;
};
/* "Seconds" written or, in JSONata, "{% ... %}"; or "SecondsPath" (NULL: the field has none). */
struct asl_field asl_read_field(const struct asl_reader *r, const char *name,
                                const char *path_name);
/* InputPath and the like: absent, null, "$", or a path. */
struct asl_path_field asl_read_path(const struct asl_reader *r, const char *name);
/* NULL when absent. */
const struct asl_template *asl_read_template(const struct asl_reader *r, const char *name);
/* Parameters in JSONPath, Arguments in JSONata. */
const struct asl_template *asl_read_payload(const struct asl_reader *r);
const struct asl_template *asl_read_assign(const struct asl_reader *r);
/* The object as a rule of Choices in JSONPath. */
const struct asl_rule *asl_read_rule(const struct asl_reader *r);
/* Warn of members below a field that are named as if they were computed. */
void asl_warn_of_paths(const struct asl_reader *r, const char *name);
/* Views of a list of strings; others are left out. */
const struct px_str *asl_read_texts(const struct asl_reader *r, const char *name,
                                    size_t *ret_count);
bool asl_is_expression(yyjson_val *val); /* "{% ... %}" */

/* ---- states (definition_state.c) and what they have (definition_choice.c, definition_errors.c,
 * definition_jsonata.c, definition_map.c) ---- */

/* Read the States of an object that has StartAt and States. */
void asl_read_flow(struct asl_check *check, const struct asl_place *place, yyjson_val *object,
                   struct asl_flow *flow);
/* The members of a state; its name, flow and index are there. False when it could not be understood so far that where it leads
 * to is known. */
bool asl_read_state(struct asl_check *check, const struct asl_place *place, yyjson_val *object,
                    struct asl_state *state);
/* The state that a member names; a wrong name is told. NULL: none. */
const struct asl_state *asl_read_target(const struct asl_reader *r, const struct asl_flow *flow,
                                        const char *name);
/* Names that no expression of a state in JSONata may use where it stands. */
void asl_check_references(const struct asl_reader *r);
void asl_read_retriers(const struct asl_reader *r, struct asl_state *state);
void asl_read_catchers(const struct asl_reader *r, struct asl_state *state);
void asl_read_choice(const struct asl_reader *r, struct asl_state *state);
void asl_read_map(const struct asl_reader *r, struct asl_state *state);
