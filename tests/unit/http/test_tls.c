/* The server's TLS against AWS-LC's client in the same loop. What other clients make of it is in tests/sys. */
#include "http/tls_rig.h"

#include <openssl/pem.h>

#define GET(path) S("GET " path " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")

static struct px_str body_of(struct px_str answer)
{
    const char *end = answer.len ? strstr(answer.ptr, "\r\n\r\n") : NULL;
    return end ? px_str_skip(answer, (size_t)(end + 4 - answer.ptr)) : S("no answer");
}

static struct px_str get(struct test *t, struct tls_rig *rig, struct tls_client *client)
{
    bool whole = false;
    CHECK(tls_client_shake(rig, client));
    CHECK(tls_client_say(rig, client, GET("/a")));
    struct px_str answer = tls_client_hear(t, rig, client, 4096, &whole);
    CHECK(whole);
    return body_of(answer);
}

/* ---- ordinary ---- */

TEST(both_versions_are_spoken_and_nothing_older)
{
    struct tls_rig *rig = tls_rig_new(t, (struct http_server_options){0});
    static const uint16_t versions[] = {TLS1_2_VERSION, TLS1_3_VERSION, TLS1_1_VERSION,
                                        TLS1_VERSION};
    for (size_t i = 0; i < PX_COUNT(versions); i++) {
        struct tls_client client = tls_client_new(rig);
        CHECK(SSL_set_min_proto_version(client.ssl, versions[i]));
        CHECK(SSL_set_max_proto_version(client.ssl, versions[i]));
        if (i < 2)
            CHECK_STR(get(t, rig, &client), S("/a"));
        else
            CHECK(!tls_client_shake(rig, &client));
        tls_client_end(&client);
    }
    CHECK_INT(rig->requests, 2);
    tls_rig_end(rig);
}

TEST(ciphers_without_forward_secrecy_or_aead_are_refused)
{
    struct tls_rig *rig = tls_rig_new(t, (struct http_server_options){0});
    static const char *const weak[] = {"AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA",
                                       "ECDHE-ECDSA-AES256-SHA", "AES256-SHA"};
    for (size_t i = 0; i < PX_COUNT(weak); i++) {
        struct tls_client client = tls_client_new(rig);
        CHECK(SSL_set_max_proto_version(client.ssl, TLS1_2_VERSION));
        CHECK(SSL_set_strict_cipher_list(client.ssl, weak[i]));
        CHECK(!tls_client_shake(rig, &client));
        tls_client_end(&client);
    }
    tls_rig_end(rig);
}

/* Larger than every buffer on the way, and read by the client in its own time. */
TEST(large_bodies_go_both_ways)
{
    struct tls_rig *rig = tls_rig_new(t, (struct http_server_options){0});
    struct tls_client client = tls_client_new(rig);
    struct px_buf text;
    size_t bytes = 3 << 20;
    px_buf_init(&text, 4 << 20);
    px_buf_printf(&text,
                  "POST /p HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n",
                  bytes);
    for (size_t i = 0; i < bytes; i++) px_buf_add_char(&text, (char)('a' + i % 23));
    CHECK_OK(px_buf_fault(&text));
    CHECK(tls_client_shake(rig, &client));
    CHECK(tls_client_say(rig, &client, px_buf_str(&text)));
    for (int i = 0; i < 20; i++) rig_turn(rig);
    bool whole = false;
    struct px_str answer = tls_client_hear(t, rig, &client, 4 << 20, &whole);
    CHECK(whole);
    CHECK_STR(body_of(answer), px_str_skip(px_buf_str(&text), text.len - bytes));
    px_buf_deinit(&text);
    tls_client_end(&client);
    tls_rig_end(rig);
}

