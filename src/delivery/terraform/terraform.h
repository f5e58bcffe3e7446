/* delivery/terraform/terraform.h - Terraform, or OpenTofu, at work on one stack.
 *
 * What a stack needs beside its sources (providers, the backend's settings) lies in data_dir, so that several regions are worked on
 * from one tree of sources at once. The state's lock is waited for, never broken. Saved plans hold the state and every secret in the
 * clear: they are made in a folder of this machine, readable by their owner alone, and removed as soon as they are applied or read.
 *
 * What Terraform says is kept short: its messages, and of diagnostics summary, detail and address. Never the lines of source that it
 * quotes, which show values, nor outputs. */
#pragma once

#include "base/px_arena.h"
#include "base/px_buf.h"
#include "base/px_clock.h"
#include "delivery/terraform/changes.h"

#define TERRAFORM_SETTINGS_MAX 16
#define TERRAFORM_VAR_FILES_MAX 16

/* Who looks on, and may say stop. */
struct terraform_host {
    bool (*stop)(void *ctx);
    void (*said)(void *ctx, struct px_str line); /* a line for people */
    void *ctx;
};
struct terraform {
    const char *program;                                /* "terraform" */
    const char *dir;                                    /* of the stack's sources */
    const char *data_dir;                               /* made when absent; absolute */
    const char *plugin_cache;                           /* TF_PLUGIN_CACHE_DIR; NULL: none */
    const char *backend[TERRAFORM_SETTINGS_MAX + 1];    /* "bucket=prism-states"; NULL-ended */
    const char *var_files[TERRAFORM_VAR_FILES_MAX + 1]; /* absolute; NULL-ended */
    int64_t lock_timeout_s;                             /* -1: without the lock */
    int64_t deadline_ns;                                /* monotonic; 0: none */
    int64_t grace_ms;                                   /* for what runs when it is stopped */
    int parallelism;                                    /* 0: Terraform's own */
    const struct px_clock *clock;
    struct px_arena *arena;
    const struct terraform_host *host; /* NULL: nobody */
    const struct changes *secrets;     /* taken out of what is said; NULL: none known */
    struct px_buf *said;               /* gets its messages, bounded by the buffer; may be NULL */
    struct px_buf *error;              /* gets why it failed, bounded; not NULL */
    size_t done, total;                /* of the changes of an apply */
};

enum terraform_answer {
    TERRAFORM_FAILED = 1, /* error says why */
    TERRAFORM_LOCKED,     /* somebody else is at work on the state; error says who */
    TERRAFORM_STALE,      /* the state changed after the plan was made */
    TERRAFORM_CANCELLED,  /* the host said stop */
    TERRAFORM_LATE,
};

/* A folder in which Terraform may write beside a stack's sources (its lock file of providers), so that the sources stay as they are and
 * several regions can be worked on at once: links to the files of infra_dir/stack in work_dir/infra/stack, and to all that stands
 * beside it, where modules and data are looked for. Made again it is brought up to date.
 *   infra_dir, work_dir  absolute; work_dir is there */
PX_MUST_USE int terraform_view(const char *infra_dir, const char *stack, const char *work_dir,
                               struct px_arena *arena, const char **ret_dir);

/* Providers and backend. */
PX_MUST_USE int terraform_init(struct terraform *tf);

enum terraform_mode { TERRAFORM_PLAN, TERRAFORM_REFRESH_ONLY, TERRAFORM_DESTROY };
/* Make a plan and read it. The plan is left at `out`, mode 0600; NULL: it is removed. */
PX_MUST_USE int terraform_plan(struct terraform *tf, enum terraform_mode mode, const char *out,
                               struct changes *ret_changes);
/* Apply a plan that terraform_plan() made. Answers: TERRAFORM_STALE, too: make another. */
PX_MUST_USE int terraform_apply(struct terraform *tf, const char *plan);
