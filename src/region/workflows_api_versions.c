/* region/workflows_api_versions.c - machines as they are and their numbered versions, in Step Functions' protocol.
 *
 * A change is made in the reading thread on what the journal has, so that two of them follow one another; the loop goes by it once it
 * is on stable storage, and then the caller hears of it.
 *
 * Not as on AWS: a definition is put in place as it is, with this region's names; the same definition again is the same revision; roles,
 * logs, traces and keys are the platform's, so that UpdateStateMachine takes them and changes nothing. Words of errors are the
 * service's as far as they are known. Sources: Step Functions API reference (UpdateStateMachine, PublishStateMachineVersion,
 * ListStateMachineVersions, DeleteStateMachineVersion, DescribeStateMachine). */
#include "region/workflows_api.h"

#include "base/px_id.h"

#define VERSIONS_MAX 1000 /* Step Functions' quota */
#define DESCRIPTION_MAX 256
#define CHECK_BYTES_MAX (64u << 20)

int64_t sfn_now_ms(const struct api_call *call)
{
    return px_wall_ns(call->workflows->options.clock) / PX_NS_PER_MS;
}

struct px_str sfn_version_arn(struct api_call *call, uint32_t version)
{
    return px_arena_printf(&call->arena, "%.*s:%u", PX_FMT(call->machine->arn), version);
}

bool sfn_token(struct api_call *call, uint64_t *ret_token)
{
    struct px_str token = px_json_str(call->input, "nextToken");
    *ret_token = 0;
    if (token.len && !px_str_to_u64(token, ret_token))
        sfn_fail(call, 400, "InvalidToken", "Invalid Token: '%.*s'", PX_FMT(token));
    return !call->error;
}

bool sfn_qualified(struct api_call *call, struct px_str arn)
{
    call->machine = workflow_machine_qualified(&call->workflows->catalogue, arn, &call->qualifier);
    if (!call->machine || !call->qualifier.len)
        sfn_fail(call, 400, "InvalidArn", "Invalid Arn: '%.*s'", PX_FMT(arn));
    return !call->error;
}

/* ---- changes ---- */

static void read_change(struct api_call *call)
{
    struct execution_store *store = call->workflows->reader;
    int r = machine_kept_read(store, call->machine, &call->kept);
    if (r == 0 && call->change(call, &call->kept->record) && !call->error)
        r = machine_write(store, &call->kept->record);
    else
        machine_kept_free(&call->kept);
    if (r != 0) sfn_fail_fault(call, r);
}

static void then_install(struct api_call *call)
{
    if (call->kept) machine_install(call->workflows, call->machine, &call->kept);
    sfn_answer(call);
}

void sfn_change(struct api_call *call, const struct workflow_machine *machine,
                bool (*change)(struct api_call *call, struct machine_record *record))
{
    if (call->workflows->draining)
        sfn_fail(call, 503, "ServiceUnavailable", "the region is draining");
    if (call->error) {
        sfn_answer(call);
        return;
    }
    call->machine = machine;
    call->change = change;
    sfn_read_then(call, read_change, then_install);
}

struct px_str sfn_keep(struct api_call *call, struct px_str text)
{
    struct px_str copy = px_arena_dup(&call->kept->arena, text);
    if (!copy.ptr) sfn_fail_fault(call, px_arena_fault(&call->kept->arena));
    return copy;
}

/* ---- publishing ---- */

static const struct machine_version *published(const struct machine_record *record)
{
    for (size_t i = record->version_count; i > 0; i--) {
        const struct machine_version *v = &record->versions[i - 1];
        if (v->definition == record->definition && px_str_eq(v->revision, record->revision))
            return v;
    }
    return NULL;
}

