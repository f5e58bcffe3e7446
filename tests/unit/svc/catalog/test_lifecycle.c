/* platform/lifecycle.json and what it must not say. */
#include "support/support.h"

#include "svc/catalog/lifecycle.h"

TEST(the_file_of_the_platform_is_valid_and_built_in)
{
    struct px_buf buf;
    px_buf_init(&buf, 1u << 20);
    CHECK_OK(px_file_read(PX_SOURCE_DIR "/platform/lifecycle.json", &buf));
    CHECK_STR(lifecycle_builtin(), px_buf_str(&buf));
    px_buf_deinit(&buf);
    struct lifecycle lifecycle;
    struct px_where where = {0};
    int r = lifecycle_parse(lifecycle_builtin(), &t->arena, &lifecycle, &where);
    if (r != 0) TEST_FAIL("%s: %s", where.path, where.expected);
    CHECK(lifecycle.segment.row_group_rows > 0 && lifecycle.object_bytes_target > 0);
}

TEST(the_first_class_that_matches_counts)
{
    struct lifecycle lifecycle;
    CHECK_OK(lifecycle_parse(lifecycle_builtin(), &t->arena, &lifecycle, NULL));
    CHECK_STR(lifecycle_class_of(&lifecycle, S("_system"), S("logs"))->name, S("system"));
    CHECK_STR(lifecycle_class_of(&lifecycle, S("acme"), S("logs"))->name, S("logs"));
    CHECK_STR(lifecycle_class_of(&lifecycle, S("acme"), S("nginx"))->name, S("default"));
}

/* The built-in text with the first `from` replaced must be refused at `path`. */
static void refused(struct test *t, const char *from, const char *to, const char *path)
{
    struct px_str text = lifecycle_builtin();
    const char *at = strstr(text.ptr, from);
    if (!at) TEST_FAIL("no %s in the file", from);
    struct px_str json = px_arena_printf(&t->arena, "%.*s%s%s", (int)(at - text.ptr), text.ptr, to,
                                         at + strlen(from));
    struct lifecycle lifecycle;
    struct px_where where = {0};
    CHECK_INT(lifecycle_parse(json, &t->arena, &lifecycle, &where), LIFECYCLE_INVALID);
    CHECK_STR(px_str_c(where.path), px_str_c(path));
    CHECK(where.expected[0] != '\0');
}

TEST(what_s3_would_refuse_or_bill_for_nothing_is_refused_here)
{
    refused(t, "\"after_days\": 30", "\"after_days\": 29", "after_days");
    refused(t, "\"after_days\": 120", "\"after_days\": 59", "after_days");
    refused(t, "\"retention_days\": 365", "\"retention_days\": 209", "retention_days");
    refused(t, "GLACIER_IR", "DEEP_ARCHIVE", "storage_class");
}

TEST(missing_and_mistyped_values_are_named)
{
    refused(t, "\"version\": 1", "\"version\": 2", "version");
    refused(t, "\"rows_max\": 1048576", "\"rows_max\": 0", "rows_max");
    refused(t, "\"dead_grace_s\": 900", "\"dead_grace_s\": \"900\"", "dead_grace_s");
    refused(t, "\"parquet_version\": \"V2\"", "\"parquet_version\": \"V3\"", "parquet_version");
    refused(t, "\"compression_level\": 1", "\"compression_level\": 23", "compression_level");
    refused(t, "\"merge_files_min\": 4", "\"merge_files_min\": 1", "merge_files_min");
    refused(t, "\"name\": \"default\",\n      \"tenants\": [\"*\"]",
            "\"name\": \"default\",\n      \"tenants\": [\"acme\"]", "classes");
    struct lifecycle lifecycle;
    struct px_where where = {0};
    CHECK_INT(lifecycle_parse(S("{\"version\": 1"), &t->arena, &lifecycle, &where),
              LIFECYCLE_INVALID);
}

TEST_MAIN
