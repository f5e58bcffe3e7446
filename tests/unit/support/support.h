/* tests/unit/support/support.h - cmocka with Prism's spelling.
 *
 *   #include "support/support.h"
 *   TEST(name_is_the_promise) { CHECK_OK(...); CHECK_INT(a, b); }
 *   TEST_MAIN
 *
 * Each test gets `t`: a scratch folder, a fake clock, an arena. A test fails when it leaves a file
 * descriptor open, and under AddressSanitizer when it leaks memory. One file is one program; its
 * first argument is a cmocka filter, e.g. "torn_*". */
#pragma once

#include "base/px.h" /* first: it sets _GNU_SOURCE */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/px_arena.h"
#include "base/px_clock.h"
#include "base/px_file.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/lsan_interface.h>
#define TEST_LEAKS() __lsan_do_recoverable_leak_check()
#else
#define TEST_LEAKS() 0
#endif

struct test {
    char dir[64];          /* an empty folder, removed afterwards */
    struct px_arena arena; /* 64 MiB; for whatever the test reads */
    struct px_clock clock; /* stands still at now_ns until test_advance() */
    int64_t now_ns;        /* 2026-01-02T03:04:05Z at first */
    int fds_before;
    bool finished; /* ran to its end; a failed check jumps out and cleans nothing up */
};

/* ---- checks: they say where, what was expected and what came, and end the test ---- */

#define TEST_FAIL(...)                                                                             \
    do {                                                                                           \
        print_error(__VA_ARGS__);                                                                  \
        print_error("\n");                                                                         \
        _fail(__FILE__, __LINE__);                                                                 \
        abort(); /* not reached; _fail() does not say so */                                        \
    } while (0)
#define CHECK(cond)                                                                                \
    do {                                                                                           \
        if (!(cond)) TEST_FAIL("not true: %s", #cond);                                             \
    } while (0)
/* A call that returns 0; shows the fault with its path otherwise. */
#define CHECK_OK(call)                                                                             \
    do {                                                                                           \
        int check_result_ = (call);                                                                \
        char check_text_[512];                                                                     \
        if (check_result_ != 0)                                                                    \
            TEST_FAIL("%s gave %d %s", #call, check_result_,                                       \
                      check_result_ < 0 ? px_fault_text(check_result_, check_text_, 512) : "");    \
    } while (0)
#define CHECK_INT(got, want)                                                                       \
    do {                                                                                           \
        int64_t check_got_ = (int64_t)(got), check_want_ = (int64_t)(want);                        \
        if (check_got_ != check_want_)                                                             \
            TEST_FAIL("%s is %lld, not %lld", #got, (long long)check_got_,                         \
                      (long long)check_want_);                                                     \
    } while (0)
/* Two px_str. */
#define CHECK_STR(got, want)                                                                       \
    do {                                                                                           \
        struct px_str check_got_ = (got), check_want_ = (want);                                    \
        if (!px_str_eq(check_got_, check_want_))                                                   \
            TEST_FAIL("%s is \"%.*s\", not \"%.*s\"", #got, PX_FMT(check_got_),                    \
                      PX_FMT(check_want_));                                                        \
    } while (0)

/* ---- what a test borrows ---- */

__attribute__((unused)) static struct test *test_of_clock(void *ctx) { return ctx; }
__attribute__((unused)) static int64_t test_clock_ns(void *ctx)
{
    return test_of_clock(ctx)->now_ns;
}
__attribute__((unused)) static void test_advance(struct test *t, int64_t ns) { t->now_ns += ns; }

/* A path in the scratch folder, NUL-terminated behind the view. */
__attribute__((unused, format(printf, 2, 3))) static struct px_str test_path(struct test *t,
                                                                             const char *fmt, ...)
{
    char name[512];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(name, sizeof name, fmt, args);
    va_end(args);
    return px_arena_printf(&t->arena, "%s/%s", t->dir, name);
}

/* ---- registration and running ---- */

#define TESTS_MAX 200
static struct CMUnitTest test_list[TESTS_MAX];
static size_t test_count;

static void test_register(const char *name, CMUnitTestFunction run, CMFixtureFunction setup,
                          CMFixtureFunction teardown)
{
    PX_ASSERT(test_count < TESTS_MAX);
    test_list[test_count++] = (struct CMUnitTest){name, run, setup, teardown, NULL};
}

static int test_count_fd(void *ctx, const char *name, bool is_dir)
{
    (void)name, (void)is_dir;
    ++*(int *)ctx;
    return 0;
}
static int test_open_fds(void)
{
    int count = 0;
    int r = px_dir_each("/proc/self/fd", test_count_fd, &count);
    return r == 0 ? count : -1;
}

static int test_setup(void **state)
{
    struct test *t = calloc(1, sizeof *t);
    if (!t) return -1;
    const char *tmp = getenv("TMPDIR");
    (void)snprintf(t->dir, sizeof t->dir, "%.40s/prism-test-XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(t->dir)) return -1;
    px_arena_init(&t->arena, 64u << 20);
    t->now_ns = INT64_C(1767323045) * PX_NS_PER_S;
    t->clock = (struct px_clock){test_clock_ns, test_clock_ns, t};
    t->fds_before = test_open_fds();
    *state = t;
    return 0;
}

static bool test_any_unfinished; /* its leaks would be blamed on the tests after it */

static int test_teardown(void **state)
{
    struct test *t = *state;
    if (!t->finished) test_any_unfinished = true;
    int fds_left = test_open_fds() - t->fds_before;
    int r = px_dir_remove(t->dir);
    px_arena_deinit(&t->arena);
    free(t);
    *state = NULL;
    if (test_any_unfinished) return r;
    if (fds_left != 0) print_error("%d file descriptors were left open\n", fds_left);
    return fds_left != 0 || r != 0 || TEST_LEAKS() ? -1 : 0;
}

#define TEST(name)                                                                                 \
    static void name(struct test *t);                                                              \
    static void name##_run_(void **state)                                                          \
    {                                                                                              \
        name(*state);                                                                              \
        ((struct test *)*state)->finished = true;                                                  \
    }                                                                                              \
    __attribute__((constructor)) static void name##_register_(void)                                \
    {                                                                                              \
        test_register(#name, name##_run_, test_setup, test_teardown);                              \
    }                                                                                              \
    static void name(__attribute__((unused)) struct test *t)

#define TEST_MAIN                                                                                  \
    int main(int argc, char **argv)                                                                \
    {                                                                                              \
        if (argc > 1) cmocka_set_test_filter(argv[1]);                                             \
        return _cmocka_run_group_tests(argv[0], test_list, test_count, NULL, NULL);                \
    }
