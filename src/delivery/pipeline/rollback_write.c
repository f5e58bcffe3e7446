/* delivery/pipeline/rollback_write.c - the pipeline of a rollback, out of the steps that deliver the same units.
 *
 * A region is a wave of its own: plan, approve, aliases, apply, rollout; the stack that all share comes at the end. Nothing of it has
 * an undo: what does not succeed is tried again, and does not bring back what was gone away from. */
#include "base/px_json.h"
#include "delivery/pipeline/rollback.h"

static const char by_hand[] =
    "mend what it says, then prism rollback to the same release again; the environment is between two until then";

static void add_name(struct px_buf *buf, const char *name, const char *action)
{
    if (buf->len > 0 && buf->ptr[buf->len - 1] == '}') px_buf_add_char(buf, ',');
    px_buf_printf(buf, "{\"name\":\"%s\",\"action\":\"%s\",\"with\":{", name, action);
}

/* Members of another step's parameters that this action takes too, but for those that are set anew. */
static void add_with(struct px_buf *buf, yyjson_val *with, const struct action *action,
                     const char *const *except)
{
    size_t i, n;
    yyjson_val *key, *val;
    px_json_obj_foreach(with, i, n, key, val)
    {
        bool takes = false, left = false;
        for (size_t f = 0; f < action->field_count; f++)
            takes |= strcmp(action->fields[f].name, yyjson_get_str(key)) == 0;
        for (size_t e = 0; except[e]; e++) left |= strcmp(except[e], yyjson_get_str(key)) == 0;
        if (!takes || left) continue;
        if (buf->ptr[buf->len - 1] != '{') px_buf_add_char(buf, ',');
        px_buf_add_json_str(buf, px_json_val_str(key));
        px_buf_add_char(buf, ':');
        px_buf_add_json(buf, val);
    }
}

static void add_member(struct px_buf *buf, const struct action *action, const char *name,
                       const char *value)
{
    for (size_t f = 0; f < action->field_count; f++) {
        if (strcmp(action->fields[f].name, name) != 0) continue;
        if (buf->ptr[buf->len - 1] != '{') px_buf_add_char(buf, ',');
        px_buf_printf(buf, "\"%s\":%s", name, value);
    }
}

static void add_end(struct px_buf *buf, const struct definition_act *act, bool touches)
{
    px_buf_printf(buf, "},\"timeout_s\":%lld,\"attempts\":%lld", (long long)act->timeout_s,
                  (long long)PX_MAX(act->attempts, (int64_t)2));
    if (touches) px_buf_printf(buf, ",\"undo\":\"%s\"", by_hand);
    px_buf_add_char(buf, '}');
}

static struct px_str step_name(struct px_arena *arena, const struct rollback_unit *unit,
                               const char *what)
{
    return unit->is_region ? px_arena_printf(arena, "%s", what)
                           : px_arena_printf(arena, "%s-%.*s", what, PX_FMT(unit->name));
}

static void add_plan(const struct rollback *back, const struct rollback_unit *unit,
                     struct px_str name, struct px_buf *buf)
{
    static const char *const except[] = {"release", "lossless", NULL};
    const struct definition_act *act = &unit->plan->act;
    add_name(buf, name.ptr, act->action->name);
    add_with(buf, act->with, act->action, except);
    px_buf_printf(buf, ",\"release\":\"%.*s\"", PX_FMT(unit->target.release.id));
    if (back->way->emergency.len > 0) px_buf_add_c(buf, ",\"lossless\":true");
    add_end(buf, act, false);
}

/* At once, by the versions that stand still; where that is not known, the apply comes first. */
static void add_aliases(const struct rollback *back, const struct rollback_unit *unit,
                        struct px_buf *buf)
{
    static const char *const except[] = {"of_run", "reason", NULL};
    const struct action *action = action_find(back->pipeline->options->actions, S("rollback"));
    char run[16];
    if (!unit->rollout || !unit->next || !action) return;
    (void)snprintf(run, sizeof run, "%u", unit->has_run);
    add_name(buf, "aliases", action->name);
    add_with(buf, unit->rollout->act.with, action, except);
    add_member(buf, action, "of_run", run);
    add_end(buf, &unit->rollout->act, true);
}

