/* http/tls.h - TLS for the server: which certificates it shows, to which names.
 *
 * TLS 1.2 with ECDHE and an AEAD cipher, and TLS 1.3; no renegotiation, no compression, no early data.
 * Nothing is signed with SHA-1. Sessions resume by tickets whose keys live in memory and are replaced every
 * TLS_TICKET_KEY_S, so nothing is kept per client and a copy of the disk decrypts nothing; where clients show
 * certificates there are no tickets, so that what is trusted is asked each time. docs/design/tls.md */
#pragma once

#include "base/px_clock.h"
#include "http/server.h"

#define TLS_TICKET_KEY_S (6 * 3600)

struct http_tls; /* opaque, shared */

/* One certificate with its key, as PEM. Views are not kept. */
struct http_tls_identity {
    struct px_str name;      /* "api.example.org", "*.example.org"; empty: for whom no other is */
    struct px_str chain_pem; /* leaf first */
    struct px_str key_pem;
    struct px_str
        trust_pem; /* clients must show a certificate that one of these signed; empty: none */
};

PX_MUST_USE int http_tls_new(const struct px_clock *clock, struct http_tls **ret_tls);
struct http_tls *http_tls_ref(struct http_tls *tls);
void http_tls_unref(struct http_tls **tls);
/* Connections that begin from now on get these, the first where no name fits; others go on with what
 * they began with. Faults: PX_F_CONFIG (a file is no PEM, a key does not fit, a certificate has ended),
 * and the old ones stay. */
PX_MUST_USE int http_tls_load(struct http_tls *tls, const struct http_tls_identity *identities,
                              size_t count);
/* When the first of the loaded certificates ends, seconds since 1970. */
int64_t http_tls_ends_s(const struct http_tls *tls);

/* As http_server_listen_tcp(), with TLS; something must have been loaded. The server keeps a reference. */
PX_MUST_USE int http_server_listen_tls(struct http_server *server, struct http_tls *tls,
                                       const char *host, uint16_t port, uint16_t *ret_port);
