/* http/tls_connection.c - one connection's TLS: what the socket brought goes to AWS-LC, and what comes out of
 * it where the plain connection would have read to.
 *
 * AWS-LC reads one record at a time and keeps what is not whole of it (at most 16 KiB), so what is left of a
 * read is left only where the connection wants no more for now; it is kept and no further read is made.
 * What is written is gathered in a buffer that all connections share and leaves it before the call returns.
 *
 * Bounds: of a handshake's bytes here, of its time and number in server.c. AWS-LC refuses renegotiation and
 * more than 32 KeyUpdates or empty records in a row (kMaxKeyUpdates, kMaxEmptyRecords in its ssl/). */
#include <openssl/err.h>
#include <stdlib.h>

#include "http/connection.h"
#include "http/tls_internal.h"

#define HANDSHAKE_BYTES_MAX (64u * 1024u)
#define RECORD_BYTES 16384u
#define OUT_BYTES (64u * 1024u)

struct transport_scratch {
    size_t out_bytes;
    char out[OUT_BYTES];
    char gathered[RECORD_BYTES];
};

struct tls_session {
    SSL *ssl;
    struct tls_set *set;
    struct http_tls *tls;
    struct http_client_certificate *client;
    struct px_str in; /* of this read */
    char *kept;       /* of reads before, while the connection wants nothing */
    size_t handshake_bytes;
    bool open, working, finished;
};

struct tls_greeter {
    struct http_greeter greeter; /* the first, so that one is the other */
    struct http_tls *tls;
    BIO_METHOD *method;
};

/* ---- the socket, as AWS-LC sees it ---- */

static void flush(struct http_connection *conn)
{
    struct transport_scratch *scratch = conn->server->transport_scratch;
    uv_buf_t piece = uv_buf_init(scratch->out, (unsigned)scratch->out_bytes);
    scratch->out_bytes = 0;
    if (piece.len > 0) connection_write_raw(conn, &piece, 1);
}

static int bio_write(BIO *bio, const char *bytes, int count)
{
    struct http_connection *conn = BIO_get_data(bio);
    struct transport_scratch *scratch = conn->server->transport_scratch;
    size_t left = (size_t)count;
    while (left > 0) {
        size_t n = PX_MIN(left, OUT_BYTES - scratch->out_bytes);
        memcpy(scratch->out + scratch->out_bytes, bytes, n);
        scratch->out_bytes += n;
        bytes += n;
        left -= n;
        if (left > 0) flush(conn);
    }
    return count;
}

static int bio_read(BIO *bio, char *into, int bytes_max)
{
    struct http_connection *conn = BIO_get_data(bio);
    struct px_str *in = &conn->tls->in;
    size_t n = PX_MIN(in->len, (size_t)bytes_max);
    BIO_clear_retry_flags(bio);
    if (n == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    memcpy(into, in->ptr, n);
    *in = px_str_skip(*in, n);
    return (int)n;
}

static long bio_ctrl(BIO *bio, int cmd, long num, void *ptr)
{
    (void)bio, (void)num, (void)ptr;
    return cmd == BIO_CTRL_FLUSH;
}

static BIO_METHOD *bio_method(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "connection");
    if (method && BIO_meth_set_read(method, bio_read) && BIO_meth_set_write(method, bio_write) &&
        BIO_meth_set_ctrl(method, bio_ctrl))
        return method;
    BIO_meth_free(method);
    return NULL;
}

/* ---- reading ---- */

void tls_session_shows(const SSL *ssl, const struct tls_entry *entry)
{
    struct http_connection *conn = SSL_get_app_data(ssl);
    conn->server_name = px_str_c(entry->name);
}

/* The library's word for it, or what is wrong with the certificate that was shown. */
static void tell_why(const struct http_connection *conn)
{
    uint32_t error = ERR_peek_error();
    const char *why = error ? ERR_reason_error_string(error) : NULL;
    if (ERR_GET_REASON(error) == SSL_R_CERTIFICATE_VERIFY_FAILED)
        why = X509_verify_cert_error_string(SSL_get_verify_result(conn->tls->ssl));
    connection_tell_handshake(conn, why ? why : "no reason given");
}

/* What AWS-LC had to say about it has been written. */
static void broke(struct http_connection *conn)
{
    bool plain = !conn->tls->open && ERR_GET_REASON(ERR_peek_error()) == SSL_R_HTTP_REQUEST;
    if (!conn->tls->open && !plain) tell_why(conn);
    ERR_clear_error();
    conn->tls->finished = true;
    if (plain) {
        conn->server->transport_scratch->out_bytes = 0;
        conn->transport = NULL;
        connection_refuse(conn, 400, "this port speaks TLS: say https");
        return;
    }
    flush(conn);
    if (conn->tls->open)
        connection_close(conn);
    else
        connection_linger(conn); /* so that the alert arrives */
}

