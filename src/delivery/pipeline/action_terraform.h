/* delivery/pipeline/action_terraform.h - what the actions with Terraform share: one stack of the run's environment, opened.
 *
 * A stack is a folder of infra/: "global", once for an environment, or "region", once for each region. Its variables come from the
 * rendered configuration (CONFIG/global.tfvars.json, CONFIG/<region>.tfvars.json) and, for a region, the release's artifacts. Its
 * state is prism/<environment>/global.tfstate or prism/<environment>/<region>.tfstate in the bucket of PRISM_STATE_BUCKET, which is
 * in PRISM_STATE_REGION; `backend` says otherwise. With `release` it is all as when that release was last applied to the stack:
 * sources, configuration and artifacts come from its record (deployed.h), and none of what lies here now. */
#pragma once

#include "delivery/pipeline/action.h"
#include "delivery/pipeline/deployed.h"
#include "delivery/terraform/terraform.h"

extern const struct action action_terraform_plan, action_terraform_apply, action_terraform_restore,
    action_drift;

/* Fields of `with` that say which stack it is, for terraform_stack_open(). */
#define TERRAFORM_STACK_FIELDS                                                                     \
    {"stack", ACTION_TEXT, true, 0, 0, NULL}, {"config", ACTION_TEXT, false, 0, 0, NULL},          \
        {"var_files", ACTION_TEXTS, false, 0, 8, NULL}, {"infra", ACTION_TEXT, false, 0, 0, NULL}, \
        {"program", ACTION_TEXT, false, 0, 0, NULL}, {"release", ACTION_TEXT, false, 0, 0, NULL},  \
        {"backend", ACTION_OBJECT, false, 0, 0, NULL},                                             \
        {"plugin_cache", ACTION_TEXT, false, 0, 0, NULL},                                          \
        {"lock_timeout_s", ACTION_NUMBER, false, 0, 86400, NULL},                                  \
    {                                                                                              \
        "parallelism", ACTION_NUMBER, false, 1, 256, NULL                                          \
    }

struct terraform_stack {
    struct terraform tf;
    struct terraform_host host;
    struct px_buf said, error;
    struct px_str label;  /* "region eu-west-1 of prod" */
    const char *platform; /* folder of platform/ */
    const char *infra;    /* folder of infra/, of then where it is a record's */
    struct deployed_unit unit;
    struct px_str name;  /* of the stack: "region" */
    const char *secrets; /* file of sensitive variables, removed with the stack; NULL: none */
    struct deployed_record
        *record; /* that is put there again; NULL: it is planned from what is here */
};
/* From a plan step's parameters; they may be another step's. `kind` of the folder for what is between: "plan", "apply".
 * Answers: enum action_answer, said. */
PX_MUST_USE int terraform_stack_open(struct action_context *ctx, yyjson_val *with,
                                     struct terraform_stack *ret_stack);
/* The same of a record; it and all of it outlive the stack. */
PX_MUST_USE int terraform_stack_open_record(struct action_context *ctx, yyjson_val *with,
                                            struct deployed_record *record,
                                            struct terraform_stack *ret_stack);
/* Before it is planned or applied: what lies here is what the run's release says of it (release_machines.h). What comes from a record has a
 * digest of its own. Answers: ACTION_REFUSED, said. */
PX_MUST_USE int terraform_stack_check(struct action_context *ctx,
                                      const struct terraform_stack *stack);
void terraform_stack_close(struct terraform_stack *stack);
/* terraform_init() and so on ended with this answer: the action's, said. 0 stays 0. */
int terraform_stack_answer(struct action_context *ctx, struct terraform_stack *stack, int answer);

/* The document of a plan and its digest, in ctx->arena. */
PX_MUST_USE int terraform_plan_document(struct action_context *ctx, const struct changes *changes,
                                        struct px_str *ret_document, struct px_str *ret_digest);
/* [{"path","sha256"}]: the files that the stack's variables come from. */
PX_MUST_USE int terraform_files(const struct terraform_stack *stack, struct px_buf *buf);

/* ---- action_terraform_record.c: what was applied where ---- */

/* Which unit of deployed.h a step's stack is. */
struct deployed_unit terraform_unit(const struct action_context *ctx, yyjson_val *with);
/* Lay the sources and variables of stack->record out in the step's folder. Answers: enum action_answer, said. */
PX_MUST_USE int terraform_record_lay_out(struct action_context *ctx, yyjson_val *with,
                                         struct terraform_stack *stack);
/* Before anything is changed: what is applied is kept, and that it begins. */
PX_MUST_USE int terraform_record_begin(struct action_context *ctx,
                                       const struct terraform_stack *stack,
                                       const struct changes *changes, struct px_str plan);
/* Once it is applied to its end: this stands there now. */
PX_MUST_USE int terraform_record_finish(struct action_context *ctx,
                                        const struct terraform_stack *stack);
/* The number of the run. */
uint32_t terraform_run(const struct action_context *ctx);
