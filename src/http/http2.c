/* http/http2.c - one connection's session: bytes to nghttp2, its frames to the socket, streams' lives.
 *
 * nghttp2 must not be entered from its own callbacks, and a handler not from a call of its own. So callbacks only
 * note what happened to a stream, and the session settles that afterwards: requests to handlers, peers that are gone,
 * answers that may go on. What handlers submit is written in the loop's next turn, all of it together.
 *
 * nghttp2 itself ends a session that resets streams faster than RESETS_A_SECOND (CVE-2023-44487, also where the peer
 * makes us reset them, CVE-2025-8671), sends more than CONTINUATIONS_MAX frames for one head (CVE-2024-27316), or
 * leaves more than ACKS_MAX answers to PING and SETTINGS unread (CVE-2019-9512, -9515). */
#include "http/http2.h"

#include <stdlib.h>

#include "http/http2_internal.h"

#define RESETS_BURST 200u
#define RESETS_A_SECOND 20u
#define GLITCHES_BURST 1000u
#define GLITCHES_A_SECOND 33u
#define CONTINUATIONS_MAX 8u
#define ACKS_MAX 100u
#define GATHERED_BYTES (32u * 1024u)

static const struct http_protocol protocol;

/* ---- streams ---- */

static void stream_free(struct h2_stream *stream)
{
    struct h2_session *session = stream->session;
    *(stream->prev ? &stream->prev->next : &session->first) = stream->next;
    *(stream->next ? &stream->next->prev : &session->last) = stream->prev;
    session->stream_count--;
    session->conn->held--;
    h2_request_drop_body(stream);
    h2_reply_drop(stream);
    px_arena_deinit(&stream->arena);
    free(stream);
}

void h2_stream_unref(struct h2_stream *stream)
{
    if (!stream->closed || stream->held || stream->called) return;
    struct http_connection *conn = stream->session->conn;
    stream_free(stream);
    connection_unref(conn);
}

/* The peer may not know yet that its request ended early, so what it still sends to it is no error. */
static void note_cut(const struct h2_stream *stream)
{
    struct h2_session *session = stream->session;
    if (!stream->complete && !stream->peer_reset)
        session->cut_id = PX_MAX(session->cut_id, stream->id);
}

void h2_stream_reset(struct h2_stream *stream, uint32_t code)
{
    if (stream->reset || stream->closed) return;
    stream->reset = true;
    note_cut(stream);
    (void)nghttp2_submit_rst_stream(stream->session->ng, NGHTTP2_FLAG_NONE, stream->id, code);
    connection_defer(stream->session->conn);
}

static void tell_gone(struct h2_stream *stream)
{
    struct http_server *server = stream->session->conn->server;
    if (!stream->held || stream->gone_told) return;
    stream->gone_told = true;
    if (server->options.on_gone) server->options.on_gone(server->options.ctx, &stream->request);
}

/* ---- what nghttp2 says ---- */

static struct h2_stream *stream_of(nghttp2_session *ng, int32_t id)
{
    return nghttp2_session_get_stream_user_data(ng, id);
}

/* nghttp2 passes over frames of streams that are no more, because a peer may not have heard of their end. Where the
 * peer itself ended its side, a frame is an error (RFC 9113 section 5.1), and so is one that prioritises nothing
 * (section 6.3). */
static int on_begin_frame(nghttp2_session *ng, const nghttp2_frame_hd *hd, void *ctx)
{
    const struct h2_session *session = ctx;
    bool of_request = hd->type == NGHTTP2_HEADERS || hd->type == NGHTTP2_DATA;
    if (hd->type == NGHTTP2_PRIORITY && hd->stream_id == 0)
        return nghttp2_session_terminate_session(ng, NGHTTP2_PROTOCOL_ERROR);
    if (of_request && hd->stream_id > session->cut_id && hd->stream_id <= session->last_id &&
        !nghttp2_session_find_stream(ng, hd->stream_id))
        return nghttp2_session_terminate_session(ng, NGHTTP2_STREAM_CLOSED);
    return 0;
}

static int on_begin_headers(nghttp2_session *ng, const nghttp2_frame *frame, void *ctx)
{
    struct h2_session *session = ctx;
    int32_t id = frame->hd.stream_id;
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
    session->last_id = id;
    /* those that were reset and that handlers still have count too */
    struct h2_stream *stream = session->stream_count < 2 * (size_t)HTTP2_STREAMS_MAX
                                   ? h2_stream_new(session, id)
                                   : NULL;
    if (!stream) session->cut_id = id;
    if (!stream)
        return nghttp2_submit_rst_stream(ng, NGHTTP2_FLAG_NONE, id, NGHTTP2_REFUSED_STREAM);
    return nghttp2_session_set_stream_user_data(ng, id, stream);
}