static bool is_http2(const SSL *ssl)
{
    const uint8_t *name;
    unsigned bytes;
    SSL_get0_alpn_selected(ssl, &name, &bytes);
    return bytes == 2 && memcmp(name, "h2", 2) == 0;
}

static void shake_hands(struct http_connection *conn)
{
    struct tls_session *tls = conn->tls;
    int r = SSL_do_handshake(tls->ssl);
    if (r == 1) {
        tls->open = true;
        flush(conn);
        if (tls_client_new(tls->ssl, &tls->client) != 0) {
            connection_close(conn); /* no memory */
            return;
        }
        conn->client = tls->client;
        if (conn->state != CONN_GREETING) return;
        connection_set_state(conn, CONN_IDLE);
        if (is_http2(tls->ssl) && conn->server->begin_http2(conn) != 0) connection_close(conn);
    } else if (SSL_get_error(tls->ssl, r) != SSL_ERROR_WANT_READ) {
        broke(conn);
    } else {
        flush(conn);
    }
}

/* False: there is no more for now. */
static bool read_some(struct http_connection *conn)
{
    uv_buf_t place = connection_place(conn);
    if (!place.base || place.len == 0) {
        connection_ended(conn, UV_ENOBUFS);
        return false;
    }
    int n = SSL_read(conn->tls->ssl, place.base, (int)PX_MIN(place.len, (size_t)INT32_MAX));
    int error = n > 0 ? SSL_ERROR_NONE : SSL_get_error(conn->tls->ssl, n);
    if (error == SSL_ERROR_NONE) {
        connection_bytes(conn, place.base, (size_t)n);
        return true;
    }
    if (error == SSL_ERROR_WANT_READ) {
        flush(conn); /* an answer to a KeyUpdate */
        connection_rest(conn);
    } else if (error == SSL_ERROR_ZERO_RETURN) {
        connection_ended(conn, UV_EOF);
    } else {
        broke(conn);
    }
    return false;
}

static bool goes_on(const struct http_connection *conn)
{
    return conn->state != CONN_CLOSED && conn->state != CONN_LINGERING && !conn->peer_eof &&
           !conn->tls->finished;
}

/* What is in conn->tls->in. */
static void digest(struct http_connection *conn)
{
    struct tls_session *tls = conn->tls;
    if (!tls->open) shake_hands(conn);
    while (tls->open && goes_on(conn) && !conn->read_stopped && read_some(conn)) {}
}

static void keep_rest(struct http_connection *conn)
{
    struct tls_session *tls = conn->tls;
    char *kept = NULL;
    if (tls->in.len > 0 && goes_on(conn)) {
        kept = malloc(tls->in.len);
        if (kept)
            memcpy(kept, tls->in.ptr, tls->in.len);
        else
            connection_close(conn);
    }
    free(tls->kept);
    tls->kept = kept;
    tls->in = px_str(kept, kept ? tls->in.len : 0);
}

static bool keep_more(struct tls_session *tls, const char *bytes, size_t count)
{
    char *kept = realloc(tls->kept, tls->in.len + count);
    if (!kept) return false;
    memcpy(kept + tls->in.len, bytes, count);
    tls->kept = kept;
    tls->in = px_str(kept, tls->in.len + count);
    return true;
}

static void work(struct http_connection *conn)
{
    conn->tls->working = true;
    digest(conn);
    conn->tls->working = false;
    keep_rest(conn);
}

/* Only what did not complete it counts: behind a client's Finished its first request may come in the same read. */
static bool handshake_is_long(struct http_connection *conn, size_t count)
{
    if (conn->tls->open || !goes_on(conn)) return false;
    conn->tls->handshake_bytes += count;
    return conn->tls->handshake_bytes > HANDSHAKE_BYTES_MAX;
}

static void tls_received(struct http_connection *conn, const char *bytes, size_t count)
{
    struct tls_session *tls = conn->tls;
    if (tls->in.len > 0) {
        if (!keep_more(tls, bytes, count)) {
            connection_close(conn); /* no memory */
            return;
        }
    } else {
        tls->in = px_str(bytes, count);
    }
    work(conn);
    if (!handshake_is_long(conn, count)) return;
    connection_tell_handshake(conn, "it has too many bytes");
    connection_close(conn);
}

/* Never from inside a handler's call: it would be called again in the middle of it. */
static void tls_resumed(struct http_connection *conn)
{
    struct tls_session *tls = conn->tls;
    if (!tls->working && tls->open && (tls->in.len > 0 || SSL_pending(tls->ssl) > 0))
        connection_defer(conn);
}