static void add_rollout(const struct rollback_unit *unit, struct px_buf *buf)
{
    static const char *const except[] = {"bake_s", "requests_min", "force", NULL};
    if (!unit->rollout) return;
    const struct definition_act *act = &unit->rollout->act;
    add_name(buf, "rollout", act->action->name);
    add_with(buf, act->with, act->action, except);
    add_member(buf, act->action, "bake_s", "0");
    add_member(buf, act->action, "requests_min", "0");
    add_member(buf, act->action, "force", "true");
    add_end(buf, act, true);
}

static int add_unit(const struct rollback *back, const struct rollback_unit *unit,
                    struct px_buf *buf)
{
    struct px_str plan = step_name(back->arena, unit, "plan");
    struct px_str approve = step_name(back->arena, unit, "approve");
    struct px_str apply = step_name(back->arena, unit, "apply");
    if (!plan.ptr || !approve.ptr || !apply.ptr) return px_arena_fault(back->arena);
    add_plan(back, unit, plan, buf);
    if (back->way->plan_only) return 0;
    if (back->way->emergency.len == 0) {
        add_name(buf, approve.ptr, "approval");
        px_buf_printf(buf, "\"plan\":\"%s\"}}", plan.ptr);
    }
    add_aliases(back, unit, buf);
    add_name(buf, apply.ptr, unit->apply->act.action->name);
    px_buf_printf(buf, "\"plan\":\"%s\"", plan.ptr);
    add_end(buf, &unit->apply->act, true);
    add_rollout(unit, buf);
    return 0;
}

/* ---- the whole ---- */

static int add_regions(const struct rollback *back, struct px_buf *buf)
{
    PX_AUTO(px_buf_deinit) struct px_buf steps, waves;
    size_t count = 0;
    px_buf_init(&steps, DEFINITION_BYTES_MAX);
    px_buf_init(&waves, DEFINITION_BYTES_MAX);
    for (size_t i = back->count; i-- > 0;) {
        const struct rollback_unit *unit = &back->units[i];
        if (!unit->is_region) continue;
        px_buf_printf(&waves, "%s{\"name\":\"back-%zu\",\"regions\":[", count ? "," : "",
                      count + 1);
        px_buf_add_json_str(&waves, unit->name);
        px_buf_add_c(&waves, "],\"bake\":{\"time_s\":0},\"region_steps\":[");
        px_buf_clear(&steps);
        PX_TRY(add_unit(back, unit, &steps));
        px_buf_add_str(&waves, px_buf_str(&steps));
        px_buf_add_c(&waves, "]}");
        count++;
    }
    PX_TRY(px_buf_fault(&steps));
    PX_TRY(px_buf_fault(&waves));
    if (count > 0) px_buf_printf(buf, ",\"waves\":[%.*s]", PX_FMT(px_buf_str(&waves)));
    return 0;
}

static int add_shared(const struct rollback *back, struct px_buf *buf)
{
    PX_AUTO(px_buf_deinit) struct px_buf steps;
    px_buf_init(&steps, DEFINITION_BYTES_MAX);
    for (size_t i = back->count; i-- > 0;)
        if (!back->units[i].is_region) PX_TRY(add_unit(back, &back->units[i], &steps));
    PX_TRY(px_buf_fault(&steps));
    if (steps.len > 0) px_buf_printf(buf, ",\"end_steps\":[%.*s]", PX_FMT(px_buf_str(&steps)));
    return 0;
}

int rollback_write(const struct rollback *back, struct px_buf *text)
{
    yyjson_val *environments = px_json_obj(back->file, "environments");
    yyjson_val *environment = yyjson_obj_getn(environments, back->environment.ptr,
                                              back->environment.len);
    const char *delivers = back->way->plan_only ? "nothing" : back->whole ? "whole" : "part";
    px_buf_printf(text, "{\"version\":1,\"lease_s\":%lld,\"environments\":{",
                  (long long)back->definition->lease_s);
    px_buf_add_json_str(text, back->environment);
    px_buf_add_char(text, ':');
    px_buf_add_json(text, environment);
    px_buf_add_c(text, "},\"stages\":[{\"name\":\"rollback\",\"environment\":");
    px_buf_add_json_str(text, back->environment);
    px_buf_printf(text, ",\"delivers\":\"%s\"", delivers);
    PX_TRY(add_regions(back, text));
    PX_TRY(add_shared(back, text));
    px_buf_add_c(text, "}]}\n");
    return px_buf_fault(text);
}