/* Reading stands still while a handler has a request and the room behind it is full. */
TEST(pipelined_requests_that_were_held_back_are_answered)
{
    struct tls_rig *rig = tls_rig_new(t, (struct http_server_options){0});
    struct tls_client client = tls_client_new(rig);
    struct px_buf text;
    unsigned count = 6000;
    px_buf_init(&text, 4 << 20);
    px_buf_add_c(&text, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
    for (unsigned i = 0; i < count; i++)
        px_buf_printf(&text, "GET /%05u HTTP/1.1\r\nHost: x\r\n%s\r\n", i,
                      i + 1 == count ? "Connection: close\r\n" : "");
    CHECK(tls_client_shake(rig, &client));
    struct px_str left = px_buf_str(&text);
    for (int stuck = 0; left.len > 0 && stuck < 200;) { /* till the sockets' buffers are full too */
        int n = SSL_write(client.ssl, left.ptr, (int)PX_MIN(left.len, (size_t)16384));
        stuck = n > 0 ? 0 : stuck + 1;
        left = px_str_skip(left, n > 0 ? (size_t)n : 0);
        rig_turn(rig);
    }
    CHECK_INT(rig->requests, 1);
    http_reply(PX_TAKE(rig->held), 200, NULL, 0, S("held"));
    SSL_set_mode(client.ssl, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    CHECK(tls_client_say(rig, &client, left));
    bool whole = false;
    struct px_str answer = tls_client_hear(t, rig, &client, 8 << 20, &whole);
    CHECK(whole);
    CHECK_INT(rig->requests, count + 1);
    CHECK(strstr(answer.ptr, "/05999") != NULL);
    px_buf_deinit(&text);
    tls_client_end(&client);
    tls_rig_end(rig);
}

/* ---- names, tickets, new certificates ---- */

TEST(the_name_chooses_the_certificate)
{
    struct tls_rig *rig = tls_rig_new(t, (struct http_server_options){0});
    struct certificate first, exact, star;
    rig_issue(t, rig, S("localhost"), &first);
    rig_issue(t, rig, S("api.example.org"), &exact);
    rig_issue(t, rig, S("*.example.org"), &star);
    struct http_tls_identity identities[] = {rig_identity(S(""), &first),
                                             rig_identity(S("*.example.org"), &star),
                                             rig_identity(S("api.example.org"), &exact)};
    CHECK_OK(http_tls_load(rig->tls, identities, PX_COUNT(identities)));
    static const struct {
        const char *asked, *shown;
    } cases[] = {{"localhost", "localhost"},
                 {"api.example.org", "api.example.org"},
                 {"API.example.org", "api.example.org"},
                 {"x.example.org", "*.example.org"},
                 {"a.b.example.org", "localhost"},
                 {"example.org", "localhost"},
                 {NULL, "localhost"}};
    for (size_t i = 0; i < PX_COUNT(cases); i++) {
        struct tls_client client = tls_client_new(rig);
        char shown[64] = "";
        if (cases[i].asked) CHECK(SSL_set_tlsext_host_name(client.ssl, cases[i].asked));
        CHECK_STR(get(t, rig, &client), S("/a"));
        X509 *leaf = SSL_get_peer_certificate(client.ssl);
        CHECK(X509_NAME_get_text_by_NID(X509_get_subject_name(leaf), NID_commonName, shown,
                                        sizeof shown) > 0);
        CHECK_STR(px_str_c(shown), px_str_c(cases[i].shown));
        X509_free(leaf);
        tls_client_end(&client);
    }
    certificate_deinit(&first);
    certificate_deinit(&exact);
    certificate_deinit(&star);
    tls_rig_end(rig);
}

/* A session for the next handshake of the same context; the caller's. */
static int on_session(SSL *ssl, SSL_SESSION *session)
{
    SSL_SESSION **kept = SSL_get_ex_data(ssl, 0);
    if (*kept) SSL_SESSION_free(*kept);
    *kept = session;
    return 1;
}

static bool resumes(struct test *t, struct tls_rig *rig, uint16_t version, SSL_SESSION **session)
{
    struct tls_client client = tls_client_new(rig);
    SSL_SESSION *offered = *session;
    *session = NULL;
    SSL_CTX_set_session_cache_mode(client.context, SSL_SESS_CACHE_CLIENT);
    SSL_CTX_sess_set_new_cb(client.context, on_session);
    SSL_set_ex_data(client.ssl, 0, session);
    CHECK(SSL_set_max_proto_version(client.ssl, version));
    if (offered) SSL_set_session(client.ssl, offered);
    CHECK_STR(get(t, rig, &client), S("/a"));
    bool resumed = SSL_session_reused(client.ssl);
    if (*session)
        SSL_SESSION_free(offered);
    else
        *session = offered; /* no new one was given */
    tls_client_end(&client);
    return resumed;
}

TEST(sessions_resume_across_new_certificates_and_end_with_their_keys)
{
    struct tls_rig *rig = tls_rig_new(t, (struct http_server_options){0});
    static const uint16_t versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    for (size_t i = 0; i < PX_COUNT(versions); i++) {
        SSL_SESSION *session = NULL;
        CHECK(!resumes(t, rig, versions[i], &session));
        CHECK(resumes(t, rig, versions[i], &session));
        rig_load(t, rig, S("localhost"));
        CHECK(resumes(t, rig, versions[i], &session));
        test_advance(t, (TLS_TICKET_KEY_S + 1) * PX_NS_PER_S); /* the key before still reads */
        CHECK(resumes(t, rig, versions[i], &session));
        test_advance(t, (2 * TLS_TICKET_KEY_S + 1) * PX_NS_PER_S);
        CHECK(!resumes(t, rig, versions[i], &session));
        SSL_SESSION_free(session);
    }
    tls_rig_end(rig);
}

TEST(a_connection_goes_on_while_certificates_change)
{
    struct tls_rig *rig = tls_rig_new(t, (struct http_server_options){0});
    struct tls_client old = tls_client_new(rig);
    CHECK(tls_client_shake(rig, &old));
    rig_load(t, rig, S("localhost"));
    CHECK_STR(get(t, rig, &old), S("/a"));
    tls_client_end(&old);
    tls_rig_end(rig);
}

TEST(what_cannot_be_shown_changes_nothing)
{
    struct tls_rig *rig = tls_rig_new(t, (struct http_server_options){0});
    struct certificate leaf, other;
    rig_issue(t, rig, S("localhost"), &leaf);
    rig_issue(t, rig, S("localhost"), &other);
    struct http_tls_identity good = rig_identity(S(""), &leaf), bad = good;
    bad.key_pem = px_buf_str(&other.key_pem);
    CHECK_INT(http_tls_load(rig->tls, &bad, 1), PX_F_CONFIG);
    bad.key_pem = S("no key");
    CHECK_INT(http_tls_load(rig->tls, &bad, 1), PX_F_CONFIG);
    bad = good;
    bad.chain_pem = S("");
    CHECK_INT(http_tls_load(rig->tls, &bad, 1), PX_F_CONFIG);
    bad.chain_pem = px_str(good.chain_pem.ptr, good.chain_pem.len / 2);
    CHECK_INT(http_tls_load(rig->tls, &bad, 1), PX_F_CONFIG);
    bad = good;
    bad.trust_pem = S("nobody");
    CHECK_INT(http_tls_load(rig->tls, &bad, 1), PX_F_CONFIG);
    test_advance(t, 31 * RIG_DAY_S * PX_NS_PER_S);
    CHECK_INT(http_tls_load(rig->tls, &good, 1), PX_F_CONFIG); /* has ended */
    struct tls_client client = tls_client_new(rig);
    CHECK_STR(get(t, rig, &client), S("/a"));
    tls_client_end(&client);
    certificate_deinit(&leaf);
    certificate_deinit(&other);
    tls_rig_end(rig);
}

/* ---- clients that show certificates ---- */

struct clients {
    struct tls_rig *rig;
    unsigned failed;
    char why[128];
};

static void on_asked(void *ctx, struct http_request *request)
{
    const struct http_client_certificate *c = request->client;
    (void)ctx;
    char text[512] = "nobody";
    if (c)
        (void)snprintf(text, sizeof text, "%.*s|%.*s|%.*s|%zu|%.*s|%.*s",
                       PX_FMT(request->server_name), PX_FMT(c->subject), PX_FMT(c->issuer),
                       c->serial.len, PX_FMT(c->not_before), PX_FMT(px_str(c->pem.ptr, 27)));
    http_reply(request, 200, NULL, 0, px_str_c(text));
}

static void on_failed(void *ctx, struct px_str peer, const char *why)
{
    struct clients *clients = ctx;
    CHECK_STR(peer, S("127.0.0.1"));
    clients->failed++;
    (void)snprintf(clients->why, sizeof clients->why, "%s", why);
}

/* Who shows this to that name, and what comes of it; "" when it is refused. */
static struct px_str shows(struct test *t, struct tls_rig *rig, const char *name,
                           const struct certificate *certificate, SSL_SESSION **session)
{
    struct tls_client client = tls_client_new(rig);
    bool whole = false;
    CHECK(SSL_set_tlsext_host_name(client.ssl, name));
    if (certificate) {
        BIO *pem = BIO_new_mem_buf(certificate->certificate_pem.ptr,
                                   (ossl_ssize_t)certificate->certificate_pem.len);
        BIO *key = BIO_new_mem_buf(certificate->key_pem.ptr,
                                   (ossl_ssize_t)certificate->key_pem.len);
        X509 *leaf = PEM_read_bio_X509(pem, NULL, NULL, NULL);
        EVP_PKEY *secret = PEM_read_bio_PrivateKey(key, NULL, NULL, NULL);
        CHECK(SSL_use_certificate(client.ssl, leaf) && SSL_use_PrivateKey(client.ssl, secret));
        X509_free(leaf);
        EVP_PKEY_free(secret);
        BIO_free(pem);
        BIO_free(key);
    }
    if (session) {
        SSL_CTX_set_session_cache_mode(client.context, SSL_SESS_CACHE_CLIENT);
        SSL_CTX_sess_set_new_cb(client.context, on_session);
        SSL_set_ex_data(client.ssl, 0, session);
    }
    struct px_str answer = S("");
    if (tls_client_shake(rig, &client) && tls_client_say(rig, &client, GET("/a")))
        answer = tls_client_hear(t, rig, &client, 4096, &whole);
    tls_client_end(&client);
    return whole ? body_of(answer) : S("");
}

TEST(a_name_with_a_truststore_is_for_those_that_it_trusts)
{
    struct clients clients = {0};
    struct tls_rig *rig = tls_rig_new(
        t, (struct http_server_options){
               .on_request = on_asked, .on_handshake_failed = on_failed, .ctx = &clients});
    struct certificate first, asking, good, foreign, other;
    struct certificate_wish wish = {.subject = S("device 1"),
                                    .from_s = px_wall_ns(&px_clock_system) / PX_NS_PER_S -
                                              RIG_DAY_S,
                                    .to_s = px_wall_ns(&px_clock_system) / PX_NS_PER_S + RIG_DAY_S};
    rig_issue(t, rig, S("localhost"), &first);
    rig_issue(t, rig, S("acme.example.org"), &asking);
    certificate_init(&good);
    certificate_init(&foreign);
    certificate_init(&other);
    CHECK_OK(certificate_authority(&wish, &other)); /* trusts devices, and is not the server's */
    CHECK_OK(certificate_issue(&other, &wish, &good));
    CHECK_OK(certificate_issue(&rig->authority, &wish, &foreign));
    struct http_tls_identity identities[] = {rig_identity(S(""), &first),
                                             rig_identity(S("acme.example.org"), &asking)};
    identities[1].trust_pem = px_buf_str(&other.certificate_pem);
    CHECK_OK(http_tls_load(rig->tls, identities, PX_COUNT(identities)));

    SSL_SESSION *session = NULL;
    struct px_str answer = shows(t, rig, "acme.example.org", &good, &session);
    CHECK(px_str_starts(answer, S("acme.example.org|CN=device 1|CN=device 1|")));
    CHECK(strstr(answer.ptr, " GMT|-----BEGIN CERTIFICATE-----"));
    CHECK(!session); /* no ticket: what is trusted may change */
    CHECK_STR(shows(t, rig, "localhost", NULL, NULL), S("nobody"));
    CHECK_STR(shows(t, rig, "localhost", &good, NULL), S("nobody"));
    CHECK_INT(clients.failed, 0);
    CHECK_STR(shows(t, rig, "acme.example.org", NULL, NULL), S(""));
    CHECK_INT(clients.failed, 1);
    CHECK_STR(px_str_c(clients.why), S("PEER_DID_NOT_RETURN_A_CERTIFICATE"));
    CHECK_STR(shows(t, rig, "acme.example.org", &foreign, NULL), S(""));
    CHECK_INT(clients.failed, 2);
    CHECK(strstr(clients.why, "issuer"));

    certificate_deinit(&first);
    certificate_deinit(&asking);
    certificate_deinit(&good);
    certificate_deinit(&foreign);
    certificate_deinit(&other);
    tls_rig_end(rig);
}

TEST(nothing_is_signed_with_sha1)
{
    struct tls_rig *rig = tls_rig_new(t, (struct http_server_options){0});
    static const uint16_t old[] = {SSL_SIGN_ECDSA_SHA1, SSL_SIGN_RSA_PKCS1_SHA1};
    struct tls_client client = tls_client_new(rig);
    CHECK(SSL_set_max_proto_version(client.ssl, TLS1_2_VERSION));
    CHECK(SSL_set_verify_algorithm_prefs(client.ssl, old, PX_COUNT(old)));
    CHECK(!tls_client_shake(rig, &client));
    tls_client_end(&client);
    tls_rig_end(rig);
}

/* ---- peers that are wrong, slow or many ---- */

/* What the server says to these bytes until it closes. */
static struct px_str raw(struct test *t, struct tls_rig *rig, struct px_str text)
{
    int fd = dial_port(rig->port);
    char *answer = px_arena_zalloc(&t->arena, 4096);
    size_t got = 0;
    ssize_t n = send(fd, text.ptr, text.len, MSG_NOSIGNAL);
    CHECK_INT(n, text.len);
    while ((n = recv(fd, answer + got, 4095 - got, 0)) != 0) {
        if (n < 0 && errno != EAGAIN) break;
        if (n > 0) got += (size_t)n;
        rig_turn(rig);
    }
    px_close(&fd);
    return px_str(answer, got);
}

TEST(plain_http_is_told_so_and_noise_gets_an_alert)
{
    struct tls_rig *rig = tls_rig_new(t, (struct http_server_options){0});
    struct px_str answer = raw(t, rig, GET("/a"));
    CHECK(px_str_starts(answer, S("HTTP/1.1 400 ")) && strstr(answer.ptr, "https"));
    answer = raw(t, rig, S("\x16\x03\x01\x00\x05hello"));
    CHECK(answer.len == 7 && answer.ptr[0] == 21);         /* an alert */
    CHECK(raw(t, rig, S("SSH-2.0-OpenSSH\r\n")).len <= 7); /* the same, or nothing */
    CHECK_INT(rig->requests, 0);
    tls_rig_end(rig);
}

TEST(a_handshake_has_few_bytes)
{
    struct tls_rig *rig = tls_rig_new(t, (struct http_server_options){0});
    static const char head[9] = {0x16, 3, 1, 0x40, 0, 1, '\xff', '\xff', '\xff'};
    static char hello[80 * 1024];
    /* records of a ClientHello that says it has 16 MiB */
    for (size_t i = 0; i + 16389 <= sizeof hello; i += 16389) memcpy(hello + i, head, sizeof head);
    CHECK(raw(t, rig, px_str(hello, sizeof hello)).len <= 7);
    tls_rig_end(rig);
}

TEST(the_oldest_of_too_many_handshakes_makes_room)
{
    struct tls_rig *rig = tls_rig_new(t, (struct http_server_options){.connections_max = 3});
    int fds[4];
    for (size_t i = 0; i < PX_COUNT(fds); i++) {
        fds[i] = dial_port(rig->port);
        while (http_server_connections(rig->server) < PX_MIN(i + 1, (size_t)3)) rig_turn(rig);
    }
    char byte;
    while (recv(fds[3], &byte, 1, 0) != 0) rig_turn(rig); /* one too many is closed at once */
    px_close(&fds[0]);
    while (http_server_connections(rig->server) > 2) rig_turn(rig);
    struct tls_client client = tls_client_new(rig);
    CHECK_STR(get(t, rig, &client), S("/a"));
    tls_client_end(&client);
    for (size_t i = 1; i < PX_COUNT(fds); i++) px_close(&fds[i]);
    tls_rig_end(rig);
}

TEST(an_answer_that_was_cut_does_not_end_as_if_it_were_whole)
{
    struct tls_rig *rig = tls_rig_new(t, (struct http_server_options){0});
    struct tls_client client = tls_client_new(rig);
    CHECK(tls_client_shake(rig, &client));
    CHECK(tls_client_say(rig, &client, S("GET /hold HTTP/1.1\r\nHost: x\r\n\r\n")));
    while (!rig->held) rig_turn(rig);
    http_reply_begin(rig->held, 200, NULL, 0, NULL, NULL);
    (void)http_reply_piece(rig->held, S("half"));
    http_reply_end(PX_TAKE(rig->held), false);
    bool whole = true;
    struct px_str answer = tls_client_hear(t, rig, &client, 4096, &whole);
    CHECK(!whole && strstr(answer.ptr, "half"));
    tls_client_end(&client);
    tls_rig_end(rig);
}

TEST(a_peer_that_goes_is_seen)
{
    struct tls_rig *rig = tls_rig_new(t, (struct http_server_options){0});
    struct tls_client client = tls_client_new(rig);
    CHECK(tls_client_shake(rig, &client));
    CHECK(tls_client_say(rig, &client, S("GET /hold HTTP/1.1\r\nHost: x\r\n\r\n")));
    while (!rig->held) rig_turn(rig);
    tls_client_end(&client);
    while (rig->gone == 0) rig_turn(rig);
    tls_rig_end(rig);
}

TEST_MAIN
