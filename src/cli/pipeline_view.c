/* cli/pipeline_view.c - a run for people. Names and texts come from files and programs: they pass glyph.h on their way to a terminal. */
#include <stdarg.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "cli/glyph.h"
#include "cli/pipeline.h"
#include "cli/table.h"

#define DRAW_NS (100 * PX_NS_PER_MS)
#define LINE_BYTES 2048
#define PICTURE_BYTES (1u << 20)
#define STEPS_SHOWN 8 /* of the stage at work; those around the step at work */

enum colour { PLAIN, DIM, GREEN, YELLOW, RED, BOLD };
static const char *const codes[] = {"", "\033[2m", "\033[32m", "\033[33m", "\033[31m", "\033[1m"};

void pipeline_view_init(struct pipeline_view *view, struct cli *cli, FILE *to, bool is_tty)
{
    const char *no_colour = getenv("NO_COLOR"), *term = getenv("TERM"); /* https://no-color.org */
    bool smart = is_tty && term && strcmp(term, "dumb") != 0;
    *view = (struct pipeline_view){.cli = cli, .to = to, .live = smart, .at = SIZE_MAX};
    view->colours = smart && !(no_colour && *no_colour);
}

/* ---- lines ---- */

struct drawing {
    const struct pipeline_view *view;
    struct px_buf *buf;
    size_t width, lines;
    size_t lines_max; /* what the terminal can show and go back over; 0: any */
    int64_t now_ns;
};

/* One line, cut to the width; only what is in it is coloured. */
__attribute__((format(printf, 3, 4))) static void line(struct drawing *d, enum colour colour,
                                                       const char *fmt, ...)
{
    char text[LINE_BYTES];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    struct px_str rest = px_str_c(text);
    if (d->lines_max > 0 && d->lines >= d->lines_max) return;
    size_t used = 0, room = d->width > 0 ? d->width - 1 : SIZE_MAX;
    if (d->view->live) px_buf_add_c(d->buf, "\r\033[K");
    if (d->view->colours && colour != PLAIN) px_buf_add_c(d->buf, codes[colour]);
    while (rest.len > 0) {
        struct glyph glyph = glyph_next(rest);
        if (used + glyph.width > room) break;
        px_buf_add(d->buf, glyph.text, glyph.text_bytes);
        used += glyph.width;
        rest = px_str_skip(rest, glyph.bytes);
    }
    if (d->view->colours && colour != PLAIN) px_buf_add_c(d->buf, "\033[0m");
    px_buf_add_char(d->buf, '\n');
    d->lines++;
}

static void time_text(int64_t ms, char text[32])
{
    int64_t s = PX_MAX(ms, 0) / 1000;
    if (s < 60)
        (void)snprintf(text, 32, "%lld s", (long long)s);
    else if (s < 3600)
        (void)snprintf(text, 32, "%lld min %02lld s", (long long)(s / 60), (long long)(s % 60));
    else
        (void)snprintf(text, 32, "%lld h %02lld min", (long long)(s / 3600),
                       (long long)(s % 3600 / 60));
}

/* ---- a step ---- */

struct mark {
    const char *sign;
    enum colour colour;
};
static struct mark mark_of(const struct state_step *step)
{
    static const struct mark marks[] = {
        [STEP_PENDING] = {".", DIM},    [STEP_RUNNING] = {">", YELLOW},
        [STEP_WAITING] = {"?", YELLOW}, [STEP_DONE] = {"+", GREEN},
        [STEP_FAILED] = {"x", RED},     [STEP_ROLLED_BACK] = {"<", YELLOW},
        [STEP_SKIPPED] = {"-", DIM},
    };
    if (step->undo == UNDO_FAILED) return (struct mark){"x", RED};
    return marks[step->state];
}

static void add(char *text, size_t bytes, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static void add(char *text, size_t bytes, const char *fmt, ...)
{
    size_t len = strlen(text);
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text + len, bytes - len, fmt, args);
    va_end(args);
}

