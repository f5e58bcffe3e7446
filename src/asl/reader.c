/* asl/reader.c - a distributed Map's items from files (ItemReader).
 *
 * Reading is a call of the reader's resource: the host answers with the object's bytes (s3:getObject) or a page of a list as JSON
 * (s3:listObjectsV2). A list has more pages; a manifest, and a list whose objects are to be loaded, name files that are called for
 * one after the other. Formats, as the developer guide, "ItemReader (Map)", describes them:
 *
 *   JSON, JSONL, CSV   an array or one inside (ItemsPointer); a value a line; lines of fields with a header (asl/csv.h)
 *   S3_INVENTORY       manifest.json of an inventory in CSV: files without header, whose columns the manifest names, mostly gzip
 *   ATHENA_DATA        the manifest of an UNLOAD: a line "s3://bucket/key" for each file
 *   LOAD_AND_FLATTEN   the objects of a list: their items are the items
 *
 * PARQUET is the host's to read (struct asl_task_call): it answers with the rows, a value a line, because what reads it here is DuckDB, which
 * stands in functions and not in this process. Keys of an inventory stay URL-encoded, as S3 writes them. */
#include <stdlib.h>

#include "asl/csv.h"
#include "asl/engine_internal.h"
#include "asl/unpack.h"

#define FILE_BYTES_MAX (64u << 20)  /* of one, decompressed */
#define ITEMS_BYTES_MAX (48u << 20) /* of all files together; a step has room to parse them */
#define FILES_MAX 100000u
#define INVENTORY_COLUMNS_MAX 64

int map_call(struct step *step, struct px_str payload, enum phase phase)
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

static int reader_payload(struct step *step, yyjson_mut_val *input, yyjson_mut_val **ret_payload)
{
    const struct asl_item_reader *reader = step->state->of.map.reader;
    *ret_payload = input;
    if (!reader->payload) return 0;
    struct asl_scope scope = step->scope;
    scope.input = input;
    step->evaluation = true;
    int r = asl_template_eval(reader->payload, &scope, "ItemReader", ret_payload, &step->failure);
    if (r == 0) step->evaluation = false;
    return r;
}

/* The call gives items, and an ItemSelector may ask whose. */
static int note_source(struct step *step, yyjson_mut_val *payload)
{
    const struct asl_map *map = &step->state->of.map;
    struct frame *frame = step->frame;
    bool a_file = frame->reading && frame->reading->listed,
         names_files = map->reader->input_type == ASL_INPUT_MANIFEST ||
                       map->reader->load_and_flatten;
    if (!map->selector || !step->execution->info.program->uses_context) return 0;
    if (names_files ? !a_file : frame->sources != NULL) return 0;
    return sources_add(&frame->sources, a_file ? frame->reading->count : 0,
                       asl_value_str(asl_member(payload, S("Bucket"))),
                       asl_value_str(asl_member(payload, S("Key"))));
}

static int call_value(struct step *step, yyjson_mut_val *payload)
{
    PX_TRY(note_source(step, payload));
    struct px_str text;
    PX_TRY(asl_value_write(&step->values, payload, &text));
    return map_call(step, text, PHASE_READER);
}

int map_reader_attempt(struct step *step, yyjson_mut_val *input)
{
    yyjson_mut_val *payload = NULL;
    sources_free(&step->frame->sources);
    int r = reader_payload(step, input, &payload);
    return r != 0 ? r : call_value(step, payload);
}

static int unreadable(struct step *step, const char *why)
{
    step->evaluation = false;
    return asl_fail(step->values.arena, &step->failure, ASL_E_ITEM_READER,
                    "Map state item reader failed: %s", why);
}

/* ---- formats ---- */

static int read_json(struct step *step, struct px_str text, yyjson_mut_val **ret_items)
{
    const struct asl_item_reader *reader = step->state->of.map.reader;
    yyjson_mut_val *value = NULL;
    int r = asl_value_parse(&step->values, text, &value, NULL);
    if (r == ASL_INVALID) return unreadable(step, "the file is not valid JSON");
    PX_TRY(r);
    if (reader->items_pointer.len)
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
        .delimiter = reader->csv_delimiter,
        .headers = reader->csv_header_given ? reader->csv_headers : NULL,
        .header_count = reader->csv_header_count,
    };
    int r = asl_csv_parse(text, &options, &step->values, ret_items);
    if (r == ASL_CSV_BAD)
        return unreadable(step, "the CSV file has no header, or a quote that does not end");
    return r == ASL_CSV_HEADER_TOO_LONG
               ? unreadable(step, "the header of the CSV file is larger than 10 KiB")
               : r;
}

