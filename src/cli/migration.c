/* cli/migration.c - see migration.h. The names of states are those of platform/workflows/tenant-migration.asl.json. */
#include "cli/migration.h"

#include <stdio.h>

#include "cli/cli.h"

static const struct {
    const char *state, *step;
    int phase; /* -1: as before */
} states[] = {
    {"Begin", "begins", -1},
    {"Place", "finds a place in the new home", -1},
    {"Greet", "prepares the new home", -1},
    {"LetWritersEnd", "waits for writers of an earlier stay in the new home", -1},
    {"Pack", "writes down what there is", -1},
    {"Fetch", "copies", -1},
    {"Check", "compares", -1},
    {"Freeze", "stops writers", MIGRATION_FROZEN},
    {"PackLast", "writes down the rest", -1},
    {"FetchLast", "copies the rest", -1},
    {"Thaw", "lets writers on, since it took too long", -1},
    {"LetWritersOn", "lets writers on, and begins another round", MIGRATION_COPYING},
    {"Close", "decides", -1},
    {"Leave", "leaves the old home", MIGRATION_FROZEN},
    {"LeaveAgain", "leaves the old home", MIGRATION_FROZEN},
    {"Receive", "takes records in the new home", MIGRATION_FROZEN},
    {"ReceiveAgain", "takes records in the new home", MIGRATION_FROZEN},
    {"Commit", "tells the registry", -1},
    {"CommitAgain", "tells the registry", -1},
    {"Finish", "hands over what came meanwhile", -1},
    {"Settle", "opens the new home for queries", -1},
    {"Drain", "has moved; the last queries in the old home end", MIGRATION_MOVED},
    {"Clean", "has moved; the old home forgets it", MIGRATION_MOVED},
    {"Vacate", "has moved; the old home gives its place back", MIGRATION_MOVED},
    {"Stay", "gives up: the old home takes records again", MIGRATION_BACK},
    {"Abort", "gives up: the registry is told", -1},
    {"Part", "gives up: the new home lets go", -1},
    {"CleanCopy", "gives up: the copy goes", -1},
    {"VacateCopy", "gives up: the new home gives the place back", -1},
    {"AskForward", "waits for a decision", MIGRATION_ASKS},
    {"AskBack", "waits for a decision", MIGRATION_ASKS},
};

void migration_view_init(struct migration_view *view)
{
    *view = (struct migration_view){.step = "starts", .next = 1, .rounds = 1};
}

static bool is(struct px_str name, const char *state) { return px_str_eq(name, px_str_c(state)); }

static void enter(struct migration_view *view, struct px_str state, double at_s)
{
    for (size_t i = 0; i < PX_COUNT(states); i++) {
        if (!is(state, states[i].state)) continue;
        view->step = states[i].step;
        if (states[i].phase >= 0) view->phase = (enum migration_phase)states[i].phase;
    }
    bool thawed = view->thawed_at_s > 0;
    if (is(state, "Freeze") && (view->frozen_at_s == 0 || thawed)) {
        view->waited_s = migration_waited_s(view, at_s);
        view->frozen_at_s = at_s;
        view->thawed_at_s = 0;
    }
    if (is(state, "CommitAgain")) view->thawed_at_s = 0; /* Commit was left, and by its Catch */
    if (is(state, "NextRound") || is(state, "AnotherRound")) view->rounds++;
}

static void add_counts(struct migration_view *view, yyjson_val *counts, bool copied)
{
    view->segments = (uint64_t)px_json_i64(counts, "segments", (int64_t)view->segments);
    view->rows = (uint64_t)px_json_i64(counts, "rows", (int64_t)view->rows);
    if (copied) view->bytes_copied += (uint64_t)px_json_i64(counts, "copied_bytes", 0);
}

/* What a state left with: its members of the machine's data. */
static void leave(struct migration_view *view, struct px_str state, double at_s, yyjson_val *data)
{
    bool fetched = is(state, "Fetch") || is(state, "FetchLast");
    if (is(state, "Begin")) view->epoch = px_json_i64(px_json_obj(data, "move"), "epoch", 0);
    if (is(state, "Place"))
        (void)snprintf(view->shard, sizeof view->shard, "%.*s",
                       PX_FMT(px_json_str(px_json_obj(data, "place"), "shard")));
    if (fetched) add_counts(view, px_json_obj(data, "fetch"), true);
    bool goes_on = is(state, "Thaw") || is(state, "Commit") || is(state, "CommitAgain");
    bool thaws = view->thawed_at_s == 0 && view->frozen_at_s > 0;
    if (thaws && (goes_on || is(state, "Stay"))) view->thawed_at_s = at_s;
    yyjson_val *error = px_json_obj(data, view->phase == MIGRATION_BACK &&
                                                  px_json_obj(data, "compensation_error")
                                              ? "compensation_error"
                                              : "error");
    struct px_str name = px_json_str(error, "Error");
    if (name.len == 0 || is(name, "none")) return;
    (void)snprintf(view->error, sizeof view->error, "%.*s", PX_FMT(name));
    (void)snprintf(view->cause, sizeof view->cause, "%.*s", PX_FMT(px_json_str(error, "Cause")));
}

void migration_view_take(struct migration_view *view, yyjson_val *event, struct px_arena *arena)
{
    struct px_str type = px_json_str(event, "type");
    double at_s = px_json_f64(event, "timestamp", 0);
    view->next = (uint64_t)px_json_i64(event, "id", 0) + 1;
    if (px_str_ends(type, S("StateEntered"))) {
        enter(view, px_json_str(px_json_obj(event, "stateEnteredEventDetails"), "name"), at_s);
    } else if (px_str_ends(type, S("StateExited"))) {
        yyjson_val *details = px_json_obj(event, "stateExitedEventDetails"), *data = NULL;
        if (px_json_parse(px_json_str(details, "output"), arena, &data, NULL) == 0)
            leave(view, px_json_str(details, "name"), at_s, data);
    }
}

double migration_waited_s(const struct migration_view *view, double now_s)
{
    if (view->frozen_at_s == 0) return 0;
    double end_s = view->thawed_at_s > 0 ? view->thawed_at_s : now_s;
    return PX_MAX(view->waited_s, end_s - view->frozen_at_s);
}

size_t migration_line(const struct migration_view *view, double now_s, char *buf, size_t buf_bytes)
{
    char size[24], waits[64] = "";
    double waited_s = migration_waited_s(view, now_s);
    if (view->frozen_at_s > 0)
        (void)snprintf(waits, sizeof waits, ", writers %s %.1f s",
                       view->thawed_at_s > 0 ? "waited" : "have waited", waited_s);
    int n = snprintf(buf, buf_bytes, "%s, round %lld, %s copied%s", view->step,
                     (long long)view->rounds, cli_bytes(view->bytes_copied, size), waits);
    return n < 0 ? 0 : PX_MIN((size_t)n, buf_bytes - 1);
}
