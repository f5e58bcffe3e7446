/* delivery/pipeline/action.h - what a step of a pipeline does: a named function with typed parameters.
 *
 * An action is idempotent. The engine journals a step before it runs the step's action, and after a crash runs the
 * action again with the same context (`again` is set): it must end as if it had run once. So an action first looks at
 * what is there. It changes nothing but what its step is for, and what it gives back is durable before the next
 * step begins.
 *
 * The program lists its actions in one table, struct action_table; the engine knows names only. */
#pragma once

#include <yyjson.h>

#include "base/px_arena.h"
#include "base/px_buf.h"
#include "base/px_clock.h"

struct cloud_shared; /* aws/shared.h */

enum action_answer {
    ACTION_FAILED =
        1, /* said with action_fail(); the step may be tried again, then its stage goes back */
    ACTION_REFUSED,   /* said with action_fail(); trying again would not help */
    ACTION_CANCELLED, /* action_cancelled() was true; what was done is resumable */
    ACTION_WAITS,     /* for a person; the step is asked again when there is an answer */
};

/* Where a step stands now, for whoever looks on. Everything is borrowed during the call. */
struct action_progress {
    struct px_str text;              /* a line for people; empty: none */
    int weight;                      /* of the new version in per cent; -1: means nothing */
    struct px_str alarms;            /* "2 of 14 fire: ingest-errors"; empty: means nothing */
    int64_t left_ms;                 /* -1: not known */
    uint64_t requests, requests_min; /* of a bake; 0: means nothing */
};

/* What is delivered (release.h); all empty before there is one. */
struct action_release {
    struct px_str id;     /* 12 hex digits */
    struct px_str place;  /* folder or s3://bucket/prefix that holds release.json */
    yyjson_val *document; /* release.json */
    bool mixed;           /* of an environment: a region of it has another one */
};

/* What the engine does for an action; an action calls the functions below, not these. */
struct action_host {
    bool (*is_cancelled)(void *ctx);
    void (*progress)(void *ctx, const struct action_progress *progress);
    int (*note)(void *ctx, struct px_str json);
    int (*keep)(void *ctx, struct px_str name, struct px_str bytes);
    int (*kept)(void *ctx, struct px_str step, struct px_str name, struct px_buf *buf);
    int (*delivered)(void *ctx, struct px_str environment, struct action_release *ret_release);
    int (*shelf_get)(void *ctx, struct px_str key, struct px_buf *buf);
    int (*shelf_put)(void *ctx, struct px_str key, struct px_str bytes);
    void *ctx;
};

struct action_gate {    /* a person's decision about this step, for action `approval` */
    bool asked;         /* it waits already */
    struct px_str plan; /* what was asked about */
    bool approved, rejected;
    struct px_str by, why;
    int64_t decided_ns, expires_ns; /* wall time */
    bool by_starter;                /* what the environment allows */
    int64_t expires_s;
};

struct action_context {
    struct px_arena *arena; /* as long as this call; what is given back may lie here */
    const struct px_clock *clock;
    struct cloud_shared *cloud; /* for stores and clients that the action opens */
    /* which step this is */
    struct px_str run;  /* "000017" */
    struct px_str step; /* its path: "prod/wave-2/eu-west-1/apply"; "…!undo" when it is undone */
    struct px_str stage, wave; /* wave: empty outside of waves */
    struct px_str environment; /* empty in a stage that touches none */
    struct px_str region;      /* empty outside of waves */
    yyjson_val *regions;       /* names of a wave's regions, of its bake; NULL: it is none */
    struct px_str who;         /* who started the run */
    struct action_release release,
        previous; /* previous: what this stage's environment got last, by a run that succeeded */
    const char *root; /* the sources: where platform/ and infra/ are */
    const char *
        work_dir; /* of this step, made before the call, the same one when it is run again; of this machine only */
    yyjson_val *with;    /* its parameters, checked, with ${environment} and so on filled in */
    yyjson_val *results; /* {"<step path>": result} of the steps that are done in this run */
    yyjson_val
        *done; /* of the step that is undone its result, NULL when it did not end; else NULL */
    yyjson_val *noted; /* array of what action_note() stored for this step before; NULL: nothing */
    bool undoing;      /* it is another step's undo */
    bool again;        /* it was begun before and its end is not known */
    int64_t began_ns;  /* wall time of the first beginning, the same after a crash */
    int64_t deadline_ns; /* monotonic; the engine does not cut an action off, the action looks */
    const struct action_gate *gate;
    const struct action_table *table;
    const struct action_host *host;
    struct px_buf *error; /* of action_fail() */
};

