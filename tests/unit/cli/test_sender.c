/* Delivery against a region that answers as each test wants: repeats, refusals, halves, the end. */
#include "support/support.h"

#include <fcntl.h>
#include <pthread.h>
#include <zstd.h>

#include "base/px_buf.h"
#include "cli/sender.h"
#include "http/server.h"

/* A server in a thread. `answer` sees every request, decompressed. */
struct fake {
    uv_loop_t loop;
    uv_async_t end;
    struct http_server *server;
    pthread_t thread;
    uint16_t port;
    pthread_mutex_t lock;
    int calls;
    struct px_buf stored; /* bodies that got a 200 for the first time */
    char keys[64][LINES_KEY_BYTES];
    int key_count;
    int64_t max_time_ms; /* of the sender; 0: 20 s */
    void (*answer)(struct fake *fake, struct http_request *request, struct px_str body, int call);
};

/* libuv opens a pipe for signals with the first loop and keeps it as long as the process. */
__attribute__((constructor)) static void open_libuv(void)
{
    uv_loop_t loop;
    PX_ASSERT(uv_loop_init(&loop) == 0);
    PX_ASSERT(uv_loop_close(&loop) == 0);
}

static void reply(struct http_request *request, int status, const char *body)
{
    const struct http_header headers[] = {{S("Content-Type"), S("application/json")}};
    http_reply(request, status, headers, 1, px_str_c(body));
}

/* Stores once per Idempotency-Key, as the region does. */
static void store(struct fake *fake, struct http_request *request, struct px_str body)
{
    struct px_str key = http_header_get(request, S("Idempotency-Key"));
    for (int i = 0; i < fake->key_count; i++) {
        if (!px_str_eq(px_str_c(fake->keys[i]), key)) continue;
        reply(request, 200, "{\"accepted\":1,\"refused\":0,\"duplicate\":true}");
        return;
    }
    (void)snprintf(fake->keys[fake->key_count++], LINES_KEY_BYTES, "%.*s", PX_FMT(key));
    px_buf_add_str(&fake->stored, body);
    reply(request, 200, "{\"accepted\":1,\"refused\":0,\"errors\":[]}");
}

static void on_request(void *ctx, struct http_request *request)
{
    struct fake *fake = ctx;
    static char text[1u << 20];
    struct px_str body = request->body;
    if (px_str_eq(http_header_get(request, S("Content-Encoding")), S("zstd"))) {
        size_t n = ZSTD_decompress(text, sizeof text, body.ptr, body.len);
        PX_ASSERT(!ZSTD_isError(n));
        body = px_str(text, n);
    }
    pthread_mutex_lock(&fake->lock);
    fake->answer(fake, request, body, fake->calls++);
    pthread_mutex_unlock(&fake->lock);
}

static void on_end(uv_async_t *async)
{
    struct fake *fake = async->data;
    http_server_free(&fake->server);
    uv_close((uv_handle_t *)&fake->end, NULL);
}

static void *run_loop(void *arg)
{
    (void)uv_run(&((struct fake *)arg)->loop, UV_RUN_DEFAULT);
    return NULL;
}

static void fake_start(struct fake *fake)
{
    pthread_mutex_init(&fake->lock, NULL);
    px_buf_init(&fake->stored, 16u << 20);
    CHECK_INT(uv_loop_init(&fake->loop), 0);
    struct http_server_options options = {.on_request = on_request, .ctx = fake};
    CHECK_OK(http_server_new(&fake->loop, &options, &fake->server));
    CHECK_OK(http_server_listen_tcp(fake->server, "127.0.0.1", 0, &fake->port));
    CHECK_INT(uv_async_init(&fake->loop, &fake->end, on_end), 0);
    fake->end.data = fake;
    CHECK_INT(pthread_create(&fake->thread, NULL, run_loop, fake), 0);
}

static void fake_stop(struct fake *fake)
{
    (void)uv_async_send(&fake->end);
    (void)pthread_join(fake->thread, NULL);
    CHECK_INT(uv_loop_close(&fake->loop), 0);
    px_buf_deinit(&fake->stored);
    pthread_mutex_destroy(&fake->lock);
}

struct outcome {
    int result;
    struct sender_totals totals;
    char why[256];
};

