/* region/workflow_catalogue.c - see workflow_catalogue.h. */
#include "region/workflow_catalogue.h"

#include <stdio.h>
#include <unistd.h>

#include "asl/render.h"
#include "base/px_file.h"

#define CATALOGUE_BYTES_MAX (1u << 20)
#define DEFINITION_BYTES_MAX (1u << 20) /* Step Functions' limit */
#define VALUES_MAX 16
#define PROBLEMS_BYTES_MAX (16u << 20)
#define RATE_S_MAX (86400u * 366u)

struct loading {
    const struct workflow_catalogue_options *options;
    struct px_arena *arena;
    struct workflow_catalogue catalogue;
    struct asl_value_of_name values[VALUES_MAX];
    size_t value_count;
};

bool workflow_rate_parse(struct px_str text, uint32_t *ret_rate_s)
{
    static const struct {
        struct px_str one, many;
        uint32_t seconds;
    } units[] = {{S("minute"), S("minutes"), 60},
                 {S("hour"), S("hours"), 3600},
                 {S("day"), S("days"), 86400}};
    struct px_str number_text;
    int64_t number;
    if (!px_str_starts(text, S("rate(")) || !px_str_ends(text, S(")"))) return false;
    text = px_str(text.ptr + 5, text.len - 6);
    if (!px_str_cut(&text, ' ', &number_text) || !px_str_to_i64(number_text, &number) || number < 1)
        return false;
    for (size_t i = 0; i < PX_COUNT(units); i++) {
        if (!px_str_eq(text, number == 1 ? units[i].one : units[i].many)) continue;
        if (number > RATE_S_MAX / units[i].seconds) return false;
        *ret_rate_s = (uint32_t)number * units[i].seconds;
        return true;
    }
    return false;
}

/* ---- what a definition may name ---- */

static void add_value(struct loading *l, const char *name, struct px_str value)
{
    PX_ASSERT(l->value_count < VALUES_MAX);
    l->values[l->value_count++] = (struct asl_value_of_name){px_str_c(name), value};
}

static int make_values(struct loading *l)
{
    const struct workflow_catalogue_options *o = l->options;
    PX_AUTO(px_buf_deinit) struct px_buf shards;
    px_buf_init(&shards, 65536);
    px_buf_add_char(&shards, '[');
    for (size_t i = 0; o->shards[i]; i++) {
        if (i > 0) px_buf_add_char(&shards, ',');
        px_buf_add_json_str(&shards, px_str_c(o->shards[i]));
    }
    px_buf_add_char(&shards, ']');
    struct px_str list = px_arena_dup(l->arena, px_buf_str(&shards));
    PX_TRY(px_buf_fault(&shards));
    if (!list.ptr) return px_arena_fault(l->arena);
    add_value(l, "partition", S("aws"));
    add_value(l, "region", o->region);
    add_value(l, "account", S(WORKFLOW_ACCOUNT));
    add_value(l, "dns_suffix", S("amazonaws.com"));
    add_value(l, "prefix", o->prefix);
    add_value(l, "environment", o->environment);
    add_value(l, "shards", list);
    add_value(l, "file_system_id", S(WORKFLOW_FILE_SYSTEM));
    /* the same as infra/modules/workflows has by default */
    add_value(l, "shard_gid_first", S("10000"));
    add_value(l, "tenant_uid_first", S("100000"));
    add_value(l, "usage_plan_pooled", S(WORKFLOW_PLAN_POOLED));
    add_value(l, "usage_plan_dedicated", S(WORKFLOW_PLAN_DEDICATED));
    return 0;
}

/* ---- machines ---- */

static int json_text(struct loading *l, yyjson_val *val, struct px_str *ret_text)
{
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    px_buf_init(&buf, DEFINITION_BYTES_MAX);
    px_buf_add_json(&buf, val);
    PX_TRY(px_buf_fault(&buf));
    *ret_text = px_arena_dup(l->arena, px_buf_str(&buf));
    return ret_text->ptr ? 0 : px_arena_fault(l->arena);
}

