/* PostgreSQL's URLs, error codes, column types, names and tokens, without a server. */
#include "aws/reach.h"
#include "support/support.h"

#include "store/pg_ddl.h"
#include "store/pg_endpoint.h"
#include "store/pg_state.h"
#include "store/pg_token.h"
#include "store/pg_url.h"

__attribute__((constructor)) static void reach(void) { reach_init(); }

static const char *ca_make(struct test *t)
{
    struct px_str path = test_path(t, "ca.pem");
    FILE *file = fopen(path.ptr, "w");
    CHECK(file && fclose(file) == 0);
    return path.ptr;
}

static struct pg_target target_of(struct test *t, const char *format)
{
    struct pg_target target;
    struct px_str url = px_arena_printf(&t->arena, "%s%s", format, ca_make(t));
    CHECK_OK(pg_target_init(url, &target));
    return target;
}

TEST(an_url_names_all_that_is_needed)
{
    struct pg_target target = target_of(
        t, "postgresql://prism:p%40ss%2F%25:x@db.example.org:6543/cata%20log?sslmode=verify-full&"
           "sslrootcert=");
    CHECK_STR(px_str_c(target.host), S("db.example.org"));
    CHECK_STR(px_str_c(target.port), S("6543"));
    CHECK_STR(px_str_c(target.user), S("prism"));
    CHECK_STR(px_str_c(target.password), S("p@ss/%:x"));
    CHECK_STR(px_str_c(target.database), S("cata log"));
    CHECK_STR(px_str_c(target.ca_file), test_path(t, "ca.pem"));
    CHECK(target.tls);
}

TEST(ports_and_numeric_hosts)
{
    struct pg_target target = target_of(t, "postgres://u@[::1]:7/d?sslrootcert=");
    CHECK_STR(px_str_c(target.host), S("::1"));
    CHECK_STR(px_str_c(target.port), S("7"));
    target = target_of(t, "postgresql://u@[fe80::1]/d?sslrootcert=");
    CHECK_STR(px_str_c(target.host), S("fe80::1"));
    target = target_of(t, "postgresql://u@h/d?sslrootcert=");
    CHECK_STR(px_str_c(target.port), S("5432"));
    CHECK_INT(target.password[0], '\0');
}

TEST(a_secret_says_who_signs_in)
{
    struct pg_target target = target_of(
        t,
        "postgresql://h/d?secret=database/app&secrets=secretsmanager%3A%2F%2Fprism%2Fdev&sslrootcert=");
    CHECK_STR(px_str_c(target.secret), S("database/app"));
    CHECK_STR(px_str_c(target.secrets), S("secretsmanager://prism/dev"));
    CHECK_STR(px_str_c(target.user), S(""));
}

TEST(only_this_machine_is_reached_without_tls)
{
    struct pg_target target;
    CHECK_OK(pg_target_init(S("postgresql://u:p@127.0.0.1:1/d?sslmode=disable"), &target));
    CHECK(!target.tls && target.ca_file[0] == '\0');
    CHECK_OK(pg_target_init(S("postgresql://u@/d?host=/run/postgresql"), &target));
    CHECK(!target.tls);
    CHECK_STR(px_str_c(target.host), S("/run/postgresql"));
    CHECK_INT(pg_target_init(S("postgresql://u:p@db/d?sslmode=disable"), &target), PX_F_CONFIG);
    CHECK_INT(pg_target_init(S("postgresql://u:p@db/d?sslmode=require"), &target), PX_F_CONFIG);
}

