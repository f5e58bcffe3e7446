/* asl/definition_map.c - Map: its items, what reads, batches and writes them, and the flow that is run for each. */
#include "asl/fields.h"
#include "asl/resource.h"

/* A member that is an object, as a reader of its own; false: absent, or no object. */
static bool open_member(const struct asl_reader *r, const char *name, struct asl_place *place,
                        struct asl_reader *ret_reader)
{
    yyjson_val *object = px_json_obj(r->object, name);
    *place = asl_named_place(r->place, r->object, name);
    *ret_reader = (struct asl_reader){r->check, place, object, r->language};
    return object != NULL;
}

static bool is_word(const struct asl_reader *r, const char *name, const char *word)
{
    return px_str_eq(px_json_str(r->object, name), px_str_c(word));
}

static void unsupported(const struct asl_reader *r, const char *name)
{
    if (yyjson_obj_get(r->object, name))
        asl_problem(r->check, r->place, ASL_C_SCHEMA, "Field '%s' is not supported", name);
}

static void required(const struct asl_reader *r, const char *name)
{
    if (!yyjson_obj_get(r->object, name))
        asl_problem(r->check, r->place, ASL_C_SCHEMA, "These fields are required: [%s]", name);
}

/* ---- ItemReader ---- */

struct word_value {
    const char *word;
    int value;
};
static const struct word_value input_types[] = {
    {"CSV", ASL_INPUT_CSV},         {"JSON", ASL_INPUT_JSON},         {"JSONL", ASL_INPUT_JSONL},
    {"PARQUET", ASL_INPUT_PARQUET}, {"MANIFEST", ASL_INPUT_MANIFEST}, {NULL, 0},
};
static const struct word_value delimiters[] = {
    {"COMMA", ','}, {"PIPE", '|'}, {"SEMICOLON", ';'}, {"SPACE", ' '}, {"TAB", '\t'}, {NULL, 0},
};

static int value_of(const struct word_value *words, struct px_str word, int otherwise)
{
    for (; words->word; words++)
        if (px_str_eq(px_str_c(words->word), word)) return words->value;
    return otherwise;
}

static void read_csv(const struct asl_reader *r, bool is_csv, struct asl_item_reader *reader)
{
    reader->csv_delimiter = (char)value_of(delimiters, px_json_str(r->object, "CSVDelimiter"), ',');
    reader->csv_header_given = is_word(r, "CSVHeaderLocation", "GIVEN");
    if (!is_csv) {
        unsupported(r, "CSVHeaderLocation");
        unsupported(r, "CSVHeaders");
        unsupported(r, "CSVDelimiter");
        return;
    }
    if (reader->input_type == ASL_INPUT_CSV && !yyjson_obj_get(r->object, "CSVHeaderLocation"))
        asl_problem(r->check, r->place, ASL_C_SCHEMA, "The field 'CSVHeaderLocation' is required");
    if (reader->csv_header_given)
        required(r, "CSVHeaders");
    else
        unsupported(r, "CSVHeaders");
    reader->csv_headers = asl_read_texts(r, "CSVHeaders", &reader->csv_header_count);
}

static void read_items_pointer(const struct asl_reader *r, struct asl_item_reader *reader)
{
    struct asl_place place = asl_named_place(r->place, r->object, "ItemsPointer");
    reader->items_pointer = px_json_str(r->object, "ItemsPointer");
    if (reader->items_pointer.len > 0 && reader->items_pointer.ptr[0] != '/')
        asl_problem(r->check, &place, ASL_C_SCHEMA, "Value must be a valid JSON pointer.");
}

