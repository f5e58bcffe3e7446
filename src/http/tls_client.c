/* http/tls_client.c - what a client's certificate says, as text for whoever handles its requests. */
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>

#include "base/px_arena.h"
#include "http/tls_internal.h"

#define TEXT_BYTES_MAX (128u * 1024u) /* a chain may have 32 KiB: tls.c */

struct shown {
    struct http_client_certificate what; /* the first, so that one is the other */
    struct px_arena arena;
};

/* Takes the text over. */
static struct px_str keep(struct px_arena *arena, BIO *text, bool good)
{
    const uint8_t *bytes = NULL;
    size_t count = 0;
    if (!text || !good || !BIO_mem_contents(text, &bytes, &count)) count = 0;
    struct px_str kept = px_arena_dup(arena, px_str((const char *)bytes, count));
    BIO_free(text);
    return kept;
}

static struct px_str name_text(struct px_arena *arena, X509_NAME *name)
{
    BIO *text = BIO_new(BIO_s_mem());
    bool good = text && X509_NAME_print_ex(text, name, 0,
                                           ASN1_STRFLGS_RFC2253 | XN_FLAG_SEP_COMMA_PLUS |
                                               XN_FLAG_FN_SN) >= 0;
    return keep(arena, text, good);
}

static struct px_str time_text(struct px_arena *arena, const ASN1_TIME *at)
{
    BIO *text = BIO_new(BIO_s_mem());
    bool good = text && ASN1_TIME_print(text, at);
    return keep(arena, text, good);
}

static struct px_str pem_text(struct px_arena *arena, X509 *certificate)
{
    BIO *text = BIO_new(BIO_s_mem());
    bool good = text && PEM_write_bio_X509(text, certificate);
    return keep(arena, text, good);
}

static struct px_str serial_text(struct px_arena *arena, const X509 *certificate)
{
    const ASN1_INTEGER *serial = X509_get0_serialNumber(certificate);
    const uint8_t *bytes = ASN1_STRING_get0_data(serial);
    size_t count = (size_t)ASN1_STRING_length(serial);
    char *text = px_arena_alloc(arena, 3 * count + 1);
    if (!text) return (struct px_str){0};
    for (size_t i = 0; i < count; i++) (void)snprintf(text + 3 * i, 4, "%02x:", bytes[i]);
    return px_str(text, count ? 3 * count - 1 : 0);
}

int tls_client_new(const SSL *ssl, struct http_client_certificate **ret_client)
{
    X509 *certificate = SSL_get_peer_certificate(ssl);
    if (!certificate) return 0;
    struct shown *shown = calloc(1, sizeof *shown);
    if (!shown) {
        X509_free(certificate);
        return px_fault(PX_F_OOM, "a client's certificate");
    }
    struct px_arena *arena = &shown->arena;
    px_arena_init(arena, TEXT_BYTES_MAX);
    shown->what = (struct http_client_certificate){
        .pem = pem_text(arena, certificate),
        .subject = name_text(arena, X509_get_subject_name(certificate)),
        .issuer = name_text(arena, X509_get_issuer_name(certificate)),
        .serial = serial_text(arena, certificate),
        .not_before = time_text(arena, X509_get0_notBefore(certificate)),
        .not_after = time_text(arena, X509_get0_notAfter(certificate))};
    X509_free(certificate);
    ERR_clear_error();
    struct http_client_certificate *client = &shown->what;
    if (!px_arena_full(arena)) {
        *ret_client = client;
        return 0;
    }
    int r = px_arena_fault(arena);
    tls_client_free(&client);
    return r;
}

void tls_client_free(struct http_client_certificate **client)
{
    struct shown *shown = (struct shown *)*client;
    *client = NULL;
    if (!shown) return;
    px_arena_deinit(&shown->arena);
    free(shown);
}
