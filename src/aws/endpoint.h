/* aws/endpoint.h - where a service is: scheme, host and port. Inside aws only. */
#pragma once

#include "base/px.h"

struct cloud_endpoint {
    bool tls;
    bool is_socket; /* host is the path of a Unix socket */
    char host[256];
    char authority[264]; /* the Host field: with the port where it is not the scheme's own */
    uint16_t port;
    bool is_own; /* the service's own name in the region */
    bool has_subdomain;
};
/* subdomain: stands in front of the service's own name; may be empty.
 * url: "https://host[:port]" or "http://...", with a numeric IPv6 host in brackets, or "unix:/path";
 * empty: the service's own name in the region.
 * Faults: PX_F_CONFIG. */
PX_MUST_USE int cloud_endpoint_init(struct px_str url, struct px_str subdomain,
                                    struct px_str service, struct px_str region,
                                    struct cloud_endpoint *ret_endpoint);