static void read_formats(const struct asl_reader *r, bool lists, struct asl_item_reader *reader)
{
    bool manifest = yyjson_obj_get(r->object, "ManifestType") != NULL;
    int input = value_of(input_types, px_json_str(r->object, "InputType"), ASL_INPUT_JSON);
    reader->of_athena = is_word(r, "ManifestType", "ATHENA_DATA");
    reader->load_and_flatten = is_word(r, "Transformation", "LOAD_AND_FLATTEN");
    reader->object_type = (enum asl_input_type)input;
    if (lists)
        unsupported(r, "ManifestType");
    else
        reader->input_type = manifest ? ASL_INPUT_MANIFEST : (enum asl_input_type)input;
    if (lists ? reader->load_and_flatten : !manifest || reader->of_athena) required(r, "InputType");
}

static void read_reader_config(const struct asl_reader *r, bool lists,
                               struct asl_item_reader *reader)
{
    (void)asl_check_object(r, ASL_O_READER_CONFIG);
    read_formats(r, lists, reader);
    read_csv(r, reader->object_type == ASL_INPUT_CSV, reader);
    read_items_pointer(r, reader);
    reader->max_items = asl_read_field(r, "MaxItems", "MaxItemsPath");
}

static const struct asl_item_reader *read_item_reader(const struct asl_reader *map)
{
    struct asl_place place, config_place, resource_place;
    struct asl_reader r, config;
    if (!open_member(map, "ItemReader", &place, &r)) return NULL;
    struct asl_item_reader *reader = asl_check_array(r.check, struct asl_item_reader, 1);
    if (!reader) return NULL;
    (void)asl_check_object(&r, ASL_O_READER);
    struct px_str arn = px_json_str(r.object, "Resource");
    bool lists = asl_resource_is_s3(arn, "listObjectsV2");
    resource_place = asl_named_place(&place, r.object, "Resource");
    if (arn.ptr && !lists && !asl_resource_is_s3(arn, "getObject"))
        asl_problem(r.check, &resource_place, ASL_C_SCHEMA,
                    "The field 'Resource' does not match any of the allowed values");
    reader->resource = (struct asl_resource){
        .arn = arn,
        .kind = ASL_RESOURCE_SERVICE,
        .service = S("s3"),
        .action = lists ? S("listObjectsV2") : S("getObject"),
    };
    reader->object_resource = (struct asl_resource){
        .arn = arn, .kind = ASL_RESOURCE_SERVICE, .service = S("s3"), .action = S("getObject")};
    reader->input_type = lists ? ASL_INPUT_OBJECTS : ASL_INPUT_JSON;
    reader->csv_delimiter = ',';
    required(&r, r.language == ASL_JSONATA ? "Arguments" : "Parameters");
    reader->payload = asl_read_payload(&r);
    if (open_member(&r, "ReaderConfig", &config_place, &config))
        read_reader_config(&config, lists, reader);
    else if (!lists)
        required(&r, "ReaderConfig");
    return reader;
}

/* ---- ResultWriter, ItemBatcher ---- */

static const struct word_value transformations[] = {
    {"NONE", ASL_TRANSFORM_NONE},
    {"COMPACT", ASL_TRANSFORM_COMPACT},
    {"FLATTEN", ASL_TRANSFORM_FLATTEN},
    {NULL, 0},
};

static void read_writer_config(const struct asl_reader *r, struct asl_result_writer *writer)
{
    (void)asl_check_object(r, ASL_O_WRITER_CONFIG);
    struct px_str word = px_json_str(r->object, "Transformation");
    writer->transformation = (enum asl_transformation)value_of(transformations, word,
                                                               ASL_TRANSFORM_NONE);
    writer->json_lines = is_word(r, "OutputType", "JSONL");
}

/* A place to write to, a form, or both. */
static void check_writer(const struct asl_reader *r, struct px_str arn, bool has_config)
{
    const char *payload = r->language == ASL_JSONATA ? "Arguments" : "Parameters";
    bool has_payload = yyjson_obj_get(r->object, payload) != NULL;
    struct asl_place place = asl_named_place(r->place, r->object, "Resource");
    if (!arn.ptr && (has_payload || !has_config))
        required(r, "Resource");
    else if (arn.ptr && !has_payload)
        required(r, payload);
    if (arn.ptr && !asl_resource_is_s3(arn, "putObject"))
        asl_problem(r->check, &place, ASL_C_SCHEMA,
                    "The field 'Resource' does not match any of the allowed values");
}