static void add_progress(const struct action_progress *progress, char *text, size_t bytes)
{
    char left[32];
    if (progress->weight >= 0) add(text, bytes, "  new version %d %%", progress->weight);
    if (progress->alarms.len > 0) add(text, bytes, "  alarms %.*s", PX_FMT(progress->alarms));
    if (progress->requests_min > 0)
        add(text, bytes, "  requests %llu of %llu", (unsigned long long)progress->requests,
            (unsigned long long)progress->requests_min);
    if (progress->left_ms >= 0) {
        time_text(progress->left_ms, left);
        add(text, bytes, "  %s left", left);
    }
    if (progress->text.len > 0) add(text, bytes, "  %.*s", PX_FMT(progress->text));
}

static void draw_gate(struct drawing *d, const struct state_step *step)
{
    char left[32];
    time_text((step->expires_ns - d->now_ns) / PX_NS_PER_MS, left);
    if (step->approved || step->rejected) {
        line(d, PLAIN, "        %s by %.*s", step->approved ? "approved" : "rejected",
             PX_FMT(step->decided_by));
        return;
    }
    line(d, BOLD,
         "        plan %.12s waits, %s left: prism pipeline approve --plan %.12s (or reject)",
         step->plan.len ? step->plan.ptr : "-", left, step->plan.len ? step->plan.ptr : "-");
}

static void draw_step(struct drawing *d, size_t at)
{
    const struct state *state = d->view->state;
    const struct definition_step *what = &state->definition->steps[at];
    const struct state_step *step = &state->steps[at];
    const struct definition_stage *stage = &state->definition->stages[what->stage];
    struct px_str name = px_str_skip(what->path, stage->name.len + 1);
    struct mark mark = mark_of(step);
    char more[1200] = "", took[32];
    if (step->undo == UNDO_RUNNING) add(more, sizeof more, "  is taken back");
    if (step->attempts > 1)
        add(more, sizeof more, "  attempt %u of %lld", step->attempts,
            (long long)what->act.attempts);
    if (d->view->has_progress && d->view->at == at)
        add_progress(&d->view->progress, more, sizeof more);
    int64_t until_ns = step->ended_ns > 0 ? step->ended_ns : d->now_ns;
    bool timed = step->began_ns > 0 && step->state != STEP_ROLLED_BACK;
    time_text(timed ? (until_ns - step->began_ns) / PX_NS_PER_MS : 0, took);
    line(d, mark.colour, "    %s %-28.*s %-12s%s%s", mark.sign, PX_FMT(name),
         step_state_name(step->state), timed ? took : "", more);
    if (step->error.len > 0 && step->state == STEP_FAILED)
        line(d, RED, "        %.*s", PX_FMT(step->error));
    if (step->undo_error.len > 0 && step->undo == UNDO_FAILED)
        line(d, RED, "        not taken back: %.*s", PX_FMT(step->undo_error));
    if (step->state == STEP_WAITING) draw_gate(d, step);
}

/* ---- stages ---- */

static size_t count_done(const struct state *state, const struct definition_stage *stage)
{
    size_t done = 0;
    for (size_t i = stage->first; i < stage->first + stage->count; i++)
        done += state->steps[i].state == STEP_DONE;
    return done;
}

/* The steps around the one at work. */
static void draw_steps(struct drawing *d, const struct definition_stage *stage, size_t at)
{
    size_t end = stage->first + stage->count, from = stage->first;
    if (at > from + STEPS_SHOWN / 2) from = at - STEPS_SHOWN / 2;
    if (end > STEPS_SHOWN && from + STEPS_SHOWN > end)
        from = PX_MAX(stage->first, end - STEPS_SHOWN);
    size_t to = PX_MIN(end, from + STEPS_SHOWN);
    if (!d->view->live) from = stage->first, to = end;
    if (from > stage->first) line(d, DIM, "      %zu before", from - stage->first);
    for (size_t i = from; i < to; i++) draw_step(d, i);
    if (to < end) line(d, DIM, "      %zu more", end - to);
}