TEST(what_is_not_an_url_is_refused_and_not_shown)
{
    static const char *const bad[] = {
        "postgresql:u@h/d",
        "postgresql://h/d",
        "postgresql://u:geheim@h",
        "postgresql://u:geheim@/d",
        "postgresql://u:geheim@h:0/d",
        "postgresql://u:geheim@h:65536/d",
        "postgresql://u:geheim@h:x/d",
        "postgresql://u:geheim@[::1/d",
        "postgresql://u:geheim@[::1]5/d",
        "postgresql://u:geheim%@h/d",
        "postgresql://u:geheim%4@h/d",
        "postgresql://u:geheim%00@h/d",
        "postgresql://u:geheim@h/d?options=-c%20x",
        "postgresql://u:geheim@h/d?iam=1&sslrootcert=/dev/null",
        "postgresql://u@localhost/d?iam=1&sslmode=disable",
        "postgresql://u@h/d?iam=yes",
        "postgresql://u:geheim@h/d?host=/x",
        "postgresql://h/d?secret=database/app",
        "postgresql://h/d?secrets=/data/secrets",
        "postgresql://u@h/d?secret=a&secrets=/data/secrets",
        "postgresql://u:geheim@h/d?secret=a&secrets=/data/secrets",
        "postgresql://h/d?iam=1&secret=a&secrets=/data/secrets",
        "postgresql://h/d?secret=not%20a%20name&secrets=/data/secrets",
        "postgresql://u:geheim@h/d?sslrootcert=/nonexistent/ca.pem",
    };
    for (size_t i = 0; i < PX_COUNT(bad); i++) {
        struct pg_target target = {.port = "same"};
        char text[512];
        if (pg_target_init(px_str_c(bad[i]), &target) != PX_F_CONFIG) TEST_FAIL("%s", bad[i]);
        CHECK(!strstr(px_fault_text(PX_F_CONFIG, text, sizeof text), "geheim"));
        CHECK_STR(px_str_c(target.port), S("same"));
    }
}

TEST(codes_mean_what_can_be_done)
{
    CHECK_INT(pg_state_meaning(NULL), PG_GONE);
    CHECK_INT(pg_state_meaning("08006"), PG_GONE);
    CHECK_INT(pg_state_meaning("57P01"), PG_GONE);
    CHECK_INT(pg_state_meaning("57P03"), PG_GONE);
    CHECK_INT(pg_state_meaning("25006"), PG_GONE);
    CHECK_INT(pg_state_meaning("53300"), PG_GONE);
    CHECK_INT(pg_state_meaning("53200"), PX_F_BUSY);
    CHECK_INT(pg_state_meaning("53100"), PX_F_NO_SPACE);
    CHECK_INT(pg_state_meaning("23505"), PG_CONFLICT);
    CHECK_INT(pg_state_meaning("23502"), PX_F_BUG);
    CHECK_INT(pg_state_meaning("40001"), PX_F_BUSY);
    CHECK_INT(pg_state_meaning("55P03"), PX_F_BUSY);
    CHECK_INT(pg_state_meaning("57014"), PX_F_TIMEOUT);
    CHECK_INT(pg_state_meaning("28P01"), PX_F_DENIED);
    CHECK_INT(pg_state_meaning("3D000"), PX_F_CONFIG);
    CHECK_INT(pg_state_meaning("42601"), PX_F_BUG);
}

TEST(a_code_is_found_in_the_last_address_that_was_tried)
{
    char state[6] = "";
    CHECK(!pg_state_find(S("connection to server at \"h\" (::1), port 1 failed: refused"), state));
    CHECK(!pg_state_find(S("FATAL:  the database"), state));
    CHECK(pg_state_find(S("failed: FATAL:  57P03: starting\nfailed: FATAL:  28P01: no\n"), state));
    CHECK_STR(px_str_c(state), S("28P01"));
    CHECK(pg_state_find(S("FATAL:  3D000: "), state));
    CHECK_STR(px_str_c(state), S("3D000"));
}

TEST(columns_of_text_get_a_collation)
{
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    px_buf_init(&buf, 4096);
    pg_ddl_write(S("CREATE TABLE text_x (a TEXT NOT NULL, b text, contexts TEXT);"
                   "INSERT INTO x VALUES ('a TEXT ''s', \"TEXT\")"),
                 &buf);
    CHECK_STR(px_str_c(buf.ptr),
              S("CREATE TABLE text_x (a TEXT COLLATE \"C\" NOT NULL, b text COLLATE \"C\", "
                "contexts TEXT COLLATE \"C\");INSERT INTO x VALUES ('a TEXT ''s', \"TEXT\")"));
    px_buf_clear(&buf);
    pg_ddl_write(S("'open TEXT"), &buf);
    CHECK_STR(px_str_c(buf.ptr), S("'open TEXT"));
}

/* ---- names ---- */

/* An answer as a name server sends it: a question, then CNAMEs, each from the name before to the next one. */
struct answer {
    uint8_t bytes[2048];
    size_t len;
};

static void put_name(struct answer *answer, const char *name)
{
    while (*name) {
        size_t n = strcspn(name, ".");
        answer->bytes[answer->len++] = (uint8_t)n;
        memcpy(answer->bytes + answer->len, name, n);
        answer->len += n;
        name += n + (name[n] == '.');
    }
    answer->bytes[answer->len++] = 0;
}

