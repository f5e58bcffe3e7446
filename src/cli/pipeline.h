/* cli/pipeline.h - what the verbs of `prism pipeline` share. Each stands in its own file, pipeline_<verb>.c; verb_pipeline.c is their
 * table. */
#pragma once

#include <signal.h>

#include "aws/shared.h"
#include "cli/cli.h"
#include "delivery/pipeline/pipeline.h"

extern const struct cli_verb pipeline_verb_run, pipeline_verb_resume, pipeline_verb_abort,
    pipeline_verb_approve, pipeline_verb_reject, pipeline_verb_status, pipeline_verb_history;

/* Where things are and who acts; the values of PIPELINE_OPTIONS. */
struct pipeline_place {
    const char *state, *root, *who;
};
#define PIPELINE_OPTION(values_type, field, name, letter, member, value, help)                     \
    {                                                                                              \
        name, letter, CLI_TEXT,                                                                    \
            offsetof(values_type, field) + offsetof(struct pipeline_place, member), value, help,   \
            NULL, 0, 0                                                                             \
    }
#define PIPELINE_OPTIONS(values_type, field)                                                       \
    PIPELINE_OPTION(values_type, field, "state", 's', state, "URL",                                \
                    "where runs are kept: a folder or s3://bucket/prefix (default "                \
                    "PRISM_PIPELINE_STATE, else .prism/delivery in the sources)"),                 \
        PIPELINE_OPTION(values_type, field, "root", 0, root, "DIR",                                \
                        "the sources, where platform/ is (default the working folder)"),           \
        PIPELINE_OPTION(values_type, field, "as", 0, who, "NAME",                                  \
                        "who acts, for the audit log (default PRISM_ACTOR, GITHUB_ACTOR, else "    \
                        "the user's name)")

/* One line a transition, or on a terminal a picture that is drawn anew in its place. */
struct pipeline_view {
    struct cli *cli;
    FILE *to; /* NULL: nothing is shown */
    bool live, colours;
    size_t lines; /* of the picture that stands there */
    size_t rows;  /* of the terminal; 0: not known */
    int64_t drawn_ns;
    const struct state *state;
    size_t at; /* the step that progress is of */
    struct action_progress progress;
    bool has_progress;
    char text[512], alarms[512];
};
void pipeline_view_init(struct pipeline_view *view, struct cli *cli, FILE *to, bool is_tty);
void pipeline_view_change(struct pipeline_view *view, const struct state *state,
                          const struct entry *entry, const struct action_progress *progress);
/* Draw again if it is time: the clock runs on. */
void pipeline_view_tick(struct pipeline_view *view);
/* Leave the last picture standing. */
void pipeline_view_end(struct pipeline_view *view);
/* Progress that came from elsewhere, as JSON text (lease.h); empty: none. */
void pipeline_view_take(struct pipeline_view *view, const struct state *state, struct px_str json);
/* The picture; width 0: any. Returns its lines. */
size_t pipeline_view_render(const struct pipeline_view *view, int64_t now_ns, size_t width,
                            struct px_buf *buf);
/* One line of the log for people. */
void pipeline_view_line(const struct entry *entry, struct px_buf *buf);

/* An open pipeline with all that it borrows. */
struct pipeline_work {
    struct cli *cli;
    struct cloud_shared cloud;
    struct action_table table;
    struct pipeline_options options;
    struct pipeline *pipeline;
    struct pipeline_view view;
    sigset_t held;
    bool holds_signals;
    int signal_number; /* that interrupted */
};
/* Fills in options and opens. An enum cli_exit, already said. */
PX_MUST_USE int pipeline_work_open(struct pipeline_work *work, struct cli *cli,
                                   const struct pipeline_place *place);
void pipeline_work_close(struct pipeline_work *work);
/* Ctrl-C leaves the run resumable from now on, and the view follows. */
void pipeline_work_follow(struct pipeline_work *work);
/* Says how a call ended and gives the exit code; ends as the signal does when one interrupted it. */
int pipeline_work_end(struct pipeline_work *work, int answer);
/* Every action that a step can name, and what they ask the program. */
void pipeline_actions(struct action_table *ret_table);
