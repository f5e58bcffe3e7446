/* tests/unit/http/tls_rig.h - a server with TLS and a client of it in one loop and one thread: the client never blocks, and the loop
 * turns while it waits. */
#pragma once

#include "support/support.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>

#include "http/certificate.h"
#include "http/tls.h"

#include "dial.h"

#define RIG_DAY_S 86400

/* libuv and AWS-LC open descriptors of their own when they are first used, which no test left open. */
__attribute__((constructor)) static void rig_warm_up(void)
{
    uv_loop_t loop;
    uint8_t byte;
    PX_ASSERT(uv_loop_init(&loop) == 0 && uv_loop_close(&loop) == 0);
    PX_ASSERT(RAND_bytes(&byte, 1) == 1);
}

struct tls_rig {
    uv_loop_t loop;
    struct http_server *server;
    struct http_tls *tls;
    struct certificate authority;
    uint16_t port;
    struct http_request *held; /* of /hold, until the test answers it */
    unsigned requests, gone;
};

struct tls_client {
    int fd;
    SSL_CTX *context;
    SSL *ssl;
};

static inline void rig_on_request(void *ctx, struct http_request *request)
{
    struct tls_rig *rig = ctx;
    rig->requests++;
    if (px_str_eq(request->path, S("/hold")))
        rig->held = request;
    else
        http_reply(request, 200, NULL, 0, request->body.len > 0 ? request->body : request->path);
}

static inline void rig_on_gone(void *ctx, struct http_request *request)
{
    (void)request;
    ((struct tls_rig *)ctx)->gone++;
}

static inline void rig_turn(struct tls_rig *rig)
{
    uv_run(&rig->loop, UV_RUN_NOWAIT);
    usleep(500);
}

/* Signed by the rig's authority, for the name. */
static inline void rig_issue(struct test *t, struct tls_rig *rig, struct px_str name,
                             struct certificate *ret)
{
    struct certificate_wish wish = {.subject = name,
                                    .names = &name,
                                    .name_count = 1,
                                    .from_s = t->now_ns / PX_NS_PER_S,
                                    .to_s = t->now_ns / PX_NS_PER_S + 30 * RIG_DAY_S};
    certificate_init(ret);
    CHECK_OK(certificate_issue(&rig->authority, &wish, ret));
}

static inline struct http_tls_identity rig_identity(struct px_str name,
                                                    const struct certificate *certificate)
{
    return (struct http_tls_identity){.name = name,
                                      .chain_pem = px_buf_str(&certificate->certificate_pem),
                                      .key_pem = px_buf_str(&certificate->key_pem)};
}

static inline void rig_load(struct test *t, struct tls_rig *rig, struct px_str name)
{
    struct certificate leaf;
    rig_issue(t, rig, name, &leaf);
    struct http_tls_identity identity = rig_identity(S(""), &leaf);
    CHECK_OK(http_tls_load(rig->tls, &identity, 1));
    certificate_deinit(&leaf);
}

static inline struct tls_rig *tls_rig_new(struct test *t, struct http_server_options options)
{
    struct tls_rig *rig = px_arena_new(&t->arena, struct tls_rig);
    struct certificate_wish wish = {.subject = S("authority of a test"),
                                    .from_s = t->now_ns / PX_NS_PER_S,
                                    .to_s = t->now_ns / PX_NS_PER_S + 365 * RIG_DAY_S};
    CHECK_INT(uv_loop_init(&rig->loop), 0);
    if (!options.on_request) options.on_request = rig_on_request;
    if (!options.on_gone) options.on_gone = rig_on_gone;
    if (!options.ctx) options.ctx = rig;
    certificate_init(&rig->authority);
    CHECK_OK(certificate_authority(&wish, &rig->authority));
    CHECK_OK(http_tls_new(&t->clock, &rig->tls));
    rig_load(t, rig, S("localhost"));
    CHECK_OK(http_server_new(&rig->loop, &options, &rig->server));
    CHECK_OK(http_server_listen_tls(rig->server, rig->tls, "127.0.0.1", 0, &rig->port));
    return rig;
}

static inline void tls_rig_end(struct tls_rig *rig)
{
    http_server_free(&rig->server);
    if (rig->held) http_reply(rig->held, 200, NULL, 0, S("late"));
    uv_run(&rig->loop, UV_RUN_DEFAULT);
    CHECK_INT(uv_loop_close(&rig->loop), 0);
    http_tls_unref(&rig->tls);
    certificate_deinit(&rig->authority);
}

/* A client that trusts the rig's authority, before its handshake. */
static inline struct tls_client tls_client_new(const struct tls_rig *rig)
{
    struct tls_client client = {.fd = dial_port(rig->port),
                                .context = SSL_CTX_new(TLS_client_method())};
    struct px_str pem = px_buf_str(&rig->authority.certificate_pem);
    BIO *text = BIO_new_mem_buf(pem.ptr, (ossl_ssize_t)pem.len);
    X509 *authority = PEM_read_bio_X509(text, NULL, NULL, NULL);
    CHECK(X509_STORE_add_cert(SSL_CTX_get_cert_store(client.context), authority));
    X509_free(authority);
    BIO_free(text);
    X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(client.context), X509_V_FLAG_NO_CHECK_TIME);
    SSL_CTX_set_verify(client.context, SSL_VERIFY_PEER, NULL);
    client.ssl = SSL_new(client.context);
    CHECK(SSL_set_fd(client.ssl, client.fd));
    return client;
}

static inline void tls_client_end(struct tls_client *client)
{
    SSL_free(client->ssl);
    SSL_CTX_free(client->context);
    px_close(&client->fd);
    ERR_clear_error();
}

static inline bool wants_more(const struct tls_client *client, int r)
{
    int error = SSL_get_error(client->ssl, r);
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
}

/* False: the handshake failed. */
static inline bool tls_client_shake(struct tls_rig *rig, struct tls_client *client)
{
    int r;
    while ((r = SSL_connect(client->ssl)) != 1) {
        if (!wants_more(client, r)) return false;
        rig_turn(rig);
    }
    return true;
}

static inline bool tls_client_say(struct tls_rig *rig, struct tls_client *client,
                                  struct px_str text)
{
    while (text.len > 0) {
        int n = SSL_write(client->ssl, text.ptr, (int)PX_MIN(text.len, (size_t)16384));
        if (n > 0)
            text = px_str_skip(text, (size_t)n);
        else if (!wants_more(client, n))
            return false;
        rig_turn(rig);
    }
    return true;
}

/* What came until `count` bytes or the end; ret_whole: the end was said with close_notify. */
static inline struct px_str tls_client_hear(struct test *t, struct tls_rig *rig,
                                            struct tls_client *client, size_t count,
                                            bool *ret_whole)
{
    char *text = px_arena_zalloc(&t->arena, count + 1);
    size_t got = 0;
    while (got < count) {
        int n = SSL_read(client->ssl, text + got, (int)(count - got));
        if (n > 0) {
            got += (size_t)n;
        } else if (wants_more(client, n)) {
            rig_turn(rig);
        } else {
            if (ret_whole) *ret_whole = SSL_get_error(client->ssl, n) == SSL_ERROR_ZERO_RETURN;
            break;
        }
    }
    ERR_clear_error();
    return px_str(text, got);
}
