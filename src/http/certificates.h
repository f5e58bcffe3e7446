/* http/certificates.h - what the gateway shows over TLS: own files, or what an authority of the data folder signed.
 *
 * Own files and truststores are looked at again while the region runs; new ones count from then on, and connections that are open
 * go on. Without own files the first start makes an authority in <data>/tls (ca.pem, ca.key) and a certificate that it
 * signs (server.pem, server.key), which is made anew in the last third of its life and when it lacks a name. Keys
 * have mode 0600; nothing trusts the authority until somebody says so. docs/design/tls.md */
#pragma once

#include "base/px_arena.h"
#include "base/px_clock.h"
#include "base/px_log.h"
#include "http/tls.h"

#define CERTIFICATE_NAMES_MAX 40

struct certificates; /* opaque */

/* Clients of that name show a certificate that one of the file signed, or are refused at the handshake. */
struct certificates_clients {
    struct px_str name;
    const char *truststore; /* in PEM */
};
struct certificates_options {
    const char *folder;            /* where Prism's own are */
    const char *certificate, *key; /* files in PEM; NULL: Prism's own */
    const struct px_str *names;    /* beside localhost, 127.0.0.1 and ::1, for Prism's own */
    size_t name_count;
    const struct certificates_clients *clients; /* Prism's own is for their names, too */
    size_t client_count;
    const struct px_clock *clock;
    const struct px_log *log;
};
/* Paths and names are borrowed. Faults: PX_F_CONFIG names the file that cannot be shown. */
PX_MUST_USE int certificates_new(const struct certificates_options *options,
                                 struct certificates **ret_certificates);
void certificates_free(struct certificates **certificates);
struct http_tls *certificates_tls(struct certificates *certificates); /* borrowed */
/* Look whether there are new ones, at most once a second. True: they are shown from now on. What cannot be shown is logged once, and the old ones stay. */
bool certificates_follow(struct certificates *own);
/* The files of what is shown; theirs who may have given them, or in the folder. */
const char *certificates_file(const struct certificates *own);
const char *certificates_key_file(const struct certificates *own);