static void send_text(struct test *t, const struct fake *fake, struct px_str text,
                      size_t batch_bytes, struct outcome *ret)
{
    struct px_str path = test_path(t, "input.ndjson");
    CHECK_OK(px_file_write_atomic(path.ptr, text, 0600));
    int fd = open(path.ptr, O_RDONLY | O_CLOEXEC);
    struct sender_options options = {
        .endpoint = px_arena_printf(&t->arena, "127.0.0.1:%u", fake->port),
        .authorization = S("Bearer k"),
        .path = S("/v1/ingest/app"),
        .fd = fd,
        .identity = path,
        .batch_bytes = batch_bytes,
        .connections = 3,
        .encoding = ENCODING_ZSTD,
        .max_time_ms = fake->max_time_ms ? fake->max_time_ms : 20000,
        .clock = &px_clock_system,
    };
    struct sender *sender = NULL;
    const char *why = "";
    CHECK_OK(sender_start(&options, &sender));
    while ((ret->result = sender_wait(sender, 50, &why)) == SENDER_RUNNING)
        ;
    sender_totals(sender, &ret->totals);
    (void)snprintf(ret->why, sizeof ret->why, "%s", why);
    sender_free(&sender);
    px_close(&fd);
}

static void answer_store(struct fake *fake, struct http_request *request, struct px_str body,
                         int call)
{
    (void)call;
    store(fake, request, body);
}

static struct px_str many_lines(struct test *t, int count)
{
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    px_buf_init(&buf, 1u << 20);
    for (int i = 0; i < count; i++) px_buf_printf(&buf, "{\"n\":%d}\n", i);
    return px_arena_dup(&t->arena, px_buf_str(&buf));
}

TEST(every_record_arrives_once_and_again_is_a_duplicate)
{
    struct fake fake = {.answer = answer_store};
    static struct outcome got;
    fake_start(&fake);
    struct px_str text = many_lines(t, 500);
    send_text(t, &fake, text, 200, &got);
    CHECK_INT(got.result, 0);
    CHECK_INT(got.totals.records, 500);
    CHECK_INT(got.totals.accepted, 500);
    CHECK_INT(got.totals.bytes, text.len);
    CHECK_INT(fake.stored.len, text.len);
    send_text(t, &fake, text, 200, &got);
    CHECK_INT(got.totals.duplicates, 500);
    CHECK_INT(got.totals.accepted, 0);
    CHECK_INT(fake.stored.len, text.len);
    fake_stop(&fake);
}

/* Every first try of a batch is stored and its answer lost, or refused for now. */
static void answer_hard(struct fake *fake, struct http_request *request, struct px_str body,
                        int call)
{
    static const int statuses[] = {500, 503, 429, 409, 502};
    struct px_str key = http_header_get(request, S("Idempotency-Key"));
    bool known = false;
    for (int i = 0; i < fake->key_count; i++) known |= px_str_eq(px_str_c(fake->keys[i]), key);
    if (known || call % 3 == 0) {
        store(fake, request, body);
        return;
    }
    if (call % 3 == 1) { /* stored, but the answer is lost */
        (void)snprintf(fake->keys[fake->key_count++], LINES_KEY_BYTES, "%.*s", PX_FMT(key));
        px_buf_add_str(&fake->stored, body);
    }
    reply(request, statuses[call % 5], "{\"detail\":\"not now\"}");
}

TEST(failures_and_lost_answers_are_repeated_and_store_nothing_twice)
{
    struct fake fake = {.answer = answer_hard};
    static struct outcome got;
    fake_start(&fake);
    struct px_str text = many_lines(t, 200);
    send_text(t, &fake, text, 100, &got);
    CHECK_INT(got.result, 0);
    CHECK_INT(got.totals.accepted + got.totals.duplicates, 200);
    CHECK(got.totals.repeats > 0);
    CHECK_INT(fake.stored.len, text.len);
    fake_stop(&fake);
}

static void answer_refuse_some(struct fake *fake, struct http_request *request, struct px_str body,
                               int call)
{
    (void)fake, (void)body, (void)call;
    reply(request, 200,
          "{\"accepted\":2,\"refused\":1,\"errors\":[{\"record\":1,\"reason\":\"bad time\"}]}");
}

