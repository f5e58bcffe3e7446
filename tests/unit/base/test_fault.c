/* The two channels and the path of a fault. */
#include "support/support.h"

#include <errno.h>
#include <pthread.h>

static char text[512];

static int open_it(void)
{
    errno = ENOENT;
    return px_fault(PX_F_IO, "open %s: %m", "/x");
}
static int middle(void)
{
    PX_TRY(open_it());
    return 0;
}
static int outer(void)
{
    PX_TRY(middle());
    return 0;
}

TEST(text_shows_detail_and_path)
{
    CHECK_INT(outer(), PX_F_IO);
    px_fault_text(PX_F_IO, text, sizeof text);
    CHECK(
        px_str_starts(px_str_c(text), S("IO: open /x: No such file or directory (test_fault.c:")));
    int files = 0;
    for (const char *at = text; (at = strstr(at, "test_fault.c:")); at++) files++;
    CHECK_INT(files, 3);
}

static int answer(void) { return 3; }
static int forwards(void)
{
    PX_TRY(answer());
    return 0;
}
TEST(an_answer_that_travels_is_our_bug)
{
    CHECK_INT(forwards(), PX_F_BUG);
    CHECK(strstr(px_fault_text(PX_F_BUG, text, sizeof text), "answer 3"));
}

TEST(another_fault_is_shown_without_the_stale_path)
{
    CHECK_INT(outer(), PX_F_IO);
    CHECK_STR(px_str_c(px_fault_text(PX_F_OOM, text, sizeof text)), S("OOM: out of memory"));
    CHECK_INT(px_fold(PX_F_TIMEOUT, "a/b.c", 9), PX_F_TIMEOUT);
    CHECK_STR(px_str_c(px_fault_text(PX_F_TIMEOUT, text, sizeof text)),
              S("TIMEOUT: deadline passed (b.c:9)"));
}

static int recurse(int depth)
{
    if (depth == 0) return px_fault(PX_F_LIMIT, "deep");
    PX_TRY(recurse(depth - 1));
    return 0;
}
TEST(a_long_path_is_cut_and_says_so)
{
    CHECK_INT(recurse(50), PX_F_LIMIT);
    CHECK(px_str_ends(px_str_c(px_fault_text(PX_F_LIMIT, text, sizeof text)), S("< 41 more)")));
    char tiny[8];
    CHECK_STR(px_str_c(px_fault_text(PX_F_LIMIT, tiny, sizeof tiny)), S("LIMIT: "));
}

TEST(errno_chooses_the_fault_and_survives)
{
    static const struct {
        int error, fault;
    } cases[] = {{ENOSPC, PX_F_NO_SPACE},   {EDQUOT, PX_F_NO_SPACE},
                 {EFBIG, PX_F_NO_SPACE},    {ENOMEM, PX_F_OOM},
                 {EACCES, PX_F_DENIED},     {EIO, PX_F_IO},
                 {ETIMEDOUT, PX_F_TIMEOUT}, {ECONNREFUSED, PX_F_UNAVAILABLE},
                 {EMFILE, PX_F_LIMIT}};
    for (size_t i = 0; i < PX_COUNT(cases); i++) {
        errno = cases[i].error;
        CHECK_INT(px_fault_errno("doing it"), cases[i].fault);
        CHECK_INT(errno, cases[i].error);
    }
    errno = ENOSPC;
    CHECK_INT(px_fault_errno("write"), PX_F_NO_SPACE);
    CHECK(strstr(px_fault_text(PX_F_NO_SPACE, text, sizeof text), "write: No space left"));
}

TEST(each_fault_has_name_status_and_text)
{
    CHECK_STR(px_str_c(px_fault_name(PX_F_CORRUPT)), S("CORRUPT"));
    CHECK_INT(px_fault_http(PX_F_NO_SPACE), 507);
    CHECK_STR(px_str_c(px_fault_name(0)), S("?"));
    CHECK_STR(px_str_c(px_fault_name(-999)), S("?"));
    for (int fault = PX_F_BUG; fault < 0; fault++)
        CHECK(px_fault_http(fault) >= 500); /* never the caller's */
}

static void *other_thread(void *unused)
{
    (void)unused;
    (void)px_fault(PX_F_IO, "from the other thread");
    return NULL;
}
TEST(each_thread_has_its_own)
{
    CHECK_INT(outer(), PX_F_IO);
    pthread_t thread;
    CHECK_INT(pthread_create(&thread, NULL, other_thread, NULL), 0);
    CHECK_INT(pthread_join(thread, NULL), 0);
    CHECK(strstr(px_fault_text(PX_F_IO, text, sizeof text), "/x"));
}

TEST_MAIN
