/* http/tls_memory.h - what a data folder remembers of the TLS that is spoken in front of it: a region's own (prism.json), or that of the router of
 * several (fleet.json). */
#pragma once

#include "base/px_arena.h"
#include "base/px_buf.h"
#include "base/px_json.h"

#define TLS_PORT_DEFAULT 8443 /* unless another is asked for */

struct tls_memory {
    uint16_t port;                  /* 0: no TLS */
    struct px_str certificate, key; /* absolute paths of files in PEM; empty: the folder's own */
    struct px_str names; /* with commas between them; that its own is for, beside localhost */
    struct px_str
        clients; /* NAME=FILE, likewise: whose clients show certificates (certificates.h) */
};
/* What the caller asks for; NULL: as remembered. */
struct tls_wish {
    bool on, off;
    uint16_t port;
    const char *certificate, *key, *names, *clients;
};
/* Member "tls" of the folder's file; views of it. */
struct tls_memory tls_memory_read(yyjson_val *tls);
/* True: something is other than it was. */
bool tls_memory_settle(struct tls_memory *memory, const struct tls_wish *wish,
                       struct px_arena *arena);
/* `,"tls":{...}`, or nothing. */
void tls_memory_write(const struct tls_memory *memory, struct px_buf *text);
