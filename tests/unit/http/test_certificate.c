/* Certificates that are made here, looked at with the same library; clients check them in test_tls.c and tests/sys. */
#include "support/support.h"

#include "http/certificate.h"

static const struct px_str names[] = {
    {"localhost", 9}, {"127.0.0.1", 9}, {"::1", 3}, {"*.example.org", 13}};

static void make(struct certificate *authority, struct certificate *leaf)
{
    struct certificate_wish wish = {.subject = S("authority"), .from_s = 1000, .to_s = 5000};
    certificate_init(authority);
    certificate_init(leaf);
    CHECK_OK(certificate_authority(&wish, authority));
    wish = (struct certificate_wish){.subject = S("leaf"),
                                     .names = names,
                                     .name_count = PX_COUNT(names),
                                     .from_s = 1000,
                                     .to_s = 3000};
    CHECK_OK(certificate_issue(authority, &wish, leaf));
}

TEST(names_and_end_are_found_again)
{
    struct certificate authority, leaf;
    int64_t ends_s = 0;
    bool covers = false;
    make(&authority, &leaf);
    struct px_str pem = px_buf_str(&leaf.certificate_pem);
    CHECK_OK(certificate_look(pem, names, 3, &ends_s, &covers));
    CHECK(covers && ends_s == 3000);
    struct px_str more[] = {S("localhost"), S("a.example.org")};
    CHECK_OK(certificate_look(pem, more, 2, &ends_s, &covers));
    CHECK(covers);
    more[1] = S("10.0.0.1");
    CHECK_OK(certificate_look(pem, more, 2, &ends_s, &covers));
    CHECK(!covers);
    more[1] = S("example.org");
    CHECK_OK(certificate_look(pem, more, 2, &ends_s, &covers));
    CHECK(!covers);
    CHECK_INT(certificate_look(S("nothing"), NULL, 0, &ends_s, &covers), PX_F_CONFIG);
    certificate_deinit(&authority);
    certificate_deinit(&leaf);
}

TEST(no_name_smuggles_another_in)
{
    struct certificate authority, leaf, out;
    make(&authority, &leaf);
    static const char *const bad[] = {"a,DNS:b", "a b", "", "IP:1.2.3.4", "a\n", "a/b"};
    for (size_t i = 0; i < PX_COUNT(bad); i++) {
        struct px_str name = px_str_c(bad[i]);
        struct certificate_wish wish = {
            .subject = S("leaf"), .names = &name, .name_count = 1, .from_s = 1, .to_s = 2};
        certificate_init(&out);
        CHECK_INT(certificate_issue(&authority, &wish, &out), PX_F_CONFIG);
        certificate_deinit(&out);
    }
    certificate_deinit(&authority);
    certificate_deinit(&leaf);
}

TEST(what_is_no_authority_signs_nothing)
{
    struct certificate authority, leaf, empty, out;
    make(&authority, &leaf);
    certificate_init(&empty);
    certificate_init(&out);
    struct certificate_wish wish = {
        .subject = S("leaf"), .names = names, .name_count = 1, .from_s = 1, .to_s = 2};
    CHECK_INT(certificate_issue(&empty, &wish, &out), PX_F_CONFIG);
    certificate_deinit(&empty);
    certificate_deinit(&out);
    certificate_deinit(&authority);
    certificate_deinit(&leaf);
}

TEST_MAIN
