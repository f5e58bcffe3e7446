/* Log lines are JSON, whatever is logged. */
#include "support/support.h"

#include <fcntl.h>

#include "base/px_json.h"
#include "base/px_log.h"

struct log_test {
    struct px_log log;
    struct px_buf text;
    struct px_str path;
};

static struct log_test log_open(struct test *t)
{
    struct log_test lt = {.path = test_path(t, "log")};
    int fd = open(lt.path.ptr, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    CHECK(fd >= 0);
    lt.log = (struct px_log){.fd = fd, .service = S("ingest"), .clock = &t->clock};
    lt.log.level = PX_INFO;
    px_buf_init(&lt.text, 1u << 20);
    return lt;
}
static void log_close(struct log_test *lt)
{
    px_close(&lt->log.fd);
    px_buf_deinit(&lt->text);
}
/* The one line that was written, as text and as JSON. */
static yyjson_val *log_line(struct test *t, struct log_test *lt)
{
    yyjson_val *root = NULL;
    CHECK_OK(px_file_read(lt->path.ptr, &lt->text));
    CHECK(px_str_ends(px_buf_str(&lt->text), S("}\n")));
    CHECK(memchr(lt->text.ptr, '\n', lt->text.len) == lt->text.ptr + lt->text.len - 1);
    CHECK_OK(px_json_parse(px_buf_str(&lt->text), &t->arena, &root, NULL));
    return root;
}

TEST(a_line_has_the_documented_fields)
{
    PX_AUTO(log_close) struct log_test lt = log_open(t);
    lt.log.request_id = S("r-1");
    px_log_fields(&lt.log, PX_WARN, S("\"rows\":12"), "took %d ms", 3);
    (void)log_line(t, &lt);
    CHECK_STR(
        px_buf_str(&lt.text),
        S("{\"timestamp\":\"2026-01-02T03:04:05.000Z\",\"level\":\"WARN\",\"service\":\"ingest\","
          "\"message\":\"took 3 ms\",\"requestId\":\"r-1\",\"rows\":12}\n"));
}

TEST(a_line_says_what_is_known_of_the_event)
{
    PX_AUTO(log_close) struct log_test lt = log_open(t);
    struct px_log_context context = {S("4bf92f3577b34da6a3ce929d0e0e4736"), S("ac\"me"), true};
    lt.log.request_id = S("r-1");
    lt.log.context = &context;
    px_log(&lt.log, PX_INFO, "x");
    (void)log_line(t, &lt);
    CHECK(px_str_ends(px_buf_str(&lt.text),
                      S("\"message\":\"x\",\"requestId\":\"r-1\",\"traceId\":"
                        "\"4bf92f3577b34da6a3ce929d0e0e4736\",\"tenant\":\"ac\\\"me\","
                        "\"coldStart\":true}\n")));
}

TEST(below_its_level_nothing_is_written)
{
    PX_AUTO(log_close) struct log_test lt = log_open(t);
    px_log(&lt.log, PX_DEBUG, "x");
    CHECK_OK(px_file_read(lt.path.ptr, &lt.text));
    CHECK_INT(lt.text.len, 0);
}

TEST(hostile_messages_stay_one_valid_line)
{
    PX_AUTO(log_close) struct log_test lt = log_open(t);
    px_log(&lt.log, PX_ERROR, "%s", "\"},\n{\"level\":\"INFO\xff\x01");
    yyjson_val *root = log_line(t, &lt);
    CHECK_STR(px_json_str(root, "message"), S("\"},\n{\"level\":\"INFO\xEF\xBF\xBD\x01"));
    CHECK_STR(px_json_str(root, "level"), S("ERROR"));
}

TEST(a_long_message_is_cut_and_long_fields_are_left_out)
{
    PX_AUTO(log_close) struct log_test lt = log_open(t);
    size_t huge = 300000;
    char *fields = px_arena_alloc(&t->arena, huge);
    memset(fields, '1', huge);
    fields[0] = fields[2] = '"', fields[1] = 'n', fields[3] = ':';
    px_log_fields(&lt.log, PX_INFO, px_str(fields, huge), "%*d", 100000, 1);
    yyjson_val *root = log_line(t, &lt);
    CHECK_INT(px_json_str(root, "message").len, 8191);
    CHECK_INT(px_json_i64(root, "fieldsLeftOutBytes", 0), 300000);
}

TEST(a_line_never_has_more_bytes_than_cloudwatch_takes)
{
    for (size_t fields = PX_LOG_LINE_BYTES_MAX - 200; fields < PX_LOG_LINE_BYTES_MAX;
         fields += 10) {
        PX_AUTO(log_close) struct log_test lt = log_open(t);
        char *text = px_arena_alloc(&t->arena, fields);
        memset(text, '1', fields);
        text[0] = text[2] = text[4] = text[fields - 1] = '"';
        text[1] = 'n', text[3] = ':';
        px_log_fields(&lt.log, PX_INFO, px_str(text, fields), "x");
        (void)log_line(t, &lt);
        CHECK(lt.text.len <= PX_LOG_LINE_BYTES_MAX);
        CHECK_INT(unlink(lt.path.ptr), 0);
        px_arena_reset(&t->arena);
    }
}

TEST(a_fault_is_logged_with_its_path)
{
    PX_AUTO(log_close) struct log_test lt = log_open(t);
    int fault = px_fault(PX_F_CORRUPT, "frame \"%d\"", 7);
    px_log_fault(&lt.log, fault, "reading %s", "x");
    yyjson_val *root = log_line(t, &lt);
    CHECK_STR(px_json_str(root, "fault"), S("CORRUPT"));
    CHECK(px_str_starts(px_json_str(root, "detail"), S("CORRUPT: frame \"7\" (test_log.c:")));
    CHECK_STR(px_json_str(root, "message"), S("reading x"));
}

TEST_MAIN
