/* http/message.c - names, statuses and the check that keeps a field from forging a message. */
#include "http/message.h"

enum http_method http_method_of(struct px_str name)
{
    static const struct {
        struct px_str name;
        enum http_method method;
    } known[] = {
        {{"GET", 3}, HTTP_GET_},         {{"HEAD", 4}, HTTP_HEAD_},     {{"POST", 4}, HTTP_POST_},
        {{"PUT", 3}, HTTP_PUT_},         {{"DELETE", 6}, HTTP_DELETE_}, {{"PATCH", 5}, HTTP_PATCH_},
        {{"OPTIONS", 7}, HTTP_OPTIONS_},
    };
    for (size_t i = 0; i < PX_COUNT(known); i++)
        if (px_str_eq(name, known[i].name)) return known[i].method;
    return HTTP_OTHER_;
}

struct px_str http_headers_find(const struct http_header *headers, size_t count, struct px_str name)
{
    for (size_t i = 0; i < count; i++)
        if (headers[i].name.len == name.len && px_str_ieq(headers[i].name, name))
            return headers[i].value;
    return (struct px_str){0};
}

/* IANA HTTP status code registry. */
#define STATUSES(X)                                                                                \
    X(100, "Continue")                                                                             \
    X(101, "Switching Protocols")                                                                  \
    X(200, "OK")                                                                                   \
    X(201, "Created")                                                                              \
    X(202, "Accepted")                                                                             \
    X(204, "No Content")                                                                           \
    X(206, "Partial Content")                                                                      \
    X(207, "Multi-Status")                                                                         \
    X(301, "Moved Permanently")                                                                    \
    X(302, "Found")                                                                                \
    X(303, "See Other")                                                                            \
    X(304, "Not Modified")                                                                         \
    X(307, "Temporary Redirect")                                                                   \
    X(308, "Permanent Redirect")                                                                   \
    X(400, "Bad Request")                                                                          \
    X(401, "Unauthorized")                                                                         \
    X(402, "Payment Required")                                                                     \
    X(403, "Forbidden")                                                                            \
    X(404, "Not Found")                                                                            \
    X(405, "Method Not Allowed")                                                                   \
    X(406, "Not Acceptable")                                                                       \
    X(408, "Request Timeout")                                                                      \
    X(409, "Conflict")                                                                             \
    X(410, "Gone")                                                                                 \
    X(411, "Length Required")                                                                      \
    X(412, "Precondition Failed")                                                                  \
    X(413, "Content Too Large")                                                                    \
    X(414, "URI Too Long")                                                                         \
    X(415, "Unsupported Media Type")                                                               \
    X(416, "Range Not Satisfiable")                                                                \
    X(417, "Expectation Failed")                                                                   \
    X(421, "Misdirected Request")                                                                  \
    X(422, "Unprocessable Content")                                                                \
    X(425, "Too Early")                                                                            \
    X(426, "Upgrade Required")                                                                     \
    X(428, "Precondition Required")                                                                \
    X(429, "Too Many Requests")                                                                    \
    X(431, "Request Header Fields Too Large")                                                      \
    X(500, "Internal Server Error")                                                                \
    X(501, "Not Implemented")                                                                      \
    X(502, "Bad Gateway")                                                                          \
    X(503, "Service Unavailable")                                                                  \
    X(504, "Gateway Timeout")                                                                      \
    X(505, "HTTP Version Not Supported")                                                           \
    X(507, "Insufficient Storage")

const char *http_status_text(int status)
{
    switch (status) {
#define X(code, text)                                                                              \
    case code: return text;
        STATUSES(X)
#undef X
    default: return "Unknown";
    }
}

/* tchar of RFC 9110 section 5.6.2, a bit each: of 0x00 to 0x3F and of 0x40 to 0x7F. */
#define BIT(c) (UINT64_C(1) << ((c)&63))
static const uint64_t token_chars[2] = {
    BIT('!') | BIT('#') | BIT('$') | BIT('%') | BIT('&') | BIT('\'') | BIT('*') | BIT('+') |
        BIT('-') | BIT('.') | UINT64_C(0x3FF) << '0',
    BIT('^') | BIT('_') | BIT('`') | BIT('|') | BIT('~') | UINT64_C(0x3FFFFFF) << ('A' & 63) |
        UINT64_C(0x3FFFFFF) << ('a' & 63),
};
static bool is_token_char(unsigned char c)
{
    return c < 0x80 && (token_chars[c >> 6] & BIT(c)) != 0;
}

bool http_header_is_safe(const struct http_header *header)
{
    if (header->name.len == 0) return false;
    for (size_t i = 0; i < header->name.len; i++)
        if (!is_token_char((unsigned char)header->name.ptr[i])) return false;
    struct px_str value = header->value;
    return value.len == 0 ||
           (!memchr(value.ptr, '\r', value.len) && !memchr(value.ptr, '\n', value.len) &&
            !memchr(value.ptr, '\0', value.len));
}
