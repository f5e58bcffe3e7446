/* http/tls.c - certificates and what is offered: one context of AWS-LC per certificate, chosen by the
 * name that a client asks for. All contexts of one http_tls share ticket keys, so that a new certificate
 * does not end sessions; a ticket is worth something only for the name that it was given for. */
#include <openssl/err.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <stdlib.h>

#include "http/connection.h"
#include "http/tls_internal.h"

#define CERTIFICATES_MAX 64
#define CHAIN_MAX 10
#define CLIENT_CHAIN_BYTES_MAX (32u * 1024u)

/* RFC 9325 section 4.2: forward secrecy and AEAD, nothing else. TLS 1.3 has only such. */
#define CIPHERS_1_2                                                                                \
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"                                   \
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"                                   \
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
#define GROUPS "X25519MLKEM768:X25519:P-256:P-384"
/* Of handshakes and of clients' certificates; the library would end its list with SHA-1. RFC 9155 */
static const uint16_t signatures[] = {
    SSL_SIGN_ECDSA_SECP256R1_SHA256, SSL_SIGN_RSA_PSS_RSAE_SHA256,
    SSL_SIGN_RSA_PKCS1_SHA256,       SSL_SIGN_ECDSA_SECP384R1_SHA384,
    SSL_SIGN_RSA_PSS_RSAE_SHA384,    SSL_SIGN_RSA_PKCS1_SHA384,
    SSL_SIGN_ECDSA_SECP521R1_SHA512, SSL_SIGN_RSA_PSS_RSAE_SHA512,
    SSL_SIGN_RSA_PKCS1_SHA512,       SSL_SIGN_ED25519};

const char *tls_error(void)
{
    uint32_t error = ERR_get_error();
    const char *reason = error ? ERR_reason_error_string(error) : NULL;
    ERR_clear_error();
    return reason ? reason : "no reason given";
}

/* ---- tickets ---- */

static int ticket_key_new(const struct http_tls *tls, struct tls_ticket_key *key)
{
    key->born_ns = PX_MAX(px_mono_ns(tls->clock), 1);
    return RAND_bytes(key->name, sizeof key->name) && RAND_bytes(key->cipher, sizeof key->cipher) &&
           RAND_bytes(key->mac, sizeof key->mac);
}

/* Lazily: a key that nobody used needs no timer. The one before is good for reading for as long again. */
static bool ticket_keys_turn(struct http_tls *tls)
{
    int64_t life_ns = TLS_TICKET_KEY_S * PX_NS_PER_S, now_ns = px_mono_ns(tls->clock);
    if (tls->keys[0].born_ns && now_ns - tls->keys[0].born_ns < life_ns) return true;
    bool old = now_ns - tls->keys[0].born_ns >= 2 * life_ns;
    tls->keys[1] = old ? (struct tls_ticket_key){0} : tls->keys[0];
    return ticket_key_new(tls, &tls->keys[0]);
}

static struct http_tls *tls_of(const SSL *ssl)
{
    return SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
}

static int on_ticket(SSL *ssl, uint8_t *name, uint8_t *iv, EVP_CIPHER_CTX *cipher, HMAC_CTX *mac,
                     int encrypt)
{
    struct http_tls *tls = tls_of(ssl);
    if (!ticket_keys_turn(tls)) return -1;
    for (size_t i = 0; i < PX_COUNT(tls->keys); i++) {
        const struct tls_ticket_key *key = &tls->keys[i];
        if (!key->born_ns || (!encrypt && memcmp(name, key->name, sizeof key->name) != 0)) continue;
        if (encrypt && !RAND_bytes(iv, EVP_CIPHER_iv_length(EVP_aes_128_cbc()))) return -1;
        if (encrypt) memcpy(name, key->name, sizeof key->name);
        if (!EVP_CipherInit_ex(cipher, EVP_aes_128_cbc(), NULL, key->cipher, iv, encrypt) ||
            !HMAC_Init_ex(mac, key->mac, sizeof key->mac, EVP_sha256(), NULL))
            return -1;
        return i == 0 ? 1 : 2; /* 2: read, and worth a new one */
    }
    return 0;
}

