/* lambda/answer.c - see answer.h. */
#include "lambda/answer.h"

#include "lambda/apigw.h"

void answer_problem(struct http_request *request, int status, const char *detail)
{
    PX_AUTO(px_buf_deinit) struct px_buf body;
    px_buf_init(&body, 16384);
    api_problem_write(status, px_str_c(detail), S(""), S(""), &body);
    const struct http_header header = {S("Content-Type"), S("application/problem+json")};
    http_reply(request, status, &header, 1, px_buf_str(&body));
}

void answer_json(struct http_request *request, int status, struct px_str json)
{
    const struct http_header header = {S("Content-Type"), S("application/json")};
    http_reply(request, status, &header, 1, json);
}
