/* asl/fields.h - the members of every object of a definition as one table: where each may stand, where it must, in which query
 * language, of what type and within what bounds. */
#pragma once

#include "asl/check.h"

/* Kinds of objects, one bit each; the first eight are the state types. */
enum asl_object {
    ASL_O_TASK = 1u << ASL_TASK,
    ASL_O_PASS = 1u << ASL_PASS,
    ASL_O_CHOICE = 1u << ASL_CHOICE,
    ASL_O_WAIT = 1u << ASL_WAIT,
    ASL_O_SUCCEED = 1u << ASL_SUCCEED,
    ASL_O_FAIL = 1u << ASL_FAIL,
    ASL_O_PARALLEL = 1u << ASL_PARALLEL,
    ASL_O_MAP = 1u << ASL_MAP,
    ASL_O_MACHINE = 1u << 8,
    ASL_O_BRANCH = 1u << 9,
    ASL_O_PROCESSOR = 1u << 10, /* ItemProcessor, Iterator */
    ASL_O_RETRIER = 1u << 11,
    ASL_O_CATCHER = 1u << 12,
    ASL_O_RULE = 1u << 13, /* of Choices, in JSONata; in JSONPath choice.h knows the rest */
    ASL_O_PROCESSOR_CONFIG = 1u << 14,
    ASL_O_READER = 1u << 15,
    ASL_O_READER_CONFIG = 1u << 16,
    ASL_O_WRITER = 1u << 17,
    ASL_O_WRITER_CONFIG = 1u << 18,
    ASL_O_BATCHER = 1u << 19,
    ASL_O_CREDENTIALS = 1u << 20,
};

/* Tell what is wrong with an object's members by the tables: unknown, missing, doubled, of another language or type, out of
 * bounds, more or fewer than one of several. What only an expression's own syntax tells is told when it is compiled.
 * False: it is no object. */
bool asl_check_object(const struct asl_reader *r, enum asl_object kind);
