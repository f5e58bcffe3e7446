/* asl/writer.c - a distributed Map's results to files (ResultWriter).
 *
 * Files are calls of the writer's resource with {"Bucket","Key","Body"}, one after the other: SUCCEEDED_0, FAILED_0, PENDING_0, each
 * when there is a child for it, then manifest.json, to which the state's result leads: {"MapRunArn","ResultWriterDetails":{"Bucket",
 * "Key"}}. They stand under "<Prefix>/<uuid of the run>/". A Map that fails beyond what is tolerated writes them as well; who had not
 * ended then is pending. Without Resource the results are only formed (Transformation) and are the state's result.
 * Source: developer guide, "ResultWriter (Map)"; what a failed child's entry has: what others parse of AWS's files. */
#include <stdio.h>

#include "asl/digest.h"
#include "asl/engine_internal.h"

#define FILE_BYTES_MAX (256u << 20)
#define ENTRY_BYTES_MAX (16u << 20) /* input and output, each byte escaped */

bool map_writes(const struct asl_state *state)
{
    return state->type == ASL_MAP && state->of.map.writer &&
           state->of.map.writer->resource.arn.len > 0;
}

int map_transform(struct step *step, yyjson_mut_val **results)
{
    if (step->state->of.map.writer->transformation != ASL_TRANSFORM_FLATTEN) return 0;
    yyjson_mut_val *flat = yyjson_mut_arr(step->values.doc), *value, *inner;
    if (!flat) return px_arena_fault(step->values.arena);
    yyjson_mut_arr_iter iter = yyjson_mut_arr_iter_with(*results);
    while ((value = yyjson_mut_arr_iter_next(&iter))) {
        yyjson_mut_arr_iter within = yyjson_mut_arr_iter_with(value);
        if (!yyjson_mut_is_arr(value)) {
            yyjson_mut_val *copy = asl_copy(&step->values, value);
            if (!copy || !yyjson_mut_arr_append(flat, copy))
                return px_arena_fault(step->values.arena);
        }
        while (yyjson_mut_is_arr(value) && (inner = yyjson_mut_arr_iter_next(&within))) {
            yyjson_mut_val *copy = asl_copy(&step->values, inner);
            if (!copy || !yyjson_mut_arr_append(flat, copy))
                return px_arena_fault(step->values.arena);
        }
    }
    *results = flat;
    return 0;
}

/* ---- what is told of a child ---- */

static void add_member(struct px_buf *buf, const char *name, struct px_str text)
{
    px_buf_printf(buf, "%s\"%s\":", buf->len > 1 ? "," : "", name);
    px_buf_add_json_str(buf, text);
}

static void add_time(struct px_buf *buf, const char *name, int64_t wall_ms)
{
    char text[40];
    add_member(buf, name, px_time_format(wall_ms * PX_NS_PER_MS, 3, text));
}

/* "arn:...:execution:machine/label:uuid" to "arn:...:stateMachine:machine/label" */
static void add_machine(struct px_buf *buf, struct px_str arn)
{
    const char *kind = arn.ptr ? memmem(arn.ptr, arn.len, ":execution:", 11) : NULL,
               *last = arn.ptr ? memrchr(arn.ptr, ':', arn.len) : NULL;
    char text[512];
    if (!kind || !last || last < kind + 11) return;
    int head = (int)(kind - arn.ptr), name = (int)(last - kind - 11);
    (void)snprintf(text, sizeof text, "%.*s:stateMachine:%.*s", head, arn.ptr, name, kind + 11);
    add_member(buf, "StateMachineArn", px_str_c(text));
}

