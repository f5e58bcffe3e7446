/* http/certificate.c - see certificate.h. Profile of RFC 5280: version 3, random serial numbers, what an
 * authority may do is critical. */
#include "http/certificate.h"

#include <arpa/inet.h>
#include <openssl/ec_key.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#define SERIAL_BYTES 16
#define NAMES_BYTES_MAX (16u * 1024u)

static void key_free(EVP_PKEY **key) { EVP_PKEY_free(*key); }
static void x509_free(X509 **certificate) { X509_free(*certificate); }
static void bio_free(BIO **bio) { BIO_free(*bio); }

static int failed(const char *what)
{
    uint32_t error = ERR_get_error();
    const char *reason = error ? ERR_reason_error_string(error) : NULL;
    ERR_clear_error();
    return px_fault(PX_F_CONFIG, "%s: %s", what, reason ? reason : "no reason given");
}

void certificate_init(struct certificate *certificate)
{
    px_buf_init(&certificate->certificate_pem, CERTIFICATE_PEM_BYTES_MAX);
    px_buf_init(&certificate->key_pem, CERTIFICATE_PEM_BYTES_MAX);
}

void certificate_deinit(struct certificate *certificate)
{
    px_buf_deinit(&certificate->certificate_pem);
    px_buf_deinit_wiped(&certificate->key_pem);
}

/* ---- texts ---- */

static int no_passphrase(char *buf, int size, int rwflag, void *u)
{
    (void)buf, (void)size, (void)rwflag, (void)u;
    return -1; /* never ask at a terminal */
}

static X509 *read_certificate(struct px_str pem)
{
    PX_AUTO(bio_free) BIO *text = BIO_new_mem_buf(pem.ptr, (ossl_ssize_t)pem.len);
    return text ? PEM_read_bio_X509(text, NULL, no_passphrase, NULL) : NULL;
}

static EVP_PKEY *read_key(struct px_str pem)
{
    PX_AUTO(bio_free) BIO *text = BIO_new_mem_buf(pem.ptr, (ossl_ssize_t)pem.len);
    return text ? PEM_read_bio_PrivateKey(text, NULL, no_passphrase, NULL) : NULL;
}

static int write_text(BIO *text, struct px_buf *into)
{
    const uint8_t *bytes = NULL;
    size_t count = 0;
    if (!BIO_mem_contents(text, &bytes, &count)) return failed("a certificate's text");
    px_buf_add(into, bytes, count);
    return px_buf_fault(into);
}

static int write_pem(X509 *certificate, EVP_PKEY *key, struct certificate *into)
{
    PX_AUTO(bio_free) BIO *text = BIO_new(BIO_s_mem());
    PX_AUTO(bio_free) BIO *secret = BIO_new(BIO_s_mem());
    if (!text || !secret || !PEM_write_bio_X509(text, certificate) ||
        !PEM_write_bio_PKCS8PrivateKey(secret, key, NULL, NULL, 0, NULL, NULL))
        return failed("a certificate's text");
    PX_TRY(write_text(text, &into->certificate_pem));
    return write_text(secret, &into->key_pem);
}

/* ---- making ---- */

static EVP_PKEY *new_key(void)
{
    EC_KEY *ec = EC_KEY_new_by_curve_name(NID_X9_62_prime256v1);
    EVP_PKEY *key = EVP_PKEY_new();
    if (ec && key && EC_KEY_generate_key(ec) && EVP_PKEY_assign_EC_KEY(key, ec)) return key;
    EC_KEY_free(ec);
    EVP_PKEY_free(key);
    return NULL;
}

/* A positive number, so its first bit is not set. RFC 5280 section 4.1.2.2 */
static bool set_serial(X509 *certificate)
{
    uint8_t bytes[SERIAL_BYTES];
    if (!RAND_bytes(bytes, sizeof bytes)) return false;
    bytes[0] = (bytes[0] & 0x7f) | 0x40;
    BIGNUM *number = BN_bin2bn(bytes, sizeof bytes, NULL);
    bool set = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate));
    BN_free(number);
    return set;
}

static bool set_subject(X509 *certificate, struct px_str subject)
{
    X509_NAME *name = X509_get_subject_name(certificate);
    return X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8,
                                      (const uint8_t *)subject.ptr, (ossl_ssize_t)subject.len, -1,
                                      0);
}

static bool set_times(X509 *certificate, const struct certificate_wish *wish)
{
    return ASN1_TIME_set_posix(X509_getm_notBefore(certificate), wish->from_s) &&
           ASN1_TIME_set_posix(X509_getm_notAfter(certificate), wish->to_s);
}

static bool add(X509 *certificate, X509V3_CTX *about, int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_nconf_nid(NULL, about, nid, value);
    bool added = extension && X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
    return added;
}

static bool is_address(struct px_str name, char text[64])
{
    uint8_t bytes[16];
    if (name.len == 0 || name.len >= 64) return false;
    memcpy(text, name.ptr, name.len);
    text[name.len] = '\0';
    return inet_pton(AF_INET, text, bytes) == 1 || inet_pton(AF_INET6, text, bytes) == 1;
}

