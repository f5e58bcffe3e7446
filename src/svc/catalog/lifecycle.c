/* svc/catalog/lifecycle.c - platform/lifecycle.json as structs, checked. */
#include "svc/catalog/lifecycle.h"

#include "base/px_json.h"

/* What S3 bills at least, in days, and from which age a class may be entered (aws-facts 39). */
static const struct storage_class {
    const char *name;
    int64_t entry_days_min, billed_days_min;
} storage_classes[] = {
    {"STANDARD", 0, 0},
    {"STANDARD_IA", 30, 30},
    {"ONEZONE_IA", 30, 30},
    {"GLACIER_IR", 0, 90},
};

static const struct storage_class *find_class(struct px_str name)
{
    for (size_t i = 0; i < PX_COUNT(storage_classes); i++)
        if (px_str_eq(px_str_c(storage_classes[i].name), name)) return &storage_classes[i];
    return NULL; /* the other Glacier classes cannot be read at once, so no query could see them */
}

struct check {
    struct px_where *where; /* of the first thing that is wrong */
    bool failed;
};

#define CHECK_THAT(check, cond, path, ...)                                                         \
    do {                                                                                           \
        if (!(check)->failed && !(cond)) {                                                         \
            if ((check)->where) px_where_set((check)->where, 0, (path), __VA_ARGS__);              \
            (check)->failed = true;                                                                \
        }                                                                                          \
    } while (0)

static int64_t positive(struct check *check, yyjson_val *obj, const char *key)
{
    int64_t value = px_json_i64(obj, key, -1);
    CHECK_THAT(check, value > 0, key, "a whole number above 0");
    return value;
}

static int64_t not_negative(struct check *check, yyjson_val *obj, const char *key)
{
    int64_t value = px_json_i64(obj, key, -1);
    CHECK_THAT(check, value >= 0, key, "a whole number, 0 or more");
    return value;
}

static void read_parquet(struct check *check, yyjson_val *obj, struct lifecycle_parquet *parquet)
{
    parquet->version = px_json_str(obj, "parquet_version");
    bool known = px_str_eq(parquet->version, S("V1")) || px_str_eq(parquet->version, S("V2"));
    CHECK_THAT(check, known, "parquet_version", "\"V1\" or \"V2\"");
    parquet->compression_level = positive(check, obj, "compression_level");
    CHECK_THAT(check, parquet->compression_level <= 22, "compression_level", "1 to 22 (zstd)");
    parquet->row_group_rows = positive(check, obj, "row_group_rows");
    parquet->row_group_bytes = positive(check, obj, "row_group_bytes");
}

static void read_transitions(struct check *check, yyjson_val *list, struct lifecycle_class *class)
{
    size_t index, count;
    yyjson_val *item;
    CHECK_THAT(check, yyjson_arr_size(list) <= LIFECYCLE_TRANSITIONS_MAX, "transitions",
               "at most %d transitions", LIFECYCLE_TRANSITIONS_MAX);
    const struct storage_class *before = &storage_classes[0];
    int64_t entered = 0;
    px_json_arr_foreach(list, index, count, item)
    {
        if (check->failed) return;
        struct lifecycle_transition to = {positive(check, item, "after_days"),
                                          px_json_str(item, "storage_class")};
        const struct storage_class *known = find_class(to.storage_class);
        CHECK_THAT(check, known, "storage_class", "a storage class that is readable at once");
        if (check->failed) return;
        CHECK_THAT(check, to.after_days >= known->entry_days_min, "after_days",
                   "S3 moves nothing to %s before day %d", known->name, (int)known->entry_days_min);
        CHECK_THAT(check, to.after_days - entered >= before->billed_days_min, "after_days",
                   "%s is billed for %d days", before->name, (int)before->billed_days_min);
        class->transitions[class->transition_count++] = to;
        before = known;
        entered = to.after_days;
    }
    CHECK_THAT(check, class->retention_days - entered >= before->billed_days_min, "retention_days",
               "%s is billed for %d days", before->name, (int)before->billed_days_min);
}

