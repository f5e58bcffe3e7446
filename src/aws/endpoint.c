/* aws/endpoint.c - endpoints from URLs and from the names that services have. */
#include "aws/endpoint.h"

#include <stdio.h>
#include <sys/un.h>

/* The partitions whose names end otherwise (botocore's endpoints: aws-cn; all others that customers
 * can have are amazonaws.com). */
static const char *suffix_of(struct px_str region)
{
    return px_str_starts(region, S("cn-")) ? "amazonaws.com.cn" : "amazonaws.com";
}

static int port_of(struct px_str text, uint16_t *ret_port)
{
    uint64_t port = 0;
    if (!px_str_to_u64(text, &port) || port == 0 || port > UINT16_MAX)
        return px_fault(PX_F_CONFIG, "the endpoint's port is \"%.*s\"", PX_FMT(text));
    *ret_port = (uint16_t)port;
    return 0;
}

/* "host", "host:port", "[v6]" or "[v6]:port" into *endpoint, whose port has the scheme's. */
static int authority_split(struct px_str authority, struct cloud_endpoint *endpoint)
{
    struct px_str rest = authority, host = {0};
    if (px_str_starts(authority, S("["))) {
        rest = px_str_skip(authority, 1);
        if (!px_str_cut(&rest, ']', &host) || (rest.len > 0 && rest.ptr[0] != ':'))
            return px_fault(PX_F_CONFIG, "the endpoint's host is \"%.*s\"", PX_FMT(authority));
        if (rest.len > 0) PX_TRY(port_of(px_str_skip(rest, 1), &endpoint->port));
    } else if (px_str_cut(&rest, ':', &host)) {
        PX_TRY(port_of(rest, &endpoint->port));
    }
    if (host.len == 0 || host.len >= sizeof endpoint->host ||
        authority.len >= sizeof endpoint->authority)
        return px_fault(PX_F_CONFIG, "the endpoint's host is \"%.*s\"", PX_FMT(authority));
    memcpy(endpoint->host, host.ptr, host.len);
    memcpy(endpoint->authority, authority.ptr, authority.len);
    return 0;
}

static int socket_init(struct px_str path, struct px_str service, struct cloud_endpoint *endpoint)
{
    if (path.len < 2 || path.ptr[0] != '/' ||
        path.len >= sizeof((struct sockaddr_un *)0)->sun_path || memchr(path.ptr, '\0', path.len))
        return px_fault(PX_F_CONFIG, "the endpoint's socket is \"%.*s\"", PX_FMT(path));
    *endpoint = (struct cloud_endpoint){.is_socket = true};
    memcpy(endpoint->host, path.ptr, path.len);
    PX_ASSERT(service.len < sizeof endpoint->authority);
    memcpy(endpoint->authority, service.ptr, service.len); /* HTTP/1.1 wants some name */
    return 0;
}

int cloud_endpoint_init(struct px_str url, struct px_str subdomain, struct px_str service,
                        struct px_str region, struct cloud_endpoint *ret_endpoint)
{
    struct cloud_endpoint endpoint = {.tls = true, .port = 443};
    if (url.len == 0) {
        endpoint.is_own = true;
        endpoint.has_subdomain = subdomain.len > 0;
        int n = snprintf(endpoint.host, sizeof endpoint.host, "%.*s%s%.*s.%.*s.%s",
                         PX_FMT(subdomain), endpoint.has_subdomain ? "." : "", PX_FMT(service),
                         PX_FMT(region), suffix_of(region));
        PX_ASSERT(n > 0 && (size_t)n < sizeof endpoint.host);
        memcpy(endpoint.authority, endpoint.host, (size_t)n + 1);
        *ret_endpoint = endpoint;
        return 0;
    }
    if (px_str_starts(url, S("unix:")))
        return socket_init(px_str_skip(url, 5), service, ret_endpoint);
    if (px_str_starts(url, S("http://"))) {
        endpoint.tls = false;
        endpoint.port = 80;
    } else if (!px_str_starts(url, S("https://"))) {
        return px_fault(PX_F_CONFIG, "an endpoint begins with https:// or http://");
    }
    struct px_str authority = px_str_skip(url, endpoint.tls ? 8 : 7);
    if (px_str_ends(authority, S("/"))) authority.len--;
    for (size_t i = 0; i < authority.len; i++)
        if (strchr("/?#@", authority.ptr[i]))
            return px_fault(PX_F_CONFIG, "an endpoint has no user, path or query");
    PX_TRY(authority_split(authority, &endpoint));
    *ret_endpoint = endpoint;
    return 0;
}
