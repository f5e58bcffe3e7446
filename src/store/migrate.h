/* store/migrate.h - versions of a metadata database's schema: numbered steps that expand, backfill and contract, so that
 * functions of two releases work on it at once. docs/design/catalog-schema.md says which step goes when.
 *
 * What was run stands in the database itself (`schema_steps`), what functions know in `schema_functions`. The list of
 * steps is passed in. Each step, and each batch of a backfill, is one transaction behind the database's write lock: of two
 * who run it at once one waits and finds it done, and whoever is killed leaves nothing half-done. */
#pragma once

#include "base/px_buf.h"
#include "base/px_clock.h"
#include "store/meta.h"

enum migrate_kind {
    MIGRATE_EXPAND = 1, /* only adds: functions of before go on working */
    MIGRATE_BACKFILL,   /* fills what was added, in batches */
    MIGRATE_CONTRACT    /* takes away what no function uses any more */
};
const char *migrate_kind_name(enum migrate_kind kind); /* "expand" and so on */

struct migrate_step {
    int number; /* rises by list order; it is the version of whoever knows the list so far */
    enum migrate_kind kind;
    const char *name;
    /* EXPAND, CONTRACT: statements in the dialect of meta.h, where TEXT stands as a column's type alone: PostgreSQL's orders
     * by bytes only with a collation, which is added. BACKFILL: one statement that changes at most $1 rows, and none once
     * all is done. Never changed after a release: its checksum is compared. */
    const char *sql;
    /* A SELECT of one number: what is still to do; 0: the step holds. NULL: nothing to ask (not for a BACKFILL). */
    const char *left;
    int until; /* the CONTRACT step that takes away what `left` or a BACKFILL reads; 0: none */
    int unused_since; /* CONTRACT: who knows this step or a later one uses nothing of what goes */
    bool unsaid; /* CONTRACT: who does not know it never said so (migrate_say): a person has to */
};
struct migrate_list {
    const struct migrate_step *steps;
    size_t count;
    int needs; /* functions of this release work once all steps up to it that add have been run */
};
struct migrate {
    struct meta *meta; /* borrowed, as are the others */
    const struct migrate_list *list;
    const struct px_clock *clock;
};

#define MIGRATE_STEPS_MAX 256
#define MIGRATE_USERS_MAX 64
#define MIGRATE_NAME_BYTES 65
#define MIGRATE_SAY_S 3600           /* how often a function says what it knows */
#define MIGRATE_FORGET_S (24 * 3600) /* after that long without a word it does not run any more */

enum migrate_answer {
    MIGRATE_BEHIND = 1, /* steps that add have to be run before */
    MIGRATE_IN_USE,     /* functions that run know less than the step needs */
    MIGRATE_UNSAID,     /* who is too old would not have said so */
    MIGRATE_LEFT,       /* a step that was run does not hold (any more): rows are left */
    MIGRATE_HOMELESS /* what was run stands in the table of before; migrate_expand takes it over */
};

/* ---- for functions ---- */

/* Whether a function of this release may work on the database.
 * Answers: MIGRATE_BEHIND, the schema is older than it needs; MIGRATE_HOMELESS: it may, but cannot migrate_say.
 * Faults: PX_F_CONFIG when it was contracted beyond what this release knows. */
PX_MUST_USE int migrate_check(const struct migrate *m);
/* Leave word that `name` runs and knows this list; at most every hour something is written. */
PX_MUST_USE int migrate_say(const struct migrate *m, struct px_str name);

/* ---- looking ---- */

struct migrate_item {
    int number;
    enum migrate_kind kind;
    const struct migrate_step *step; /* NULL: of a later release */
    int64_t applied_ns;              /* wall time; 0: pending */
    int64_t rows;                    /* that a BACKFILL has changed */
    bool edited;                     /* what was run is not what the list says */
};
struct migrate_user {
    char name[MIGRATE_NAME_BYTES];
    int knows;
    int64_t seen_ns;
};
struct migrate_state {
    struct migrate_item items[MIGRATE_STEPS_MAX]; /* by number */
    size_t count;
    size_t adding, removing, edited; /* how many: pending ones of both sorts, edited ones */
    int expanded;                    /* all steps that add up to this number have been run */
    int contracted;                  /* the last CONTRACT step that was run; 0: none */
    int floor;                   /* what a function must know: the greatest unused_since of those */
    bool has_home, has_old_home; /* is there our table; that of before there were kinds of steps */
    struct migrate_user users[MIGRATE_USERS_MAX]; /* who said something within MIGRATE_FORGET_S */
    size_t user_count;
};
/* Reads only, one moment. *ret_state is written even when it faults. */
PX_MUST_USE int migrate_look(const struct migrate *m, struct migrate_state *ret_state);
/* Pending steps that add come first; NULL: nothing is pending. */
const struct migrate_item *migrate_next(const struct migrate_state *state, int to);
/* A step's text as this database gets it. */
void migrate_sql(const struct migrate *m, const struct migrate_step *step, struct px_buf *buf);

/* ---- running ---- `to`: the last number that is wanted; 0: all. PX_F_CONFIG when a step was edited. ---- */

/* Run the EXPAND steps that are next; a BACKFILL that is pending ends it. Takes over a database of before. */
PX_MUST_USE int migrate_expand(const struct migrate *m, int to, size_t *ret_run);

struct migrate_batches {
    int to;
    int64_t rows;             /* of one batch, at most; 0: 1000 */
    size_t max;               /* batches; 0: until it is done */
    int64_t deadline_mono_ns; /* none is begun after it; 0: none */
};
struct migrate_filled {
    size_t batches;
    int64_t rows;
    bool more; /* call again */
};
/* Run the BACKFILL that is next, and again those that were run and have rows left, which functions of before wrote. */
PX_MUST_USE int migrate_backfill(const struct migrate *m, const struct migrate_batches *batches,
                                 struct migrate_filled *ret_filled);

enum migrate_word { /* a person's */
                    MIGRATE_NO_WORD,
                    MIGRATE_APPROVED, /* it may be done, unless functions that run say otherwise */
                    MIGRATE_FORCED    /* whatever they say */
};
/* Run the CONTRACT steps that are pending. Answers: all of migrate_answer, about the first that could not be run. */
PX_MUST_USE int migrate_contract(const struct migrate *m, int to, enum migrate_word word,
                                 size_t *ret_run);

struct migrate_verdict {
    size_t checked;
    int number;   /* the first step that does not hold; 0: all do */
    int64_t left; /* and what is left of it */
};
/* Ask every step that was run whether it holds. Answers: MIGRATE_LEFT. */
PX_MUST_USE int migrate_verify(const struct migrate *m, struct migrate_verdict *ret_verdict);
