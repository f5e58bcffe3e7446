/* region/connect_states.c - states:startExecution of the region's other machines, alone, .sync and .sync:2.
 *
 * An execution that a task waits for carries that task's token in the journal, so that after a crash its end still finds the task;
 * without a name it gets the token as name, so that a task that is called again finds the execution that it started. */
#include "region/workflows_internal.h"

static void on_done(void *ctx, const struct start_result *result)
{
    struct connection *c = ctx;
    static const struct {
        const char *error, *cause;
    } refusals[] = {
        [START_ABSENT] = {"StepFunctions.StateMachineDoesNotExistException",
                          "State Machine Does Not Exist"},
        [START_EXISTS] = {"StepFunctions.ExecutionAlreadyExistsException",
                          "Execution Already Exists"},
        [START_BAD_NAME] = {"StepFunctions.InvalidNameException", "Invalid Name"},
        [START_BAD_INPUT] = {"StepFunctions.InvalidExecutionInputException",
                             "Invalid State Machine Execution Input"},
        [START_FULL] = {"StepFunctions.ExecutionLimitExceededException",
                        "There are too many executions"},
        [START_CLOSING] = {NULL, NULL},
        [START_FAULT] = {"StepFunctions.SdkClientException", "The execution could not be started"},
    };
    if (result->outcome == START_CLOSING) return; /* called again after the restart */
    if (result->outcome != START_OK) {
        connection_fail(c, refusals[result->outcome].error, "%s", refusals[result->outcome].cause);
    } else {
        px_buf_add_c(&c->output, "{\"ExecutionArn\":");
        px_buf_add_json_str(&c->output, result->arn);
        px_buf_printf(&c->output, ",\"StartDate\":%lld.%03d", (long long)(result->start_ms / 1000),
                      (int)(result->start_ms % 1000));
        connection_add_metadata(c);
        px_buf_add_char(&c->output, '}');
        connection_succeed(c);
    }
    connection_end(c);
}

static struct px_str input_of(struct connection *c)
{
    yyjson_val *input = yyjson_obj_get(c->payload, "Input");
    if (!input) return S("{}");
    if (yyjson_is_str(input)) return px_json_val_str(input);
    PX_AUTO(px_buf_deinit) struct px_buf text;
    px_buf_init(&text, 1u << 20);
    px_buf_add_json(&text, input);
    return px_buf_fault(&text) ? (struct px_str){0} : px_arena_dup(&c->arena, px_buf_str(&text));
}

static void start_execution(struct connection *c)
{
    struct px_str arn = px_json_str(c->payload, "StateMachineArn"),
                  name = px_json_str(c->payload, "Name"), qualifier;
    const struct workflow_machine *machine = workflow_machine_qualified(c->catalogue, arn,
                                                                        &qualifier);
    bool waits = c->pattern == ASL_SYNC || c->pattern == ASL_SYNC2;
    if (!machine)
        connection_fail(c, "StepFunctions.StateMachineDoesNotExistException",
                        "State Machine Does Not Exist: '%.*s'", PX_FMT(arn));
    else if (!workflow_may(c->machine, "start", machine->name))
        connection_fail(c, "StepFunctions.AWSStepFunctionsException",
                        "The machine may not start %.*s (may.start of workflows.json)",
                        PX_FMT(machine->name));
    else if (waits && machine->type == ASL_EXPRESS)
        connection_fail(
            c, "StepFunctions.AWSStepFunctionsException",
            "An Express machine cannot be waited for: its executions are in no journal");
    if (c->outcome != CONNECTION_OPEN) {
        connection_end(c);
        return;
    }
    const struct start_request request = {.machine = machine,
                                          .qualifier = qualifier,
                                          .name = name.len ? name : c->token,
                                          .input = input_of(c),
                                          .task = waits ? c->token : (struct px_str){0},
                                          .same_task = waits || !name.len,
                                          .done = on_done,
                                          .ctx = c};
    workflows_start(c->workflows, &request);
}

const struct connector connect_states[] = {
    {.service = "states", .action = "startExecution", .begin = start_execution},
    {.service = "aws-sdk:sfn", .action = "startExecution", .begin = start_execution},
    {0},
};
