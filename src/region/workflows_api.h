/* region/workflows_api.h - what the files of Step Functions' protocol share: workflows_api.c (executions and the protocol),
 * workflows_api_versions.c (machines and their versions), workflows_api_alias.c. */
#pragma once

#include "region/workflows_internal.h"

/* One call. */
struct api_call {
    struct worker_job job;
    struct workflows *workflows;
    struct http_request *request; /* NULL: `done` hears the answer */
    void (*done)(void *ctx, int status, struct px_str body);
    void *done_ctx;
    yyjson_val *input;
    struct px_arena arena;
    struct px_buf reply;
    const char *error;  /* NULL: `reply` is the answer */
    const char *reason; /* of a ValidationException; NULL: none */
    int status;
    /* in the thread, then in the loop; either may set the error */
    void (*read)(struct api_call *call);
    void (*then)(struct api_call *call); /* NULL: answer */
    struct execution_row row;
    struct redrive_plan plan;
    uint64_t number;
    /* of calls about a machine */
    const struct workflow_machine *machine;
    struct px_str qualifier;
    struct machine_kept *kept;
    /* In the thread. True: the record was changed and is to be written. The reply is written here. */
    bool (*change)(struct api_call *call, struct machine_record *record);
    char revision[37];
};

void sfn_answer(struct api_call *call); /* the end of the call */
/* The first failure counts. */
void sfn_fail(struct api_call *call, int status, const char *error, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
void sfn_fail_fault(struct api_call *call, int fault);
/* An object's first member, and another one; absent (ptr NULL): nothing. */
void sfn_add_first(struct px_buf *buf, const char *name, struct px_str text);
void sfn_add_text(struct px_buf *buf, const char *name, struct px_str text);
void sfn_add_time(struct px_buf *buf, const char *name, int64_t ms);
/* `read` in a thread, then `then` in the loop; NULL: answer. */
void sfn_read_then(struct api_call *call, void (*read)(struct api_call *call),
                   void (*then)(struct api_call *call));
size_t sfn_page_size(const struct api_call *call);
/* Of stateMachineArn; NULL: it fails. */
const struct workflow_machine *sfn_machine(struct api_call *call, struct px_str *ret_qualifier);
/* The members that ListStateMachines and DescribeStateMachine have, without the closing brace. */
void sfn_add_machine(struct api_call *call, const struct workflow_machine *machine,
                     struct px_str arn, int64_t created_ms);

/* workflows_api_versions.c */
/* Change the machine's record in the thread and answer when it is on stable storage. */
void sfn_change(struct api_call *call, const struct workflow_machine *machine,
                bool (*change)(struct api_call *call, struct machine_record *record));
/* In the thread: a copy that lives as long as the record. Without memory the call fails. */
struct px_str sfn_keep(struct api_call *call, struct px_str text);
/* The machine and qualifier of an ARN that must have one. False: it fails as InvalidArn. */
bool sfn_qualified(struct api_call *call, struct px_str arn);
int64_t sfn_now_ms(const struct api_call *call);
struct px_str sfn_version_arn(struct api_call *call, uint32_t version);
/* Of nextToken, which is a number; false: it fails. 0: from the beginning. */
bool sfn_token(struct api_call *call, uint64_t *ret_token);
void sfn_describe_machine(struct api_call *call);
void sfn_update_machine(struct api_call *call);
void sfn_publish_version(struct api_call *call);
void sfn_list_versions(struct api_call *call);
void sfn_delete_version(struct api_call *call);

/* workflows_api_alias.c */
void sfn_create_alias(struct api_call *call);
void sfn_update_alias(struct api_call *call);
void sfn_describe_alias(struct api_call *call);
void sfn_list_aliases(struct api_call *call);
void sfn_delete_alias(struct api_call *call);