static void draw_stage(struct drawing *d, size_t index, size_t at)
{
    const struct state *state = d->view->state;
    const struct definition_stage *stage = &state->definition->stages[index];
    size_t done = count_done(state, stage);
    bool back = state->going_back && state->back_stage == index;
    bool here = !state->stages_done[index] && at >= stage->first &&
                at < stage->first + stage->count;
    const char *word = back                        ? (state->went_back ? "went back" : "goes back")
                       : state->stages_done[index] ? "done"
                       : here && !state->ended     ? "at work"
                                                   : "";
    enum colour colour = back ? RED : state->stages_done[index] ? GREEN : here ? BOLD : DIM;
    line(d, colour, "  %-30.*s %zu of %zu  %s", PX_FMT(stage->name), done, stage->count, word);
    if (here || back)
        draw_steps(d, stage, back && !state->ended ? PX_MIN(state_back_at(state), at) : at);
}

static void draw_head(struct drawing *d)
{
    const struct state *state = d->view->state;
    char took[32], more[300] = "";
    int64_t until_ns = state->ended ? state->ended_ns : d->now_ns;
    time_text((until_ns - state->started_ns) / PX_NS_PER_MS, took);
    if (state->release.id.len > 0)
        add(more, sizeof more, "  release %.*s", PX_FMT(state->release.id));
    if (state->ended)
        add(more, sizeof more, "  %.*s", PX_FMT(state->outcome));
    else if (state->holder.held)
        add(more, sizeof more, "  driven by %.*s on %.*s", PX_FMT(state->holder.who),
            PX_FMT(state->holder.host));
    else
        add(more, sizeof more, "  nobody drives it: prism pipeline resume");
    line(d, BOLD, "run %u  by %.*s  %s%s", state->run, PX_FMT(state->starter), took, more);
    struct px_str otherwise = px_json_str(state->definition->overlay, "why");
    if (otherwise.len > 0) line(d, YELLOW, "not as the pipeline says: %.*s", PX_FMT(otherwise));
}

static void draw_end(struct drawing *d)
{
    const struct state *state = d->view->state;
    size_t i, max;
    yyjson_val *val;
    struct px_str why = state->ended ? state->why : state->back_why;
    if (state->aborting && !state->ended)
        line(d, YELLOW, "abort asked for by %.*s", PX_FMT(state->abort_by));
    if (why.len > 0) line(d, RED, "why: %.*s", PX_FMT(why));
    px_json_arr_foreach(state->left, i, max, val)
        line(d, YELLOW, "left: %.*s", PX_FMT(px_json_val_str(val)));
}

size_t pipeline_view_render(const struct pipeline_view *view, int64_t now_ns, size_t width,
                            struct px_buf *buf)
{
    struct drawing d = {.view = view,
                        .buf = buf,
                        .width = width,
                        .now_ns = now_ns,
                        .lines_max = view->rows > 2 ? view->rows - 1 : 0};
    size_t at = state_at(view->state);
    draw_head(&d);
    for (size_t i = 0; i < view->state->definition->stage_count; i++) draw_stage(&d, i, at);
    draw_end(&d);
    return d.lines;
}

/* ---- as it goes on ---- */

static void draw(struct pipeline_view *view)
{
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    struct winsize size;
    px_buf_init(&buf, PICTURE_BYTES);
    if (!view->state) return;
    view->rows = ioctl(fileno(view->to), TIOCGWINSZ, &size) == 0 ? size.ws_row : 0;
    if (view->lines > 0) px_buf_printf(&buf, "\033[%zuA", view->lines);
    size_t lines = pipeline_view_render(view, px_wall_ns(view->cli->clock),
                                        table_terminal_width(view->to), &buf);
    px_buf_add_c(&buf, "\033[J"); /* what the last picture had below */
    if (px_buf_fault(&buf) != 0) return;
    (void)fwrite(buf.ptr, 1, buf.len, view->to);
    (void)fflush(view->to);
    view->lines = lines;
    view->drawn_ns = px_mono_ns(view->cli->clock);
}

void pipeline_view_tick(struct pipeline_view *view)
{
    if (view->to && view->live && px_mono_ns(view->cli->clock) - view->drawn_ns >= DRAW_NS)
        draw(view);
}