static int read_schedules(struct loading *l, yyjson_val *list, struct workflow_machine *machine)
{
    size_t i, n = yyjson_obj_size(list);
    yyjson_val *key, *val;
    machine->schedules = px_arena_array(l->arena, struct workflow_schedule, n);
    if (!machine->schedules) return px_arena_fault(l->arena);
    px_json_obj_foreach(list, i, n, key, val)
    {
        struct workflow_schedule *s = &machine->schedules[machine->schedule_count++];
        yyjson_val *input = yyjson_obj_get(val, "input");
        s->name = px_json_val_str(key);
        s->input = S("{}");
        if (!workflow_rate_parse(px_json_str(val, "expression"), &s->rate_s))
            return px_fault(PX_F_CONFIG,
                            "workflows.json: %.*s: schedules.%.*s: rate(...) is what a "
                            "local region understands, not '%.*s'",
                            PX_FMT(machine->name), PX_FMT(s->name),
                            PX_FMT(px_json_str(val, "expression")));
        if (input) PX_TRY(json_text(l, input, &s->input));
    }
    return 0;
}

static int refused(const char *path, const struct asl_problems *problems)
{
    for (size_t i = 0; i < problems->count; i++) {
        const struct asl_problem *p = &problems->list[i];
        if (!p->warning)
            return px_fault(PX_F_CONFIG, "%s: %.*s: %.*s", path, PX_FMT(p->place),
                            PX_FMT(p->message));
    }
    return px_fault(PX_F_BUG, "%s was refused without a problem", path);
}

static int read_definition(struct loading *l, struct workflow_machine *machine)
{
    struct px_where where = {0};
    PX_AUTO(px_buf_deinit) struct px_buf file;
    px_buf_init(&file, DEFINITION_BYTES_MAX);
    const char *path = px_arena_printf(l->arena, "%s/workflows/%.*s.asl.json",
                                       l->options->platform_dir, PX_FMT(machine->name))
                           .ptr;
    if (!path) return px_arena_fault(l->arena);
    int r = px_file_read(path, &file);
    if (r > 0)
        return px_fault(PX_F_CONFIG, "%s %s", path,
                        r == PX_FILE_ABSENT ? "does not exist" : "is over 1 MiB");
    PX_TRY(r);
    r = asl_render(px_buf_str(&file), l->values, l->value_count, l->arena, &machine->text, &where);
    if (r == ASL_INVALID)
        return px_fault(PX_F_CONFIG, "%s: at byte %zu: %s", path, where.offset, where.expected);
    PX_TRY(r);
    machine->path = path;
    machine->role_arn = px_arena_printf(l->arena, "arn:aws:iam::" WORKFLOW_ACCOUNT ":role/%.*s",
                                        PX_FMT(machine->full_name));
    return machine->role_arn.ptr ? 0 : px_arena_fault(l->arena);
}

int workflow_machine_compile(struct workflow_machine *machine, struct asl_jsonata *jsonata)
{
    struct asl_problems problems = {0};
    const struct asl_program_options options = {
        .name = machine->full_name,
        .arn = machine->arn,
        .role_arn = machine->role_arn,
        .type = machine->type,
        .jsonata = jsonata,
    };
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    px_arena_init(&arena, PROBLEMS_BYTES_MAX);
    if (machine->program) return 0;
    int r = asl_program_new(machine->text, &options, &arena, &machine->program, &problems);
    if (r == ASL_INVALID) return refused(machine->path, &problems);
    PX_TRY(r);
    return 0;
}

static int read_machine(struct loading *l, struct px_str name, yyjson_val *val,
                        struct workflow_machine *machine)
{
    const struct workflow_catalogue_options *o = l->options;
    struct px_str type = px_json_str(val, "type");
    machine->name = name;
    machine->full_name = px_arena_printf(l->arena, "%.*s-%.*s", PX_FMT(o->prefix), PX_FMT(name));
    machine->arn = px_arena_printf(l->arena,
                                   "arn:aws:states:%.*s:" WORKFLOW_ACCOUNT ":stateMachine:%.*s",
                                   PX_FMT(o->region), PX_FMT(machine->full_name));
    machine->type = px_str_eq(type, S("EXPRESS")) ? ASL_EXPRESS : ASL_STANDARD;
    machine->may = px_json_obj(val, "may");
    if (machine->type != ASL_EXPRESS && !px_str_eq(type, S("STANDARD")))
        return px_fault(PX_F_CONFIG, "workflows.json: %.*s: type is STANDARD or EXPRESS",
                        PX_FMT(name));
    if (px_arena_full(l->arena) || !machine->arn.ptr) return px_arena_fault(l->arena);
    PX_TRY(read_schedules(l, px_json_obj(val, "schedules"), machine));
    return read_definition(l, machine);
}

