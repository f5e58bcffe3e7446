/* lambda/instance_env.c - the environment of an instance, as Lambda sets it for a custom runtime
 * ("Using Lambda environment variables: defined runtime environment variables"). */
#include <libgen.h>
#include <stdlib.h>
#include <time.h>

#include "base/px_id.h"
#include "lambda/instance.h"
#include "lambda/runtime_post.h"

struct env {
    struct px_arena *arena;
    char **at;
    size_t count, room;
};

static bool has(const struct env *env, struct px_str name)
{
    for (size_t i = 0; i < env->count; i++) {
        struct px_str entry = px_str_c(env->at[i]);
        if (px_str_starts(entry, name) && entry.len > name.len && entry.ptr[name.len] == '=')
            return true;
    }
    return false;
}

/* The first of a name counts, so what the pool's owner gave goes before the defaults. */
static void add(struct env *env, const char *name, const char *value)
{
    if (has(env, px_str_c(name))) return;
    PX_ASSERT(env->count < env->room);
    char *text = (char *)(uintptr_t)px_arena_printf(env->arena, "%s=%s", name, value).ptr;
    if (text) env->at[env->count++] = text;
}

static const char *value_of(const struct env *env, struct px_str name, const char *otherwise)
{
    for (size_t i = 0; i < env->count; i++)
        if (px_str_starts(px_str_c(env->at[i]), name) && env->at[i][name.len] == '=')
            return env->at[i] + name.len + 1;
    return otherwise;
}

static void add_logging(struct env *env, const char *function, const char *version)
{
    unsigned char random[16];
    char hex[33], day[16] = "1970/01/01";
    px_random(random, sizeof random);
    px_hex(random, sizeof random, hex);
    time_t now = time(NULL);
    struct tm utc;
    if (gmtime_r(&now, &utc)) (void)strftime(day, sizeof day, "%Y/%m/%d", &utc);
    struct px_str group = px_arena_printf(env->arena, "/aws/lambda/%s", function);
    struct px_str stream = px_arena_printf(env->arena, "%s/[%s]%s", day, version, hex);
    add(env, "AWS_LAMBDA_LOG_GROUP_NAME", group.ptr ? group.ptr : "");
    add(env, "AWS_LAMBDA_LOG_STREAM_NAME", stream.ptr ? stream.ptr : "");
}

static void add_paths(struct env *env, const char *executable)
{
    char *copy = px_arena_cstr(env->arena, px_str_c(executable));
    add(env, "LAMBDA_TASK_ROOT", copy ? dirname(copy) : "/");
    add(env, "_HANDLER", "bootstrap");
    add(env, "TZ", ":UTC");
    add(env, "PATH", "/usr/local/bin:/usr/bin:/bin:/opt/bin");
    add(env, "LANG", "en_US.UTF-8");
}

int instance_environment(const struct lambda_pool *pool, uint16_t port, bool provisioned,
                         struct px_arena *arena, char ***ret_env)
{
    size_t own = 0;
    while (pool->options.env && pool->options.env[own]) own++;
    struct env env = {.arena = arena, .room = own + 22};
    env.at = px_arena_array(arena, char *, env.room + 1);
    if (!env.at) return px_arena_fault(arena);
    for (size_t i = 0; i < own; i++) env.at[env.count++] = (char *)(uintptr_t)pool->options.env[i];

    char text[32];
    struct px_str api = px_arena_printf(arena, "127.0.0.1:%u", port);
    add(&env, "AWS_LAMBDA_RUNTIME_API", api.ptr ? api.ptr : "");
    add(&env, "AWS_LAMBDA_FUNCTION_NAME", pool->options.name);
    const char *version = pool->options.version ? pool->options.version : "$LATEST";
    add(&env, "AWS_LAMBDA_FUNCTION_VERSION", version);
    (void)snprintf(text, sizeof text, "%u", pool->options.memory_mb);
    add(&env, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", text);
    add(&env, "AWS_LAMBDA_INITIALIZATION_TYPE",
        provisioned ? "provisioned-concurrency" : "on-demand");
    const char *region = value_of(&env, S("PRISM_REGION"), "local");
    add(&env, "AWS_REGION", region);
    add(&env, "AWS_DEFAULT_REGION", region);
    (void)snprintf(text, sizeof text, "%d", (int)getpid());
    add(&env, RUNTIME_REGION_PID, text);
    (void)snprintf(text, sizeof text, "%d", INSTANCE_SOCKET_FD);
    add(&env, RUNTIME_SOCKET_FD, text);
    add_logging(&env, pool->options.name, version);
    add_paths(&env, pool->options.executable);
    if (arena->full) return px_arena_fault(arena);
    *ret_env = env.at;
    return 0;
}
