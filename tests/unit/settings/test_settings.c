/* A function's settings: environment, parameters over it, mistakes. */
#include "support/support.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/px_file.h"
#include "settings/settings.h"

enum { SIZE, TIME, COUNT };
static const struct setting_spec specs[COUNT] = {
    [SIZE] = {"TEST_SIZE", "query/size", 1000, false},
    [TIME] = {"TEST_TIME", "query/time_ms", 60000, true}};

struct rig {
    struct test *t;
    struct settings settings;
    struct px_log log;
};

static void rig_open(struct test *t, struct rig *rig)
{
    *rig = (struct rig){.t = t, .log = {.level = PX_INFO, .clock = &t->clock}};
    rig->log.fd = open(test_path(t, "log").ptr, O_CREAT | O_APPEND | O_WRONLY | O_CLOEXEC, 0600);
    CHECK(rig->log.fd >= 0);
    CHECK(setenv("TEST_TIME", "500", 1) == 0 && unsetenv("TEST_SIZE") == 0);
    CHECK(setenv("PRISM_PARAMETERS_URL", test_path(t, "p.json").ptr, 1) == 0);
    CHECK(setenv("PRISM_PARAMETERS_AGE_MS", "1000", 1) == 0);
    const struct param_options options = {.clock = &t->clock};
    CHECK_OK(settings_open(&rig->settings, "query", specs, COUNT, &options));
}
static void rig_close(struct rig *rig)
{
    settings_close(&rig->settings);
    CHECK(close(rig->log.fd) == 0);
}

/* A refresh after the parameters changed. */
static bool refresh(struct rig *rig, const char *text)
{
    CHECK_OK(px_file_write_atomic(test_path(rig->t, "p.json").ptr, px_str_c(text), 0600));
    test_advance(rig->t, PX_NS_PER_S);
    return settings_refresh(&rig->settings, &rig->log, 1000);
}

/* How often the log has it. */
static int logged(struct rig *rig, const char *what)
{
    PX_AUTO(px_buf_deinit) struct px_buf text;
    px_buf_init(&text, 1u << 20);
    CHECK_OK(px_file_read(test_path(rig->t, "log").ptr, &text));
    px_buf_add_char(&text, '\0');
    CHECK_OK(px_buf_fault(&text));
    int count = 0;
    for (const char *at = text.ptr; (at = strstr(at, what)); at++) count++;
    return count;
}

TEST(the_environment_holds_where_there_is_no_parameter)
{
    PX_AUTO(rig_close) struct rig rig;
    rig_open(t, &rig);
    CHECK_INT(rig.settings.values[SIZE], 0);
    CHECK_INT(rig.settings.values[TIME], 500);
    CHECK(!settings_refresh(&rig.settings, &rig.log, 1000)); /* there is no file */
    CHECK_INT(rig.settings.values[TIME], 500);
    CHECK_INT(rig.settings.level, PX_INFO);
}

TEST(a_parameter_holds_over_it)
{
    PX_AUTO(rig_close) struct rig rig;
    rig_open(t, &rig);
    CHECK(refresh(&rig, "{\"query/time_ms\":600,\"query/size\":\"7\",\"time_ms\":1}"));
    CHECK_INT(rig.settings.values[TIME], 600);
    CHECK_INT(rig.settings.values[SIZE], 7);
    CHECK(refresh(&rig, "{\"query/time_ms\":700,\"query/size\":7}"));
    CHECK_INT(rig.settings.values[TIME], 700);
    CHECK(refresh(&rig, "{\"query/size\":7}")); /* without parameter the environment again */
    CHECK_INT(rig.settings.values[TIME], 500);
    CHECK_INT(logged(&rig, "query/time_ms is 700 now, after 600"), 1);
}

TEST(what_is_not_live_follows_at_start_only)
{
    PX_AUTO(rig_close) struct rig rig;
    rig_open(t, &rig);
    CHECK(refresh(&rig, "{\"query/size\":7}"));
    CHECK(!refresh(&rig, "{\"query/size\":8}"));
    CHECK_INT(rig.settings.values[SIZE], 7);
    CHECK_INT(logged(&rig, "query/size holds from the next start on; here 7 stays"), 1);
}

