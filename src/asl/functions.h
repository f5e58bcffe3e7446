/* asl/functions.h - what each intrinsic function does; for intrinsic.c only. */
#pragma once

#include "asl/expr.h"

/* What a function is given. Arguments are borrowed: what becomes part of a result is copied. */
struct call_args {
    const struct asl_scope *scope;
    yyjson_mut_val **list;
    size_t count; /* within the function's bounds */
    /* For the cause "WHAT in States.Name: WHY": constants; NULL: "Invalid arguments", and no reason. */
    const char *what, *why;
    bool fresh; /* set to false when the result is part of an argument */
};
/* Returns 0 with ret_value, ASL_FAILED for invalid arguments, or a fault. */
typedef int call_function(struct call_args *args, yyjson_mut_val **ret_value);

struct function {
    const char *name; /* "States.Format" */
    uint8_t args_min, args_max;
    call_function *call;
};
extern const struct function asl_functions[];
extern const size_t asl_function_count;

/* The functions of text live in a file of their own. */
call_function call_format, call_string_to_json, call_json_to_string, call_base64_encode,
    call_base64_decode, call_hash, call_string_split, call_uuid;