/* The host's rows. Whoever stands in for a host may not know that it has something to do. */
static int read_parquet(struct step *step, struct px_str text, yyjson_mut_val **ret_items)
{
    if (px_str_starts(text, S("PAR1")))
        return unreadable(step, "Parquet is read in a region; here a file has the rows, a value a "
                                "line");
    return read_lines(step, text, ret_items);
}

static int read_as(struct step *step, enum asl_input_type type, struct px_str text,
                   yyjson_mut_val **ret_items)
{
    switch (type) {
    case ASL_INPUT_CSV: return read_csv(step, text, ret_items);
    case ASL_INPUT_JSONL: return read_lines(step, text, ret_items);
    case ASL_INPUT_PARQUET: return read_parquet(step, text, ret_items);
    default: return read_json(step, text, ret_items);
    }
}

/* MaxItems; 0: all. */
static int items_max(struct step *step, yyjson_mut_val *input, double *ret_max)
{
    const struct asl_item_reader *reader = step->state->of.map.reader;
    yyjson_mut_val *value = NULL;
    double most = 0;
    *ret_max = 0;
    int r = step_field(step, &reader->max_items, input, &value);
    if (r != 0 || !value) return r;
    if (!asl_value_number(value, &most) || most < 0)
        return step_fail(step, step->state->language == ASL_JSONATA ? ASL_E_QUERY : ASL_E_RUNTIME,
                         "The MaxItems field refers to value \"%.*s\" which is not a valid integer",
                         PX_FMT(step_text(step, value)));
    *ret_max = most;
    return 0;
}

static int begin(struct step *step, yyjson_mut_val *input, yyjson_mut_val *items, double most)
{
    while (most > 0 && yyjson_mut_is_arr(items) && (double)yyjson_mut_arr_size(items) > most)
        (void)yyjson_mut_arr_remove_last(items);
    if (!asl_value_depth_is_fine(items)) return unreadable(step, "the file nests too deeply");
    return map_begin(step, input, items);
}

/* ---- several files ---- */

static int reading_new(struct frame *frame)
{
    frame->reading = calloc(1, sizeof(*frame->reading));
    if (!frame->reading) return px_fault(PX_F_OOM, "a Map's files");
    px_buf_init(&frame->reading->items, ITEMS_BYTES_MAX);
    return 0;
}

static int add_file(struct step *step, struct px_str bucket, struct px_str key)
{
    struct reading *reading = step->frame->reading;
    if (reading->file_count == FILES_MAX) return unreadable(step, "there are too many files");
    if (reading->file_count == reading->file_cap) {
        size_t cap = reading->file_cap ? reading->file_cap * 2 : 64;
        struct reading_file *files = realloc(reading->files, cap * sizeof(*files));
        if (!files) return px_fault(PX_F_OOM, "a Map's files");
        reading->files = files;
        reading->file_cap = cap;
    }
    struct reading_file *file = &reading->files[reading->file_count++];
    *file = (struct reading_file){asl_blob_new(bucket), asl_blob_new(key)};
    return file->bucket && file->key ? 0 : px_fault(PX_F_OOM, "a Map's files");
}

/* An array's values, or the members of an object as an array has them ({"Key","Value"}). */
static int add_items(struct step *step, yyjson_mut_val *items)
{
    struct reading *reading = step->frame->reading;
    yyjson_mut_val *value;
    struct px_str text;
    if (!yyjson_mut_is_arr(items))
        return unreadable(step, "the file does not contain a JSON array");
    yyjson_mut_arr_iter iter = yyjson_mut_arr_iter_with(items);
    while ((value = yyjson_mut_arr_iter_next(&iter))) {
        int r = asl_value_write(&step->values, value, &text);
        if (r == ASL_INVALID) return unreadable(step, "the file nests too deeply");
        PX_TRY(r);
        if (reading->count++) px_buf_add_char(&reading->items, ',');
        px_buf_add_str(&reading->items, text);
    }
    int r = px_buf_fault(&reading->items);
    return r == PX_F_LIMIT ? unreadable(step, "the items are too many bytes") : r;
}

/* "arn:aws:s3:::bucket" */
static struct px_str bucket_of_arn(struct px_str arn)
{
    const char *colon = arn.ptr ? memrchr(arn.ptr, ':', arn.len) : NULL;
    return colon ? px_str_skip(arn, (size_t)(colon + 1 - arn.ptr)) : arn;
}

