/* vtl/vtl_code.h - bytecode that the build makes (tools/jsbake.c). */
#pragma once

#include <stddef.h>
#include <stdint.h>

extern const uint8_t vtl_code_own[]; /* vtl.js */
extern const size_t vtl_code_own_bytes;
extern const uint8_t vtl_code_module[]; /* the npm module */
extern const size_t vtl_code_module_bytes;