static void write_end(const struct asl_state *state, const struct asl_child_end *end,
                      struct px_buf *buf)
{
    bool fine = end->status == ASL_SUCCEEDED;
    bool express = state->of.map.child_type == ASL_EXPRESS;
    px_buf_add_char(buf, '{');
    add_member(buf, "ExecutionArn", end->arn);
    if (end->failure.error.ptr) add_member(buf, "Error", end->failure.error);
    if (end->failure.cause.ptr) add_member(buf, "Cause", end->failure.cause);
    add_member(buf, "Input", end->input);
    px_buf_add_c(buf, ",\"InputDetails\":{\"Included\":true}");
    add_member(buf, "Name", end->name);
    if (fine) add_member(buf, "Output", end->output);
    px_buf_printf(buf, ",\"OutputDetails\":{\"Included\":true},\"RedriveCount\":%u",
                  end->redrive_count);
    add_member(buf, "RedriveStatus",
               fine      ? S("NOT_REDRIVABLE")
               : express ? S("REDRIVABLE_BY_MAP_RUN")
                         : S("REDRIVABLE"));
    if (fine)
        add_member(buf, "RedriveStatusReason", S("Execution is SUCCEEDED and cannot be redriven"));
    add_time(buf, "StartDate", end->start_ms);
    add_machine(buf, end->arn);
    add_member(buf, "Status", px_str_c(asl_status_name(end->status)));
    add_time(buf, "StopDate", end->stop_ms);
    px_buf_add_char(buf, '}');
}

int map_child_end(const struct asl_state *state, const struct asl_child_end *end,
                  struct px_arena *arena, struct px_str *ret_text)
{
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    px_buf_init(&buf, ENTRY_BYTES_MAX);
    if (end->status == ASL_SUCCEEDED && state->of.map.writer->transformation != ASL_TRANSFORM_NONE)
        return 0;
    write_end(state, end, &buf);
    PX_TRY(px_buf_fault(&buf));
    *ret_text = px_arena_dup(arena, px_buf_str(&buf));
    return ret_text->ptr ? 0 : px_arena_fault(arena);
}

int map_run_arn(const struct frame *frame, uint32_t run, struct px_arena *arena,
                struct px_str *ret_arn)
{
    const struct asl_map *map = &frame->state->of.map;
    struct px_str arn = frame->execution->info.arn,
                  label = map->label.len ? map->label : frame->state->name;
    const char *kind = arn.ptr ? memmem(arn.ptr, arn.len, ":execution:", 11) : NULL,
               *last = kind ? memrchr(arn.ptr, ':', arn.len) : NULL;
    char hex[ASL_DIGEST_HEX_BYTES];
    struct px_str of = px_arena_printf(arena, "%.*s/%u", PX_FMT(arn), run);
    if (!of.ptr) return px_arena_fault(arena);
    PX_TRY(asl_digest(of, S("SHA-256"), hex));
    hex[12] = '8'; /* a version of our own (RFC 9562, section 5.8) */
    hex[16] = 'a';
    int head = kind ? (int)(kind - arn.ptr) : 0, name = kind ? (int)(last - kind - 11) : 0;
    *ret_arn = px_arena_printf(arena, "%.*s:mapRun:%.*s/%.*s:%.8s-%.4s-%.4s-%.4s-%.12s", head,
                               arn.ptr ? arn.ptr : "", PX_MAX(name, 0), kind ? kind + 11 : "",
                               PX_FMT(label), hex, hex + 8, hex + 12, hex + 16, hex + 20);
    return ret_arn->ptr ? 0 : px_arena_fault(arena);
}

/* ---- files ---- */

static int writer_place(struct step *step, struct px_str *ret_bucket, struct px_str *ret_prefix)
{
    const struct asl_result_writer *writer = step->state->of.map.writer;
    yyjson_mut_val *payload = NULL, *input = NULL;
    int r = step_effective_input(step, &input);
    if (r != 0) return r;
    struct asl_scope scope = step->scope;
    scope.input = input;
    step->evaluation = true;
    r = writer->payload
            ? asl_template_eval(writer->payload, &scope, "ResultWriter", &payload, &step->failure)
            : 0;
    if (r != 0) return r;
    step->evaluation = false;
    *ret_bucket = asl_value_str(asl_member(payload, S("Bucket")));
    *ret_prefix = asl_value_str(asl_member(payload, S("Prefix")));
    if (ret_bucket->len) return 0;
    return asl_fail(step->values.arena, &step->failure, ASL_E_RESULT_WRITER,
                    "ResultWriter has no Bucket");
}

static enum asl_result_file file_of(const struct fork *fork, size_t index)
{
    return fork->child[index] == CHILD_DONE     ? ASL_RESULTS_SUCCEEDED
           : fork->child[index] == CHILD_FAILED ? ASL_RESULTS_FAILED
                                                : ASL_RESULTS_PENDING;
}

static size_t count_of(const struct fork *fork, unsigned file)
{
    return file == ASL_RESULTS_SUCCEEDED ? fork->done
           : file == ASL_RESULTS_FAILED  ? fork->failed
                                         : fork->total - fork->done - fork->failed;
}

