/* lambda/answer.h - answers of a server of our own (control sockets, siblings), in the API's formats. */
#pragma once

#include "http/server.h"

/* Problem details (apigw.h), without a request id. */
void answer_problem(struct http_request *request, int status, const char *detail);
void answer_json(struct http_request *request, int status, struct px_str json);