/* ---- what clients show ---- */

/* The library takes SHA-1 in certificates; API Gateway calls such a client's insecure. Of a root only the key counts. */
static int on_certificate(int good, X509_STORE_CTX *chain)
{
    X509 *one = X509_STORE_CTX_get_current_cert(chain);
    int digest = NID_undef, key = NID_undef;
    if (!good || !one || X509_NAME_cmp(X509_get_subject_name(one), X509_get_issuer_name(one)) == 0)
        return good;
    bool known = OBJ_find_sigid_algs(X509_get_signature_nid(one), &digest, &key);
    if (known && digest != NID_sha1 && digest != NID_md5 && digest != NID_md5_sha1) return 1;
    X509_STORE_CTX_set_error(chain, X509_V_ERR_CERT_REJECTED);
    return 0;
}

/* ---- names ---- */

static bool name_fits(const char *pattern, struct px_str name)
{
    if (pattern[0] != '*') return px_str_ieq(px_str_c(pattern), name);
    const char *dot = memchr(name.ptr, '.',
                             name.len); /* a star is one label: RFC 6125 section 6.4.3 */
    return dot && px_str_ieq(px_str_c(pattern + 1), px_str_skip(name, (size_t)(dot - name.ptr)));
}

static const struct tls_entry *entry_for(const struct tls_set *set, struct px_str name)
{
    const struct tls_entry *found = &set->at[0];
    for (size_t i = 0; i < set->count; i++) {
        if (set->at[i].name[0] == '\0' || !name_fits(set->at[i].name, name)) continue;
        found = &set->at[i];
        if (found->name[0] != '*') break;
    }
    return found;
}