struct listing {
    struct px_buf *buf;
    bool lines, begun;
};

static void list_add(struct listing *list, struct px_str json)
{
    if (list->begun) px_buf_add_char(list->buf, list->lines ? '\n' : ',');
    px_buf_add_str(list->buf, json);
    list->begun = true;
}

static int list_result(struct step *step, struct listing *list, struct px_str json)
{
    yyjson_mut_val *value = NULL, *inner;
    struct px_str text;
    if (step->state->of.map.writer->transformation != ASL_TRANSFORM_FLATTEN ||
        !px_str_starts(json, S("["))) {
        list_add(list, json);
        return 0;
    }
    int r = asl_value_parse(&step->values, json, &value, NULL);
    if (r > 0) return px_fault(PX_F_CORRUPT, "a child's output");
    PX_TRY(r);
    yyjson_mut_arr_iter iter = yyjson_mut_arr_iter_with(value);
    while ((inner = yyjson_mut_arr_iter_next(&iter))) {
        PX_TRY(asl_value_write(&step->values, inner, &text));
        list_add(list, text);
    }
    return 0;
}

static int list_pending(struct step *step, struct listing *list, size_t index)
{
    PX_AUTO(asl_blob_unref) struct asl_blob *input = NULL;
    PX_AUTO(px_buf_deinit) struct px_buf entry;
    px_buf_init(&entry, ENTRY_BYTES_MAX);
    int r = map_child_input(step, index, &input);
    if (r != 0) return r;
    px_buf_add_char(&entry, '{');
    add_member(&entry, "Input", asl_blob_str(input));
    px_buf_add_c(&entry, ",\"InputDetails\":{\"Included\":true},\"Status\":\"PENDING\"}");
    PX_TRY(px_buf_fault(&entry));
    list_add(list, px_buf_str(&entry));
    return 0;
}

static int write_file(struct step *step, unsigned file, struct px_buf *buf)
{
    const struct fork *fork = step->frame->fork;
    struct listing list = {buf, step->state->of.map.writer->json_lines, false};
    if (!list.lines) px_buf_add_char(buf, '[');
    for (size_t i = 0; i < fork->total; i++) {
        const struct asl_blob *end = fork->ends ? fork->ends[i] : NULL;
        int r = 0;
        if (file_of(fork, i) != file) continue;
        if (file == ASL_RESULTS_PENDING)
            r = list_pending(step, &list, i);
        else if (end)
            list_add(&list, asl_blob_str(end));
        else
            r = list_result(step, &list, asl_blob_str(fork->results[i]));
        if (r != 0) return r;
    }
    px_buf_add_char(buf, list.lines ? '\n' : ']');
    return px_buf_fault(buf);
}

static const char *const file_names[] = {"SUCCEEDED", "FAILED", "PENDING"};

static int file_key(struct step *step, struct px_str prefix, unsigned file, struct px_str *ret_key)
{
    struct px_arena *arena = step->values.arena;
    struct px_str arn = {0};
    const char *slash = prefix.len && prefix.ptr[prefix.len - 1] != '/' ? "/" : "";
    bool lines = step->state->of.map.writer->json_lines;
    PX_TRY(map_run_arn(step->frame, step->frame->fork->run, arena, &arn));
    struct px_str uuid = px_str(arn.ptr + arn.len - 36, 36);
    if (file == ASL_RESULT_FILES)
        *ret_key = px_arena_printf(arena, "%.*s%s%.*s/manifest.json", PX_FMT(prefix), slash,
                                   PX_FMT(uuid));
    else
        *ret_key = px_arena_printf(arena, "%.*s%s%.*s/%s_0.%s", PX_FMT(prefix), slash, PX_FMT(uuid),
                                   file_names[file], lines ? "jsonl" : "json");
    return ret_key->ptr ? 0 : px_arena_fault(arena);
}