/* What the machine is now becomes a version, unless it is one. NULL: it failed. */
static const struct machine_version *publish(struct api_call *call, struct machine_record *record,
                                             struct px_str description, bool *changed)
{
    const struct machine_version *there = published(record);
    if (there) return there;
    if (record->version_count >= VERSIONS_MAX) {
        sfn_fail(call, 402, "ServiceQuotaExceededException",
                 "The state machine has %d versions, and that is the maximum", VERSIONS_MAX);
        return NULL;
    }
    struct machine_version *versions = px_arena_array(&call->kept->arena, struct machine_version,
                                                      record->version_count + 1);
    if (!versions) {
        sfn_fail_fault(call, px_arena_fault(&call->kept->arena));
        return NULL;
    }
    if (record->version_count)
        memcpy(versions, record->versions, record->version_count * sizeof *versions);
    versions[record->version_count] = (struct machine_version){
        .number = record->next++,
        .definition = record->definition,
        .revision = record->revision,
        .description = sfn_keep(call, description),
        .created_ms = sfn_now_ms(call)};
    record->versions = versions;
    *changed = true;
    return call->error ? NULL : &versions[record->version_count++];
}

static bool description_ok(struct api_call *call, struct px_str description)
{
    if (description.len > DESCRIPTION_MAX)
        sfn_fail(call, 400, "ValidationException", "A description has at most %d characters",
                 DESCRIPTION_MAX);
    return !call->error;
}

static bool is_revision(const struct machine_record *record, struct px_str revision)
{
    return px_str_eq(revision, record->revision.len ? record->revision : S("INITIAL"));
}

static bool change_publish(struct api_call *call, struct machine_record *record)
{
    struct px_str revision = px_json_str(call->input, "revisionId");
    bool changed = false;
    if (revision.len && !is_revision(record, revision)) {
        sfn_fail(call, 409, "ConflictException",
                 "Failed to publish the State Machine version for revision %.*s. The current State "
                 "Machine revision is %.*s.",
                 PX_FMT(revision), PX_FMT(record->revision.len ? record->revision : S("INITIAL")));
        return false;
    }
    const struct machine_version *version = publish(
        call, record, px_json_str(call->input, "description"), &changed);
    if (!version) return false;
    sfn_add_first(&call->reply, "stateMachineVersionArn", sfn_version_arn(call, version->number));
    sfn_add_time(&call->reply, "creationDate", version->created_ms);
    px_buf_add_char(&call->reply, '}');
    return changed;
}

/* The machine of an ARN that must have no qualifier. */
static const struct workflow_machine *unqualified(struct api_call *call)
{
    struct px_str qualifier;
    const struct workflow_machine *machine = sfn_machine(call, &qualifier);
    if (machine && qualifier.len)
        sfn_fail(call, 400, "ValidationException",
                 "The ARN of a state machine is needed, without a version or alias: '%.*s'",
                 PX_FMT(px_json_str(call->input, "stateMachineArn")));
    return machine;
}

void sfn_publish_version(struct api_call *call)
{
    const struct workflow_machine *machine = unqualified(call);
    (void)description_ok(call, px_json_str(call->input, "description"));
    sfn_change(call, machine, change_publish);
}

/* ---- updating ---- */

/* In the loop, which owns the engine of JSONata: what a start would find wrong is told now. */
static void check_definition(struct api_call *call, const struct workflow_machine *machine,
                             struct px_str text)
{
    struct asl_problems problems = {0};
    struct asl_program *program = NULL;
    const struct asl_program_options options = {.name = machine->full_name,
                                                .arn = machine->arn,
                                                .role_arn = machine->role_arn,
                                                .type = machine->type,
                                                .jsonata = call->workflows->jsonata};
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    px_arena_init(&arena, CHECK_BYTES_MAX);
    int r = asl_program_new(text, &options, &arena, &program, &problems);
    asl_program_unref(&program);
    for (size_t i = 0; r == ASL_INVALID && i < problems.count; i++) {
        const struct asl_problem *p = &problems.list[i];
        if (!p->warning)
            sfn_fail(call, 400, "InvalidDefinition",
                     "Invalid State Machine Definition: '%s: %.*s at %.*s'", p->code,
                     PX_FMT(p->message), PX_FMT(p->place));
    }
    if (r < 0) sfn_fail_fault(call, r);
}

static void take_definition(struct api_call *call, struct machine_record *record,
                            struct px_str text, bool *changed)
{
    struct execution_store *store = call->workflows->reader;
    struct px_str now = {0};
    int r = execution_definition(store, record->definition, &call->arena, &now);
    if (r == 0 && px_str_eq(now, text)) return;
    if (r >= 0) r = execution_define(store, call->machine->full_name, text, &record->definition);
    if (r < 0) {
        sfn_fail_fault(call, r);
        return;
    }
    record->revision = sfn_keep(call, px_str_c(call->revision));
    record->updated_ms = sfn_now_ms(call);
    *changed = true;
}

