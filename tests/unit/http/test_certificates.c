/* Which certificates the gateway shows: Prism's own, made and made anew, and files that change. */
#include "support/support.h"

#include <sys/stat.h>

#include "http/certificate.h"
#include "http/certificates.h"

#define DAY_NS (86400 * PX_NS_PER_S)

static const struct px_log quiet = {.fd = -1, .level = PX_ERROR, .clock = &px_clock_system};

static char *in(struct test *t, const char *name)
{
    return px_arena_cstr(&t->arena, px_arena_printf(&t->arena, "%s/%s", t->dir, name));
}

static struct certificates_options options_of(struct test *t)
{
    return (struct certificates_options){.folder = in(t, "tls"), .clock = &t->clock, .log = &quiet};
}

static int mode_of(const char *path)
{
    struct stat about;
    CHECK_INT(stat(path, &about), 0);
    return about.st_mode & 0777;
}

static struct px_str content(struct test *t, const char *path)
{
    struct px_buf text;
    px_buf_init(&text, 64 * 1024);
    CHECK_OK(px_file_read(path, &text));
    struct px_str kept = px_arena_dup(&t->arena, px_buf_str(&text));
    px_buf_deinit(&text);
    return kept;
}

TEST(the_first_start_makes_an_authority_and_later_ones_use_it)
{
    struct certificates_options options = options_of(t);
    struct certificates *own = NULL;
    CHECK_OK(certificates_new(&options, &own));
    CHECK_INT(mode_of(in(t, "tls/ca.key")), 0600);
    CHECK_INT(mode_of(in(t, "tls/server.key")), 0600);
    CHECK_INT(mode_of(in(t, "tls")), 0700);
    struct px_str authority = content(t, in(t, "tls/ca.pem")),
                  server = content(t, in(t, "tls/server.pem"));
    certificates_free(&own);
    CHECK_OK(certificates_new(&options, &own));
    CHECK_STR(content(t, in(t, "tls/server.pem")), server);
    certificates_free(&own);
    struct px_str name = S("api.example.org");
    options.names = &name;
    options.name_count = 1;
    CHECK_OK(certificates_new(&options, &own)); /* it lacks the name */
    struct px_str wider = content(t, in(t, "tls/server.pem"));
    CHECK(!px_str_eq(wider, server));
    int64_t ends_s;
    bool covers;
    CHECK_OK(certificate_look(wider, &name, 1, &ends_s, &covers));
    CHECK(covers);
    CHECK_STR(content(t, in(t, "tls/ca.pem")), authority);
    certificates_free(&own);
    name = S("no name");
    CHECK_INT(certificates_new(&options, &own), PX_F_CONFIG);
}

TEST(ours_is_made_anew_before_it_ends)
{
    struct certificates_options options = options_of(t);
    struct certificates *own = NULL;
    CHECK_OK(certificates_new(&options, &own));
    int64_t first_s = http_tls_ends_s(certificates_tls(own));
    test_advance(t, 59 * DAY_NS);
    CHECK(!certificates_follow(own));
    CHECK_INT(http_tls_ends_s(certificates_tls(own)), first_s);
    test_advance(t, 2 * DAY_NS);
    CHECK(certificates_follow(own));
    CHECK_INT(http_tls_ends_s(certificates_tls(own)), first_s + 61 * 86400);
    certificates_free(&own);
}

/* A certificate and its key as files, signed by an authority that nobody keeps. */
static int64_t write_own(struct test *t, const char *certificate, const char *key, int days)
{
    struct certificate authority, made;
    struct px_str name = S("own.example.org");
    certificate_init(&authority);
    certificate_init(&made);
    struct certificate_wish wish = {.subject = name,
                                    .from_s = t->now_ns / PX_NS_PER_S,
                                    .to_s = t->now_ns / PX_NS_PER_S + days * 86400};
    CHECK_OK(certificate_authority(&wish, &authority));
    wish.names = &name;
    wish.name_count = 1;
    CHECK_OK(certificate_issue(&authority, &wish, &made));
    certificate_deinit(&authority);
    if (certificate)
        CHECK_OK(px_file_write_atomic(certificate, px_buf_str(&made.certificate_pem), 0644));
    if (key) CHECK_OK(px_file_write_atomic(key, px_buf_str(&made.key_pem), 0600));
    certificate_deinit(&made);
    return wish.to_s;
}

TEST(own_files_are_followed_and_what_does_not_fit_is_not_shown)
{
    struct certificates_options options = options_of(t);
    struct certificates *own = NULL;
    options.certificate = in(t, "c.pem");
    options.key = in(t, "k.pem");
    CHECK_INT(certificates_new(&options, &own), PX_F_CONFIG); /* no files */
    int64_t first_s = write_own(t, options.certificate, options.key, 10);
    CHECK_OK(certificates_new(&options, &own));
    CHECK_INT(http_tls_ends_s(certificates_tls(own)), first_s);
    write_own(t, options.certificate, NULL, 20); /* half of a change: the key is another's */
    test_advance(t, 2 * PX_NS_PER_S);
    CHECK(!certificates_follow(own));
    CHECK_INT(http_tls_ends_s(certificates_tls(own)), first_s);
    int64_t second_s = write_own(t, options.certificate, options.key, 30);
    CHECK(!certificates_follow(own)); /* within the second it does not look */
    CHECK_INT(http_tls_ends_s(certificates_tls(own)), first_s);
    test_advance(t, 2 * PX_NS_PER_S);
    CHECK(certificates_follow(own));
    CHECK_INT(http_tls_ends_s(certificates_tls(own)), second_s);
    CHECK_INT(access(in(t, "tls"), F_OK), -1); /* nothing is made beside them */
    certificates_free(&own);
}

TEST_MAIN