static int write_manifest(struct step *step, struct px_str bucket, struct px_str prefix,
                          struct px_buf *buf)
{
    const struct fork *fork = step->frame->fork;
    static const unsigned by_name[] = {ASL_RESULTS_FAILED, ASL_RESULTS_PENDING,
                                       ASL_RESULTS_SUCCEEDED};
    struct px_str arn = {0}, key = {0};
    PX_TRY(map_run_arn(step->frame, fork->run, step->values.arena, &arn));
    px_buf_add_char(buf, '{');
    add_member(buf, "DestinationBucket", bucket);
    add_member(buf, "MapRunArn", arn);
    px_buf_add_c(buf, ",\"ResultFiles\":{");
    for (size_t i = 0; i < PX_COUNT(by_name); i++) {
        unsigned file = by_name[i];
        px_buf_printf(buf, "%s\"%s\":[", i ? "," : "", file_names[file]);
        if (count_of(fork, file)) {
            PX_TRY(file_key(step, prefix, file, &key));
            px_buf_add_c(buf, "{\"Key\":");
            px_buf_add_json_str(buf, key);
            px_buf_printf(buf, ",\"Size\":%zu}", fork->file_bytes[file]);
        }
        px_buf_add_char(buf, ']');
    }
    px_buf_add_c(buf, "}}");
    return px_buf_fault(buf);
}

static int call_file(struct step *step)
{
    struct fork *fork = step->frame->fork;
    struct px_str bucket = {0}, prefix = {0}, key = {0};
    PX_AUTO(px_buf_deinit) struct px_buf body;
    PX_AUTO(px_buf_deinit) struct px_buf call;
    px_buf_init(&body, FILE_BYTES_MAX);
    px_buf_init(&call, 2 * FILE_BYTES_MAX);
    while (fork->file < ASL_RESULT_FILES && count_of(fork, fork->file) == 0) fork->file++;
    int r = writer_place(step, &bucket, &prefix);
    if (r == 0) r = file_key(step, prefix, fork->file, &key);
    if (r == 0)
        r = fork->file < ASL_RESULT_FILES ? write_file(step, fork->file, &body)
                                          : write_manifest(step, bucket, prefix, &body);
    if (r != 0) return r;
    if (fork->file < ASL_RESULT_FILES) fork->file_bytes[fork->file] = body.len;
    px_buf_add_char(&call, '{');
    add_member(&call, "Bucket", bucket);
    add_member(&call, "Key", key);
    add_member(&call, "Body", px_buf_str(&body));
    px_buf_add_char(&call, '}');
    PX_TRY(px_buf_fault(&call));
    return map_call(step, px_buf_str(&call), PHASE_WRITER);
}

int map_writer_attempt(struct step *step)
{
    step->frame->fork->file = 0;
    return call_file(step);
}

static int written(struct step *step)
{
    const struct asl_state *state = step->state;
    struct px_str bucket = {0}, prefix = {0}, key = {0}, run = {0};
    yyjson_mut_doc *doc = step->values.doc;
    yyjson_mut_val *result = yyjson_mut_obj(doc), *details;
    int r = writer_place(step, &bucket, &prefix);
    if (r == 0) r = file_key(step, prefix, ASL_RESULT_FILES, &key);
    if (r == 0) r = map_run_arn(step->frame, step->frame->fork->run, step->values.arena, &run);
    if (r != 0) return r;
    if (!result || !yyjson_mut_obj_add_strn(doc, result, "MapRunArn", run.ptr, run.len) ||
        !(details = yyjson_mut_obj_add_obj(doc, result, "ResultWriterDetails")) ||
        !yyjson_mut_obj_add_strncpy(doc, details, "Bucket", bucket.ptr, bucket.len) ||
        !yyjson_mut_obj_add_strn(doc, details, "Key", key.ptr, key.len))
        return px_arena_fault(step->values.arena);
    turn_bare(step->execution, step->frame, ASL_EV_MapRunSucceeded);
    turn_bare(step->execution, step->frame, ASL_EV_MapStateSucceeded);
    return step_leave(step, &(struct leaving){.result = result,
                                              .assign = state->assign,
                                              .output = state->output,
                                              .next = state->next});
}

int map_writer_outcome(struct step *step)
{
    struct frame *frame = step->frame;
    if (frame->outcome == OUTCOME_NONE) return 0;
    if (frame->outcome == OUTCOME_FAILED)
        return asl_fail(step->values.arena, &step->failure, ASL_E_RESULT_WRITER, "%.*s",
                        PX_FMT(asl_blob_str(frame->outcome_cause)));
    if (frame->fork->file++ < ASL_RESULT_FILES) return call_file(step);
    return frame->fork->broken ? map_broken(step) : written(step);
}