static void copy_text(char *to, size_t bytes, struct px_str *text)
{
    (void)snprintf(to, bytes, "%.*s", PX_FMT(*text));
    *text = px_str_c(to);
}

void pipeline_view_change(struct pipeline_view *view, const struct state *state,
                          const struct entry *entry, const struct action_progress *progress)
{
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    px_buf_init(&buf, 1u << 16);
    view->state = state;
    if (progress) {
        view->progress = *progress;
        copy_text(view->text, sizeof view->text, &view->progress.text);
        copy_text(view->alarms, sizeof view->alarms, &view->progress.alarms);
        view->has_progress = true;
        view->at = state->going_back ? state_back_at(state) : state_at(state);
    } else {
        view->has_progress = false;
    }
    if (!view->to) return;
    if (view->live && entry) {
        draw(view);
    } else if (view->live) {
        pipeline_view_tick(view);
    } else if (entry) {
        pipeline_view_line(entry, &buf);
        (void)fwrite(buf.ptr, 1, buf.len, view->to);
        (void)fflush(view->to);
    }
}

void pipeline_view_end(struct pipeline_view *view)
{
    if (view->to && view->live) draw(view);
    view->to = NULL;
}

void pipeline_view_take(struct pipeline_view *view, const struct state *state, struct px_str json)
{
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    yyjson_val *root = NULL;
    px_arena_init(&arena, 1u << 20);
    view->state = state;
    view->has_progress = json.len > 0 && px_json_parse(json, &arena, &root, NULL) == 0;
    if (!view->has_progress) return;
    view->at = state_step_of(state, px_json_str(root, "step"));
    view->progress = (struct action_progress){
        .text = px_json_str(root, "text"),
        .weight = (int)px_json_i64(root, "weight", -1),
        .alarms = px_json_str(root, "alarms"),
        .left_ms = px_json_i64(root, "left_ms", -1),
        .requests = (uint64_t)px_json_i64(root, "requests", 0),
        .requests_min = (uint64_t)px_json_i64(root, "requests_min", 0),
    };
    copy_text(view->text, sizeof view->text, &view->progress.text);
    copy_text(view->alarms, sizeof view->alarms, &view->progress.alarms);
}

/* ---- the log ---- */

void pipeline_view_line(const struct entry *entry, struct px_buf *buf)
{
    PX_AUTO(px_buf_deinit) struct px_buf text;
    char at[32];
    px_buf_init(&text, 1u << 16);
    (void)px_time_format(entry->at_ns, 0, at);
    px_buf_printf(&text, "%s run %u %-12s", at, entry->run, entry_event_name(entry->event));
    if (entry->step.len > 0) px_buf_printf(&text, " %.*s", PX_FMT(entry->step));
    if (entry->stage.len > 0) px_buf_printf(&text, " stage %.*s", PX_FMT(entry->stage));
    px_buf_printf(&text, " by %.*s", PX_FMT(entry->who));
    if (entry->release.len > 0) px_buf_printf(&text, " release %.*s", PX_FMT(entry->release));
    if (entry->plan.len > 0) px_buf_printf(&text, " plan %.12s", entry->plan.ptr);
    static const char *const told[] = {"attempt", "host", "why", "error", "outcome", "about"};
    for (size_t i = 0; i < PX_COUNT(told); i++) {
        yyjson_val *val = entry->data ? yyjson_obj_get(entry->data, told[i]) : NULL;
        if (!val) continue;
        px_buf_printf(&text, " %s ", told[i]);
        px_buf_add_json(&text, val);
    }
    yyjson_val *overlay = px_json_obj(entry->data, "overlay");
    if (overlay) {
        px_buf_add_c(&text, " overlay ");
        px_buf_add_json(&text, overlay);
    }
    struct px_str summary = px_json_str(px_json_obj(entry->data, "result"), "summary");
    if (summary.len > 0) px_buf_printf(&text, ": %.*s", PX_FMT(summary));
    glyph_add(buf, px_buf_str(&text), false);
    px_buf_add_char(buf, '\n');
}
