/* http/certificate.h - makes certificates: an authority for development, and what it signs for servers
 * and clients. Keys are ECDSA on P-256, which every client of TLS 1.2 and 1.3 takes. */
#pragma once

#include "base/px_buf.h"

#define CERTIFICATE_PEM_BYTES_MAX (16u * 1024u)

struct certificate {
    struct px_buf certificate_pem, key_pem;
};
void certificate_init(struct certificate *certificate);
void certificate_deinit(struct certificate *certificate); /* the key is overwritten */

struct certificate_wish {
    struct px_str subject; /* its common name */
    /* Of a server, DNS names ("*.example.org" too) and addresses; none: of a client. */
    const struct px_str *names;
    size_t name_count;
    int64_t from_s, to_s; /* seconds since 1970; at which it begins and ends */
};
/* One that signs itself and others, but no other authority. ret_ is an initialised one. */
PX_MUST_USE int certificate_authority(const struct certificate_wish *wish,
                                      struct certificate *ret_authority);
/* Faults: PX_F_CONFIG: the authority's texts are no certificate and key, a name is no name. */
PX_MUST_USE int certificate_issue(const struct certificate *authority,
                                  const struct certificate_wish *wish,
                                  struct certificate *ret_certificate);
/* When the first certificate of a text ends, and whether it is for all these names.
 * Faults: PX_F_CONFIG: it is none. */
PX_MUST_USE int certificate_look(struct px_str pem, const struct px_str *names, size_t name_count,
                                 int64_t *ret_ends_s, bool *ret_covers);