static void put_bytes(struct answer *answer, const char *bytes, size_t n)
{
    memcpy(answer->bytes + answer->len, bytes, n);
    answer->len += n;
}

static void answer_make(struct answer *answer, const char *const *names)
{
    uint8_t count = 0;
    *answer = (struct answer){.len = 12};
    answer->bytes[2] = 0x81;
    answer->bytes[3] = 0x80;
    answer->bytes[5] = 1; /* a question */
    put_name(answer, names[0]);
    put_bytes(answer, "\0\1\0\1", 4);
    for (size_t i = 0; names[i + 1]; i++, count++) {
        put_name(answer, names[i]);
        put_bytes(answer, "\0\5\0\1\0\0\0\36\0", 9);
        size_t at = answer->len++;
        put_name(answer, names[i + 1]);
        answer->bytes[at] = (uint8_t)(answer->len - at - 1);
    }
    answer->bytes[7] = count;
}

TEST(the_first_name_of_rds_is_the_endpoint)
{
    static const char proxy[] = "prism.proxy-abc.eu-central-1.rds.amazonaws.com";
    static const char *const chain[] = {"proxy.dev.prism.internal", "db.example.org", proxy,
                                        "vpce-1.elb.eu-central-1.amazonaws.com", NULL};
    static const char *const elsewhere[] = {"a.example.org", "rds.amazonaws.com.example.org", NULL};
    static const char *const circle[] = {"a.b", "b.c", "a.b", "b.c", NULL};
    struct answer answer;
    char name[PG_HOST_BYTES];
    answer_make(&answer, chain);
    pg_endpoint_read(answer.bytes, answer.len, "Proxy.dev.prism.internal", name);
    CHECK_STR(px_str_c(name), px_str_c(proxy));
    pg_endpoint_read(answer.bytes, answer.len, "another.name", name);
    CHECK_STR(px_str_c(name), S("another.name"));
    answer_make(&answer, elsewhere);
    pg_endpoint_read(answer.bytes, answer.len, "a.example.org", name);
    CHECK_STR(px_str_c(name), S("a.example.org"));
    answer_make(&answer, circle);
    pg_endpoint_read(answer.bytes, answer.len, "a.b", name);
    CHECK_STR(px_str_c(name), S("a.b"));
    pg_endpoint_find("x.y.rds.amazonaws.com.cn", name); /* asks nobody */
    CHECK_STR(px_str_c(name), S("x.y.rds.amazonaws.com.cn"));
}

TEST(an_answer_that_is_cut_or_bent_is_no_harm)
{
    static const char *const chain[] = {"a.internal", "b.rds.amazonaws.com", NULL};
    struct answer whole;
    char name[PG_HOST_BYTES];
    answer_make(&whole, chain);
    for (size_t len = 0; len < whole.len; len++) {
        pg_endpoint_read(whole.bytes, len, "a.internal", name);
        CHECK_STR(px_str_c(name), S("a.internal"));
    }
    for (size_t at = 0; at < whole.len; at++)
        for (int bit = 0; bit < 8; bit++) {
            struct answer bent = whole;
            bent.bytes[at] ^= (uint8_t)(1 << bit);
            pg_endpoint_read(bent.bytes, bent.len, "a.internal", name);
            CHECK(memchr(name, '\0', sizeof name) != NULL);
        }
}

/* ---- tokens ---- */

/* The signature is that of botocore's generate_db_auth_token() for the same, at the same time. */
TEST(a_token_is_signed_as_aws_signs)
{
    struct cloud *cloud = NULL;
    struct px_str token;
    struct pg_target target = {.port = "5432", .user = "pri sm+x", .iam = true};
    const struct cloud_options options = {.clock = &t->clock};
    CHECK_OK(cloud_open(&options, &cloud));
    CHECK_OK(pg_token_make(cloud, &target, "prism.proxy-abc.eu-central-1.rds.amazonaws.com",
                           &t->arena, &token));
    cloud_close(&cloud);
    CHECK_STR(token,
              S("prism.proxy-abc.eu-central-1.rds.amazonaws.com:5432/?Action=connect&DBUser=pri%2"
                "0sm%2Bx&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20260102"
                "%2Feu-central-1%2Frds-db%2Faws4_request&X-Amz-Date=20260102T030405Z&X-Amz-Signed"
                "Headers=host&X-Amz-Expires=900&X-Amz-Signature=d1b89f3b286c6a3b807f68500485990b9"
                "ee671201d932c38b408c6e70763f9a5"));
}

TEST_MAIN
