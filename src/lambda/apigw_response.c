/* lambda/apigw_response.c - a function's answer to API Gateway, and the problem details in it. */
#include <stdio.h>

#include "lambda/apigw.h"
#include "lambda/apigw_json.h"
#include "lambda/cors.h"

/* ---- reading ---- */

/* API Gateway takes 200 and "200". */
static bool status_read(yyjson_val *val, int *ret_status)
{
    int64_t status = -1;
    if (yyjson_is_int(val))
        status = yyjson_get_sint(val);
    else if (!yyjson_is_str(val) || !px_str_to_i64(px_json_val_str(val), &status))
        return false;
    if (status < 100 || status > 599) return false;
    *ret_status = (int)status;
    return true;
}

/* "headers" and "multiValueHeaders" add up; a name in both keeps the values of the latter. */
static int headers_read(yyjson_val *root, struct px_arena *arena, struct api_response *response)
{
    struct api_pairs single, multi;
    int r = api_pairs_read(yyjson_obj_get(root, "headers"), NULL, arena, &single, NULL);
    if (r != 0) return r;
    r = api_pairs_read(NULL, yyjson_obj_get(root, "multiValueHeaders"), arena, &multi, NULL);
    if (r != 0) return r;
    if (multi.count == 0) multi = single, single.count = 0;
    response->headers = multi.at;
    response->header_count = multi.count;
    if (single.count == 0) return 0;

    struct http_header *all = px_arena_array(arena, struct http_header, single.count + multi.count);
    if (!all) return px_arena_fault(arena);
    size_t count = 0;
    for (size_t i = 0; i < single.count; i++)
        if (!http_headers_find(multi.at, multi.count, single.at[i].name).ptr)
            all[count++] = single.at[i];
    memcpy(all + count, multi.at, multi.count * sizeof *all);
    response->headers = all;
    response->header_count = count + multi.count;
    return 0;
}

static int response_of(struct px_str text, const struct api_cut *cut, struct px_arena *arena,
                       struct api_response *ret_response)
{
    PX_AUTO(api_json_free) yyjson_doc *doc = NULL;
    int r = api_json_parse(text, &doc, NULL);
    if (r != 0) return r;
    yyjson_val *root = yyjson_doc_get_root(doc);
    struct api_response response = {0};
    if (!status_read(yyjson_obj_get(root, "statusCode"), &response.status)) return API_INVALID;
    r = headers_read(root, arena, &response);
    if (r != 0) return r;
    r = api_body_read(root, cut, arena, &response.body, &response.binary, NULL);
    if (r != 0) return r;
    *ret_response = response;
    return 0;
}

static int response_of_cut(struct px_str payload, struct px_arena *arena,
                           struct api_response *ret_response)
{
    struct api_cut cut;
    int r = api_json_cut(payload, arena, &cut);
    return r == 0 ? response_of(cut.rest, &cut, arena, ret_response) : r;
}

int api_response_parse(struct px_str payload, struct px_arena *arena,
                       struct api_response *ret_response)
{
    int r = response_of_cut(payload, arena, ret_response);
    if (r != API_INVALID) return r;
    struct px_str copy;
    PX_TRY(api_json_dup(payload, arena, &copy));
    return response_of(copy, NULL, arena, ret_response);
}

/* ---- writing ---- */

#define STATUS_BEGIN "{\"statusCode\":"

int api_response_status(struct px_str payload)
{
    int64_t status;
    struct px_str digits = px_str_skip(payload, sizeof STATUS_BEGIN - 1);
    digits.len = PX_MIN(digits.len, (size_t)3);
    return px_str_starts(payload, S(STATUS_BEGIN)) && px_str_to_i64(digits, &status) ? (int)status
                                                                                     : 0;
}

#define HEADERS_MAX 32 /* of an answer to a browser; more and it reads none */

/* The answer's own headers and those that let a browser's page read it, in all. */
static struct api_pairs with_cors(const struct api_response *response,
                                  struct http_header all[HEADERS_MAX])
{
    size_t own = response->header_count;
    if (own + CORS_HEADERS_MAX > HEADERS_MAX) return (struct api_pairs){response->headers, own};
    size_t more = cors_headers(all + own);
    if (more == 0) return (struct api_pairs){response->headers, own};
    if (own) memcpy(all, response->headers, own * sizeof(*all));
    return (struct api_pairs){all, own + more};
}

void api_response_write(const struct api_response *response, struct px_buf *buf)
{
    struct http_header all[HEADERS_MAX];
    struct api_pairs headers = with_cors(response, all);
    (void)px_buf_reserve(buf, response->body.len + 512);
    px_buf_printf(buf, STATUS_BEGIN "%d,", response->status);
    if (api_pairs_repeat_a_name(headers))
        api_pairs_write_multi("multiValueHeaders", headers, buf);
    else
        api_pairs_write_single("headers", headers, buf);
    px_buf_add_c(buf, ",\"body\":");
    if (response->binary) {
        px_buf_add_char(buf, '"');
        px_buf_add_base64(buf, response->body);
        px_buf_add_char(buf, '"');
    } else {
        px_buf_add_json_str(buf, response->body);
    }
    px_buf_add_c(buf,
                 response->binary ? ",\"isBase64Encoded\":true}" : ",\"isBase64Encoded\":false}");
}

void api_problem_write(int status, struct px_str detail, struct px_str request_id,
                       struct px_str extra_json, struct px_buf *buf)
{
    px_buf_add_c(buf, "{\"type\":\"about:blank\",\"title\":");
    px_buf_add_json_str(buf, px_str_c(http_status_text(status)));
    px_buf_printf(buf, ",\"status\":%d,\"detail\":", status);
    px_buf_add_json_str(buf, detail);
    if (request_id.len > 0) {
        px_buf_add_c(buf, ",\"requestId\":");
        px_buf_add_json_str(buf, request_id);
    }
    if (extra_json.len > 0) {
        px_buf_add_char(buf, ',');
        px_buf_add_str(buf, extra_json);
    }
    px_buf_add_char(buf, '}');
}

void api_respond(int status, struct px_str content_type, struct px_str body, struct px_buf *buf)
{
    struct http_header type = {S("Content-Type"), content_type};
    struct api_response response = {status, &type, 1, body, false};
    api_response_write(&response, buf);
}

void api_respond_problem(int status, struct px_str detail, struct px_str request_id,
                         struct px_str extra_json, struct px_buf *buf)
{
    PX_AUTO(px_buf_deinit) struct px_buf problem;
    px_buf_init(&problem, buf->limit_bytes);
    api_problem_write(status, detail, request_id, extra_json, &problem);
    if (px_buf_fault(&problem))
        buf->fault = px_buf_fault(&problem);
    else
        api_respond(status, S("application/problem+json"), px_buf_str(&problem), buf);
}

void api_respond_json(int status, struct px_str json, struct px_buf *buf)
{
    api_respond(status, S("application/json"), json, buf);
}
