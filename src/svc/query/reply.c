/* svc/query/reply.c - see reply.h. */
#include "svc/query/reply.h"

#define PIECE_BYTES ((size_t)256 << 10)
#define REASON_BYTES_MAX 4096u
#define CODED_BYTES_MIN 1024u            /* what is shorter gains nothing */
#define BODY_BYTES_MAX ((size_t)1 << 30) /* of one chunk's text beyond what was given */

void reply_init(struct reply *reply, const struct query_sink *sink, struct px_str request_id,
                uint64_t bytes_max)
{
    *reply = (struct reply){.sink = sink, .request_id = request_id, .bytes_max = bytes_max};
    px_buf_init(&reply->body, BODY_BYTES_MAX);
    px_buf_init(&reply->coded, BODY_BYTES_MAX);
}

void reply_deinit(struct reply *reply)
{
    px_buf_deinit(&reply->body);
    px_buf_deinit(&reply->coded);
    coder_free(&reply->coder);
}

static void ending(const struct reply *reply)
{
    if (reply->ending) reply->ending(reply->ending_ctx);
}

/* The body as it travels. */
static int encode(struct reply *reply, bool last, struct px_str *ret_bytes)
{
    *ret_bytes = px_buf_str(&reply->body);
    if (reply->coding == CODING_IDENTITY) return 0;
    if (!reply->coder) PX_TRY(coder_new(reply->coding, &reply->coder));
    px_buf_clear(&reply->coded);
    PX_TRY(coder_add(reply->coder, *ret_bytes, last, &reply->coded));
    *ret_bytes = px_buf_str(&reply->coded);
    return 0;
}

static int begin(struct reply *reply, bool whole, struct px_str cost, struct px_str warning)
{
    struct http_header headers[5] = {{S("Content-Type"), reply->content_type},
                                     {S("Cache-Control"), S("no-store")}};
    size_t count = 2;
    if (cost.len > 0) headers[count++] = (struct http_header){S("Prism-Query-Cost"), cost};
    if (warning.len > 0) headers[count++] = (struct http_header){S("Prism-Query-Warning"), warning};
    if (whole && reply->body.len < CODED_BYTES_MIN) reply->coding = CODING_IDENTITY;
    if (reply->coding != CODING_IDENTITY)
        headers[count++] = (struct http_header){S("Content-Encoding"), coding_name(reply->coding)};
    struct query_answer answer = {.status = 200,
                                  .headers = headers,
                                  .header_count = count,
                                  .binary = reply->binary || reply->coding != CODING_IDENTITY,
                                  .whole = whole};
    PX_TRY(encode(reply, whole, &answer.body));
    if (whole) ending(reply);
    reply->begun = true;
    PX_TRY(reply->sink->begin(reply->sink->ctx, &answer));
    return 0;
}

static int give_more(struct reply *reply, bool last)
{
    struct px_str bytes;
    PX_TRY(encode(reply, last, &bytes));
    if (last) ending(reply);
    if (bytes.len > 0) PX_TRY(reply->sink->more(reply->sink->ctx, bytes));
    return 0;
}

static int give(struct reply *reply, bool last)
{
    if (!reply->begun)
        PX_TRY(begin(reply, false, (struct px_str){0}, (struct px_str){0}));
    else if (reply->body.len > 0 || last)
        PX_TRY(give_more(reply, last));
    reply->bytes_given += reply->body.len;
    px_buf_clear(&reply->body);
    return 0;
}

/* Room is kept for the reason why a streamed answer ends. */
static bool is_too_large(const struct reply *reply)
{
    uint64_t reserve = reply->begun ? REASON_BYTES_MAX : 0;
    if (reply->bytes_given + reply->body.len + reserve > reply->bytes_max) return true;
    return reply->body.fault == PX_F_LIMIT ||
           (!reply->sink->more && reply->body.len > QUERY_WHOLE_BYTES_MAX);
}

int reply_flush(struct reply *reply)
{
    if (is_too_large(reply)) return REPLY_TOO_LARGE;
    PX_TRY(px_buf_fault(&reply->body));
    size_t enough = reply->begun ? PIECE_BYTES : QUERY_WHOLE_BYTES_MAX + 1;
    return reply->body.len < enough ? 0 : give(reply, false);
}

int reply_end(struct reply *reply, const struct query_cost *cost, struct px_str warning)
{
    int r = reply_flush(reply);
    if (r != 0) return r < 0 ? px_fold(r, __FILE__, __LINE__) : r;
    if (reply->begun) return give(reply, true);
    PX_AUTO(px_buf_deinit) struct px_buf header;
    px_buf_init(&header, 1024);
    cost_add_header(&header, cost);
    PX_TRY(px_buf_fault(&header));
    return begin(reply, true, px_buf_str(&header), warning);
}

int reply_last(struct reply *reply)
{
    PX_ASSERT(reply->begun);
    return give(reply, true);
}

/* headers: beside the content type. */
#define MORE_HEADERS_MAX 3u
struct problem {
    int status;
    struct px_str detail, extra_json;
    struct http_header headers[MORE_HEADERS_MAX];
    size_t header_count;
};

static int give_problem(struct reply *reply, const struct problem *problem)
{
    PX_ASSERT(!reply->begun);
    px_buf_clear(&reply->body);
    api_problem_write(problem->status, problem->detail, reply->request_id, problem->extra_json,
                      &reply->body);
    PX_TRY(px_buf_fault(&reply->body));
    struct http_header headers[1 + MORE_HEADERS_MAX] = {
        {S("Content-Type"), S("application/problem+json")}};
    memcpy(&headers[1], problem->headers, problem->header_count * sizeof headers[0]);
    struct query_answer answer = {.status = problem->status,
                                  .headers = headers,
                                  .header_count = 1 + problem->header_count,
                                  .body = px_buf_str(&reply->body),
                                  .whole = true};
    ending(reply);
    reply->begun = true;
    PX_TRY(reply->sink->begin(reply->sink->ctx, &answer));
    return 0;
}

int reply_problem(struct reply *reply, int status, struct px_str detail, struct px_str extra_json)
{
    const struct problem problem = {.status = status,
                                    .detail = detail,
                                    .extra_json = extra_json,
                                    .headers = {{S("Retry-After"), S("1")}},
                                    .header_count = status == 503};
    return give_problem(reply, &problem);
}

int reply_over(struct reply *reply, const struct quota_refusal *over, struct px_str detail,
               struct px_arena *arena)
{
    struct px_str wait = px_arena_printf(arena, "%lld", (long long)over->wait_s);
    struct quota_fields fields = quota_fields_of_refusal(arena, over);
    if (!wait.ptr || !fields.state.ptr || !fields.policy.ptr) return px_arena_fault(arena);
    const struct problem problem = {.status = 429,
                                    .detail = detail,
                                    .headers = {{S("Retry-After"), wait},
                                                {S("RateLimit"), fields.state},
                                                {S("RateLimit-Policy"), fields.policy}},
                                    .header_count = 3};
    return give_problem(reply, &problem);
}
