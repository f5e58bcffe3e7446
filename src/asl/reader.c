/* asl/reader.c - a distributed Map's items from a file (ItemReader) and its results to files (ResultWriter).
 *
 * Reading is a call of the reader's resource: the host answers with the object's bytes (s3:getObject) or a list's JSON
 * (s3:listObjectsV2). Formats, as the developer guide, "ItemReader (Map)", describes them: JSON array or an array inside
 * (ItemsPointer), JSON Lines, CSV (RFC 4180) with a header. Writing is a call of the writer's resource with
 * {"Bucket","Key","Body"}; the state's result then is {"MapRunArn","ResultWriterDetails":{"Bucket","Key"}}. */
#include <stdio.h>

#include "asl/csv.h"
#include "asl/engine_internal.h"

static int send(struct step *step, struct px_str payload, enum phase phase)
{
    struct frame *frame = step->frame;
    frame->secret = step->engine->random(step->engine->random_ctx) | 1;
    asl_blob_unref(&frame->payload);
    if (!(frame->payload = asl_blob_new(payload))) return px_fault(PX_F_OOM, "a Map's call");
    frame_clear_outcome(frame);
    frame->phase = phase;
    frame->submitted = false;
    PX_TRY(engine_effect(step->execution, EFFECT_TASK, frame));
    return 0;
}

int map_reader_attempt(struct step *step, yyjson_mut_val *input)
{
    const struct asl_item_reader *reader = step->state->of.map.reader;
    yyjson_mut_val *payload = input;
    struct px_str text;
    if (reader->payload) {
        struct asl_scope scope = step->scope;
        scope.input = input;
        step->evaluation = true;
        int r = asl_template_eval(reader->payload, &scope, "ItemReader", &payload, &step->failure);
        if (r != 0) return r;
        step->evaluation = false;
    }
    PX_TRY(asl_value_write(&step->values, payload, &text));
    return send(step, text, PHASE_READER);
}

static int unreadable(struct step *step, const char *why)
{
    step->evaluation = false;
    return asl_fail(step->values.arena, &step->failure, ASL_E_ITEM_READER,
                    "Map state item reader failed: %s", why);
}

static int read_json(struct step *step, struct px_str text, yyjson_mut_val **ret_items)
{
    const struct asl_item_reader *reader = step->state->of.map.reader;
    yyjson_mut_val *value = NULL;
    int r = asl_value_parse(&step->values, text, &value, NULL);
    if (r == ASL_INVALID) return unreadable(step, "the file is not valid JSON");
    PX_TRY(r);
    if (reader->input_type == ASL_INPUT_OBJECTS)
        value = yyjson_mut_is_obj(value) ? yyjson_mut_obj_get(value, "Contents") : value;
    else if (reader->items_pointer.len)
        value = yyjson_mut_ptr_getn(value, reader->items_pointer.ptr, reader->items_pointer.len);
    if (!yyjson_mut_is_arr(value) && !yyjson_mut_is_obj(value))
        return unreadable(step, "the file does not contain a JSON array");
    *ret_items = value;
    return 0;
}

static int read_lines(struct step *step, struct px_str text, yyjson_mut_val **ret_items)
{
    yyjson_mut_val *items = yyjson_mut_arr(step->values.doc);
    struct px_str line;
    bool more = text.len > 0;
    if (!items) return px_arena_fault(step->values.arena);
    while (more) {
        more = px_str_cut(&text, '\n', &line);
        yyjson_mut_val *value = NULL;
        line = px_str_trim(line);
        if (line.len == 0) continue;
        int r = asl_value_parse(&step->values, line, &value, NULL);
        if (r == ASL_INVALID) return unreadable(step, "a line of the file is not valid JSON");
        PX_TRY(r);
        if (!yyjson_mut_arr_append(items, value)) return px_arena_fault(step->values.arena);
    }
    *ret_items = items;
    return 0;
}

static int read_csv(struct step *step, struct px_str text, yyjson_mut_val **ret_items)
{
    const struct asl_item_reader *reader = step->state->of.map.reader;
    const struct asl_csv_options options = {
        .delimiter = reader->csv_delimiter ? reader->csv_delimiter : ',',
        .headers = reader->csv_header_given ? reader->csv_headers : NULL,
        .header_count = reader->csv_header_count,
    };
    int r = asl_csv_parse(text, &options, &step->values, ret_items);
    if (r == ASL_INVALID)
        return unreadable(step, "the CSV file has no header, or a quote that does not end");
    PX_TRY(r);
    return 0;
}

static int first_items(struct step *step, yyjson_mut_val *input, yyjson_mut_val *items)
{
    const struct asl_item_reader *reader = step->state->of.map.reader;
    yyjson_mut_val *value = NULL;
    double most = 0;
    int r = step_field(step, &reader->max_items, input, &value);
    if (r != 0 || !value) return r;
    if (!asl_value_number(value, &most) || most < 0)
        return step_fail(step, step->state->language == ASL_JSONATA ? ASL_E_QUERY : ASL_E_RUNTIME,
                         "The MaxItems field refers to value \"%.*s\" which is not a valid integer",
                         PX_FMT(step_text(step, value)));
    if (most == 0 || !yyjson_mut_is_arr(items)) return 0;
    while ((double)yyjson_mut_arr_size(items) > most) (void)yyjson_mut_arr_remove_last(items);
    return 0;
}

