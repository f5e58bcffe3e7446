/* Engines that read from S3: the extension's signature, and that the lock holds with it, even for statements
 * that nobody has checked. Nobody listens where the engine would ask. */
#include "support/support.h"

#include "base/px_buf.h"
#include "sql/remote.h"

static const struct sql_secret nobody = {.key_id = S("AKIDEXAMPLE"),
                                         .secret = S("wJalrXUtnFEMI'/x"),
                                         .token = S("TOKEN"),
                                         .region = S("eu-central-1"),
                                         .host = S("127.0.0.1:9"),
                                         .path_style = true};

static struct sql_limits limits_of(struct test *t)
{
    struct sql_limits limits = {.memory_bytes = 128u << 20, .threads = 1};
    struct px_str folder = px_str_c(getenv("PRISM_DUCKDB_EXTENSIONS")); /* ctest sets it */
    CHECK_OK(sql_remote_find(folder, &t->arena, &limits.remote.extension));
    return limits;
}

static struct sql_engine *engine_locked(struct test *t)
{
    struct sql_engine *engine = NULL;
    struct sql_limits limits = limits_of(t);
    struct px_str folders[] = {S("s3://bucket/acme/")};
    CHECK_OK(sql_engine_new(&limits, &engine));
    CHECK_OK(sql_exec(engine, "SET GLOBAL http_retries = 0"));
    CHECK_OK(sql_engine_lock_folders(engine, folders, 1));
    CHECK_OK(sql_remote_secret(engine, &nobody));
    return engine;
}

/* DuckDB's words about a statement that must fail. */
static const char *failing(struct test *t, struct sql_engine *engine, const char *sql)
{
    char text[512];
    int r = sql_exec(engine, "%s", sql);
    if (r == 0) TEST_FAIL("this went through: %s", sql);
    (void)px_fault_text(r, text, sizeof text);
    CHECK(!strstr(text, "wJalrXUtn") && !strstr(text, "TOKEN"));
    return px_arena_dup(&t->arena, px_str_c(text)).ptr;
}

TEST(only_the_tenants_objects_are_asked_for)
{
    PX_AUTO(sql_engine_free) struct sql_engine *engine = engine_locked(t);
    static const char *const refused[] = {
        "FROM read_parquet('s3://bucket/other/x.parquet')",
        "FROM read_parquet('s3://bucket/acme')",
        "FROM read_parquet('s3://bucket/acmes/x.parquet')",
        "FROM read_parquet('s3://else/acme/x.parquet')",
        "FROM read_parquet('https://bucket.s3.amazonaws.com/acme/x.parquet')",
        "FROM read_parquet('http://127.0.0.1:9/x.parquet')",
        "FROM read_parquet('/etc/passwd')",
        "FROM read_csv('https://127.0.0.1:9/')",
        "ATTACH 's3://bucket/other/x.db'",
        "COPY (SELECT 1) TO 's3://bucket/other/x.parquet'"};
    for (size_t i = 0; i < PX_COUNT(refused); i++) {
        const char *text = failing(t, engine, refused[i]);
        if (!strstr(text, "disabled")) TEST_FAIL("%s: %s", refused[i], text);
    }
    const char *own = failing(t, engine, "FROM read_parquet('s3://bucket/acme/x.parquet')");
    CHECK(!strstr(own, "disabled")); /* it was asked for, where nobody listens */
}

TEST(what_the_extension_adds_is_locked_too)
{
    PX_AUTO(sql_engine_free) struct sql_engine *engine = engine_locked(t);
    static const char *const refused[] = {"SET s3_endpoint = 'elsewhere'",
                                          "SET GLOBAL http_proxy = 'elsewhere'",
                                          "SET enable_server_cert_verification = false",
                                          "RESET ca_cert_file",
                                          "SET GLOBAL enable_global_s3_configuration = true",
                                          "INSTALL httpfs",
                                          "CREATE PERSISTENT SECRET p (TYPE s3)"};
    for (size_t i = 0; i < PX_COUNT(refused); i++) (void)failing(t, engine, refused[i]);
}