static bool change_update(struct api_call *call, struct machine_record *record)
{
    struct px_str text = px_json_str(call->input, "definition");
    const struct machine_version *version = NULL;
    bool changed = false;
    if (text.len) take_definition(call, record, text, &changed);
    if (!call->error && px_json_bool(call->input, "publish", false))
        version = publish(call, record, px_json_str(call->input, "versionDescription"), &changed);
    if (call->error) return false;
    px_buf_printf(&call->reply, "{\"updateDate\":%lld.%03d", (long long)(record->updated_ms / 1000),
                  (int)(record->updated_ms % 1000));
    if (record->revision.len) sfn_add_text(&call->reply, "revisionId", record->revision);
    if (version)
        sfn_add_text(&call->reply, "stateMachineVersionArn",
                     sfn_version_arn(call, version->number));
    px_buf_add_char(&call->reply, '}');
    return changed;
}

void sfn_update_machine(struct api_call *call)
{
    static const char *const members[] = {"definition", "roleArn", "loggingConfiguration",
                                          "tracingConfiguration", "encryptionConfiguration"};
    const struct workflow_machine *machine = unqualified(call);
    struct px_str text = px_json_str(call->input, "definition"),
                  role = px_json_str(call->input, "roleArn"),
                  description = px_json_str(call->input, "versionDescription");
    bool any = false;
    for (size_t i = 0; i < PX_COUNT(members); i++)
        any = any || yyjson_obj_get(call->input, members[i]);
    if (machine && !any)
        sfn_fail(call, 400, "MissingRequiredParameter",
                 "Either the definition, the role ARN, the LoggingConfiguration, the "
                 "TracingConfiguration or the EncryptionConfiguration must be specified");
    if (machine && role.len && !px_str_eq(role, machine->role_arn))
        sfn_fail(call, 400, "ValidationException",
                 "What a machine of this region may do is said by workflows.json; its role is "
                 "%.*s",
                 PX_FMT(machine->role_arn));
    if (description.len && !px_json_bool(call->input, "publish", false))
        sfn_fail(call, 400, "ValidationException",
                 "Version description can only be set when publish is true");
    (void)description_ok(call, description);
    if (!call->error && text.len) check_definition(call, machine, text);
    px_uuid7(px_wall_ns(call->workflows->options.clock), call->revision);
    sfn_change(call, machine, change_update);
}

/* ---- listing, deleting ---- */

void sfn_list_versions(struct api_call *call)
{
    struct machine_record record = {0};
    const struct workflow_machine *machine = unqualified(call);
    size_t size = sfn_page_size(call), given = 0;
    uint64_t below = 0;
    uint32_t last = 0;
    call->machine = machine;
    if (!call->error && sfn_token(call, &below)) {
        int r = machine_record_now(call->workflows, machine, &call->arena, &record);
        if (r != 0) sfn_fail_fault(call, r);
    }
    if (call->error) {
        sfn_answer(call);
        return;
    }
    px_buf_add_c(&call->reply, "{\"stateMachineVersions\":[");
    size_t i = record.version_count;
    for (; i > 0 && given < size; i--) {
        const struct machine_version *v = &record.versions[i - 1];
        if (below && v->number >= below) continue;
        if (given++ > 0) px_buf_add_char(&call->reply, ',');
        sfn_add_first(&call->reply, "stateMachineVersionArn", sfn_version_arn(call, v->number));
        sfn_add_time(&call->reply, "creationDate", v->created_ms);
        px_buf_add_char(&call->reply, '}');
        last = v->number;
    }
    px_buf_add_char(&call->reply, ']');
    if (i > 0) px_buf_printf(&call->reply, ",\"nextToken\":\"%u\"", last);
    px_buf_add_char(&call->reply, '}');
    sfn_answer(call);
}