static const struct asl_result_writer *read_result_writer(const struct asl_reader *map)
{
    struct asl_place place, config_place;
    struct asl_reader r, config;
    if (!open_member(map, "ResultWriter", &place, &r)) return NULL;
    struct asl_result_writer *writer = asl_check_array(r.check, struct asl_result_writer, 1);
    if (!writer) return NULL;
    (void)asl_check_object(&r, ASL_O_WRITER);
    struct px_str arn = px_json_str(r.object, "Resource");
    bool has_config = open_member(&r, "WriterConfig", &config_place, &config);
    check_writer(&r, arn, has_config);
    if (arn.ptr)
        writer->resource = (struct asl_resource){
            .arn = arn, .kind = ASL_RESOURCE_SERVICE, .service = S("s3"), .action = S("putObject")};
    writer->payload = asl_read_payload(&r);
    if (has_config) read_writer_config(&config, writer);
    return writer;
}

static void read_batcher(const struct asl_reader *map, struct asl_map *to)
{
    static const char *const bounds[] = {"MaxItemsPerBatch", "MaxItemsPerBatchPath",
                                         "MaxInputBytesPerBatch", "MaxInputBytesPerBatchPath"};
    struct asl_place place;
    struct asl_reader r;
    if (!open_member(map, "ItemBatcher", &place, &r)) return;
    (void)asl_check_object(&r, ASL_O_BATCHER);
    to->batches = true;
    to->items_per_batch = asl_read_field(&r, "MaxItemsPerBatch", "MaxItemsPerBatchPath");
    to->bytes_per_batch = asl_read_field(&r, "MaxInputBytesPerBatch", "MaxInputBytesPerBatchPath");
    to->batch_input = asl_read_template(&r, "BatchInput");
    bool bounded = false;
    for (size_t i = 0; i < PX_COUNT(bounds); i++)
        bounded = bounded || yyjson_obj_get(r.object, bounds[i]);
    if (!bounded)
        asl_problem(r.check, &place, ASL_C_SCHEMA,
                    "At least one of the following fields is required: [MaxItemsPerBatch, "
                    "MaxInputBytesPerBatch]");
}

/* ---- the flow ---- */

static void read_mode(const struct asl_reader *processor, struct asl_map *map)
{
    struct asl_place place, mode_place;
    struct asl_reader r;
    map->child_type = ASL_STANDARD;
    if (!open_member(processor, "ProcessorConfig", &place, &r)) return;
    (void)asl_check_object(&r, ASL_O_PROCESSOR_CONFIG);
    map->distributed = is_word(&r, "Mode", "DISTRIBUTED");
    if (is_word(&r, "ExecutionType", "EXPRESS")) map->child_type = ASL_EXPRESS;
    if (map->distributed)
        required(&r, "ExecutionType");
    else
        unsupported(&r, "ExecutionType");
    mode_place = asl_named_place(&place, r.object, "Mode");
    if (map->distributed && r.check->type == ASL_EXPRESS)
        asl_problem(r.check, &mode_place, ASL_C_SCHEMA,
                    "The field 'Mode' with value 'DISTRIBUTED' is not supported inside 'EXPRESS' "
                    "state machines");
}

static void read_processor(const struct asl_reader *map, const char *name, struct asl_state *state)
{
    struct asl_map *to = &state->of.map;
    struct asl_place place;
    struct asl_reader r;
    if (!open_member(map, name, &place, &r)) return;
    struct asl_flow *flow = asl_check_array(r.check, struct asl_flow, 1);
    if (!flow) return;
    flow->owner = state;
    to->processor = flow;
    (void)asl_check_object(&r, ASL_O_PROCESSOR);
    read_mode(&r, to);
    enum asl_machine_type around = r.check->type;
    if (to->distributed) r.check->type = to->child_type;
    asl_read_flow(r.check, &place, r.object, flow);
    r.check->type = around;
}