TEST(a_tenants_statement_cannot_name_secrets_or_objects)
{
    PX_AUTO(sql_engine_free) struct sql_engine *engine = engine_locked(t);
    static const char *const refused[] = {"FROM duckdb_secrets()",
                                          "FROM which_secret('s3://bucket/acme/x', 's3')",
                                          "FROM 's3://bucket/acme/x.parquet'",
                                          "FROM read_parquet('s3://bucket/acme/x.parquet')",
                                          "FROM glob('s3://bucket/acme/*')",
                                          "SELECT getenv('AWS_SECRET_ACCESS_KEY')",
                                          "CREATE SECRET s (TYPE s3)",
                                          "DROP SECRET prism"};
    for (size_t i = 0; i < PX_COUNT(refused); i++) {
        struct sql_statement statement;
        struct px_str why;
        int r = sql_check(engine, px_str_c(refused[i]), &t->arena, &statement, &why);
        if (r != SQL_REFUSED) TEST_FAIL("%s gave %d", refused[i], r);
    }
}

TEST(an_altered_extension_does_not_load)
{
    struct sql_limits limits = limits_of(t);
    PX_AUTO(px_buf_deinit) struct px_buf bytes;
    px_buf_init(&bytes, 64u << 20);
    CHECK_OK(px_file_read(limits.remote.extension.ptr, &bytes));
    bytes.ptr[bytes.len / 2] ^= 1;
    limits.remote.extension = test_path(t, SQL_REMOTE_FILE);
    CHECK_OK(px_file_write_atomic(limits.remote.extension.ptr, px_buf_str(&bytes), 0600));
    struct sql_engine *engine = NULL;
    int r = sql_engine_new(&limits, &engine);
    char text[512];
    CHECK(r < 0 && !engine);
    CHECK(strstr(px_fault_text(r, text, sizeof text), "signature"));
}

TEST(a_second_engine_locks_like_the_first)
{
    struct sql_limits limits = limits_of(t);
    PX_AUTO(sql_engine_free) struct sql_engine *first = NULL, *engine = NULL;
    struct px_str folders[] = {S("s3://bucket/acme/")};
    CHECK_OK(sql_engine_new(&limits, &first));
    limits.remote.verified = true;
    CHECK_OK(sql_engine_new(&limits, &engine));
    CHECK_OK(sql_exec(engine, "SET GLOBAL http_retries = 0"));
    CHECK_OK(sql_engine_lock_folders(engine, folders, 1));
    CHECK_OK(sql_remote_secret(engine, &nobody));
    CHECK(strstr(failing(t, engine, "FROM read_parquet('s3://bucket/b/x.parquet')"), "disabled"));
    struct px_str other = test_path(t, "other.duckdb_extension");
    CHECK_OK(px_file_write_atomic(other.ptr, S("not signed"), 0600));
    struct px_str load = px_arena_printf(&t->arena, "LOAD '%.*s'", PX_FMT(other));
    (void)failing(t, engine, load.ptr);
    CHECK(strstr(failing(t, engine, load.ptr), "disabled"));
}

TEST(a_missing_extension_is_told)
{
    struct px_str path;
    char text[512];
    int r = sql_remote_find(test_path(t, "absent"), &t->arena, &path);
    CHECK_INT(r, PX_F_CONFIG);
    CHECK(strstr(px_fault_text(r, text, sizeof text), SQL_REMOTE_FILE));
    CHECK_INT(sql_remote_find(S(""), &t->arena, &path), PX_F_CONFIG); /* none beside this program */
}

TEST(credentials_may_be_changed_on_a_locked_engine)
{
    PX_AUTO(sql_engine_free) struct sql_engine *engine = engine_locked(t);
    struct sql_secret next = nobody;
    next.token = S("");
    next.tls = true;
    CHECK_OK(sql_remote_secret(engine, &next));
    next.host = S("");
    next.path_style = false;
    CHECK_OK(sql_remote_secret(engine, &next));
}

TEST_MAIN