/* ---- writing ---- */

static bool write_record(struct http_connection *conn, size_t count)
{
    ERR_clear_error();
    if (SSL_write(conn->tls->ssl, conn->server->transport_scratch->gathered, (int)count) > 0)
        return true;
    ERR_clear_error();
    conn->tls->finished = true;
    connection_close(conn);
    return false;
}

/* Small pieces share a record, so that an answer of a head and a short body is one. */
static void tls_write(struct http_connection *conn, const uv_buf_t *pieces, unsigned count)
{
    struct transport_scratch *scratch = conn->server->transport_scratch;
    size_t filled = 0;
    if (conn->tls->finished || !conn->tls->open) return;
    for (unsigned i = 0; i < count; i++) {
        struct px_str left = px_str(pieces[i].base, pieces[i].len);
        while (left.len > 0) {
            size_t n = PX_MIN(left.len, RECORD_BYTES - filled);
            memcpy(scratch->gathered + filled, left.ptr, n);
            left = px_str_skip(left, n);
            filled += n;
            if (filled < RECORD_BYTES) continue;
            if (!write_record(conn, filled)) return;
            filled = 0;
        }
    }
    if (filled > 0 && !write_record(conn, filled)) return;
    flush(conn);
}

/* close_notify tells the peer that it has everything, so it is not said when that is not so. */
static void tls_finish(struct http_connection *conn)
{
    struct tls_session *tls = conn->tls;
    if (tls->finished) return;
    tls->finished = true;
    if (!tls->open || conn->cut || conn->state == CONN_CLOSED) return;
    (void)SSL_shutdown(tls->ssl);
    ERR_clear_error();
    flush(conn);
}

/* ---- life ---- */

static const struct http_transport transport = {
    .received = tls_received,
    .write = tls_write,
    .resumed = tls_resumed,
    .turn = work,
    .finish = tls_finish,
};

static void session_free(struct http_connection *conn)
{
    struct tls_session *tls = conn->tls;
    conn->tls = NULL;
    SSL_free(tls->ssl);
    tls_client_free(&tls->client);
    tls_set_unref(&tls->set);
    http_tls_unref(&tls->tls);
    free(tls->kept);
    free(tls);
}

static int greet(struct http_greeter *greeter, struct http_connection *conn)
{
    struct tls_greeter *mine = (struct tls_greeter *)greeter;
    struct tls_session *tls = calloc(1, sizeof *tls);
    if (!tls) return px_fault(PX_F_OOM, "a TLS session");
    tls->tls = http_tls_ref(mine->tls);
    tls->set = mine->tls->set;
    tls->set->refs++;
    conn->tls = tls;
    conn->free_transport = session_free;
    BIO *bio = BIO_new(mine->method);
    tls->ssl = bio ? tls_set_ssl(tls->set) : NULL;
    if (!tls->ssl) {
        BIO_free(bio);
        return px_fault(PX_F_OOM, "a TLS session");
    }
    BIO_set_data(bio, conn);
    BIO_set_init(bio, 1);
    SSL_set_bio(tls->ssl, bio, bio);
    SSL_set_app_data(tls->ssl, conn);
    conn->transport = &transport;
    return 0;
}

static void greeter_free(struct http_greeter *greeter)
{
    struct tls_greeter *mine = (struct tls_greeter *)greeter;
    BIO_meth_free(mine->method);
    http_tls_unref(&mine->tls);
    free(mine);
}

static int greeter_new(struct http_server *server, struct http_tls *tls,
                       struct http_greeter **ret_greeter)
{
    if (!server->transport_scratch)
        server->transport_scratch = calloc(1, sizeof *server->transport_scratch);
    struct tls_greeter *mine = server->transport_scratch ? calloc(1, sizeof *mine) : NULL;
    if (!mine) return px_fault(PX_F_OOM, "TLS");
    mine->greeter = (struct http_greeter){server->greeters, greet, greeter_free};
    mine->tls = http_tls_ref(tls);
    server->greeters = &mine->greeter;
    mine->method = bio_method();
    if (!mine->method) return px_fault(PX_F_OOM, "TLS");
    *ret_greeter = &mine->greeter;
    return 0;
}

int http_server_listen_tls(struct http_server *server, struct http_tls *tls, const char *host,
                           uint16_t port, uint16_t *ret_port)
{
    struct http_greeter *greeter;
    PX_ASSERT(tls->set); /* something was loaded */
    PX_TRY(greeter_new(server, tls, &greeter));
    return server_listen_tcp(server, host, port, greeter, ret_port);
}
