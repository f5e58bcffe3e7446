/* svc/ingest/spool_layout.h - what stands before a frame in a spool. On disk: never renumber. Little endian. */
#pragma once

#include <assert.h>
#include <stdint.h>

#define SPOOL_MAGIC UINT32_C(0x31535850) /* "PXS1" */
#define SPOOL_VERSION 1

struct spool_header {
    uint32_t magic;
    uint16_t version, header_bytes;
    uint8_t request_id[16], content[16]; /* as in the claim */
    int64_t window_ns, lease_ns;
    uint64_t accepted, refused;
    uint8_t has_key, reserved[7];
};
static_assert(sizeof(struct spool_header) == 80, "on-disk size");
