/* delivery/pipeline/action.c - what an action asks of the engine. */
#include "delivery/pipeline/action.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "base/px_json.h"
#include "delivery/pipeline/builtin.h"

#define LOOK_MS 50
#define SAY_BYTES 400

const struct action *const action_builtins[] = {
    &action_command, &action_wait, &action_approval, &action_promote, &action_release,
    &action_publish, NULL};

const struct action *action_find(const struct action_table *table, struct px_str name)
{
    for (const struct action *const *action = table->actions; *action; action++)
        if (px_str_eq(px_str_c((*action)->name), name)) return *action;
    return NULL;
}

bool action_cancelled(const struct action_context *ctx)
{
    return ctx->host->is_cancelled(ctx->host->ctx);
}

bool action_late(const struct action_context *ctx)
{
    return px_mono_ns(ctx->clock) >= ctx->deadline_ns;
}

void action_pause(const struct action_context *ctx, int64_t ms)
{
    int64_t until_ns = px_mono_ns(ctx->clock) + ms * PX_NS_PER_MS;
    while (!action_cancelled(ctx) && !action_late(ctx)) {
        int64_t left_ns = until_ns - px_mono_ns(ctx->clock);
        if (left_ns <= 0) return;
        left_ns = PX_MIN(left_ns, LOOK_MS * PX_NS_PER_MS);
        (void)nanosleep(&(struct timespec){0, (long)left_ns}, NULL);
    }
}

void action_progress(const struct action_context *ctx, const struct action_progress *progress)
{
    ctx->host->progress(ctx->host->ctx, progress);
}

void action_say(const struct action_context *ctx, const char *fmt, ...)
{
    char text[SAY_BYTES];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    const struct action_progress progress = {.text = px_str_c(text), .weight = -1, .left_ms = -1};
    action_progress(ctx, &progress);
}

int action_fail(const struct action_context *ctx, int answer, const char *fmt, ...)
{
    char text[4096];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    px_buf_clear(ctx->error);
    px_buf_add_c(ctx->error, text);
    return answer;
}

int action_note(const struct action_context *ctx, struct px_str json)
{
    PX_TRY(ctx->host->note(ctx->host->ctx, json));
    return 0;
}

int action_keep(const struct action_context *ctx, struct px_str name, struct px_str bytes)
{
    PX_TRY(ctx->host->keep(ctx->host->ctx, name, bytes));
    return 0;
}

int action_kept(const struct action_context *ctx, struct px_str step, struct px_str name,
                struct px_buf *buf)
{
    return ctx->host->kept(ctx->host->ctx, step, name, buf);
}

int action_shelf_get(const struct action_context *ctx, struct px_str key, struct px_buf *buf)
{
    return ctx->host->shelf_get(ctx->host->ctx, key, buf);
}

int action_shelf_put(const struct action_context *ctx, struct px_str key, struct px_str bytes)
{
    PX_TRY(ctx->host->shelf_put(ctx->host->ctx, key, bytes));
    return 0;
}

int action_delivered(const struct action_context *ctx, struct px_str environment,
                     struct action_release *ret_release)
{
    struct action_release release = {0};
    PX_TRY(ctx->host->delivered(ctx->host->ctx, environment, &release));
    *ret_release = release;
    return 0;
}

int action_result(const struct action_context *ctx, struct px_buf *json, yyjson_val **ret_result)
{
    PX_TRY(px_buf_fault(json));
    PX_TRY(px_json_parse(px_buf_str(json), ctx->arena, ret_result, NULL));
    return 0;
}

yyjson_val *action_result_of(const struct action_context *ctx, struct px_str name,
                             struct px_str *ret_step)
{
    struct px_str place = ctx->step;
    for (;;) { /* beside it, then in what its list stands in */
        while (place.len > 0 && place.ptr[place.len - 1] != '/') place.len--;
        if (place.len == 0) return NULL;
        struct px_str path = px_arena_printf(ctx->arena, "%.*s%.*s", PX_FMT(place), PX_FMT(name));
        yyjson_val *result = path.ptr && ctx->results
                                 ? yyjson_obj_getn(ctx->results, path.ptr, path.len)
                                 : NULL;
        if (result) {
            *ret_step = path;
            return result;
        }
        place.len--;
    }
}
