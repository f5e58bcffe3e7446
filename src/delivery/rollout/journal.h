/* delivery/rollout/journal.h - what a rollout remembers beside its target, as objects:
 *
 *   rollout/<region>/<function>/current.json   the one that is under way, or the last
 *   rollout/<region>/<function>/<began>.json   each that has ended
 *   rollout/<region>/<function>/wish.json      what people want of the controller
 *
 * A state machine is called machines/<name> there. */
#pragma once

#include "delivery/rollout/rollout.h"

#define JOURNAL_EVENTS_MAX 500
#define JOURNAL_IGNORED_MAX 32

struct rollout_journal {
    const struct rollout_options *options;
    struct px_arena arena; /* of what was read */
    enum rollout_state state;
    int64_t from, to;
    int64_t began_ns, ended_ns;
    size_t step;
    int64_t since_s; /* the step's weight is set since then; 0: not yet */
    struct rollout_plan plan;
    struct judge_side baseline;                 /* the old version's, of all steps before */
    struct px_str ignored[JOURNAL_IGNORED_MAX]; /* alarms that fired at the beginning */
    size_t ignored_count;
    char reason[ROLLOUT_WHY_BYTES];
    struct px_buf events; /* JSON objects with commas between */
    size_t event_count;
};
void rollout_journal_init(struct rollout_journal *journal, const struct rollout_options *options);
void rollout_journal_deinit(struct rollout_journal *journal);
/* state is ROLLOUT_NONE when there is none. */
PX_MUST_USE int rollout_journal_load(struct rollout_journal *journal);
PX_MUST_USE int rollout_journal_save(struct rollout_journal *journal);
/* A sentence of the story; saved with the next rollout_journal_save(). */
void rollout_journal_tell(struct rollout_journal *journal, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* The journal as a JSON object without its closing brace. */
void rollout_journal_write(const struct rollout_journal *journal, struct px_buf *buf);

struct rollout_journal_wish {
    bool paused;
    char controller[37];
};
PX_MUST_USE int rollout_journal_wish(const struct rollout_options *options,
                                     struct rollout_journal_wish *ret_wish);
PX_MUST_USE int rollout_journal_set_wish(const struct rollout_options *options,
                                         const struct rollout_journal_wish *wish);