TEST(a_parameter_that_does_not_fit_is_told_once_and_what_held_goes_on)
{
    PX_AUTO(rig_close) struct rig rig;
    rig_open(t, &rig);
    CHECK(refresh(&rig, "{\"query/time_ms\":600}"));
    const char *const bad[] = {"{\"query/time_ms\":\"soon\"}", "{\"query/time_ms\":0}",
                               "{\"query/time_ms\":60001}", "{\"query/time_ms\":-1}",
                               "{\"query/time_ms\":\"\"}"};
    for (size_t i = 0; i < PX_COUNT(bad); i++) {
        CHECK(!refresh(&rig, bad[i]));
        CHECK_INT(rig.settings.values[TIME], 600);
        CHECK(!refresh(&rig, bad[i]));
        CHECK_INT(logged(&rig, "parameter query/time_ms is a number from 1 to 60000"), (int)i + 1);
    }
    CHECK_INT(logged(&rig, "WARN"), (int)PX_COUNT(bad));
    CHECK(!refresh(&rig, "{\"query/time_ms\":600}"));
}

TEST(parameters_that_cannot_be_read_are_told_once_and_when_they_can_again)
{
    PX_AUTO(rig_close) struct rig rig;
    rig_open(t, &rig);
    CHECK(refresh(&rig, "{\"query/time_ms\":600}"));
    for (int i = 0; i < 3; i++) CHECK(!refresh(&rig, "{"));
    CHECK_INT(logged(&rig, "parameters cannot be read"), 1);
    CHECK_INT(rig.settings.values[TIME], 600);
    CHECK(!refresh(&rig, "{\"query/time_ms\":600}")); /* as it was */
    CHECK_INT(logged(&rig, "parameters are read again"), 1);
    CHECK(!refresh(&rig, "{"));
    CHECK_INT(logged(&rig, "parameters cannot be read"), 2);
}

TEST(the_logs_level_is_a_parameter_too)
{
    PX_AUTO(rig_close) struct rig rig;
    rig_open(t, &rig);
    CHECK(!refresh(&rig, "{\"log_level\":\"error\",\"query/log_level\":\"Debug\"}"));
    CHECK_INT(rig.settings.level, PX_DEBUG);
    CHECK(!refresh(&rig, "{\"log_level\":\"loud\"}"));
    CHECK_INT(rig.settings.level, PX_DEBUG);
    CHECK_INT(logged(&rig, "not \\\"loud\\\""), 1);
    CHECK(!refresh(&rig, "{}"));
    CHECK_INT(rig.settings.level, PX_INFO); /* that of the start */
}

TEST(without_time_nothing_is_read)
{
    PX_AUTO(rig_close) struct rig rig;
    rig_open(t, &rig);
    CHECK_OK(px_file_write_atomic(test_path(t, "p.json").ptr, S("{\"query/time_ms\":600}"), 0600));
    CHECK(!settings_refresh(&rig.settings, &rig.log, 0));
    CHECK_INT(rig.settings.values[TIME], 500);
    CHECK_INT(rig.settings.level, PX_INFO);
}

TEST(a_variable_that_does_not_fit_is_a_fault)
{
    struct settings settings;
    const struct param_options options = {0};
    CHECK(unsetenv("PRISM_PARAMETERS_URL") == 0);
    const char *const bad[] = {"0", "-1", "60001", "x", "1.5"};
    for (size_t i = 0; i < PX_COUNT(bad); i++) {
        char text[256];
        CHECK(setenv("TEST_TIME", bad[i], 1) == 0);
        int r = settings_open(&settings, "query", specs, COUNT, &options);
        CHECK_INT(r, PX_F_CONFIG);
        CHECK(strstr(px_fault_text(r, text, sizeof text), "TEST_TIME"));
    }
    CHECK(setenv("TEST_TIME", "", 1) == 0);
    CHECK_OK(settings_open(&settings, "query", specs, COUNT, &options));
    CHECK_INT(settings.values[TIME], 0);
    settings_close(&settings);
}

TEST_MAIN
