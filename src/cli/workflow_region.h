/* cli/workflow_region.h - what the verbs of `prism workflow` that talk to a region share: Step Functions' protocol on its control
 * socket. */
#pragma once

#include "base/px_buf.h"
#include "cli/remote.h"

/* One action with its JSON body. An enum cli_exit, already said. ret_root is in the command's arena, its text too. */
PX_MUST_USE int workflow_call(struct cli *cli, const char *action, struct px_str body,
                              yyjson_val **ret_root, struct px_str *ret_text);
/* The same over a connection that is open. */
PX_MUST_USE int workflow_call_on(struct remote *remote, const char *action, struct px_str body,
                                 yyjson_val **ret_root, struct px_str *ret_text);
/* {"<name>":"<text>", appended; the first one opens the object. */
void workflow_add(struct px_buf *body, const char *name, const char *text);
/* "2026-11-27T05:07:36.123Z" of a member in seconds; empty when absent. */
struct px_str workflow_time(struct cli *cli, yyjson_val *object, const char *name);
/* From start to stop, or until now: "1.234 s". */
struct px_str workflow_duration(struct cli *cli, yyjson_val *execution);
/* What a start names: its alias `live`, unless a version, an alias or an ARN is named. NULL: no memory. */
const char *workflow_live(struct cli *cli, const char *machine);
/* "data-lifecycle" of a machine's or an execution's ARN: without prefix where it is the usual one. */
struct px_str workflow_machine_of(struct px_str arn);
/* What a call about an ended execution says and exits with: its output, or {"Error","Cause"} and CLI_NOT_RUNNING's number, as
 * `workflow run` does. */
int workflow_print_end(struct cli *cli, yyjson_val *execution, struct px_str text);
/* Wait until the execution ends; asks again and again. */
PX_MUST_USE int workflow_wait(struct cli *cli, struct px_str arn, yyjson_val **ret_execution,
                              struct px_str *ret_text);
