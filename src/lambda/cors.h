/* lambda/cors.h - whether a page in a browser may read a function's answer. API Gateway leaves that to the function when it is a proxy.
 *
 * Keys travel in a header that a page sets itself and never in a cookie, so a list of origins protects no key: the default is any.
 * Source: the Fetch standard, "HTTP-network-or-cache fetch" and "CORS check"; API Gateway developer guide, "CORS for REST APIs". */
#pragma once

#include "http/message.h"

#define CORS_HEADERS_MAX 3
/* Note the Origin of the event in hand; empty: not a browser's, or the page's own. One event at a time, as Lambda gives them. */
void cors_note(struct px_str origin);
/* The headers of its answer, 0 to CORS_HEADERS_MAX. PRISM_CORS_ORIGINS of the environment is "*" (the default), or origins with a space
 * between; the origin of the event is told when it is one of them. Views hold until the next cors_note(). */
size_t cors_headers(struct http_header headers[CORS_HEADERS_MAX]);