/* ---- items ---- */

static void read_items(const struct asl_reader *r, struct asl_map *map)
{
    if (r->language == ASL_JSONPATH) {
        map->items_path = asl_read_path(r, "ItemsPath");
        return;
    }
    map->items = asl_read_field(r, "Items", NULL);
    if (map->items.kind != ASL_FIELD_WRITTEN) return;
    struct asl_place place = asl_named_place(r->place, r->object, "Items");
    if (yyjson_is_ctn(map->items.written))
        map->items_template = asl_read_template(r, "Items");
    else
        asl_problem(r->check, &place, ASL_C_SCHEMA, "Expected value of type [ARRAY]");
}

/* Unique in the machine; it becomes part of names. Source: developer guide, "Using Map state in Distributed mode". */
static void read_label(const struct asl_reader *r, struct asl_map *map)
{
    struct px_str label = px_json_str(r->object, "Label");
    struct asl_place place = asl_named_place(r->place, r->object, "Label");
    if (!label.ptr) return;
    bool wrong = label.len == 0;
    for (size_t i = 0; i < label.len; i++) {
        unsigned char c = (unsigned char)label.ptr[i];
        wrong = wrong || c <= ' ' || c == 0x7f || strchr("?*<>{}[]:;,\\|^~$#%&`\"/", c);
    }
    if (asl_char_count(label) > ASL_LABEL_MAX)
        asl_problem(r->check, &place, ASL_C_LABEL,
                    "The label name '%.*s' exceeds the %d-character limit allowed by the service",
                    PX_FMT(label), ASL_LABEL_MAX);
    else if (wrong)
        asl_problem(r->check, &place, ASL_C_LABEL,
                    "The label name '%.*s' contains invalid characters", PX_FMT(label));
    else if (!asl_name_is_new(r->check, &r->check->labels, label))
        asl_problem(r->check, &place, ASL_C_DUPLICATE_LABEL, "Duplicate Label name: %.*s",
                    PX_FMT(label));
    map->label = label;
}

/* Step Functions takes them in a Map that is not distributed, too, where nothing looks at them. */
static void warn_of_unused(const struct asl_reader *r)
{
    static const char *const names[] = {"ItemReader", "ItemBatcher", "ResultWriter", "Label"};
    for (size_t i = 0; i < PX_COUNT(names); i++) {
        struct asl_place place = asl_named_place(r->place, r->object, names[i]);
        if (yyjson_obj_get(r->object, names[i]))
            asl_warning(r->check, &place, ASL_C_UNUSED,
                        "The field '%s' is for Map states whose mode is DISTRIBUTED", names[i]);
    }
}

void asl_read_map(const struct asl_reader *r, struct asl_state *state)
{
    struct asl_map *map = &state->of.map;
    bool iterator = !yyjson_obj_get(r->object, "ItemProcessor");
    read_processor(r, iterator ? "Iterator" : "ItemProcessor", state);
    read_items(r, map);
    map->legacy_iterator = r->language == ASL_JSONPATH && yyjson_obj_get(r->object, "Parameters") &&
                           !yyjson_obj_get(r->object, "ItemSelector");
    map->selector = asl_read_template(r, map->legacy_iterator ? "Parameters" : "ItemSelector");
    map->max_concurrency = asl_read_field(r, "MaxConcurrency", "MaxConcurrencyPath");
    map->tolerated_count = asl_read_field(r, "ToleratedFailureCount", "ToleratedFailureCountPath");
    map->tolerated_percentage = asl_read_field(r, "ToleratedFailurePercentage",
                                               "ToleratedFailurePercentagePath");
    map->reader = read_item_reader(r);
    map->writer = read_result_writer(r);
    read_batcher(r, map);
    read_label(r, map);
    if (!map->distributed) warn_of_unused(r);
}
