/* lambda/cors.c - see cors.h. */
#include "lambda/cors.h"

#include <stdlib.h>
#include <string.h>

#define ORIGIN_BYTES_MAX 512u /* of one that is told; a longer one is told nothing */

static char noted[ORIGIN_BYTES_MAX];
static size_t noted_bytes;

void cors_note(struct px_str origin)
{
    noted_bytes = origin.len <= sizeof(noted) ? origin.len : 0;
    if (noted_bytes) memcpy(noted, origin.ptr, noted_bytes);
}

static bool is_listed(struct px_str origins, struct px_str origin)
{
    struct px_str one;
    while (origins.len) {
        (void)px_str_cut(&origins, ' ', &one);
        if (px_str_eq(one, origin)) return true;
    }
    return false;
}

size_t cors_headers(struct http_header headers[CORS_HEADERS_MAX])
{
    const char *text = getenv("PRISM_CORS_ORIGINS");
    struct px_str origins = text ? px_str_trim(px_str_c(text)) : S("*");
    struct px_str origin = px_str(noted, noted_bytes);
    bool any = px_str_eq(origins, S("*"));
    size_t count = 0;
    if (origin.len == 0) return 0;
    if (!any) headers[count++] = (struct http_header){S("Vary"), S("Origin")};
    if (!any && !is_listed(origins, origin)) return count;
    headers[count++] = (struct http_header){S("Access-Control-Allow-Origin"),
                                            any ? S("*") : origin};
    headers[count++] = (struct http_header){S("Access-Control-Expose-Headers"), S("*")};
    return count;
}