int map_reader_outcome(struct step *step)
{
    struct frame *frame = step->frame;
    yyjson_mut_val *input = NULL, *items = NULL;
    if (frame->outcome == OUTCOME_NONE) return 0;
    if (frame->outcome == OUTCOME_FAILED) {
        struct px_str why = px_arena_dup(step->values.arena, asl_blob_str(frame->outcome_cause));
        return unreadable(step, why.ptr ? why.ptr : "");
    }
    int r = step_effective_input(step, &input);
    if (r != 0) return r;
    struct px_str text = asl_blob_str(frame->outcome_text);
    switch (step->state->of.map.reader->input_type) {
    case ASL_INPUT_CSV: r = read_csv(step, text, &items); break;
    case ASL_INPUT_JSONL: r = read_lines(step, text, &items); break;
    case ASL_INPUT_JSON:
    case ASL_INPUT_OBJECTS: r = read_json(step, text, &items); break;
    case ASL_INPUT_MANIFEST:
    case ASL_INPUT_PARQUET:
        r = unreadable(step, "inventories and Parquet files cannot be read here");
        break;
    }
    if (r == 0) r = first_items(step, input, items);
    if (r == 0 && !asl_value_depth_is_fine(items))
        r = unreadable(step, "the file nests too deeply");
    return r != 0 ? r : map_begin(step, input, items);
}

/* ---- results ---- */

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

static void write_results(const struct asl_result_writer *writer, const struct fork *fork,
                          struct px_buf *buf)
{
    bool first = true;
    if (!writer->json_lines) px_buf_add_char(buf, '[');
    for (size_t i = 0; i < fork->total; i++) {
        if (!fork->results[i]) continue;
        if (!first) px_buf_add_char(buf, writer->json_lines ? '\n' : ',');
        px_buf_add_str(buf, asl_blob_str(fork->results[i]));
        first = false;
    }
    px_buf_add_char(buf, writer->json_lines ? '\n' : ']');
}

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

/* "prefix/<the run's event>-<secret>/SUCCEEDED_0.json": a run's own place, the same after a crash because it is in the record. */
static int writer_key(struct step *step, struct px_str prefix, uint64_t run, const char *file,
                      struct px_str *ret_key)
{
    const char *slash = prefix.len && prefix.ptr[prefix.len - 1] != '/' ? "/" : "";
    *ret_key = px_arena_printf(step->values.arena, "%.*s%s%.*s/%llu/%s", PX_FMT(prefix), slash,
                               PX_FMT(step->execution->info.name), (unsigned long long)run, file);
    return ret_key->ptr ? 0 : px_arena_fault(step->values.arena);
}

int map_writer_attempt(struct step *step)
{
    struct fork *fork = step->frame->fork;
    struct px_str bucket = {0}, prefix = {0}, key;
    int r = writer_place(step, &bucket, &prefix);
    if (r != 0) return r;
    bool lines = step->state->of.map.writer->json_lines;
    PX_TRY(writer_key(step, prefix, fork->run, lines ? "SUCCEEDED_0.jsonl" : "SUCCEEDED_0.json",
                      &key));
    struct px_buf body, call;
    px_buf_init(&body, 256u << 20);
    px_buf_init(&call, 512u << 20);
    write_results(step->state->of.map.writer, fork, &body);
    px_buf_add_c(&call, "{\"Bucket\":");
    px_buf_add_json_str(&call, bucket);
    px_buf_add_c(&call, ",\"Key\":");
    px_buf_add_json_str(&call, key);
    px_buf_add_c(&call, ",\"Body\":");
    px_buf_add_json_str(&call, px_buf_str(&body));
    px_buf_add_char(&call, '}');
    r = px_buf_fault(&body) ? px_buf_fault(&body) : px_buf_fault(&call);
    if (r == 0) r = send(step, px_buf_str(&call), PHASE_WRITER);
    px_buf_deinit(&body);
    px_buf_deinit(&call);
    PX_TRY(r);
    return 0;
}

int map_writer_outcome(struct step *step)
{
    const struct asl_state *state = step->state;
    struct frame *frame = step->frame;
    struct px_str bucket = {0}, prefix = {0}, key;
    if (frame->outcome == OUTCOME_NONE) return 0;
    if (frame->outcome == OUTCOME_FAILED)
        return asl_fail(step->values.arena, &step->failure, ASL_E_RESULT_WRITER, "%.*s",
                        PX_FMT(asl_blob_str(frame->outcome_cause)));
    int r = writer_place(step, &bucket, &prefix);
    if (r != 0) return r;
    bool lines = state->of.map.writer->json_lines;
    PX_TRY(writer_key(step, prefix, frame->fork->run,
                      lines ? "SUCCEEDED_0.jsonl" : "SUCCEEDED_0.json", &key));
    yyjson_mut_doc *doc = step->values.doc;
    yyjson_mut_val *result = yyjson_mut_obj(doc), *details;
    struct px_str run = px_arena_printf(step->values.arena, "%.*s/%u",
                                        PX_FMT(step->execution->info.arn), frame->fork->run);
    if (!result || !run.ptr ||
        !yyjson_mut_obj_add_strn(doc, result, "MapRunArn", run.ptr, run.len) ||
        !(details = yyjson_mut_obj_add_obj(doc, result, "ResultWriterDetails")) ||
        !yyjson_mut_obj_add_strncpy(doc, details, "Bucket", bucket.ptr, bucket.len) ||
        !yyjson_mut_obj_add_strn(doc, details, "Key", key.ptr, key.len))
        return px_arena_fault(step->values.arena);
    turn_bare(step->execution, frame, ASL_EV_MapRunSucceeded);
    turn_bare(step->execution, frame, ASL_EV_MapStateSucceeded);
    return step_leave(step, &(struct leaving){.result = result,
                                              .assign = state->assign,
                                              .output = state->output,
                                              .next = state->next});
}