/* What it is written into gives a meaning to commas and colons. */
static bool is_dns_name(struct px_str name)
{
    static const char known[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.*_";
    if (name.len == 0 || name.len > 253) return false;
    for (size_t i = 0; i < name.len; i++)
        if (name.ptr[i] == '\0' || !strchr(known, name.ptr[i])) return false;
    return true;
}

static int names_text(const struct certificate_wish *wish, struct px_buf *into)
{
    char text[64];
    for (size_t i = 0; i < wish->name_count; i++) {
        bool address = is_address(wish->names[i], text);
        if (!address && !is_dns_name(wish->names[i]))
            return px_fault(PX_F_CONFIG, "%.*s is not a name for a certificate",
                            PX_FMT(wish->names[i]));
        px_buf_printf(into, "%s%s:%.*s", i ? "," : "", address ? "IP" : "DNS",
                      PX_FMT(wish->names[i]));
    }
    px_buf_add_char(into, '\0');
    return px_buf_fault(into);
}

static X509 *begin(const struct certificate_wish *wish, EVP_PKEY *key)
{
    X509 *certificate = X509_new();
    if (certificate && X509_set_version(certificate, X509_VERSION_3) && set_serial(certificate) &&
        set_subject(certificate, wish->subject) && set_times(certificate, wish) &&
        X509_set_pubkey(certificate, key))
        return certificate;
    X509_free(certificate);
    return NULL;
}

static bool sign(X509 *certificate, X509 *issuer, EVP_PKEY *key)
{
    return X509_set_issuer_name(certificate, X509_get_subject_name(issuer)) &&
           X509_sign(certificate, key, EVP_sha256()) > 0;
}

int certificate_authority(const struct certificate_wish *wish, struct certificate *ret_authority)
{
    PX_AUTO(key_free) EVP_PKEY *key = new_key();
    PX_AUTO(x509_free) X509 *made = key ? begin(wish, key) : NULL;
    X509V3_CTX about;
    if (!made) return failed("an authority");
    X509V3_set_ctx(&about, made, made, NULL, NULL, 0);
    if (!add(made, &about, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") ||
        !add(made, &about, NID_key_usage, "critical,keyCertSign,cRLSign") ||
        !add(made, &about, NID_subject_key_identifier, "hash") || !sign(made, made, key))
        return failed("an authority");
    return write_pem(made, key, ret_authority);
}

static bool describe(X509 *made, X509 *issuer, const struct certificate_wish *wish,
                     const char *names)
{
    X509V3_CTX about;
    X509V3_set_ctx(&about, issuer, made, NULL, NULL, 0);
    return add(made, &about, NID_basic_constraints, "critical,CA:FALSE") &&
           add(made, &about, NID_key_usage, "critical,digitalSignature") &&
           add(made, &about, NID_ext_key_usage, wish->name_count ? "serverAuth" : "clientAuth") &&
           add(made, &about, NID_subject_key_identifier, "hash") &&
           add(made, &about, NID_authority_key_identifier, "keyid:always") &&
           (wish->name_count == 0 || add(made, &about, NID_subject_alt_name, names));
}

int certificate_issue(const struct certificate *authority, const struct certificate_wish *wish,
                      struct certificate *ret_certificate)
{
    PX_AUTO(px_buf_deinit) struct px_buf names;
    px_buf_init(&names, NAMES_BYTES_MAX);
    PX_TRY(names_text(wish, &names));
    PX_AUTO(x509_free) X509 *issuer = read_certificate(px_buf_str(&authority->certificate_pem));
    PX_AUTO(key_free) EVP_PKEY *issuer_key = read_key(px_buf_str(&authority->key_pem));
    if (!issuer || !issuer_key) return failed("the authority");
    PX_AUTO(key_free) EVP_PKEY *key = new_key();
    PX_AUTO(x509_free) X509 *made = key ? begin(wish, key) : NULL;
    if (!made || !describe(made, issuer, wish, names.ptr) || !sign(made, issuer, issuer_key))
        return failed("a certificate");
    return write_pem(made, key, ret_certificate);
}

int certificate_look(struct px_str pem, const struct px_str *names, size_t name_count,
                     int64_t *ret_ends_s, bool *ret_covers)
{
    char text[64];
    PX_AUTO(x509_free) X509 *found = read_certificate(pem);
    if (!found || !ASN1_TIME_to_posix(X509_get0_notAfter(found), ret_ends_s))
        return failed("a certificate");
    *ret_covers = true;
    for (size_t i = 0; i < name_count; i++)
        if (is_address(names[i], text))
            *ret_covers &= X509_check_ip_asc(found, text, 0) == 1;
        else
            *ret_covers &= X509_check_host(found, names[i].ptr, names[i].len, 0, NULL) == 1;
    return 0;
}
