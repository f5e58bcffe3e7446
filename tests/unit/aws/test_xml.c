/* The XML of answers: S3's lists, errors, the query protocol. */
#include "support/support.h"

#include "aws/xml.h"

struct seen {
    struct test *t;
    struct px_str text;
    int give; /* the result of every call */
};
static int leaf(void *ctx, struct px_str name, struct px_str text)
{
    struct seen *seen = ctx;
    seen->text = px_arena_printf(&seen->t->arena, "%.*s%.*s=%.*s;", PX_FMT(seen->text),
                                 PX_FMT(name), PX_FMT(text));
    return seen->give;
}
static int leave(void *ctx, struct px_str name)
{
    struct seen *seen = ctx;
    seen->text = px_arena_printf(&seen->t->arena, "%.*s/%.*s;", PX_FMT(seen->text), PX_FMT(name));
    return 0;
}
static int read_all(struct seen *seen, struct px_str document)
{
    static const char *const containers[] = {"R", "C", NULL};
    struct cloud_xml_reader reader = {containers, leaf, leave, seen};
    seen->text = S("");
    return cloud_xml_read(document, &reader);
}

TEST(elements_come_in_order_with_their_text)
{
    struct seen seen = {.t = t};
    CHECK_OK(
        read_all(&seen, S("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<R xmlns=\"u\"><A>1</A>"
                          "<C><B>a&amp;b &lt;&quot;</B><D></D></C><C><O><I>x</I></O></C></R>")));
    CHECK_STR(seen.text, S("A=1;B=a&b <\";D=;/C;O=<I>x</I>;/C;/R;"));
}

TEST(what_is_no_such_document_is_told)
{
    static const char *const documents[] = {
        "",          "text",           "<", "<R", "<R>", "<R><C></R>", "<X><A>1</A></X>",
        "{\"a\":1}", "<R><A>1</B></R>"};
    for (size_t i = 0; i < PX_COUNT(documents); i++) {
        struct seen seen = {.t = t};
        CHECK_INT(read_all(&seen, px_str_c(documents[i])), CLOUD_XML_INVALID);
    }
}

TEST(depth_is_bounded)
{
    char deep[4096] = "", *at = deep;
    for (int i = 0; i < 500; i++) at += sprintf(at, "<R>");
    for (int i = 0; i < 500; i++) at += sprintf(at, "</R>");
    struct seen seen = {.t = t};
    CHECK_INT(read_all(&seen, px_str_c(deep)), CLOUD_XML_INVALID);
}

TEST(a_fault_of_a_call_ends_the_reading)
{
    struct seen seen = {.t = t, .give = PX_F_LIMIT};
    CHECK_INT(read_all(&seen, S("<R><A>1</A><A>2</A></R>")), PX_F_LIMIT);
    CHECK_STR(seen.text, S("A=1;"));
}

TEST_MAIN
