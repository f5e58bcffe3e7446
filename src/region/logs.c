/* region/logs.c - GET /logs?function=NAME&lines=N&follow=1 on the control socket: the last lines of the
 * functions' log files, then new ones as they come. A follower that does not read is cut off. */
#include <stdio.h>
#include <stdlib.h>

#include "base/px_file.h"
#include "region/region_internal.h"

#define TAIL_BYTES_MAX (256 * 1024)
#define FOLLOWER_QUEUE_BYTES_MAX (1024 * 1024)
#define LINES_DEFAULT 100

static struct px_str query_value(const struct http_request *request, struct px_str name)
{
    struct px_str rest = request->query, pair, key, value;
    while (rest.len) {
        (void)px_str_cut(&rest, '&', &pair);
        value = pair;
        if (px_str_cut(&value, '=', &key) && px_str_eq(key, name)) return value;
    }
    return (struct px_str){0};
}

/* Where the last `lines` lines begin. cut: the first one has lost its beginning, and is left out. */
static size_t tail_start(struct px_str text, int64_t lines, bool cut)
{
    size_t at = text.len;
    for (; lines > 0 && at > 0; lines--) {
        at--;
        while (at > 0 && text.ptr[at - 1] != '\n') at--;
    }
    const char *end = at == 0 && cut && text.len ? memchr(text.ptr, '\n', text.len) : NULL;
    return end ? (size_t)(end - text.ptr) + 1 : at;
}

/* At most the last `lines` lines of the last TAIL_BYTES_MAX bytes. */
static void send_tail(struct http_request *request, const char *path, int64_t lines)
{
    char *text = px_arena_alloc(request->arena, TAIL_BYTES_MAX);
    FILE *file = fopen(path, "re");
    if (!file) return;
    size_t n = 0;
    bool cut = false;
    if (text && fseek(file, 0, SEEK_END) == 0) {
        long size = ftell(file);
        long from = size > TAIL_BYTES_MAX ? size - TAIL_BYTES_MAX : 0;
        cut = from > 0;
        n = fseek(file, from, SEEK_SET) == 0 ? fread(text, 1, TAIL_BYTES_MAX, file) : 0;
    }
    fclose(file);
    size_t at = tail_start(px_str(text, n), lines, cut);
    if (n > at) (void)http_reply_piece(request, px_str(text + at, n - at));
}

static int send_one(struct region *region, struct http_request *request, struct px_str function,
                    int64_t lines)
{
    const char *path = px_arena_printf(request->arena, "%.*s/logs/%.*s.log",
                                       PX_FMT(region->data.path), PX_FMT(function))
                           .ptr;
    if (path) send_tail(request, path, lines);
    return 0;
}

static void follow(struct region *region, struct http_request *request, struct px_str function)
{
    struct log_follower *f = calloc(1, sizeof(*f));
    if (!f) {
        http_reply_end(request, false);
        return;
    }
    f->request = request;
    f->function = function;
    f->next = region->followers;
    region->followers = f;
}

void logs_serve(struct region *region, struct http_request *request)
{
    struct px_str function = query_value(request, S("function"));
    int64_t lines = LINES_DEFAULT;
    const struct http_header header = {S("Content-Type"), S("application/x-ndjson")};
    if ((query_value(request, S("lines")).len &&
         !px_str_to_i64(query_value(request, S("lines")), &lines)) ||
        lines < 0 || (function.len && !function_find(&region->catalogue, function))) {
        http_reply(request, 400, NULL, 0, S("no such function, or lines is no number\n"));
        return;
    }
    http_reply_begin(request, 200, &header, 1, NULL, NULL);
    for (size_t i = 0; i < region->catalogue.count; i++) {
        struct px_str name = px_str_c(region->catalogue.functions[i].name);
        if (function.len == 0 || px_str_eq(function, name))
            (void)send_one(region, request, name, lines);
    }
    if (px_str_eq(query_value(request, S("follow")), S("1")) && region->phase == REGION_SERVING)
        follow(region, request, function);
    else
        http_reply_end(request, true);
}

static void drop(struct log_follower **link, bool complete)
{
    struct log_follower *f = *link;
    *link = f->next;
    http_reply_end(f->request, complete);
    free(f);
}

void logs_gone(struct region *region, struct http_request *request)
{
    for (struct log_follower **link = &region->followers; *link; link = &(*link)->next) {
        if ((*link)->request == request) {
            drop(link, false);
            return;
        }
    }
}

void logs_line(struct region *region, const char *function, struct px_str line)
{
    struct log_follower **link = &region->followers;
    while (*link) {
        struct log_follower *f = *link;
        if (f->function.len == 0 || px_str_eq(f->function, px_str_c(function))) {
            (void)http_reply_piece(f->request, line);
            f->queued_bytes = http_reply_piece(f->request, S("\n"));
        }
        if (f->queued_bytes > FOLLOWER_QUEUE_BYTES_MAX)
            drop(link, false);
        else
            link = &f->next;
    }
}

void logs_close_all(struct region *region)
{
    while (region->followers) drop(&region->followers, true);
}
