/* config/jsonnet.h - the value of a Jsonnet file, and where each part of it was written, by Google's own core.
 *
 * The core's C API answers with JSON alone. What a person needs of a wrong value is its line; so the core's evaluator is compiled
 * into this library's own file, which walks the value as the core's manifestation does and notes beside every field the places
 * that set it. Nothing is parsed here.
 *
 * Evaluation is bounded by what it does, not by the clock: the same files are taken or refused on every machine. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct jsonnet_bounds {
    uint64_t steps_max;      /* expressions that are evaluated */
    uint64_t bytes_max;      /* of all values that are made, also of those that are gone again */
    unsigned frames_max;     /* calls within calls */
    unsigned depth_max;      /* of the result */
    size_t output_bytes_max; /* of the answer below */
};

/* A file that is imported.
 *
 *   from   folder of the file that imports, with a slash at its end; "" for that of the caller
 *   name   as the import writes it
 *   ret_*  from malloc(), NUL-terminated: the file's own name, its text; where it is refused, ret_text is the reason
 *
 * 0, or -1: refused. */
typedef int jsonnet_import(void *ctx, const char *from, const char *name, char **ret_file,
                           char **ret_text);

/* The value of a text.
 *
 *   file  its name, for places
 *   ret_json  from malloc():
 *     {"files":["..."],                                 places are [index of file, line, column, last line, last column]
 *      "faults":[{"message":"...","trace":[place...]}],    the first place is where it happened
 *      "root":NODE}
 *     NODE: {"t":"object|array|string|number|boolean|null|fault",
 *            "at":place,            where the field's expression stands
 *            "from":place,          where the value comes from, followed through names and fields; absent: as at
 *            "over":[place...],     what of the same field it hides, nearest first
 *            "fields":{...} | "items":[...] | "v":... | "fault":index in faults}
 *   A field that cannot be evaluated is a fault, and the others are evaluated all the same.
 *
 * 0, or -1: memory is out. */
int jsonnet_evaluate(const char *file, const char *text, const struct jsonnet_bounds *bounds,
                     jsonnet_import *import, void *ctx, char **ret_json, size_t *ret_bytes);

#ifdef __cplusplus
}
#endif
