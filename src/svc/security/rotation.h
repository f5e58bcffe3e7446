/* svc/security/rotation.h - new values for secrets, in the four steps of Secrets Manager. docs/design/secrets.md
 *
 *   createSecret  a value is put beside the current one, as AWSPENDING
 *   setSecret     whoever has to accept it is told (a database)
 *   testSecret    it is tried
 *   finishSecret  it becomes AWSCURRENT
 *
 * A step may be repeated, also after later ones, and two may run at once; each looks at what is there and does what is missing. What
 * becomes current never does away with a value that somebody still needs, so nobody notices a rotation.
 *
 *   source: docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html */
#pragma once

#include "lambda/runtime.h"
#include "store/secrets.h"
#include "store/tables.h"

struct cloud_shared; /* aws/shared.h */
struct rotation_options {
    struct px_str secrets_url;    /* a folder, or "secretsmanager://<prefix>/" */
    struct px_str tables_url;     /* of the keys, which say what peppers they need */
    struct px_str token_secret;   /* name of the secret with keys of tokens: empty: TOKEN_SECRET */
    struct px_str primary;        /* the region where secrets of all regions rotate; empty: here */
    const struct px_clock *clock; /* NULL: the machine's */
    struct cloud_shared *cloud;   /* borrowed; may be NULL */
};

enum rotation_step { ROTATION_CREATE, ROTATION_SET, ROTATION_TEST, ROTATION_FINISH };
#define ROTATION_STEPS 4
extern const char *const rotation_step_names[ROTATION_STEPS];

struct rotation; /* what one event has open; values of secrets are never older than that */
PX_MUST_USE int rotation_open(const struct rotation_options *options,
                              struct rotation **ret_rotation);
void rotation_close(struct rotation **rotation);

enum rotation_answer {
    ROTATION_ABSENT = 1, /* no such secret */
    ROTATION_UNKNOWN,    /* nothing here knows how to rotate it */
    ROTATION_ELSEWHERE,  /* it rotates in another region */
    ROTATION_NO_VERSION, /* the step needs one before it: nothing is pending under that id */
    ROTATION_OTHER,      /* another rotation of it is pending */
    ROTATION_OVERTAKEN, /* somebody changed the current value meanwhile: this one must begin anew */
    ROTATION_REFUSED,   /* by the database: the new password, or who may set it */
};
/* A sentence for people. */
const char *rotation_answer_text(int answer);

struct rotation_request {
    enum rotation_step step;
    struct px_str secret; /* its name in the store, or its ARN */
    struct px_str id;     /* of the version: the ClientRequestToken */
};
/* Answers: all of the above. */
PX_MUST_USE int rotation_step(struct rotation *rotation, const struct rotation_request *request);

/* All secrets of a store that can be rotated and are older than max_age_ns, and all rotations that were not ended. What is
 * missing that Prism makes by itself is made. */
struct rotation_report {
    size_t secrets, made, rotated, ended, failed; /* ended: of those begun before */
};
PX_MUST_USE int rotation_due(struct rotation *rotation, int64_t max_age_ns,
                             const struct px_log *log, struct rotation_report *ret_report);
/* Whether one could be rotated, by its name. */
bool rotation_knows(struct px_str name);

/* One event: Secrets Manager's {"Step","SecretId","ClientRequestToken"}, {"op":"due","days":N} or {"op":"public-keys"}. */
PX_MUST_USE int rotation_handle(const struct rotation_options *options,
                                const struct lambda_event *event);
