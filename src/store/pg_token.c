/* store/pg_token.c - a token is a signed URL without its scheme; docs: pg_token.h. */
#include "store/pg_token.h"

#include <string.h>

#include "aws/client.h"

#define TOKEN_S (15 * 60) /* what RDS takes at most */

/* With everything encoded that is not unreserved in an URL (RFC 3986 section 2.3), as signatures want it. */
static struct px_str path_of(const char *user, struct px_arena *arena)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    char text[3 * sizeof(((struct pg_target *)NULL)->user)], *at = text;
    for (; *user; user++) {
        if (strchr(plain, *user)) {
            *at++ = *user;
            continue;
        }
        *at++ = '%';
        *at++ = "0123456789ABCDEF"[(uint8_t)*user >> 4];
        *at++ = "0123456789ABCDEF"[(uint8_t)*user & 15];
    }
    return px_arena_printf(arena, "/?Action=connect&DBUser=%.*s", (int)(at - text), text);
}

int pg_token_make(struct cloud *cloud, const struct pg_target *target, const char *host,
                  struct px_arena *arena, struct px_str *ret_token)
{
    static const char scheme[] = "https://";
    bool v6 = strchr(host, ':') != NULL;
    struct cloud_client_options options = {.service = S("rds-db")};
    options.endpoint = px_arena_printf(arena, v6 ? "%s[%s]:%s" : "%s%s:%s", scheme, host,
                                       target->port);
    struct px_str path = path_of(target->user, arena), url;
    if (!options.endpoint.ptr || !path.ptr) return px_arena_fault(arena);
    PX_AUTO(cloud_client_free) struct cloud_client *client = NULL;
    PX_TRY(cloud_client_new(cloud, &options, &client));
    PX_TRY(cloud_presign(client, "GET", path, TOKEN_S, arena, &url));
    *ret_token = px_str_skip(url,
                             sizeof scheme - 1); /* px_arena_printf() has put a NUL behind it */
    return 0;
}
