/* http/certificates.c - see certificates.h. */
#include "http/certificates.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "base/px_file.h"
#include "http/certificate.h"

#define DAY_S INT64_C(86400)
#define AUTHORITY_DAYS 3650
#define SERVER_DAYS                                                                                \
    90 /* clients refuse long ones: Apple's more than 825 days also of such authorities */
#define RENEW_DAYS (SERVER_DAYS / 3)
#define OWN_BYTES_MAX (256u * 1024u)

/* Of a file, to see that it is another. */
struct seen {
    ino_t inode;
    off_t bytes;
    struct timespec changed;
};

struct certificates {
    struct certificates_options options;
    struct px_arena arena;
    struct http_tls *tls;
    const char *authority, *authority_key, *server, *server_key; /* paths */
    struct px_str names[2 * CERTIFICATE_NAMES_MAX + 3];
    size_t name_count;
    struct certificates_clients clients[CERTIFICATE_NAMES_MAX];
    /* Files of others as they were tried last: certificate, key and truststores. */
    const char *followed[2 + CERTIFICATE_NAMES_MAX];
    struct seen seen[2 + CERTIFICATE_NAMES_MAX];
    size_t followed_count;
    int64_t looked_ns;
};

static int64_t now_s(const struct certificates *own)
{
    return px_wall_ns(own->options.clock) / PX_NS_PER_S;
}

/* ---- files ---- */

static int read_file(const char *path, struct px_buf *into)
{
    int r = px_file_read(path, into);
    if (r == PX_FILE_ABSENT) return px_fault(PX_F_CONFIG, "%s is not there", path);
    if (r == PX_FILE_TOO_LARGE)
        return px_fault(PX_F_CONFIG, "%s is no certificate or key: too large", path);
    return r;
}

/* The same certificate for all names; what differs is whom clients must be signed by. */
static int load(struct certificates *own, struct http_tls_identity common)
{
    struct http_tls_identity identities[1 + CERTIFICATE_NAMES_MAX] = {common};
    struct px_buf trusted[CERTIFICATE_NAMES_MAX];
    size_t count = own->options.client_count;
    int r = 0;
    for (size_t i = 0; i < count; i++) px_buf_init(&trusted[i], OWN_BYTES_MAX);
    for (size_t i = 0; i < count && r == 0; i++) {
        r = read_file(own->clients[i].truststore, &trusted[i]);
        identities[1 + i] = common;
        identities[1 + i].name = own->clients[i].name;
        identities[1 + i].trust_pem = px_buf_str(&trusted[i]);
        if (r == 0 && trusted[i].len == 0)
            r = px_fault(PX_F_CONFIG, "%s is empty", own->clients[i].truststore);
    }
    if (r == 0) r = http_tls_load(own->tls, identities, 1 + count);
    for (size_t i = 0; i < count; i++) px_buf_deinit(&trusted[i]);
    return r;
}

static int show(struct certificates *own, const char *certificate, const char *key)
{
    PX_AUTO(px_buf_deinit) struct px_buf chain;
    PX_AUTO(px_buf_deinit_wiped) struct px_buf secret;
    px_buf_init(&chain, OWN_BYTES_MAX);
    px_buf_init(&secret, OWN_BYTES_MAX);
    PX_TRY(read_file(certificate, &chain));
    PX_TRY(read_file(key, &secret));
    return load(own, (struct http_tls_identity){.chain_pem = px_buf_str(&chain),
                                                .key_pem = px_buf_str(&secret)});
}

static void look(const char *path, struct seen *ret)
{
    struct stat about;
    *ret = (struct seen){0};
    if (stat(path, &about) != 0) return;
    *ret = (struct seen){about.st_ino, about.st_size, about.st_ctim};
}

static bool same(const struct seen *a, const struct seen *b)
{
    return a->inode == b->inode && a->bytes == b->bytes && a->changed.tv_sec == b->changed.tv_sec &&
           a->changed.tv_nsec == b->changed.tv_nsec;
}

/* ---- Prism's own ---- */

static int keep(const struct certificate *made, const char *path, const char *key_path)
{
    /* the key first: a certificate without its key is made anew */
    PX_TRY(px_file_write_atomic(key_path, px_buf_str(&made->key_pem), 0600));
    return px_file_write_atomic(path, px_buf_str(&made->certificate_pem), 0644);
}

static int make_authority(const struct certificates *own, struct certificate *ret)
{
    const struct certificate_wish wish = {.subject = S("Prism development authority"),
                                          .from_s = now_s(own) - DAY_S,
                                          .to_s = now_s(own) + AUTHORITY_DAYS * DAY_S};
    PX_TRY(px_dir_make(own->options.folder));
    PX_TRY(certificate_authority(&wish, ret));
    return keep(ret, own->authority, own->authority_key);
}

static int find_authority(const struct certificates *own, struct certificate *ret)
{
    int r = px_file_read(own->authority, &ret->certificate_pem);
    if (r == 0) r = px_file_read(own->authority_key, &ret->key_pem);
    if (r == PX_FILE_ABSENT) {
        px_buf_clear(&ret->certificate_pem);
        return make_authority(own, ret);
    }
    if (r > 0) return px_fault(PX_F_CONFIG, "%s is too large", own->authority);
    return r;
}