static int on_name(SSL *ssl, int *alert, void *arg)
{
    const struct tls_set *set = arg;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    (void)alert;
    if (!name) return SSL_TLSEXT_ERR_NOACK;
    const struct tls_entry *entry = entry_for(set, px_str_c(name));
    if (entry == &set->at[0]) return SSL_TLSEXT_ERR_OK;
    tls_session_shows(ssl, entry);
    SSL_set_SSL_CTX(ssl, entry->context);
    if (entry->asks_client) SSL_set_options(ssl, SSL_OP_NO_TICKET);
    SSL_set_verify(ssl, SSL_CTX_get_verify_mode(entry->context), on_certificate);
    return SSL_set_session_id_context(ssl, (const uint8_t *)entry->name,
                                      PX_MIN(strlen(entry->name), (size_t)SSL_MAX_SID_CTX_LENGTH))
               ? SSL_TLSEXT_ERR_OK
               : SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* ---- protocols ---- */

static int on_protocols(SSL *ssl, const uint8_t **ret_name, uint8_t *ret_bytes,
                        const uint8_t *offered, unsigned offered_bytes, void *arg)
{
    static const uint8_t both[] = "\x02h2\x08http/1.1";
    const struct http_connection *conn = SSL_get_app_data(ssl);
    size_t skip = conn->server->begin_http2 ? 0 : 3;
    uint8_t *chosen = NULL;
    (void)arg;
    int r = SSL_select_next_proto(&chosen, ret_bytes, both + skip,
                                  (unsigned)(sizeof both - 1 - skip), offered, offered_bytes);
    *ret_name = chosen;
    return r == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* ---- loading ---- */

static BIO *text_of(struct px_str pem) { return BIO_new_mem_buf(pem.ptr, (ossl_ssize_t)pem.len); }

static int no_passphrase(char *buf, int size, int rwflag, void *u)
{
    (void)buf, (void)size, (void)rwflag, (void)u;
    return -1; /* never ask at a terminal */
}

/* Answers how many there were in ret_count; take keeps a certificate or says false. */
static int each_certificate(struct px_str pem, const char *what,
                            bool (*take)(void *ctx, size_t i, X509 *certificate), void *ctx)
{
    size_t count = 0;
    BIO *text = text_of(pem);
    if (!text) return px_fault(PX_F_OOM, "a certificate");
    bool good = true;
    for (X509 *one; good && count < CHAIN_MAX * 16 &&
                    (one = PEM_read_bio_X509(text, NULL, no_passphrase, NULL));
         count++) {
        good = take(ctx, count, one);
        X509_free(one);
    }
    BIO_free(text);
    bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    if (good && at_end && count > 0) {
        ERR_clear_error();
        return 0;
    }
    return px_fault(PX_F_CONFIG, "%s: %s", what, count == 0 ? "no certificate" : tls_error());
}

static bool take_chain(void *ctx, size_t i, X509 *certificate)
{
    SSL_CTX *context = ctx;
    if (i >= CHAIN_MAX) return false;
    return i == 0 ? SSL_CTX_use_certificate(context, certificate)
                  : SSL_CTX_add1_chain_cert(context, certificate);
}

static bool take_trusted(void *ctx, size_t i, X509 *certificate)
{
    SSL_CTX *context = ctx;
    (void)i;
    return X509_STORE_add_cert(SSL_CTX_get_cert_store(context), certificate) &&
           SSL_CTX_add_client_CA(context, certificate);
}

static int use_key(SSL_CTX *context, struct px_str pem)
{
    BIO *text = text_of(pem);
    EVP_PKEY *key = text ? PEM_read_bio_PrivateKey(text, NULL, no_passphrase, NULL) : NULL;
    BIO_free(text);
    if (!key) return px_fault(PX_F_CONFIG, "private key: %s", tls_error());
    bool fits = SSL_CTX_use_PrivateKey(context, key) && SSL_CTX_check_private_key(context);
    EVP_PKEY_free(key);
    return fits
               ? 0
               : px_fault(PX_F_CONFIG, "the private key is not the certificate's: %s", tls_error());
}

static int64_t ends_s(SSL_CTX *context)
{
    int64_t at_s = 0;
    X509 *leaf = SSL_CTX_get0_certificate(context);
    return leaf && ASN1_TIME_to_posix(X509_get0_notAfter(leaf), &at_s) ? at_s : 0;
}

static int offer(SSL_CTX *context)
{
    /* AWS-LC has no compression, and a server of it refuses renegotiation */
    SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_mode(context, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_timeout(context, TLS_TICKET_KEY_S);
    SSL_CTX_set_session_psk_dhe_timeout(context, TLS_TICKET_KEY_S);
    SSL_CTX_set_max_cert_list(context, CLIENT_CHAIN_BYTES_MAX);
    SSL_CTX_set_alpn_select_cb(context, on_protocols, NULL);
    bool done = SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) &&
                SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION) &&
                SSL_CTX_set_strict_cipher_list(context, CIPHERS_1_2) &&
                SSL_CTX_set1_groups_list(context, GROUPS) && SSL_CTX_set_num_tickets(context, 1) &&
                SSL_CTX_set_signing_algorithm_prefs(context, signatures, PX_COUNT(signatures)) &&
                SSL_CTX_set_verify_algorithm_prefs(context, signatures, PX_COUNT(signatures)) &&
                SSL_CTX_set_tlsext_ticket_key_cb(context, on_ticket);
    return done ? 0 : px_fault(PX_F_BUG, "TLS: %s", tls_error());
}

static int load_one(struct http_tls *tls, const struct http_tls_identity *identity,
                    struct tls_entry *entry)
{
    if (identity->name.len >= sizeof entry->name)
        return px_fault(PX_F_CONFIG, "%.*s is too long for a name", PX_FMT(identity->name));
    memcpy(entry->name, identity->name.ptr ? identity->name.ptr : "", identity->name.len);
    entry->context = SSL_CTX_new(TLS_server_method());
    if (!entry->context) return px_fault(PX_F_OOM, "TLS: %s", tls_error());
    SSL_CTX_set_app_data(entry->context, tls);
    PX_TRY(offer(entry->context));
    PX_TRY(each_certificate(identity->chain_pem, "certificate", take_chain, entry->context));
    PX_TRY(use_key(entry->context, identity->key_pem));
    if (!SSL_CTX_set_session_id_context(entry->context, (const uint8_t *)entry->name,
                                        PX_MIN(identity->name.len, SSL_MAX_SID_CTX_LENGTH)))
        return px_fault(PX_F_BUG, "TLS: %s", tls_error());
    if (identity->trust_pem.len == 0) return 0;
    entry->asks_client = true;
    SSL_CTX_set_options(entry->context, SSL_OP_NO_TICKET);
    SSL_CTX_set_verify(entry->context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                       on_certificate);
    return each_certificate(identity->trust_pem, "truststore", take_trusted, entry->context);
}

static int load(struct http_tls *tls, const struct http_tls_identity *identities,
                struct tls_set *set)
{
    int64_t now_s = px_wall_ns(tls->clock) / PX_NS_PER_S;
    for (size_t i = 0; i < set->count; i++) {
        PX_TRY(load_one(tls, &identities[i], &set->at[i]));
        int64_t end_s = ends_s(set->at[i].context);
        if (end_s <= now_s)
            return px_fault(PX_F_CONFIG, "the certificate%s%.*s has ended",
                            identities[i].name.len ? " of " : "", PX_FMT(identities[i].name));
        set->ends_s = i == 0 ? end_s : PX_MIN(set->ends_s, end_s);
    }
    SSL_CTX_set_tlsext_servername_callback(set->at[0].context, on_name);
    SSL_CTX_set_tlsext_servername_arg(set->at[0].context, set);
    return 0;
}

int http_tls_load(struct http_tls *tls, const struct http_tls_identity *identities, size_t count)
{
    PX_ASSERT(count > 0);
    if (count > CERTIFICATES_MAX)
        return px_fault(PX_F_CONFIG, "more than %d certificates", CERTIFICATES_MAX);
    struct tls_set *set = calloc(1, sizeof *set + count * sizeof set->at[0]);
    if (!set) return px_fault(PX_F_OOM, "certificates");
    set->refs = 1;
    set->count = count;
    int r = load(tls, identities, set);
    if (r != 0) {
        tls_set_unref(&set);
        return px_fold(r, __FILE__, __LINE__);
    }
    tls_set_unref(&tls->set);
    tls->set = set;
    return 0;
}

int64_t http_tls_ends_s(const struct http_tls *tls) { return tls->set ? tls->set->ends_s : 0; }

SSL *tls_set_ssl(struct tls_set *set)
{
    SSL *ssl = SSL_new(set->at[0].context);
    if (ssl) {
        SSL_set_accept_state(ssl);
        SSL_set_shed_handshake_config(ssl, 1);
    }
    return ssl;
}

void tls_set_unref(struct tls_set **set_at)
{
    struct tls_set *set = *set_at;
    *set_at = NULL;
    if (!set || --set->refs > 0) return;
    for (size_t i = 0; i < set->count; i++) SSL_CTX_free(set->at[i].context);
    free(set);
}

/* ---- life ---- */

int http_tls_new(const struct px_clock *clock, struct http_tls **ret_tls)
{
    struct http_tls *tls = calloc(1, sizeof *tls);
    if (!tls) return px_fault(PX_F_OOM, "TLS");
    tls->refs = 1;
    tls->clock = clock;
    *ret_tls = tls;
    return 0;
}

struct http_tls *http_tls_ref(struct http_tls *tls)
{
    tls->refs++;
    return tls;
}

void http_tls_unref(struct http_tls **tls_at)
{
    struct http_tls *tls = *tls_at;
    *tls_at = NULL;
    if (!tls || --tls->refs > 0) return;
    tls_set_unref(&tls->set);
    explicit_bzero(tls->keys, sizeof tls->keys);
    free(tls);
}