static int on_header(nghttp2_session *ng, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_bytes, const uint8_t *value, size_t value_bytes, uint8_t flags,
                     void *ctx)
{
    struct h2_stream *stream = stream_of(ng, frame->hd.stream_id);
    (void)flags, (void)ctx;
    if (stream)
        h2_request_field(stream, px_str((const char *)name, name_bytes),
                         px_str((const char *)value, value_bytes));
    return 0;
}

/* nghttp2 would leave it out; what one server drops and another reads is how requests are smuggled. */
static int on_invalid_header(nghttp2_session *ng, const nghttp2_frame *frame, const uint8_t *name,
                             size_t name_bytes, const uint8_t *value, size_t value_bytes,
                             uint8_t flags, void *ctx)
{
    struct h2_stream *stream = stream_of(ng, frame->hd.stream_id);
    (void)name, (void)name_bytes, (void)value, (void)value_bytes, (void)flags, (void)ctx;
    if (stream) h2_stream_reset(stream, NGHTTP2_PROTOCOL_ERROR);
    return 0;
}

static int on_frame(nghttp2_session *ng, const nghttp2_frame *frame, void *ctx)
{
    bool headers = frame->hd.type == NGHTTP2_HEADERS, data = frame->hd.type == NGHTTP2_DATA;
    bool reset = frame->hd.type == NGHTTP2_RST_STREAM;
    struct h2_stream *stream = headers || data || reset ? stream_of(ng, frame->hd.stream_id) : NULL;
    bool end = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
    (void)ctx;
    if (stream && reset) stream->peer_reset = true;
    if (!stream || stream->reset || reset) return 0;
    if (headers && !stream->head_done) h2_request_head(stream, !end);
    if (end) h2_request_complete(stream);
    return 0;
}

static int on_data(nghttp2_session *ng, uint8_t flags, int32_t id, const uint8_t *bytes,
                   size_t count, void *ctx)
{
    struct h2_stream *stream = stream_of(ng, id);
    (void)flags, (void)ctx;
    (void)nghttp2_session_consume_connection(ng, count);
    if (stream && !stream->reset && !stream->refused)
        h2_request_data(stream, px_str((const char *)bytes, count));
    return 0;
}

static int on_close(nghttp2_session *ng, int32_t id, uint32_t code, void *ctx)
{
    struct h2_stream *stream = stream_of(ng, id);
    (void)code, (void)ctx;
    if (!stream) return 0;
    note_cut(stream);
    stream->closed = true;
    return 0;
}

/* A refusal is whole before the request is: the rest need not be sent. RFC 9113 section 8.1 */
static int on_sent(nghttp2_session *ng, const nghttp2_frame *frame, void *ctx)
{
    struct h2_stream *stream = stream_of(ng, frame->hd.stream_id);
    (void)ctx;
    if (stream && frame->hd.flags & NGHTTP2_FLAG_END_STREAM && !stream->complete &&
        (frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA))
        h2_stream_reset(stream, NGHTTP2_NO_ERROR);
    return 0;
}

/* ---- out ---- */

static void gather_and_write(struct h2_session *session)
{
    struct http_connection *conn = session->conn;
    char gathered[GATHERED_BYTES];
    const uint8_t *frame;
    nghttp2_ssize bytes = 1;
    if (conn->refused) return; /* lingering: its streams are gone */
    while (bytes > 0 && conn->queued_bytes < H2_OUT_BYTES_MAX && conn->state != CONN_CLOSED) {
        size_t filled = 0;
        while (filled < GATHERED_BYTES / 2 &&
               (bytes = nghttp2_session_mem_send2(session->ng, &frame)) > 0) {
            PX_ASSERT((size_t)bytes <=
                      GATHERED_BYTES - filled); /* frames have at most 16 KiB and 9 bytes */
            memcpy(gathered + filled, frame, (size_t)bytes);
            filled += (size_t)bytes;
        }
        uv_buf_t piece = uv_buf_init(gathered, (unsigned)filled);
        if (filled > 0) connection_write(conn, &piece, 1);
    }
    if (bytes < 0) connection_close(conn); /* no memory */
}

