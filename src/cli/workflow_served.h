/* cli/workflow_served.h - executions are started, stopped, redriven and answered by the region's API, so that its audit log tells of it.
 * What the API does not run (machines of one's own, Express ones, versions) goes by the control socket, and with --socket all of it,
 * for when functions do not run. docs/design/workflows.md#by-the-api */
#pragma once

#include "cli/workflow_region.h"

#define WORKFLOW_SOCKET_OPTION(values_type, field)                                                 \
    {                                                                                              \
        "socket", 0, CLI_FLAG, offsetof(values_type, field), NULL,                                 \
            "by the control socket, of which the audit log tells nothing: for when functions do "  \
            "not run",                                                                             \
            NULL, 0, 0                                                                             \
    }

/* What the API runs; machine NULL: it does not run that, and nothing is open. */
struct workflow_served {
    struct remote remote;
    const char *machine;
    struct px_str execution; /* its name; empty: a machine is meant */
};
/* An enum cli_exit, already said; so is what the others come to. */
PX_MUST_USE int workflow_served_machine(struct cli *cli, const char *machine,
                                        struct workflow_served *ret_served);
/* By MACHINE/NAME, for which port and key are enough; by ARN, or by a name that only one machine has an execution of. */
PX_MUST_USE int workflow_served_execution(struct cli *cli, const char *execution,
                                          struct workflow_served *ret_served);
/* "tenant-offboarding/off": by the API alone. */
bool workflow_is_path(const char *execution);
void workflow_served_close(struct workflow_served *served);
/* One call about it: `what` is "" for the machine's executions or the execution itself, or "/stop". No body: GET. */
PX_MUST_USE int workflow_served_call(struct workflow_served *served, const char *what,
                                     struct px_str body, yyjson_val **ret_root);

struct workflow_wish {
    const char *machine; /* its alias `live` is started, unless a version or an ARN is named */
    const char *name;    /* NULL: the region finds one */
    struct px_str input; /* JSON; empty: {} */
    bool socket;
};
/* As StartExecution answers: ret_text is {"executionArn","startDate"}. */
PX_MUST_USE int workflow_start_wish(struct cli *cli, const struct workflow_wish *wish,
                                    struct px_str *ret_arn, struct px_str *ret_text);
/* {"<name>":1764309600.123} of a time of the API's; nothing when it is absent. NULL: no memory. */
const char *workflow_seconds(struct cli *cli, const char *name, yyjson_val *object,
                             const char *from);
