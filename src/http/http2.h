/* http/http2.h - HTTP/2 for the server: nghttp2 for the protocol, the same requests and calls for handlers.
 *
 * Agreed on by ALPN where there is TLS, else by prior knowledge (RFC 9113 section 3). A stream is a request; what
 * http/server.h says of a connection's requests holds for a stream's, but that they are answered in any order.
 * Bounds and where they are: docs/design/tls.md */
#pragma once

#include "http/server.h"

#define HTTP2_STREAMS_MAX 100u                   /* open at a time on one connection */
#define HTTP2_WINDOW_BYTES (256u * 1024u)        /* of one stream */
#define HTTP2_CONNECTION_WINDOW_BYTES (1u << 20) /* of all streams of a connection */

/* Connections that begin from now on may speak it. */
void http_server_offer_http2(struct http_server *server);