TEST(a_refused_record_is_named_by_its_line)
{
    struct fake fake = {.answer = answer_refuse_some};
    static struct outcome got;
    fake_start(&fake);
    send_text(t, &fake, S("{\"a\":1}\n\n\n{\"a\":2}\n{\"a\":3}\n"), 1000, &got);
    CHECK_INT(got.result, 0);
    CHECK_INT(got.totals.records, 3);
    CHECK_INT(got.totals.accepted, 2);
    CHECK_INT(got.totals.refused, 1);
    CHECK_INT(got.totals.refusals_kept, 1);
    CHECK_INT(got.totals.refusals[0].line, 4);
    CHECK_STR(px_str_c(got.totals.refusals[0].reason), S("bad time"));
    fake_stop(&fake);
}

static void answer_too_large(struct fake *fake, struct http_request *request, struct px_str body,
                             int call)
{
    (void)call;
    if (body.len > 40)
        reply(request, 413, "{\"detail\":\"too large\"}");
    else
        store(fake, request, body);
}

TEST(a_batch_that_is_too_large_goes_in_halves)
{
    struct fake fake = {.answer = answer_too_large};
    static struct outcome got;
    fake_start(&fake);
    struct px_str text = many_lines(t, 50);
    send_text(t, &fake, text, 10000, &got);
    CHECK_INT(got.totals.accepted, 50);
    CHECK_INT(fake.stored.len, text.len);
    CHECK(fake.key_count > 10);
    send_text(t, &fake, S("{\"a\":\"................................................\"}\n{}\n"),
              10000, &got);
    CHECK_INT(got.totals.accepted, 1);
    CHECK_INT(got.totals.refused, 1); /* one line cannot be halved */
    CHECK_INT(got.totals.refusals[0].line, 1);
    fake_stop(&fake);
}

static void answer_401(struct fake *fake, struct http_request *request, struct px_str body,
                       int call)
{
    (void)fake, (void)body, (void)call;
    reply(request, 401, "{\"detail\":\"no key\"}");
}

TEST(a_refused_sender_stops_at_once)
{
    struct fake fake = {.answer = answer_401};
    static struct outcome got;
    fake_start(&fake);
    send_text(t, &fake, many_lines(t, 1000), 100, &got);
    CHECK_INT(got.result, SENDER_REFUSED);
    CHECK_STR(px_str_c(got.why), S("no key (401)"));
    CHECK(fake.calls <= 3); /* one per connection */
    fake_stop(&fake);
}

static void answer_422(struct fake *fake, struct http_request *request, struct px_str body,
                       int call)
{
    if (call == 0)
        reply(request, 400, "{\"detail\":\"no such thing\"}");
    else
        store(fake, request, body);
}

TEST(a_refused_batch_does_not_stop_the_others)
{
    struct fake fake = {.answer = answer_422};
    static struct outcome got;
    fake_start(&fake);
    send_text(t, &fake, many_lines(t, 30), 50, &got);
    CHECK_INT(got.result, 0);
    CHECK(got.totals.refused > 0 && got.totals.accepted > 0);
    CHECK_INT(got.totals.refused + got.totals.accepted, 30);
    CHECK_STR(px_str_c(got.totals.refusals[0].reason), S("no such thing (400)"));
    fake_stop(&fake);
}

static void answer_never(struct fake *fake, struct http_request *request, struct px_str body,
                         int call)
{
    (void)fake, (void)body, (void)call;
    reply(request, 503, "{\"detail\":\"busy\"}");
}

TEST(sending_gives_up_when_its_time_is_over)
{
    struct fake fake = {.answer = answer_never, .max_time_ms = 300};
    static struct outcome got;
    fake_start(&fake);
    send_text(t, &fake, many_lines(t, 3), 1000, &got);
    CHECK_INT(got.result, SENDER_GAVE_UP);
    CHECK_STR(px_str_c(got.why), S("busy (503)"));
    fake_stop(&fake);
    send_text(t, &fake, many_lines(t, 3), 1000, &got); /* nobody listens any more */
    CHECK_INT(got.result, SENDER_UNREACHABLE);
    CHECK_INT(got.totals.accepted, 0);
}

TEST_MAIN
