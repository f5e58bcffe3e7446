/* delivery/terraform/changes.h - what a plan would change, as `terraform show -json` (or OpenTofu's) tells it.
 *
 * delivery/plan.h reads the same text for rules, which ask what is planned; here one asks what was before, what will be and what is
 * secret. Text of anybody's making is read without trust: what has another shape than expected is taken for absent.
 *
 * Three things are told apart: `items`, what apply would do; `drift`, what the refresh found that the state did not know; and outputs.
 *
 * The document: changes as JSON whose bytes depend on what is changed alone. No times, no versions, no state, names sorted; what is
 * marked sensitive is left out, and named where it changes. Its SHA-256 is the plan's digest, so the same plan made again, on
 * another machine too, has the same digest, and no secret can be guessed from it. That a secret changes is part of it; to what
 * is not: nobody who approves a plan is shown that. */
#pragma once

#include <yyjson.h>

#include "base/px_arena.h"
#include "base/px_buf.h"

#define CHANGES_HEX_BYTES 65 /* with the NUL */
#define CHANGES_TEXT_MAX (256u << 20)

enum change_kind {
    CHANGE_NONE,
    CHANGE_READ, /* a data source, during apply */
    CHANGE_CREATE,
    CHANGE_UPDATE,
    CHANGE_REPLACE,
    CHANGE_DESTROY,
    CHANGE_FORGET, /* the state forgets it, AWS keeps it */
};
struct change {
    struct px_str address, type, reason; /* reason: Terraform's word, "replace_because_tainted" */
    struct px_str deposed;               /* key of an object that was replaced and is still there */
    struct px_str previous_address;      /* it was moved */
    enum change_kind kind;
    yyjson_val *actions, *before, *after; /* objects or null; NULL: absent */
    yyjson_val *unknown;                  /* what is known after apply only: true where it is so */
    yyjson_val *secret_before, *secret_after;
    yyjson_val *replace_paths;
};
struct changes {
    struct px_arena *arena;
    yyjson_val *root;
    struct change *items, *drift; /* by address; items without those that change nothing */
    size_t count, drift_count;
    size_t counts[CHANGE_FORGET + 1]; /* of items by kind */
    size_t outputs;                   /* that change */
    size_t managed;                   /* resources there are, changed or not */
    bool errored;                     /* the plan was not made to its end */
    struct px_str *secrets;           /* values of variables that are marked sensitive */
    size_t secret_count;
};

enum changes_answer { CHANGES_INVALID = 1, CHANGES_DIFFER };
/* Answers: CHANGES_INVALID, with ret_where filled. */
PX_MUST_USE int changes_open(struct px_str text, struct px_arena *arena,
                             struct changes *ret_changes, struct px_where *ret_where);
/* Whether apply would change a resource or an output. */
bool changes_any(const struct changes *all);

/* Whether a variable of the stack is marked sensitive, and whether any is (name empty). */
bool changes_is_secret(const struct changes *all, struct px_str variable);

/* Append the document. */
PX_MUST_USE int changes_document(const struct changes *all, struct px_buf *buf);
void changes_digest(struct px_str document, char ret_hex[CHANGES_HEX_BYTES]);

/* What is said elsewhere, with the secrets that are known taken out. */
void changes_scrub(const struct changes *all, struct px_str text, struct px_buf *buf);

/* Whether all that `now` changes was part of `approved`, both documents as read: what is left to do after a part was done. A value that
 * was not known then may be any now; the rest is the same. Outputs follow from resources and are not compared.
 *   differ  gets what is not, for people, a line each, at most a dozen
 * Answers: CHANGES_DIFFER. */
PX_MUST_USE int changes_within(yyjson_val *now, yyjson_val *approved, struct px_arena *arena,
                               struct px_buf *differ);

/* ---- attributes ---- */

/* One attribute of a change, as it may be shown. */
struct change_attribute {
    struct px_str name;
    yyjson_val *before, *after; /* NULL: absent */
    bool unknown;               /* after is known after apply only */
    bool secret, replaces;
};
/* The attributes that change, sorted by name, in changes->arena. */
PX_MUST_USE int changes_attributes(const struct changes *all, const struct change *change,
                                   struct change_attribute **ret_items, size_t *ret_count);
/* null, "", [] and {} are the same to AWS. */
bool changes_same(yyjson_val *a, yyjson_val *b);
/* A value on one line, at most `max` bytes of it, without control characters; what is secret of it as "(sensitive)". */
void changes_show(const struct changes *all, yyjson_val *value, yyjson_val *secret, size_t max,
                  struct px_buf *buf);
const char *change_kind_word(enum change_kind kind); /* "made" */