/* A parameter in `with`. */
enum action_kind {
    ACTION_TEXT,   /* not empty */
    ACTION_TEXTS,  /* array of texts, min to max of them */
    ACTION_NUMBER, /* whole, from min to max */
    ACTION_BOOL,
    ACTION_OBJECT, /* with names of its own; the action checks it */
    ACTION_CHOICE, /* one of `choices` */
    ACTION_STEP,   /* name of a step before it in its list, or in the stage's `steps` */
};
struct action_field {
    const char *name;
    enum action_kind kind;
    bool required;
    int64_t min, max;    /* 0, 0: any that is not negative */
    const char *choices; /* "first second" */
};
/* {name, run(ctx, with, ret_result), describe} */
struct action {
    const char *name;
    const char *summary; /* one line */
    const struct action_field *fields;
    size_t field_count;
    bool is_fixed;       /* an overlay (definition_overlay.h) cannot change its parameters */
    bool can_be_skipped; /* an overlay can leave the step out */
    /* Do it. ret_result: an object in ctx->arena, or NULL for nothing to tell. What has a meaning to others in it:
     *   "digest"   of a plan, which an approval is for; "files": [{"path","sha256"}] that must not change after it
     *   "summary"  text for people: what it did, or what a plan would change
     *   "release"  {"id","place","document"}: from now on this is delivered
     *   "left"     of an undo: text of what a person has to do, because nothing was taken back
     * Answers: enum action_answer. A fault ends as ACTION_FAILED with its text. */
    int (*run)(struct action_context *ctx, yyjson_val *with, yyjson_val **ret_result);
    /* What it will do, for `prism pipeline run --dry-run`: a line, in arena. NULL: the summary. */
    struct px_str (*describe)(struct px_arena *arena, yyjson_val *with);
};
#define ACTION_FIELDS(table) .fields = (table), .field_count = PX_COUNT(table)
/* What a bake looks at, since it began. */
struct action_figures {
    uint64_t requests;
    unsigned watched, fire;   /* alarms; watched 0: not known how many */
    struct px_str fire_names; /* "ingest-errors, query-latency" */
};
struct action_table {
    const struct action *const *actions; /* NULL-ended */
    /* Where `wait` gets figures from when a step names no program for it (figures.h). NULL: nowhere. */
    int (*figures)(struct action_context *ctx, yyjson_val *with, int64_t since_ns,
                   struct action_figures *ret_figures);
    /* of this program's catalog, for `release` (contract.h) */
    int64_t schema_expands_to, schema_contracts_to, schema_needs, schema_floor;
};
/* command, wait, approval, promote, release, publish */
extern const struct action *const action_builtins[];
/* NULL: there is none of that name. */
const struct action *action_find(const struct action_table *table, struct px_str name);

/* ---- for actions ---- */

/* Ctrl-C, `prism pipeline abort`, a lock that was lost: stop soon, leave what can be resumed, and give ACTION_CANCELLED. */
bool action_cancelled(const struct action_context *ctx);
bool action_late(const struct action_context *ctx); /* deadline_ns has passed */
/* Sleeps at most ms, less when cancelled or late. */
void action_pause(const struct action_context *ctx, int64_t ms);
void action_progress(const struct action_context *ctx, const struct action_progress *progress);
void action_say(const struct action_context *ctx, const char *fmt, ...)
    __attribute__((format(printf, 2, 3))); /* progress that is a text alone */
/* Why it ends as `answer`, in words for people with what to do; returns answer. */
int action_fail(const struct action_context *ctx, int answer, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* A line of the audit log about this step, one JSON object: what is about to be done, or was ("weight is 33"). It is durable on
 * return. In `noted` when the step is run again.
 * Faults: PX_F_BUSY: the lock was lost; touch nothing any more. Others of the store. */
PX_MUST_USE int action_note(const struct action_context *ctx, struct px_str json);
/* A file of this step in the run's store, where any machine finds it (a saved plan, what a command said); `name` is
 * [a-z0-9.-]{1,64}. It replaces one of that name.
 * kept(): OBJECT_ABSENT (store/objects.h) when there is none. `step` is a step's path. */
PX_MUST_USE int action_keep(const struct action_context *ctx, struct px_str name,
                            struct px_str bytes);
PX_MUST_USE int action_kept(const struct action_context *ctx, struct px_str step,
                            struct px_str name, struct px_buf *buf);
/* What outlives the run: objects beside the runs in the same store (deployed.h).
 * get(): OBJECT_ABSENT, OBJECT_TOO_LARGE (store/objects.h). */
PX_MUST_USE int action_shelf_get(const struct action_context *ctx, struct px_str key,
                                 struct px_buf *buf);
PX_MUST_USE int action_shelf_put(const struct action_context *ctx, struct px_str key,
                                 struct px_str bytes);
/* What an environment got last, by a stage that ended; id empty: nothing yet. */
PX_MUST_USE int action_delivered(const struct action_context *ctx, struct px_str environment,
                                 struct action_release *ret_release);
/* The result of the step that an ACTION_STEP names; ret_step: its path. NULL: it has none. */
yyjson_val *action_result_of(const struct action_context *ctx, struct px_str name,
                             struct px_str *ret_step);
/* A result out of JSON text, in ctx->arena. */
PX_MUST_USE int action_result(const struct action_context *ctx, struct px_buf *json,
                              yyjson_val **ret_result);
