/* asl/jsonata_code.h - bytecode that the build makes (tools/jsbake.c). */
#pragma once

#include <stddef.h>
#include <stdint.h>

extern const uint8_t jsonata_code_host[]; /* jsonata.js */
extern const size_t jsonata_code_host_bytes;
extern const uint8_t jsonata_code_module[]; /* the npm module */
extern const size_t jsonata_code_module_bytes;