static struct px_str first_of(struct check *check, yyjson_val *obj, const char *key)
{
    yyjson_val *list = px_json_arr(obj, key);
    struct px_str text = px_json_val_str(yyjson_arr_get_first(list));
    CHECK_THAT(check, yyjson_arr_size(list) == 1 && text.len > 0, key,
               "a list of one name or \"*\"");
    return text;
}

static void read_class(struct check *check, yyjson_val *item, struct lifecycle_class *class)
{
    class->name = px_json_str(item, "name");
    CHECK_THAT(check, class->name.len > 0, "classes", "a name for each class");
    class->tenant = first_of(check, item, "tenants");
    class->dataset = first_of(check, item, "datasets");
    class->retention_days = positive(check, item, "retention_days");
    read_transitions(check, px_json_arr(item, "transitions"), class);
}

static void read_classes(struct check *check, yyjson_val *list, struct lifecycle *lifecycle)
{
    size_t index, count;
    yyjson_val *item;
    CHECK_THAT(check, yyjson_arr_size(list) >= 1 && yyjson_arr_size(list) <= LIFECYCLE_CLASSES_MAX,
               "classes", "1 to %d classes", LIFECYCLE_CLASSES_MAX);
    px_json_arr_foreach(list, index, count, item)
    {
        if (check->failed) return;
        read_class(check, item, &lifecycle->classes[lifecycle->class_count++]);
    }
    if (check->failed) return;
    const struct lifecycle_class *last = &lifecycle->classes[lifecycle->class_count - 1];
    CHECK_THAT(check, px_str_eq(last->tenant, S("*")) && px_str_eq(last->dataset, S("*")),
               "classes", "a last class that matches everything");
}

int lifecycle_parse(struct px_str json, struct px_arena *arena, struct lifecycle *ret_lifecycle,
                    struct px_where *ret_where)
{
    yyjson_val *root = NULL;
    int r = px_json_parse(json, arena, &root, ret_where);
    if (r == PX_JSON_INVALID) return LIFECYCLE_INVALID;
    PX_TRY(r);
    struct check check = {ret_where, false};
    struct lifecycle lifecycle = {0};
    CHECK_THAT(&check, px_json_i64(root, "version", 0) == 1, "version", "version 1");
    yyjson_val *segment = px_json_obj(root, "segment");
    read_parquet(&check, segment, &lifecycle.segment);
    lifecycle.segment_rows_max = positive(&check, segment, "rows_max");
    lifecycle.segment_input_bytes_max = positive(&check, segment, "input_bytes_max");
    yyjson_val *analytics = px_json_obj(root, "analytics");
    read_parquet(&check, analytics, &lifecycle.analytics);
    lifecycle.object_bytes_target = positive(&check, analytics, "object_bytes_target");
    lifecycle.merge_files_min = positive(&check, analytics, "merge_files_min");
    CHECK_THAT(&check, lifecycle.merge_files_min >= 2, "merge_files_min", "2 or more");
    yyjson_val *upkeep = px_json_obj(root, "upkeep");
    lifecycle.dead_grace_s = not_negative(&check, upkeep, "dead_grace_s");
    lifecycle.orphan_age_s = not_negative(&check, upkeep, "orphan_age_s");
    lifecycle.mark_idle_days = positive(&check, upkeep, "mark_idle_days");
    lifecycle.export_days = positive(&check, upkeep, "export_days");
    read_classes(&check, px_json_arr(root, "classes"), &lifecycle);
    if (check.failed) return LIFECYCLE_INVALID;
    *ret_lifecycle = lifecycle;
    return 0;
}

const struct lifecycle_class *lifecycle_class_of(const struct lifecycle *lifecycle,
                                                 struct px_str tenant, struct px_str dataset)
{
    for (size_t i = 0; i < lifecycle->class_count; i++) {
        const struct lifecycle_class *class = &lifecycle->classes[i];
        bool of_tenant = px_str_eq(class->tenant, S("*")) || px_str_eq(class->tenant, tenant);
        bool of_dataset = px_str_eq(class->dataset, S("*")) || px_str_eq(class->dataset, dataset);
        if (of_tenant && of_dataset) return class;
    }
    return &lifecycle->classes[lifecycle->class_count - 1];
}
