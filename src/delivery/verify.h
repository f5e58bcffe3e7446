/* delivery/verify.h - the architecture's rules, and what of one or more plans breaks them.
 *
 * A rule looks at one plan at a time, or at all of them together; each says for which kind of stack
 * it stands. A rule of a regional stack applies to every regional plan, also one that lacks what the
 * rule is about: that is then the finding. */
#pragma once

#include <stdio.h>

#include "delivery/plan.h"

struct verify;

enum verify_level { VERIFY_ERROR, VERIFY_WARNING };
#define VERIFY_GLOBAL 1u
#define VERIFY_REGION 2u
#define VERIFY_TOGETHER 4u /* all plans at once, when one is of the kinds beside it */

struct verify_rule {
    const char *id, *title;
    const char *seed;   /* the sentence of the requirements that it proves, word for word */
    const char *proves; /* how */
    unsigned stacks;
    enum verify_level level;
    void (*check)(struct verify *v);
};
struct verify_finding {
    const struct verify_rule *rule;
    const struct plan *plan;
    struct px_str address; /* of the resource; empty: something is not there */
    struct px_str message, fix;
    struct verify_finding *next;
};
struct verify_tally { /* per rule */
    bool applied;
    size_t looked_at, findings;
};

struct verify_options {
    const char *platform_dir;  /* NULL: rules that compare with it say so */
    const char *wildcards;     /* reviewed wildcards of IAM; NULL: none are allowed */
    const char *const *only;   /* ids of rules, or beginnings of them; NULL-ended */
    const char *const *except; /* likewise */
};
struct verify {
    struct px_arena *arena;
    const struct verify_options *options;
    struct plan **plans;
    size_t plan_count;
    struct verify_tally *tallies; /* in the order of verify_rule_at() */
    struct verify_finding *findings;
    size_t finding_count;
    /* while a rule runs */
    struct plan *plan; /* the one it looks at; the first for rules of all together */
    const struct verify_rule *rule;
    size_t rule_index;
    struct verify_finding **tail;
    /* platform/ and the list of wildcards, read once; value_unknown: not there */
    const struct value *functions, *network, *lifecycle, *alarms, *workflows, *api, *pipeline,
        *wildcards;
    bool *wildcards_used;
};

/* The rules in the order of their ids; NULL behind the last. */
const struct verify_rule *verify_rule_at(size_t i);
size_t verify_rule_count(void);
/* Whether --rule and --except leave it. */
bool verify_is_wanted(const struct verify_options *options, const struct verify_rule *rule);

/* Look at all plans with all rules that are wanted.
 * Faults: PX_F_CONFIG for a file of the platform folder that is no JSON; PX_F_OOM, PX_F_LIMIT. */
PX_MUST_USE int verify_run(struct px_arena *arena, const struct verify_options *options,
                           struct plan **plans, size_t plan_count, struct verify *ret_verify);

/* ---- what people and programs read ---- */
void verify_write_text(const struct verify *v, bool verbose, FILE *to);
void verify_write_json(const struct verify *v, struct px_buf *buf);
/* SARIF 2.1.0: one run, all rules with their metadata, logical locations. */
void verify_write_sarif(const struct verify *v, const char *version, struct px_buf *buf);
void verify_list(const struct verify_options *options, FILE *to);
void verify_list_json(const struct verify_options *options, struct px_buf *buf);
