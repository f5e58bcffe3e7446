/* http/message.h - what requests and responses of HTTP share, for the server, the client and events
 * that travel as JSON. Needs no event loop. */
#pragma once

#include "base/px.h"

/* One field; also a decoded query or path parameter. */
struct http_header {
    struct px_str name; /* as sent */
    struct px_str value;
};

/* Bodies lie in writable memory with so many zero bytes behind them, so that parsers that want that
 * (yyjson in place) need no copy. */
#define HTTP_BODY_PADDING 8

/* Who a client is by the certificate that it showed, in the words of API Gateway's events ("Input format of a Lambda
 * function for proxy integration"). Views live as long as the connection. */
struct http_client_certificate {
    struct px_str pem;
    struct px_str subject, issuer;       /* "C=DE,O=Acme,CN=device 1" */
    struct px_str serial;                /* "0f:a0" */
    struct px_str not_before, not_after; /* "May 28 12:30:02 2019 GMT" */
};

/* With a trailing underscore where llhttp.h has the plain name. */
enum http_method {
    HTTP_GET_ = 1,
    HTTP_HEAD_,
    HTTP_POST_,
    HTTP_PUT_,
    HTTP_DELETE_,
    HTTP_PATCH_,
    HTTP_OPTIONS_,
    HTTP_OTHER_
};

enum http_method http_method_of(struct px_str name); /* names are case-sensitive */
/* First value of that name, ASCII case folded; empty when absent. */
struct px_str http_headers_find(const struct http_header *headers, size_t count,
                                struct px_str name);
/* "Not Found"; "Unknown" for a status that RFC 9110 and its companions do not name. */
const char *http_status_text(int status);
/* A field that may be written to the wire: the name a token, no CR, LF or NUL in the value. What
 * comes from a tenant or a function is checked with it, so that it cannot forge a message. */
bool http_header_is_safe(const struct http_header *header);
