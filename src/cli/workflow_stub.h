/* cli/workflow_stub.h - stand-ins for the functions and services that a state machine calls, for `prism workflow run`. */
#pragma once

#include "asl/engine.h"
#include "cli/cli.h"

struct stubs; /* opaque; lives in an arena */

/* Behaviours "NAME=echo|const:JSON|file:PATH|raise:TYPE:MSG|large:N|sleep:N"; of several with one name each call takes the next,
 * and the last one stays. Says what is wrong with one; an enum cli_exit. */
int stubs_init(struct cli *cli, const struct cli_list *list, struct stubs **ret_stubs);
void stubs_deinit(struct stubs *stubs);
/* For struct asl_host; ctx is the stubs. */
void stubs_task(void *ctx, const struct asl_task_call *call);
void stubs_cancel(void *ctx, struct px_str token);
/* Tell the engine what is done by now; the next one's time in wall milliseconds, INT64_MAX: none is out. */
PX_MUST_USE int stubs_answer(struct stubs *stubs, struct asl_engine *engine, int64_t now_ms,
                             int64_t *ret_next_ms);