/* Source: Amazon S3 user guide, "Locating your inventory list". */
static int take_inventory(struct step *step, struct px_str text)
{
    yyjson_mut_val *manifest = NULL, *file;
    int r = asl_value_parse(&step->values, text, &manifest, NULL);
    if (r == ASL_INVALID) return unreadable(step, "the manifest is not valid JSON");
    PX_TRY(r);
    struct px_str bucket = bucket_of_arn(
        asl_value_str(asl_member(manifest, S("destinationBucket"))));
    yyjson_mut_val *files = asl_member(manifest, S("files"));
    if (!bucket.len || !yyjson_mut_is_arr(files))
        return unreadable(step, "the manifest is none of an S3 inventory");
    if (!px_str_eq(asl_value_str(asl_member(manifest, S("fileFormat"))), S("CSV")))
        return unreadable(step, "the inventory is not in CSV");
    yyjson_mut_arr_iter iter = yyjson_mut_arr_iter_with(files);
    while ((file = yyjson_mut_arr_iter_next(&iter))) {
        struct px_str key = asl_value_str(asl_member(file, S("key")));
        if (!key.len) return unreadable(step, "the manifest has a file without key");
        r = add_file(step, bucket, key);
        if (r != 0) return r;
    }
    /* the columns stay where the files are: each file begins with a line of them */
    struct px_buf *items = &step->frame->reading->items;
    px_buf_add_str(items, asl_value_str(asl_member(manifest, S("fileSchema"))));
    step->frame->reading->columns = asl_blob_new(px_buf_str(items));
    px_buf_clear(items);
    return step->frame->reading->columns ? 0 : px_fault(PX_F_OOM, "an inventory's columns");
}

static int take_athena(struct step *step, struct px_str text)
{
    struct px_str line, bucket;
    bool more = text.len > 0;
    while (more) {
        more = px_str_cut(&text, '\n', &line);
        line = px_str_trim(line);
        if (line.len >= 2 && line.ptr[0] == '"' && line.ptr[line.len - 1] == '"')
            line = px_str(line.ptr + 1, line.len - 2);
        if (line.len == 0) continue;
        if (!px_str_starts(line, S("s3://")))
            return unreadable(step, "a line of the manifest is no s3://bucket/key");
        line = px_str_skip(line, 5);
        if (!px_str_cut(&line, '/', &bucket) || !bucket.len || !line.len)
            return unreadable(step, "a line of the manifest is no s3://bucket/key");
        int r = add_file(step, bucket, line);
        if (r != 0) return r;
    }
    return 0;
}

/* Objects whose items are wanted; what consoles make as folders has none. */
static int add_objects(struct step *step, struct px_str bucket, yyjson_mut_val *contents)
{
    yyjson_mut_val *object;
    yyjson_mut_arr_iter iter = yyjson_mut_arr_iter_with(contents);
    while ((object = yyjson_mut_arr_iter_next(&iter))) {
        struct px_str key = asl_value_str(asl_member(object, S("Key")));
        if (px_str_ends(key, S("/"))) continue;
        int r = add_file(step, bucket, key);
        if (r != 0) return r;
    }
    return 0;
}

/* A page of the list; ret_more: the next one has been called for. */
static int take_page(struct step *step, struct px_str text, yyjson_mut_val *input, double most,
                     bool *ret_more)
{
    struct reading *reading = step->frame->reading;
    yyjson_mut_val *page = NULL, *payload = NULL;
    int r = asl_value_parse(&step->values, text, &page, NULL);
    if (r == ASL_INVALID) return unreadable(step, "the list is not valid JSON");
    PX_TRY(r);
    yyjson_mut_val *contents = yyjson_mut_is_arr(page) ? page : asl_member(page, S("Contents"));
    r = reader_payload(step, input, &payload);
    if (r == 0 && contents && step->state->of.map.reader->load_and_flatten)
        r = add_objects(step, asl_value_str(asl_member(payload, S("Bucket"))), contents);
    else if (r == 0 && contents)
        r = add_items(step, contents);
    if (r != 0) return r;
    yyjson_mut_val *token = asl_member(page, S("NextContinuationToken"));
    bool enough = most > 0 && (double)reading->count >= most;
    *ret_more = asl_value_str(token).len > 0 && !enough;
    if (!*ret_more) return 0;
    token = asl_copy(&step->values, token);
    payload = asl_copy(&step->values, payload);
    if (!token || !payload) return px_arena_fault(step->values.arena);
    PX_TRY(asl_member_set(&step->values, payload, S("ContinuationToken"), token));
    return call_value(step, payload);
}

static int read_inventory(struct step *step, struct px_str text, yyjson_mut_val **ret_items)
{
    struct px_str names[INVENTORY_COLUMNS_MAX];
    struct px_str rest = asl_blob_str(step->frame->reading->columns);
    struct asl_csv_options options = {.delimiter = ',', .headers = names};
    bool more = rest.len > 0;
    while (more && options.header_count < INVENTORY_COLUMNS_MAX) {
        more = px_str_cut(&rest, ',', &names[options.header_count]);
        names[options.header_count] = px_str_trim(names[options.header_count]);
        options.header_count++;
    }
    int r = asl_csv_parse(text, &options, &step->values, ret_items);
    return r > 0 ? unreadable(step, "a file of the inventory is no CSV") : r;
}