static int make_server(struct certificates *own)
{
    struct certificate authority, made;
    certificate_init(&authority);
    certificate_init(&made);
    const struct certificate_wish wish = {.subject = own->names[0],
                                          .names = own->names,
                                          .name_count = own->name_count,
                                          .from_s = now_s(own) - DAY_S,
                                          .to_s = now_s(own) + SERVER_DAYS * DAY_S};
    int r = find_authority(own, &authority);
    if (r == 0) r = certificate_issue(&authority, &wish, &made);
    if (r == 0) r = keep(&made, own->server, own->server_key);
    certificate_deinit(&authority);
    certificate_deinit(&made);
    return r;
}

/* Whether the one that is there will do. */
static bool is_good(const struct certificates *own)
{
    PX_AUTO(px_buf_deinit) struct px_buf pem;
    px_buf_init(&pem, OWN_BYTES_MAX);
    int64_t ends_s = 0;
    bool covers = false;
    struct seen key, authority;
    look(own->server_key, &key);
    look(own->authority, &authority);
    return key.inode && authority.inode && px_file_read(own->server, &pem) == 0 &&
           certificate_look(px_buf_str(&pem), own->names, own->name_count, &ends_s, &covers) == 0 &&
           covers && ends_s > now_s(own) + RENEW_DAYS * DAY_S;
}

static int show_ours(struct certificates *own)
{
    if (is_good(own) && show(own, own->server, own->server_key) == 0) return 0;
    PX_TRY(make_server(own));
    return show(own, own->server, own->server_key);
}

/* ---- while it runs ---- */

static bool are_new(struct certificates *own)
{
    bool new = false;
    for (size_t i = 0; i < own->followed_count; i++) {
        struct seen now;
        look(own->followed[i], &now);
        new |= !same(&now, &own->seen[i]);
        own->seen[i] = now;
    }
    return new;
}

bool certificates_follow(struct certificates *own)
{
    int64_t now_ns = px_mono_ns(own->options.clock);
    if (now_ns - own->looked_ns < PX_NS_PER_S) return false;
    own->looked_ns = now_ns;
    bool ours = !own->options.certificate;
    bool ends = ours && http_tls_ends_s(own->tls) <= now_s(own) + RENEW_DAYS * DAY_S;
    if (!are_new(own) && !ends) return false;
    int r = ours ? show_ours(own) : show(own, own->options.certificate, own->options.key);
    if (r == 0) {
        px_log(own->options.log, PX_INFO, "a new certificate is shown");
        return true;
    }
    own->looked_ns += ends ? 3600 * PX_NS_PER_S : 0; /* not each second */
    px_log_fault(own->options.log, r, "the old certificate is still shown");
    return false;
}

const char *certificates_file(const struct certificates *own)
{
    return own->options.certificate ? own->options.certificate : own->server;
}

const char *certificates_key_file(const struct certificates *own)
{
    return own->options.certificate ? own->options.key : own->server_key;
}

/* ---- life ---- */

static int settle_clients(struct certificates *own)
{
    const struct certificates_options *options = &own->options;
    if (options->client_count > CERTIFICATE_NAMES_MAX)
        return px_fault(PX_F_CONFIG, "more than %d truststores", CERTIFICATE_NAMES_MAX);
    if (options->certificate) {
        own->followed[own->followed_count++] = options->certificate;
        own->followed[own->followed_count++] = options->key;
    }
    for (size_t i = 0; i < options->client_count; i++) {
        own->clients[i] = options->clients[i];
        own->names[own->name_count++] = own->clients[i].name;
        own->followed[own->followed_count++] = own->clients[i].truststore;
    }
    (void)are_new(own);
    return 0;
}

static int settle(struct certificates *own)
{
    static const struct px_str always[] = {{"localhost", 9}, {"127.0.0.1", 9}, {"::1", 3}};
    const struct certificates_options *options = &own->options;
    if (options->name_count > CERTIFICATE_NAMES_MAX)
        return px_fault(PX_F_CONFIG, "more than %d names", CERTIFICATE_NAMES_MAX);
    for (size_t i = 0; i < PX_COUNT(always); i++) own->names[own->name_count++] = always[i];
    for (size_t i = 0; i < options->name_count; i++)
        own->names[own->name_count++] = options->names[i];
    PX_TRY(settle_clients(own));
    own->authority = px_arena_printf(&own->arena, "%s/ca.pem", options->folder).ptr;
    own->authority_key = px_arena_printf(&own->arena, "%s/ca.key", options->folder).ptr;
    own->server = px_arena_printf(&own->arena, "%s/server.pem", options->folder).ptr;
    own->server_key = px_arena_printf(&own->arena, "%s/server.key", options->folder).ptr;
    if (px_arena_full(&own->arena)) return px_arena_fault(&own->arena);
    PX_TRY(http_tls_new(options->clock, &own->tls));
    if (!options->certificate) return show_ours(own);
    return show(own, options->certificate, options->key);
}

int certificates_new(const struct certificates_options *options,
                     struct certificates **ret_certificates)
{
    struct certificates *own = calloc(1, sizeof *own);
    if (!own) return px_fault(PX_F_OOM, "certificates");
    own->options = *options;
    own->looked_ns = px_mono_ns(options->clock);
    px_arena_init(&own->arena, 64 * 1024);
    int r = settle(own);
    if (r != 0) {
        certificates_free(&own);
        return px_fold(r, __FILE__, __LINE__);
    }
    *ret_certificates = own;
    return 0;
}

void certificates_free(struct certificates **certificates)
{
    struct certificates *own = *certificates;
    *certificates = NULL;
    if (!own) return;
    http_tls_unref(&own->tls);
    px_arena_deinit(&own->arena);
    free(own);
}

struct http_tls *certificates_tls(struct certificates *certificates) { return certificates->tls; }
