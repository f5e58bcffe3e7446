/* Who may read an answer in a browser: the header fields of answers by the origin that asks. */
#include "support/support.h"

#include <stdlib.h>

#include "lambda/apigw.h"
#include "lambda/cors.h"

/* "Name: value|..." of the answer to an event of this origin. */
static const char *told(struct test *t, const char *origins, const char *origin)
{
    struct http_header headers[CORS_HEADERS_MAX];
    struct px_str text = S("");
    if (origins)
        CHECK_INT(setenv("PRISM_CORS_ORIGINS", origins, 1), 0);
    else
        CHECK_INT(unsetenv("PRISM_CORS_ORIGINS"), 0);
    cors_note(px_str_c(origin));
    size_t count = cors_headers(headers);
    for (size_t i = 0; i < count; i++)
        text = px_arena_printf(&t->arena, "%.*s%.*s: %.*s|", PX_FMT(text), PX_FMT(headers[i].name),
                               PX_FMT(headers[i].value));
    return px_arena_cstr(&t->arena, text);
}

#define ANY "Access-Control-Allow-Origin: *|Access-Control-Expose-Headers: *|"
#define ONE(o) "Vary: Origin|Access-Control-Allow-Origin: " o "|Access-Control-Expose-Headers: *|"

TEST(origins_of_the_environment_may_read_and_others_may_not)
{
    static const struct {
        const char *origins, *origin, *told;
    } cases[] = {
        {NULL, "", ""},
        {NULL, "https://a.example", ANY},
        {"*", "null", ANY},
        {"https://a.example", "https://a.example", ONE("https://a.example")},
        {"https://a.example  https://b.example", "https://b.example", ONE("https://b.example")},
        {"https://a.example https://b.example", "https://c.example", "Vary: Origin|"},
        {"https://a.example", "https://a.example.evil", "Vary: Origin|"},
        {"https://a.example", "https://a.exampl", "Vary: Origin|"},
        {"https://a.example", "https://A.example", "Vary: Origin|"},
        {"https://a.example", "", ""},
        {"", "https://a.example", "Vary: Origin|"},
        {"  ", "https://a.example", "Vary: Origin|"},
    };
    for (size_t i = 0; i < PX_COUNT(cases); i++)
        CHECK_STR(px_str_c(told(t, cases[i].origins, cases[i].origin)), px_str_c(cases[i].told));
    (void)unsetenv("PRISM_CORS_ORIGINS");
    cors_note((struct px_str){0});
}

TEST(an_origin_without_end_is_told_nothing)
{
    static char origin[4096];
    memset(origin, 'a', sizeof(origin) - 1);
    CHECK_STR(px_str_c(told(t, NULL, origin)), S(""));
}

TEST(every_answer_of_a_function_carries_them)
{
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    px_buf_init(&buf, 1u << 16);
    cors_note(S("https://a.example"));
    api_respond_json(200, S("{}"), &buf);
    api_respond_problem(404, S("no"), S("r"), S(""), &buf);
    cors_note((struct px_str){0});
    api_respond_json(200, S("{}"), &buf);
    px_buf_add_char(&buf, '\0');
    const char *first = strstr(buf.ptr, "\"Access-Control-Allow-Origin\":\"*\"");
    const char *second = first ? strstr(first + 1, "\"Access-Control-Allow-Origin\":\"*\"") : NULL;
    CHECK(second && !strstr(second + 2, "Access-Control-Allow-Origin"));
    (void)t;
}

TEST_MAIN