static int unpack(struct step *step, struct px_str *text)
{
    int r = asl_unpack(*text, FILE_BYTES_MAX, step->values.arena, text);
    return r == ASL_UNPACK_BAD
               ? unreadable(step, "the file is damaged gzip or zstd, or too large unpacked")
               : r;
}

static int take_file(struct step *step, struct px_str text)
{
    const struct asl_item_reader *reader = step->state->of.map.reader;
    yyjson_mut_val *items = NULL;
    int r = unpack(step, &text);
    if (r == 0)
        r = step->frame->reading->columns ? read_inventory(step, text, &items)
                                          : read_as(step, reader->object_type, text, &items);
    return r != 0 ? r : add_items(step, items);
}

static int call_file(struct step *step)
{
    struct reading *reading = step->frame->reading;
    const struct reading_file *file = &reading->files[reading->file_next++];
    yyjson_mut_val *payload = yyjson_mut_obj(step->values.doc),
                   *bucket = asl_text(&step->values, asl_blob_str(file->bucket)),
                   *key = asl_text(&step->values, asl_blob_str(file->key));
    if (!payload || !bucket || !key) return px_arena_fault(step->values.arena);
    PX_TRY(asl_member_set(&step->values, payload, S("Bucket"), bucket));
    PX_TRY(asl_member_set(&step->values, payload, S("Key"), key));
    return call_value(step, payload);
}

static int all_items(struct step *step, yyjson_mut_val *input, double most)
{
    struct reading *reading = step->frame->reading;
    yyjson_mut_val *items = NULL;
    PX_AUTO(px_buf_deinit) struct px_buf text;
    px_buf_init(&text, ITEMS_BYTES_MAX + 16);
    px_buf_add_char(&text, '[');
    px_buf_add_str(&text, px_buf_str(&reading->items));
    px_buf_add_char(&text, ']');
    PX_TRY(px_buf_fault(&text));
    reading_free(&step->frame->reading);
    int r = asl_value_parse(&step->values, px_buf_str(&text), &items, NULL);
    if (r > 0) return px_fault(PX_F_BUG, "items that were written");
    PX_TRY(r);
    return begin(step, input, items, most);
}

static int take_list(struct step *step, struct px_str text, yyjson_mut_val *input, double most,
                     bool *ret_more)
{
    const struct asl_item_reader *reader = step->state->of.map.reader;
    *ret_more = false;
    if (reader->input_type == ASL_INPUT_OBJECTS)
        return take_page(step, text, input, most, ret_more);
    int r = unpack(step, &text);
    if (r != 0) return r;
    return reader->of_athena ? take_athena(step, text) : take_inventory(step, text);
}

/* The list, or one of its files, came: call for the next file, or begin. */
static int go_on(struct step *step, struct px_str text, yyjson_mut_val *input, double most)
{
    struct frame *frame = step->frame;
    bool more = false;
    int r = 0;
    if (!frame->reading) PX_TRY(reading_new(frame));
    struct reading *reading = frame->reading;
    r = reading->listed ? take_file(step, text) : take_list(step, text, input, most, &more);
    if (r != 0 || more) return r;
    reading->listed = true;
    bool enough = most > 0 && (double)reading->count >= most;
    return reading->file_next < reading->file_count && !enough ? call_file(step)
                                                               : all_items(step, input, most);
}

int map_reader_outcome(struct step *step)
{
    struct frame *frame = step->frame;
    yyjson_mut_val *input = NULL, *items = NULL;
    double most = 0;
    if (frame->outcome == OUTCOME_NONE) return 0;
    if (frame->outcome == OUTCOME_FAILED) {
        struct px_str why = px_arena_dup(step->values.arena, asl_blob_str(frame->outcome_cause));
        return unreadable(step, why.ptr ? why.ptr : "");
    }
    enum asl_input_type type = step->state->of.map.reader->input_type;
    /* the next call lets go of the answer */
    PX_AUTO(asl_blob_unref) struct asl_blob *answer = asl_blob_ref(frame->outcome_text);
    struct px_str text = asl_blob_str(answer);
    int r = step_effective_input(step, &input);
    if (r == 0) r = items_max(step, input, &most);
    if (r != 0) return r;
    if (type == ASL_INPUT_MANIFEST || type == ASL_INPUT_OBJECTS)
        return go_on(step, text, input, most);
    r = unpack(step, &text);
    if (r == 0) r = read_as(step, type, text, &items);
    return r != 0 ? r : begin(step, input, items, most);
}