static bool change_delete(struct api_call *call, struct machine_record *record)
{
    PX_AUTO(px_buf_deinit) struct px_buf names;
    uint64_t number = 0;
    px_buf_init(&names, 16384);
    const struct machine_version *version = px_str_to_u64(call->qualifier, &number)
                                                ? machine_version_find(record, (uint32_t)number)
                                                : NULL;
    px_buf_add_c(&call->reply, "{}");
    if (!version) return false; /* it is gone already */
    for (size_t i = 0; i < record->alias_count; i++)
        if (machine_alias_leads_to(&record->aliases[i], version->number))
            px_buf_printf(&names, "%s%.*s", names.len ? ", " : "", PX_FMT(record->aliases[i].name));
    if (names.len) {
        sfn_fail(call, 409, "ConflictException",
                 "Version to be deleted must not be referenced by an alias. Current list of "
                 "aliases referencing this version: [%.*s]",
                 PX_FMT(px_buf_str(&names)));
        return false;
    }
    size_t at = (size_t)(version - record->versions);
    record->version_count--;
    memmove(&record->versions[at], &record->versions[at + 1],
            (record->version_count - at) * sizeof *record->versions);
    return true;
}

void sfn_delete_version(struct api_call *call)
{
    struct px_str arn = px_json_str(call->input, "stateMachineVersionArn");
    uint64_t number;
    if (sfn_qualified(call, arn) &&
        (!px_str_to_u64(call->qualifier, &number) || number > UINT32_MAX))
        sfn_fail(call, 400, "InvalidArn", "Invalid Arn: '%.*s'", PX_FMT(arn));
    sfn_change(call, call->machine, change_delete);
}

/* ---- describing ---- */

static void add_description(struct api_call *call, struct px_str definition)
{
    const struct workflow_machine *m = call->machine;
    struct px_buf *buf = &call->reply;
    const struct machine_version *v = NULL;
    struct machine_record record;
    int r = machine_record_now(call->workflows, m, &call->arena, &record);
    if (r != 0) {
        sfn_fail_fault(call, r);
        return;
    }
    if (call->number) v = machine_version_find(&record, (uint32_t)call->number);
    sfn_add_machine(call, m, v ? sfn_version_arn(call, v->number) : m->arn, v ? v->created_ms : 0);
    px_buf_add_c(buf, ",\"status\":\"ACTIVE\"");
    sfn_add_text(buf, "roleArn", m->role_arn);
    sfn_add_text(buf, "definition", definition);
    struct px_str revision = v ? v->revision : record.revision;
    if (revision.len) sfn_add_text(buf, "revisionId", revision);
    if (v && v->description.len) sfn_add_text(buf, "description", v->description);
    px_buf_add_char(buf, '}');
}

static void read_definition(struct api_call *call)
{
    struct px_str text = {0};
    int r = execution_definition(call->workflows->reader, call->row.definition, &call->arena,
                                 &text);
    if (r == EXECUTION_ABSENT)
        sfn_fail(call, 400, "StateMachineDoesNotExist", "State Machine Does Not Exist: '%.*s'",
                 PX_FMT(px_json_str(call->input, "stateMachineArn")));
    else if (r != 0)
        sfn_fail_fault(call, r);
    call->row.input = text;
}

static void then_describe(struct api_call *call)
{
    add_description(call, call->row.input);
    sfn_answer(call);
}

/* Of an alias, the version that a start would run on now: what the service says there is not documented. */
void sfn_describe_machine(struct api_call *call)
{
    struct machine_choice choice = {0};
    call->machine = sfn_machine(call, &call->qualifier);
    int r = call->machine ? machine_choose(call->workflows, call->machine, call->qualifier,
                                           &call->arena, &choice)
                          : 0;
    if (r == MACHINE_ABSENT)
        sfn_fail(call, 400, "StateMachineDoesNotExist", "State Machine Does Not Exist: '%.*s'",
                 PX_FMT(px_json_str(call->input, "stateMachineArn")));
    else if (r != 0)
        sfn_fail_fault(call, r);
    call->number = choice.version;
    call->row.definition = choice.definition;
    if (!call->error && choice.definition) {
        sfn_read_then(call, read_definition, then_describe);
        return;
    }
    if (call->machine && !call->error) add_description(call, call->machine->text);
    sfn_answer(call);
}
