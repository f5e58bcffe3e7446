/* http/tls_internal.h - what the two halves of TLS share: certificates (tls.c) and connections
 * (tls_connection.c). Inside http only. */
#pragma once

#include <openssl/ssl.h>

#include "http/tls.h"

/* One load: what its connections keep alive. The first context is the one that handshakes begin with. */
struct tls_set {
    size_t refs, count;
    int64_t ends_s;
    struct tls_entry {
        SSL_CTX *context;
        bool asks_client;
        char name[254]; /* lower case */
    } at[];
};

struct http_tls {
    size_t refs;
    const struct px_clock *clock;
    struct tls_set *set;
    struct tls_ticket_key {
        int64_t born_ns; /* 0: none */
        uint8_t name[16], cipher[16], mac[32];
    } keys[2]; /* the newest first */
};

/* NULL when memory is out; what it begins with is the set's first. */
SSL *tls_set_ssl(struct tls_set *set);
void tls_set_unref(struct tls_set **set);
/* tls_client.c: what the client showed, once it has shaken hands. NULL when it showed none. */
PX_MUST_USE int tls_client_new(const SSL *ssl, struct http_client_certificate **ret_client);
void tls_client_free(struct http_client_certificate **client);
/* tls_connection.c: the certificate that is shown on this connection */
void tls_session_shows(const SSL *ssl, const struct tls_entry *entry);
/* Of the library's oldest error in this thread, for people; the others are forgotten. */
const char *tls_error(void);
