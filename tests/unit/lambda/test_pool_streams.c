/* Streamed answers through the pool. */
#include "lambda/pool_rig.h"

static void on_begin(void *ctx, struct px_str prelude)
{
    struct result *result = ctx;
    result->begins++;
    (void)snprintf(result->prelude, sizeof result->prelude, "%.*s", PX_FMT(prelude));
}
static size_t on_piece(void *ctx, struct px_str piece)
{
    struct result *result = ctx;
    result->pieces++;
    result->stream_bytes += piece.len;
    return result->queued;
}
static const struct lambda_call streaming = {.on_stream_begin = on_begin,
                                             .on_stream_piece = on_piece};

TEST(a_streamed_answer_comes_in_pieces_behind_its_prelude)
{
    struct rig *rig = rig_new(t, (struct lambda_pool_options){0});
    struct lambda_call call = streaming;
    call.payload = S("\"stream 20000000\"");
    struct result *result = finish(invoke_call(rig, call));
    CHECK_INT(result->outcome, LAMBDA_OK);
    CHECK_INT(result->begins, 1);
    CHECK_STR(px_str_c(result->prelude),
              S("{\"statusCode\":201,\"headers\":{\"content-type\":\"text/plain\"}}"));
    CHECK_INT(result->stream_bytes, 20000000);
    CHECK(result->pieces > 100);
    call.payload = S("\"stream 0\"");
    result = finish(invoke_call(rig, call));
    CHECK_INT(result->begins, 1);
    CHECK_INT(result->stream_bytes, 0);
    rig_end(rig);
}

TEST(a_whole_answer_is_with_its_caller_before_the_handler_returns)
{
    struct rig *rig = rig_new(t, (struct lambda_pool_options){0});
    struct lambda_call call = streaming;
    static const char *const payloads[] = {"\"streamlast 400\"", "\"streamlast 401\""};
    for (size_t i = 0; i < PX_COUNT(payloads); i++) {
        call.payload = S("\"pid\""); /* warm, and done with the event before */
        CHECK_INT(finish(invoke_call(rig, call))->outcome, LAMBDA_OK);
        call.payload = px_str_c(payloads[i]);
        int64_t began = px_mono_ns(&px_clock_system);
        struct result *result = finish(invoke_call(rig, call));
        CHECK((px_mono_ns(&px_clock_system) - began) / PX_NS_PER_MS < 400);
        CHECK_INT(result->outcome, LAMBDA_OK);
        CHECK_STR(px_str_c(result->prelude), S("{\"statusCode\":201}"));
        CHECK_INT(result->stream_bytes, 9);
    }
    call.payload = S("\"pid\"");
    CHECK_INT(finish(invoke_call(rig, call))->outcome, LAMBDA_OK); /* the same function goes on */
    rig_end(rig);
}

TEST(a_slow_reader_holds_the_function_back)
{
    struct rig *rig = rig_new(t, (struct lambda_pool_options){0});
    struct result *result = px_arena_new(&t->arena, struct result);
    result->rig = rig;
    result->queued = 2 << 20; /* says that more than 1 MiB waits */
    struct lambda_call call = streaming;
    call.payload = S("\"stream 20000000\""), call.request_id = S("id-1"), call.on_done = on_done,
    call.ctx = result;
    struct lambda_invocation *invocation = lambda_pool_invoke(rig->pool, &call);
    turn_until(rig, NULL, 500);
    CHECK(result->stream_bytes > 0 && result->stream_bytes < 200000);
    CHECK(!result->done);
    result->queued = 0;
    lambda_invocation_resume(invocation);
    CHECK_INT(finish(result)->outcome, LAMBDA_OK);
    CHECK_INT(result->stream_bytes, 20000000);
    rig_end(rig);
}

TEST(a_stream_keeps_the_pace_of_its_pool)
{
    struct rig *rig = rig_new(t, (struct lambda_pool_options){.stream_pace = {1000000, 20000000}});
    struct lambda_call call = streaming;
    call.payload = S("\"stream 900000\"");
    CHECK_INT(finish(invoke_call(rig, call))->stream_bytes, 900000);
    call.payload = S("\"stream 9000000\"");
    int64_t began = px_mono_ns(&px_clock_system);
    struct result *result = finish(invoke_call(rig, call));
    CHECK_INT(result->outcome, LAMBDA_OK);
    CHECK_INT(result->stream_bytes, 9000000);
    /* less what one read may bring at the end */
    CHECK((px_mono_ns(&px_clock_system) - began) / PX_NS_PER_MS >= (8000000 - 64 * 1024) / 20000);
    rig_end(rig);
}

TEST(a_stream_that_is_held_back_by_its_reader_and_its_pace_goes_on_when_both_let_it)
{
    struct rig *rig = rig_new(t, (struct lambda_pool_options){.stream_pace = {1, 100000000}});
    struct result *result = px_arena_new(&t->arena, struct result);
    result->rig = rig;
    result->queued = 2 << 20;
    struct lambda_call call = streaming;
    call.payload = S("\"stream 5000000\""), call.request_id = S("id-1"), call.on_done = on_done,
    call.ctx = result;
    struct lambda_invocation *invocation = lambda_pool_invoke(rig->pool, &call);
    turn_until(rig, NULL, 300); /* the pace has let it go on long since */
    CHECK(result->stream_bytes > 0 && result->stream_bytes < 200000);
    result->queued = 0;
    lambda_invocation_resume(invocation);
    CHECK_INT(finish(result)->stream_bytes, 5000000);
    rig_end(rig);
}

TEST(a_stream_that_fails_tells_its_error_at_the_end)
{
    struct rig *rig = rig_new(t, (struct lambda_pool_options){0});
    struct lambda_call call = streaming;
    call.payload = S("\"streamfail 5000\"");
    struct result *result = finish(invoke_call(rig, call));
    CHECK_INT(result->outcome, LAMBDA_FUNCTION_ERROR);
    CHECK_INT(result->stream_bytes, 5000);
    CHECK(has(result->payload, "{\"errorType\":\"IO\",\"errorMessage\":\"IO: in the middle"));
    CHECK_STR(answer(rig, "\"alive\""), S("\"alive\""));
    rig_end(rig);
}

TEST(a_caller_without_streaming_gets_an_ordinary_response)
{
    struct rig *rig = rig_new(t, (struct lambda_pool_options){0});
    struct px_str payload = answer(rig, "\"stream 3\"");
    struct api_response response;
    CHECK_OK(api_response_parse(payload, &t->arena, &response));
    CHECK_INT(response.status, 201);
    CHECK_INT(response.body.len, 3);
    CHECK_INT(finish(invoke(rig, "\"stream 7000000\""))->outcome, LAMBDA_TOO_LARGE);
    CHECK_STR(answer(rig, "\"alive\""), S("\"alive\"")); /* by another instance */
    rig_end(rig);
}

TEST(a_timeout_within_a_stream_ends_it)
{
    struct rig *rig = rig_new(t, (struct lambda_pool_options){.timeout_ms = 300});
    struct result *result = px_arena_new(&t->arena, struct result);
    result->rig = rig;
    result->queued = 2 << 20;
    struct lambda_call call = streaming;
    call.payload = S("\"stream 20000000\""), call.request_id = S("id-1"), call.on_done = on_done,
    call.ctx = result;
    (void)lambda_pool_invoke(rig->pool, &call);
    CHECK_INT(finish(result)->outcome, LAMBDA_TIMED_OUT);
    CHECK_STR(answer(rig, "\"alive\""), S("\"alive\""));
    rig_end(rig);
}

int main(int argc, char **argv) { return pool_main(argc, argv); }