static void update_state(struct h2_session *session)
{
    struct http_connection *conn = session->conn;
    bool busy = session->first || conn->queued_bytes > 0;
    enum connection_state state = busy ? CONN_STREAMS : CONN_IDLE;
    if (conn->state == CONN_CLOSED || conn->state == CONN_LINGERING) return;
    bool over = !nghttp2_session_want_read(session->ng) && !nghttp2_session_want_write(session->ng);
    if (over && session->ending && conn->writes == 0) {
        connection_close(conn);
        return;
    }
    if (over) {
        connection_linger(conn);
        return;
    }
    if (conn->state != state) connection_set_state(conn, state);
    bool choked = conn->queued_bytes >= H2_OUT_BYTES_MAX;
    if (choked == conn->choked) return;
    conn->choked = choked;
    connection_reading(conn);
}

static void call_handler(struct h2_stream *stream)
{
    if (stream->ready) {
        h2_request_dispatch(stream);
        return;
    }
    if (stream->wants_drain) {
        stream->wants_drain = false;
    } else {
        tell_gone(stream);
    }
    bool freed = stream->session->conn->server->freed;
    if (stream->held && stream->on_drain && !freed) stream->on_drain(stream->drain_ctx);
}

/* Handlers are called here and may end any stream, so each look at the list begins anew. */
static bool settle_one(struct h2_session *session)
{
    bool over = session->conn->state == CONN_CLOSED || session->conn->refused;
    /* the analyzer does not see that a freed stream has left the list: NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
    for (struct h2_stream *stream = session->first; stream; stream = stream->next) {
        if (over) stream->closed = true;
        if (stream->closed) stream->ready = false;
        if (!stream->held) stream->wants_drain = false;
        bool gone = stream->held && (stream->closed || stream->reset) && !stream->gone_told;
        if (stream->ready || stream->wants_drain || gone) {
            stream->called = true;
            call_handler(stream);
            stream->called = false;
            return true;
        }
        if (stream->closed && !stream->held) {
            stream_free(stream);
            return true;
        }
    }
    return false;
}

static void settle(struct h2_session *session)
{
    struct http_connection *conn = session->conn;
    conn->held++; /* so that it is not freed meanwhile */
    do {
        while (settle_one(session)) {}
        gather_and_write(session); /* of all that have something to say, together */
    } while (settle_one(session));
    update_state(session);
    if (conn->state == CONN_LINGERING) /* what its end means for those that are left */
        while (settle_one(session)) {}
    conn->held--;
    connection_unref(conn);
}

/* ---- the connection's calls ---- */

static void h2_received(struct http_connection *conn, const char *bytes, size_t count)
{
    struct h2_session *session = conn->h2;
    nghttp2_ssize used = nghttp2_session_mem_recv2(session->ng, (const uint8_t *)bytes, count);
    if (used < 0) { /* no preface, a flood, or no memory: what was to be said of it goes out */
        gather_and_write(session);
        if (conn->state != CONN_CLOSED) connection_linger(conn);
    }
    settle(session);
}

static void h2_written(struct http_connection *conn)
{
    conn->h2->written_ms = (int64_t)uv_now(conn->server->loop);
    if (conn->state != CONN_LINGERING) settle(conn->h2);
}

static void h2_turn(struct http_connection *conn) { settle(conn->h2); }

static void look_at(struct h2_stream *stream)
{
    const struct http_server_options *options = &stream->session->conn->server->options;
    int64_t now_ms = h2_now_ms(stream), passed_ms = now_ms - stream->since_ms;
    if (stream->closed || stream->reset) return;
    bool receiving = !stream->complete && !stream->paused && !stream->refused;
    if (receiving && options->read_ms != HTTP_NO_LIMIT_MS && passed_ms >= options->read_ms) {
        if (stream->streamed || !stream->head_done)
            h2_stream_reset(stream, NGHTTP2_CANCEL);
        else
            h2_refuse(stream, 408, "the request took too long to arrive");
    } else if (h2_out_left(stream) > 0 && options->idle_ms != HTTP_NO_LIMIT_MS &&
               passed_ms >= options->idle_ms) {
        h2_stream_reset(stream, NGHTTP2_CANCEL); /* the reader opens no window */
    }
}

