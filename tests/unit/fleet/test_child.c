/* A process that is kept alive: when it starts again, and when only after a pause. */
#include "support/support.h"

#include <signal.h>

#include "fleet/child.h"

struct rig {
    uv_loop_t loop;
    struct px_log log;
    struct child child;
    const char *script; /* what a start runs */
};

__attribute__((constructor)) static void warm_up(void) /* libuv's own descriptors */
{
    uv_loop_t loop;
    PX_ASSERT(uv_loop_init(&loop) == 0 && uv_loop_close(&loop) == 0);
}

static int on_start(void *ctx, struct px_arena *arena, char ***ret_args, char ***ret_env)
{
    struct rig *rig = ctx;
    char **args = px_arena_zalloc_array(arena, sizeof *args, 4);
    char **env = px_arena_zalloc_array(arena, sizeof *env, 1);
    if (!args || !env) return px_arena_fault(arena);
    args[0] = (char *)"/bin/sh";
    args[1] = (char *)"-c";
    args[2] = (char *)(uintptr_t)rig->script;
    *ret_args = args;
    *ret_env = env;
    return 0;
}

static void on_word(void *ctx, struct px_str word) { (void)ctx, (void)word; }

static void on_change(void *ctx)
{
    struct rig *rig = ctx;
    uv_stop(&rig->loop);
}

static void rig_init(struct test *t, struct rig *rig, const char *script)
{
    *rig = (struct rig){.script = script, .log = {.fd = -1, .level = PX_ERROR, .clock = &t->clock}};
    PX_ASSERT(uv_loop_init(&rig->loop) == 0);
    const struct child_options options = {.loop = &rig->loop,
                                          .clock = &t->clock,
                                          .log = &rig->log,
                                          .name = "it",
                                          .log_path = "/dev/null",
                                          .on_start = on_start,
                                          .on_word = on_word,
                                          .on_change = on_change,
                                          .ctx = rig};
    child_init(&rig->child, &options);
    child_start(&rig->child);
}

static void until(struct rig *rig, enum child_state state)
{
    while (rig->child.state != state) (void)uv_run(&rig->loop, UV_RUN_DEFAULT);
}

static void rig_deinit(struct rig *rig)
{
    child_stop(&rig->child, SIGKILL);
    until(rig, CHILD_DOWN);
    child_close(&rig->child);
    while (uv_run(&rig->loop, UV_RUN_DEFAULT) != 0) continue; /* a change stopped it */
    CHECK_INT(uv_loop_close(&rig->loop), 0);
}

#define SERVES "echo '{}' >&3; exec 3>&-; exec sleep 600"

static void serve_and_die(struct test *t, struct rig *rig, int64_t lived_ms)
{
    until(rig, CHILD_READY);
    test_advance(t, lived_ms * PX_NS_PER_MS);
    (void)kill(child_pid(&rig->child), SIGKILL);
    until(rig, CHILD_PAUSED);
}

TEST(who_served_for_a_second_starts_again_at_once_however_often)
{
    struct rig rig;
    rig_init(t, &rig, SERVES);
    for (unsigned i = 1; i <= 3; i++) {
        serve_and_die(t, &rig, 1000);
        CHECK_INT(rig.child.pause_ms, 0);
        CHECK_INT(rig.child.restarts, i);
    }
    until(&rig, CHILD_READY);
    rig_deinit(&rig);
}

TEST(who_dies_soon_waits_and_longer_each_time_until_it_has_lived)
{
    struct rig rig;
    rig_init(t, &rig, SERVES);
    serve_and_die(t, &rig, 999);
    CHECK_INT(rig.child.pause_ms, 100);
    serve_and_die(t, &rig, 0);
    CHECK_INT(rig.child.pause_ms, 200);
    serve_and_die(t, &rig, 1000);
    CHECK_INT(rig.child.pause_ms, 0);
    serve_and_die(t, &rig, 0);
    CHECK_INT(rig.child.pause_ms, 100);
    rig_deinit(&rig);
}

TEST(who_never_served_waits_however_long_it_took)
{
    struct rig rig;
    rig_init(t, &rig, "exec sleep 600");
    until(&rig, CHILD_STARTING);
    test_advance(t, 60000 * PX_NS_PER_MS);
    (void)kill(child_pid(&rig.child), SIGKILL);
    until(&rig, CHILD_PAUSED);
    CHECK_INT(rig.child.pause_ms, 100);
    rig_deinit(&rig);
}

TEST_MAIN
