/* delivery/pipeline/state_write.c - a run's state as JSON, for --json and for the actions that look at results. */
#include "base/px_clock.h"
#include "delivery/pipeline/state.h"

static void add_text(struct px_buf *buf, const char *name, struct px_str text)
{
    if (text.len == 0) return;
    px_buf_printf(buf, ",\"%s\":", name);
    px_buf_add_json_str(buf, text);
}

static void add_time(struct px_buf *buf, const char *name, int64_t at_ns)
{
    char text[32];
    if (at_ns > 0) add_text(buf, name, px_time_format(at_ns, 3, text));
}

static void add_json(struct px_buf *buf, const char *name, yyjson_val *val)
{
    if (!val) return;
    px_buf_printf(buf, ",\"%s\":", name);
    px_buf_add_json(buf, val);
}

void state_write_results(const struct state *state, struct px_buf *buf)
{
    bool first = true;
    px_buf_add_char(buf, '{');
    for (size_t i = 0; i < state->definition->step_count; i++) {
        if (!state->steps[i].result) continue;
        if (!first) px_buf_add_char(buf, ',');
        first = false;
        px_buf_add_json_str(buf, state->definition->steps[i].path);
        px_buf_add_char(buf, ':');
        px_buf_add_json(buf, state->steps[i].result);
    }
    px_buf_add_char(buf, '}');
}

static void add_gate(struct px_buf *buf, const struct state_step *step)
{
    add_text(buf, "plan", step->plan);
    add_time(buf, "asked", step->asked_ns);
    add_time(buf, "expires", step->expires_ns);
    if (step->approved || step->rejected) {
        px_buf_printf(buf, ",\"decision\":\"%s\"", step->approved ? "approved" : "rejected");
        add_text(buf, "decided_by", step->decided_by);
        add_time(buf, "decided", step->decided_ns);
        add_text(buf, "decided_why", step->decided_why);
    }
}

static void add_step(struct px_buf *buf, const struct definition_step *what,
                     const struct state_step *step)
{
    static const char *const undo[] = {"", "running", "done", "failed"};
    px_buf_add_c(buf, "{\"step\":");
    px_buf_add_json_str(buf, what->path);
    add_text(buf, "wave", what->wave);
    add_text(buf, "region", what->region);
    px_buf_printf(buf, ",\"action\":\"%s\",\"state\":\"%s\",\"attempts\":%u",
                  what->act.action->name, step_state_name(step->state), step->attempts);
    add_time(buf, "began", step->began_ns);
    add_time(buf, "ended", step->ended_ns);
    add_text(buf, "error", step->error);
    if (step->asked_ns > 0) add_gate(buf, step);
    if (step->undo != UNDO_NONE) add_text(buf, "undo", px_str_c(undo[step->undo]));
    add_text(buf, "undo_error", step->undo_error);
    add_text(buf, "left", step->undo_left);
    add_json(buf, "result", step->result);
    px_buf_add_char(buf, '}');
}

static const char *word_of(const struct state *state)
{
    size_t at = state_at(state);
    if (state->ended) return "ended";
    if (state->going_back) return "going-back";
    if (at < state->definition->step_count && state->steps[at].state == STEP_WAITING)
        return "waiting";
    return state->holder.held ? "running" : "stopped";
}

static void add_holder(struct px_buf *buf, const struct state *state)
{
    const struct state_holder *holder = &state->holder;
    if (!holder->held) return;
    px_buf_printf(buf, ",\"holder\":{\"pid\":%lld", (long long)holder->pid);
    add_text(buf, "who", holder->who);
    add_text(buf, "host", holder->host);
    add_time(buf, "since", holder->since_ns);
    px_buf_printf(buf, ",\"fence\":%u}", state->fence);
}

static void add_stage(struct px_buf *buf, const struct state *state, size_t index)
{
    const struct definition_stage *stage = &state->definition->stages[index];
    px_buf_add_c(buf, "{\"stage\":");
    px_buf_add_json_str(buf, stage->name);
    if (stage->environment) add_text(buf, "environment", stage->environment->name);
    px_buf_printf(buf, ",\"done\":%s,\"steps\":[", state->stages_done[index] ? "true" : "false");
    for (size_t i = stage->first; i < stage->first + stage->count; i++) {
        if (i > stage->first) px_buf_add_char(buf, ',');
        add_step(buf, &state->definition->steps[i], &state->steps[i]);
    }
    px_buf_add_c(buf, "]}");
}

void state_write_json(const struct state *state, int64_t now_ns, struct px_str progress,
                      struct px_buf *buf)
{
    size_t at = state_at(state);
    px_buf_printf(buf, "{\"run\":%u,\"state\":\"%s\"", state->run, word_of(state));
    add_text(buf, "outcome", state->outcome);
    add_text(buf, "why", state->ended ? state->why : state->back_why);
    add_text(buf, "who", state->starter);
    add_text(buf, "emergency", state->emergency);
    add_time(buf, "started", state->started_ns);
    add_time(buf, "ended", state->ended_ns);
    add_time(buf, "now", now_ns);
    add_text(buf, "release", state->release.id);
    add_text(buf, "place", state->release.place);
    add_json(buf, "overlay", state->definition->overlay);
    if (!state->ended && at < state->definition->step_count)
        add_text(buf, "step", state->definition->steps[at].path);
    add_holder(buf, state);
    if (state->aborting) {
        add_text(buf, "abort_by", state->abort_by);
        add_text(buf, "abort_why", state->abort_why);
    }
    add_json(buf, "left", state->left);
    if (progress.len > 0) px_buf_printf(buf, ",\"progress\":%.*s", PX_FMT(progress));
    px_buf_add_c(buf, ",\"stages\":[");
    for (size_t i = 0; i < state->definition->stage_count; i++) {
        if (i > 0) px_buf_add_char(buf, ',');
        add_stage(buf, state, i);
    }
    px_buf_printf(buf, "],\"seq\":%u,\"tip\":\"%s\"}\n", state->seq, state->hash);
}
