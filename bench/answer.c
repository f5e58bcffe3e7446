/* bench/answer.c - the least that can stand behind a proxy: one answer to whatever is asked, by the project's own HTTP server.
 *
 *   answer PORT BODY      on 127.0.0.1, until SIGTERM */
#include <stdio.h>
#include <stdlib.h>

#include "http/server.h"

static void on_request(void *ctx, struct http_request *request)
{
    static const struct http_header json = {{"Content-Type", 12}, {"application/json", 16}};
    http_reply(request, 200, &json, 1, *(const struct px_str *)ctx);
}

static void must(int result)
{
    char text[512];
    if (result == 0) return;
    fprintf(stderr, "answer: %s\n",
            result == HTTP_PORT_TAKEN ? "the port is taken"
                                      : px_fault_text(result, text, sizeof text));
    exit(1);
}

int main(int argc, char **argv)
{
    int64_t port = 0;
    if (argc != 3 || !px_str_to_i64(px_str_c(argv[1]), &port) || port < 1 || port > UINT16_MAX) {
        fprintf(stderr, "usage: answer PORT BODY\n");
        return 2;
    }
    struct px_str body = px_str_c(argv[2]);
    struct http_server *server = NULL;
    struct http_server_options options = {.on_request = on_request, .ctx = &body};
    uint16_t bound = 0;
    must(http_server_new(uv_default_loop(), &options, &server));
    must(http_server_listen_tcp(server, "127.0.0.1", (uint16_t)port, &bound));
    return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
