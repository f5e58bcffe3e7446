/* Trace contexts, as W3C and X-Ray write them. */
#include "support/support.h"

#include "base/px_id.h"
#include "observe/trace.h"

#define W3C "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
#define XRAY "Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Parent=00f067aa0ba902b7;Sampled=1"

TEST(both_forms_hold_the_same)
{
    struct trace_context w3c, xray;
    char text[TRACE_XRAY_BYTES];
    CHECK(trace_from_w3c(S(W3C), &w3c) && trace_from_xray(S(XRAY), &xray));
    CHECK(memcmp(&w3c, &xray, sizeof w3c) == 0);
    CHECK(w3c.sampled && trace_is_set(&w3c) && trace_has_span(&w3c));
    CHECK_STR(trace_to_w3c(&xray, text), S(W3C));
    CHECK_STR(trace_to_xray(&w3c, text), S(XRAY));
    w3c.sampled = false;
    CHECK_STR(trace_to_w3c(&w3c, text),
              S("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"));
}

TEST(what_is_no_traceparent_begins_nothing)
{
    static const char *const bad[] = {
        "",
        "00-0-0-00",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0g",
        "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01x",
    };
    struct trace_context context;
    for (size_t i = 0; i < PX_COUNT(bad); i++)
        if (trace_from_w3c(px_str_c(bad[i]), &context)) TEST_FAIL("taken: %s", bad[i]);
}

TEST(a_later_version_is_read_as_far_as_it_is_known)
{
    struct trace_context context;
    CHECK(trace_from_w3c(S("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"), &context));
    CHECK(trace_from_w3c(S("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what.ever"),
                         &context));
    CHECK(context.sampled);
}

TEST(x_rays_keys_stand_in_any_order_and_some_are_absent)
{
    struct trace_context context;
    char text[TRACE_XRAY_BYTES];
    CHECK(trace_from_xray(
        S(" Sampled=1 ; Lineage=25:a87bd80c:1 ;Root=1-4bf92f35-77b34da6a3ce929d0e0e4736"),
        &context));
    CHECK(context.sampled && !trace_has_span(&context));
    CHECK_STR(trace_to_xray(&context, text),
              S("Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Sampled=1"));
    CHECK(trace_from_xray(S("Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Parent=nonsense"), &context));
    CHECK(!context.sampled && !trace_has_span(&context));
    CHECK(trace_from_xray(S("Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Sampled=?"), &context));
    CHECK(!context.sampled && !context.decided);
    static const char *const bad[] = {"",
                                      "Root=",
                                      "Root=2-4bf92f35-77b34da6a3ce929d0e0e4736",
                                      "Root=1-00000000-000000000000000000000000",
                                      "Parent=00f067aa0ba902b7;Sampled=1",
                                      ";;;===",
                                      "Root=1-4bf92f35-77b34da6a3ce929d0e0e473"};
    for (size_t i = 0; i < PX_COUNT(bad); i++)
        if (trace_from_xray(px_str_c(bad[i]), &context)) TEST_FAIL("taken: %s", bad[i]);
}

TEST(a_look_at_x_rays_usual_form_says_the_same_as_reading_it)
{
    static const char *const headers[] = {XRAY, "Root=1-4bf92f35-77b34da6a3ce929d0e0e4736",
                                          "Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Sampled=0",
                                          XRAY ";Lineage=25:a87bd80c:1"};
    for (size_t i = 0; i < PX_COUNT(headers); i++) {
        struct trace_context context;
        char hex[33], want[33];
        bool sampled;
        CHECK(trace_from_xray(px_str_c(headers[i]), &context));
        CHECK(trace_peek_xray(px_str_c(headers[i]), hex, &sampled));
        px_hex(context.trace, 16, want);
        CHECK(strcmp(hex, want) == 0 && sampled == context.sampled);
    }
    static const char *const others[] = {"", "Root=1-", "Sampled=1;" XRAY,
                                         "Root=1-4bf92f35-77b34da6a3ce929d0e0e47361"};
    char hex[33];
    bool sampled;
    for (size_t i = 0; i < PX_COUNT(others); i++)
        CHECK(!trace_peek_xray(px_str_c(others[i]), hex, &sampled));
}

TEST(a_tracestate_is_passed_on_whole_or_not_at_all)
{
    char many[80], wide[520];
    memset(many, ',', sizeof many);
    memset(wide, 'a', sizeof wide);
    CHECK_STR(trace_state(S(" rojo=00f067aa0ba902b7,congo=t61rcWkgMzE ")),
              S("rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"));
    CHECK_STR(trace_state(px_str(wide, 512)), px_str(wide, 512));
    CHECK_STR(trace_state(px_str(wide, 513)), S(""));
    CHECK_STR(trace_state(px_str(many, 31)), px_str(many, 31));
    CHECK_STR(trace_state(px_str(many, 32)), S(""));
    CHECK_STR(trace_state(S("a=b\n")), S("a=b"));
    CHECK_STR(trace_state(S("a=\x01")), S(""));
    CHECK_STR(trace_state(S("a=\xc3\xa9")), S(""));
}

TEST(a_new_trace_begins_with_its_time)
{
    struct trace_context one, other;
    struct px_random_stock stock = {0};
    trace_begin(&stock, t->now_ns, &one);
    trace_begin(NULL, t->now_ns, &other);
    uint32_t seconds = (uint32_t)one.trace[0] << 24 | (uint32_t)one.trace[1] << 16 |
                       (uint32_t)one.trace[2] << 8 | one.trace[3];
    CHECK_INT(seconds, t->now_ns / PX_NS_PER_S);
    CHECK(memcmp(one.trace, other.trace, 16) != 0 && !trace_has_span(&one) && !one.sampled);
}

TEST_MAIN