static void h2_tick(struct http_connection *conn)
{
    struct h2_session *session = conn->h2;
    int64_t now_ms = (int64_t)uv_now(conn->server->loop);
    uint32_t idle_ms = conn->server->options.idle_ms;
    connection_set_state(conn, CONN_STREAMS); /* its time begins anew */
    if (conn->queued_bytes > 0 && idle_ms != HTTP_NO_LIMIT_MS &&
        now_ms - session->written_ms >= idle_ms) {
        connection_close(conn);
        return;
    }
    for (struct h2_stream *stream = session->first; stream; stream = stream->next) look_at(stream);
    settle(session);
}

static void h2_drain(struct http_connection *conn)
{
    struct h2_session *session = conn->h2;
    if (session->ending) {
        if (conn->state == CONN_IDLE) connection_close(conn);
        return;
    }
    session->ending = true;
    (void)nghttp2_submit_goaway(session->ng, NGHTTP2_FLAG_NONE,
                                nghttp2_session_get_last_proc_stream_id(session->ng),
                                NGHTTP2_NO_ERROR, NULL, 0);
    settle(session);
}

static void h2_closed(struct http_connection *conn) { settle(conn->h2); }

static void h2_free(struct http_connection *conn)
{
    nghttp2_session_del(conn->h2->ng);
    free(conn->h2);
    conn->h2 = NULL;
}

static const struct http_protocol protocol = {
    .received = h2_received,
    .written = h2_written,
    .turn = h2_turn,
    .tick = h2_tick,
    .drain = h2_drain,
    .closed = h2_closed,
    .free = h2_free,
    .pause = h2_request_pause,
    .reply = h2_reply,
    .begin = h2_reply_begin,
    .piece = h2_reply_piece,
    .end = h2_reply_end,
};

/* ---- the beginning ---- */

static int new_session(struct h2_session *session)
{
    nghttp2_session_callbacks *calls = NULL;
    nghttp2_option *option = NULL;
    int r = nghttp2_session_callbacks_new(&calls);
    if (r == 0) r = nghttp2_option_new(&option);
    if (r == 0) {
        nghttp2_session_callbacks_set_on_begin_frame_callback(calls, on_begin_frame);
        nghttp2_session_callbacks_set_on_begin_headers_callback(calls, on_begin_headers);
        nghttp2_session_callbacks_set_on_header_callback(calls, on_header);
        nghttp2_session_callbacks_set_on_invalid_header_callback(calls, on_invalid_header);
        nghttp2_session_callbacks_set_on_frame_recv_callback(calls, on_frame);
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(calls, on_data);
        nghttp2_session_callbacks_set_on_stream_close_callback(calls, on_close);
        nghttp2_session_callbacks_set_on_frame_send_callback(calls, on_sent);
        nghttp2_option_set_no_auto_window_update(option, 1);
        nghttp2_option_set_stream_reset_rate_limit(option, RESETS_BURST, RESETS_A_SECOND);
        nghttp2_option_set_glitch_rate_limit(option, GLITCHES_BURST, GLITCHES_A_SECOND);
        nghttp2_option_set_max_continuations(option, CONTINUATIONS_MAX);
        nghttp2_option_set_max_outbound_ack(option, ACKS_MAX);
        r = nghttp2_session_server_new2(&session->ng, calls, session, option);
    }
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(calls);
    return r;
}

static int say_settings(struct h2_session *session)
{
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, HTTP2_STREAMS_MAX},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, HTTP2_WINDOW_BYTES},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE,
         (uint32_t)session->conn->server->options.header_bytes_max},
        {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
    };
    int r = nghttp2_submit_settings(session->ng, NGHTTP2_FLAG_NONE, settings, PX_COUNT(settings));
    if (r != 0) return r;
    return nghttp2_session_set_local_window_size(session->ng, NGHTTP2_FLAG_NONE, 0,
                                                 (int32_t)HTTP2_CONNECTION_WINDOW_BYTES);
}

static int begin(struct http_connection *conn)
{
    struct h2_session *session = calloc(1, sizeof *session);
    if (!session) return px_fault(PX_F_OOM, "an HTTP/2 session");
    session->conn = conn;
    session->written_ms = (int64_t)uv_now(conn->server->loop);
    int r = new_session(session);
    if (r == 0) r = say_settings(session);
    if (r != 0) {
        nghttp2_session_del(session->ng);
        free(session);
        return px_fault(PX_F_OOM, "an HTTP/2 session: %s", nghttp2_strerror(r));
    }
    conn->h2 = session;
    conn->protocol = &protocol;
    connection_set_state(conn, CONN_IDLE);
    connection_defer(conn); /* the settings go out with whatever comes first */
    return 0;
}

void http_server_offer_http2(struct http_server *server) { server->begin_http2 = begin; }