static int read_places(struct loading *l, yyjson_val *root)
{
    struct workflow_catalogue *c = &l->catalogue;
    yyjson_val *tables = px_json_obj(root, "tables"), *queues = px_json_obj(root, "queues"), *key,
               *val;
    size_t i, n;
    c->tables = px_arena_array(l->arena, struct workflow_table, yyjson_obj_size(tables));
    c->queues = px_arena_array(l->arena, struct workflow_queue, yyjson_obj_size(queues));
    if (!c->tables || !c->queues) return px_arena_fault(l->arena);
    px_json_obj_foreach(tables, i, n, key, val)
    {
        c->tables[c->table_count++] = (struct workflow_table){px_json_val_str(key),
                                                              px_json_str(val, "key")};
        if (!px_json_str(val, "key").len)
            return px_fault(PX_F_CONFIG, "workflows.json: tables.%s needs a key",
                            yyjson_get_str(key));
    }
    px_json_obj_foreach(queues, i, n, key, val)
    {
        c->queues[c->queue_count++] = (struct workflow_queue){
            px_json_val_str(key), px_json_i64(val, "retention_s", 345600)};
    }
    return 0;
}

static int read_all(struct loading *l, yyjson_val *root)
{
    yyjson_val *machines = px_json_obj(root, "machines"), *key, *val;
    size_t i, n = yyjson_obj_size(machines);
    PX_TRY(read_places(l, root));
    l->catalogue.machines = px_arena_array(l->arena, struct workflow_machine, n);
    if (!l->catalogue.machines) return px_arena_fault(l->arena);
    px_json_obj_foreach(machines, i, n, key, val)
    {
        PX_TRY(read_machine(l, px_json_val_str(key), val,
                            &l->catalogue.machines[l->catalogue.count++]));
    }
    return 0;
}

int workflow_catalogue_load(const struct workflow_catalogue_options *options,
                            struct px_arena *arena, struct workflow_catalogue *ret_catalogue)
{
    struct loading l = {.options = options,
                        .arena = arena,
                        .catalogue = {.region = options->region,
                                      .prefix = options->prefix,
                                      .shards = options->shards}};
    yyjson_val *root = NULL;
    const char *path = px_arena_printf(arena, "%s/workflows.json", options->platform_dir).ptr;
    if (!path) return px_arena_fault(arena);
    if (access(path, F_OK) == 0) {
        PX_TRY(px_json_load(path, CATALOGUE_BYTES_MAX, arena, &root));
        PX_TRY(make_values(&l));
        int r = read_all(&l, root);
        if (r != 0) workflow_catalogue_deinit(&l.catalogue);
        PX_TRY(r);
    }
    *ret_catalogue = l.catalogue;
    return 0;
}

void workflow_catalogue_deinit(struct workflow_catalogue *catalogue)
{
    for (size_t i = 0; i < catalogue->count; i++)
        asl_program_unref(&catalogue->machines[i].program);
    catalogue->count = 0;
}

/* ---- asking ---- */

const struct workflow_machine *workflow_machine_find(const struct workflow_catalogue *catalogue,
                                                     struct px_str name)
{
    for (size_t i = 0; i < catalogue->count; i++) {
        const struct workflow_machine *m = &catalogue->machines[i];
        if (px_str_eq(m->name, name) || px_str_eq(m->full_name, name) || px_str_eq(m->arn, name))
            return m;
    }
    return NULL;
}

const struct workflow_machine *workflow_machine_qualified(
    const struct workflow_catalogue *catalogue, struct px_str name, struct px_str *ret_qualifier)
{
    const struct workflow_machine *machine = workflow_machine_find(catalogue, name);
    const char *colon = name.len ? memrchr(name.ptr, ':', name.len) : NULL;
    *ret_qualifier = S("");
    if (machine || !colon) return machine;
    size_t at = (size_t)(colon - name.ptr);
    *ret_qualifier = px_str_skip(name, at + 1);
    return ret_qualifier->len ? workflow_machine_find(catalogue, px_str(name.ptr, at)) : NULL;
}

bool workflow_may(const struct workflow_machine *machine, const char *what, struct px_str name)
{
    size_t i, n;
    yyjson_val *val;
    px_json_arr_foreach(machine ? px_json_arr(machine->may, what) : NULL, i, n, val)
    {
        if (px_str_eq(px_json_val_str(val), name)) return true;
    }
    return false;
}

struct px_str workflow_own_name(const struct workflow_catalogue *catalogue, struct px_str name)
{
    struct px_str prefix = catalogue->prefix;
    if (!px_str_starts(name, prefix) || name.len <= prefix.len + 1 || name.ptr[prefix.len] != '-')
        return (struct px_str){0};
    return px_str_skip(name, prefix.len + 1);
}
