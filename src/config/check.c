/* config/check.c - whether what an environment's file says is of the schema: see config.h. All faults are found, not the first.
 *
 * A check of the value of a key goes on with its parts, so what is wrong stands in the report once, at the innermost place. */
#include <math.h>
#include <regex.h>
#include <stdio.h>

#include "base/px_words.h"
#include "config/config.h"

#define NAMES_MAX 256u
#define SHOWN_MAX 60

struct check {
    const struct config *config;
    struct config_report *report;
    struct px_arena *arena;
};

/* ---- the report ---- */

static bool reserve(struct config_report *report)
{
    if (report->count < report->cap) return true;
    size_t cap = report->cap * 2 + 16;
    if (report->count >= CONFIG_FAULTS_MAX) return false;
    struct config_fault *more = px_arena_realloc(report->arena, report->faults,
                                                 report->cap * sizeof *more, cap * sizeof *more);
    if (!more) return false; /* the arena remembers */
    report->faults = more;
    report->cap = cap;
    return true;
}

void config_report_add(struct config_report *report, const struct config *config, yyjson_val *node,
                       struct px_str key, struct px_str message, struct px_str remedy)
{
    struct config_place place = config_place_of(&config->tree, node);
    if (!place.file.ptr) place.file = config->file;
    for (size_t i = 0; i < report->count; i++) {
        const struct config_fault *said = &report->faults[i];
        bool same = px_str_eq(said->message, message) && px_str_eq(said->place.file, place.file) &&
                    said->place.line == place.line && said->place.column == place.column &&
                    place.line > 0;
        if (same && px_str_eq(said->environment, config->name)) return;
    }
    if (!reserve(report)) return;
    report->faults[report->count++] = (struct config_fault){.environment = config->name,
                                                            .place = place,
                                                            .key = key,
                                                            .message = message,
                                                            .remedy = remedy};
}

#define SAY(ck, node, key, remedy, ...)                                                            \
    config_report_add((ck)->report, (ck)->config, node, key,                                       \
                      px_arena_printf((ck)->arena, __VA_ARGS__), remedy)

static struct px_str below(struct check *ck, struct px_str key, struct px_str name)
{
    return px_arena_printf(ck->arena, "%.*s%s%.*s", PX_FMT(key), key.len > 0 ? "." : "",
                           PX_FMT(name));
}

/* A value as a message shows it. */
static struct px_str shown(struct check *ck, yyjson_val *node)
{
    PX_AUTO(px_buf_deinit) struct px_buf text;
    px_buf_init(&text, 1u << 20);
    config_write_json(&text, node);
    struct px_str s = px_buf_str(&text);
    if (px_buf_fault(&text) != 0) return S("");
    return px_arena_printf(ck->arena, "%.*s%s", (int)PX_MIN(s.len, (size_t)SHOWN_MAX), s.ptr,
                           s.len > SHOWN_MAX ? "..." : "");
}

/* ---- names ---- */

struct names {
    const char *at[NAMES_MAX];
    size_t count;
};

static void add_name(struct check *ck, struct names *names, struct px_str name)
{
    const char *text = names->count < NAMES_MAX ? px_arena_cstr(ck->arena, name) : NULL;
    if (text) names->at[names->count++] = text;
}

static struct px_str which(struct check *ck, struct px_str name, const struct names *names)
{
    PX_AUTO(px_buf_deinit) struct px_buf text;
    px_buf_init(&text, 4096);
    const char *meant = px_words_nearest(name, names->at, names->count);
    if (meant) return px_arena_printf(ck->arena, "did you mean %s?", meant);
    px_buf_add_c(&text, "there are: ");
    for (size_t i = 0; i < names->count; i++)
        px_buf_printf(&text, "%s%s", i > 0 ? ", " : "", names->at[i]);
    return px_buf_fault(&text) == 0 ? px_arena_dup(ck->arena, px_buf_str(&text))
                                    : S("see prism config explain");
}

static void unknown(struct check *ck, yyjson_val *node, struct px_str key, const char *what,
                    struct px_str name, const struct names *names)
{
    SAY(ck, node, key, which(ck, name, names), "there is no %s %.*s", what, PX_FMT(name));
}

/* ---- what could not be evaluated ---- */

static struct px_str way_there(struct check *ck, yyjson_val *trace)
{
    PX_AUTO(px_buf_deinit) struct px_buf text;
    size_t i, n;
    yyjson_val *at;
    px_buf_init(&text, 4096);
    px_json_arr_foreach(trace, i, n, at)
    {
        struct config_place place = config_place_at(&ck->config->tree, at);
        if (i > 3) break;
        px_buf_printf(&text, "%s%.*s:%u:%u", i > 0 ? ", " : "", PX_FMT(place.file), place.line,
                      place.column);
    }
    return px_arena_dup(ck->arena, px_buf_str(&text));
}

static const struct {
    const char *begins, *message, *remedy;
} evaluation[] = {
    {"max stack frames exceeded", "its value follows from itself, or calls are nested too deeply",
     "break the circle: give one of these a value of its own: "},
    {"field does not exist", NULL,
     "set this field where the object is made, or correct its name; asked for at "},
    {"couldn't open import", NULL,
     "an import names a file below platform/, from the file that imports; at "},
    {"evaluation was stopped", NULL,
     "settings need no such work: shorten loops, recursion and texts; near "},
    {"function has no parameter", NULL, "see the template's list of parameters; called at "},
    {"missing argument", NULL, "the template needs this parameter; called at "},
    {"function parameter", NULL, "the template needs this parameter; called at "},
    {"", NULL, "correct the template; the way there: "},
};

static void wrong(struct check *ck, yyjson_val *node, struct px_str key)
{
    yyjson_val *fault = yyjson_arr_get(ck->config->tree.faults,
                                       (size_t)px_json_i64(node, "fault", 0));
    yyjson_val *trace = px_json_arr(fault, "trace"), *at = yyjson_arr_get(trace, 0);
    struct px_str message = px_json_str(fault, "message"), way = way_there(ck, trace);
    size_t i = 0;
    while (!px_str_starts(message, px_str_c(evaluation[i].begins))) i++;
    if (evaluation[i].message) message = px_str_c(evaluation[i].message);
    struct px_str remedy = px_arena_printf(ck->arena, "%s%.*s", evaluation[i].remedy, PX_FMT(way));
    struct px_str said = message, tail;
    if (px_str_cut(&said, '\n', &tail)) message = tail; /* an error's own lines */
    config_report_add(ck->report, ck->config, node, key, message, remedy);
    struct config_fault *last = ck->report->count > 0 ? &ck->report->faults[ck->report->count - 1]
                                                      : NULL;
    if (last && at && px_str_eq(last->message, message))
        last->place = config_place_at(&ck->config->tree, at);
}

/* ---- limits ---- */

static struct px_str remedy_of(struct check *ck, yyjson_val *says, struct px_str otherwise)
{
    struct px_str text = px_json_str(says, "remedy"), source = px_json_str(says, "source");
    if (text.len == 0) text = otherwise;
    if (source.len == 0) return text;
    return px_arena_printf(ck->arena, "%.*s (%.*s)", PX_FMT(text), PX_FMT(source));
}

static void check_range(struct check *ck, yyjson_val *node, struct px_str key, yyjson_val *says)
{
    double value = config_number(node, 0), step = px_json_f64(says, "step", 0);
    double min = px_json_f64(says, "min", -INFINITY), max = px_json_f64(says, "max", INFINITY);
    bool fits = value >= min && value <= max && (step <= 0 || fabs(remainder(value, step)) < 1e-9);
    if (fits) return;
    struct px_str range = px_arena_printf(ck->arena, "choose %.15g to %.15g", min, max);
    if (isinf(max)) range = px_arena_printf(ck->arena, "choose %.15g or more", min);
    if (step == 1) range = px_arena_printf(ck->arena, "%.*s, a whole number", PX_FMT(range));
    if (step > 0 && step != 1)
        range = px_arena_printf(ck->arena, "%.*s, in steps of %.15g", PX_FMT(range), step);
    SAY(ck, node, key, remedy_of(ck, says, range), "%.15g is %s", value,
        value < min   ? "too small"
        : value > max ? "too large"
                      : "between two steps");
}

static bool like(struct px_arena *arena, struct px_str pattern, struct px_str text)
{
    regex_t compiled;
    const char *p = px_arena_cstr(arena, pattern), *t = px_arena_cstr(arena, text);
    if (!p || !t || regcomp(&compiled, p, REG_EXTENDED | REG_NOSUB) != 0) return false;
    bool found = regexec(&compiled, t, 0, NULL, 0) == 0;
    regfree(&compiled);
    return found && strlen(t) == text.len;
}

static void check_values(struct check *ck, yyjson_val *node, struct px_str key, yyjson_val *says,
                         yyjson_val *values)
{
    PX_AUTO(px_buf_deinit) struct px_buf all;
    size_t i, n;
    yyjson_val *one, *value = config_value(node);
    px_buf_init(&all, 4096);
    px_buf_add_c(&all, "choose one of ");
    yyjson_arr_foreach(values, i, n, one)
    {
        bool same = yyjson_is_num(one)
                        ? yyjson_is_num(value) && yyjson_get_num(one) == yyjson_get_num(value)
                        : yyjson_equals(one, value);
        if (same) return;
        if (i > 0) px_buf_add_c(&all, ", ");
        px_buf_add_json(&all, one);
    }
    SAY(ck, node, key, remedy_of(ck, says, px_arena_dup(ck->arena, px_buf_str(&all))),
        "%.*s is not taken", PX_FMT(shown(ck, node)));
}

static void check_count(struct check *ck, yyjson_val *node, struct px_str key, yyjson_val *says,
                        size_t count)
{
    double min = px_json_f64(says, "count_min", 0), max = px_json_f64(says, "count_max", INFINITY);
    if ((double)count >= min && (double)count <= max) return;
    struct px_str range = isinf(max) ? px_arena_printf(ck->arena, "give %.15g or more", min)
                                     : px_arena_printf(ck->arena, "give %.15g to %.15g", min, max);
    SAY(ck, node, key, remedy_of(ck, says, range), "it has %zu parts", count);
}

/* One value against what is said of its key, of config.json. */
static void check_limit(struct check *ck, yyjson_val *node, struct px_str key, yyjson_val *says)
{
    enum config_kind kind = config_kind_of(node);
    yyjson_val *values = px_json_arr(says, "values");
    struct px_str pattern = px_json_str(says, "pattern");
    if (values && kind != CONFIG_LIST && kind != CONFIG_MAP)
        check_values(ck, node, key, says, values);
    if (kind == CONFIG_NUMBER) check_range(ck, node, key, says);
    if (kind == CONFIG_TEXT && pattern.len > 0 && !like(ck->arena, pattern, config_text(node)))
        SAY(ck, node, key,
            remedy_of(ck, says,
                      px_arena_printf(ck->arena, "it must look like %.*s", PX_FMT(pattern))),
            "%.*s has not the form of one", PX_FMT(shown(ck, node)));
    if (kind == CONFIG_LIST) check_count(ck, node, key, says, yyjson_arr_size(config_items(node)));
    if (kind == CONFIG_MAP) check_count(ck, node, key, says, yyjson_obj_size(config_fields(node)));
}

/* ---- settings of functions ---- */

static void names_of_object(struct check *ck, yyjson_val *object, struct names *names)
{
    size_t i, n;
    yyjson_val *key, *unused;
    px_json_obj_foreach(object, i, n, key, unused) { add_name(ck, names, px_json_val_str(key)); }
}

static void check_setting(struct check *ck, yyjson_val *node, struct px_str key, yyjson_val *says)
{
    enum config_kind kind = config_kind_of(node);
    bool text = px_str_eq(px_json_str(says, "type"), S("text"));
    enum config_kind wanted = text ? CONFIG_TEXT : CONFIG_NUMBER;
    if (kind == CONFIG_WRONG) {
        wrong(ck, node, key);
        return;
    }
    if (kind != wanted) {
        SAY(ck, node, key,
            px_arena_printf(ck->arena, "write %s",
                            text ? "a text, in quotes" : "a number, without quotes"),
            "it is %s and must be %s", config_kind_name(kind), config_kind_name(wanted));
        return;
    }
    check_limit(ck, node, key, says);
}

static void check_function(struct check *ck, yyjson_val *node, struct px_str key,
                           struct px_str function, bool parameters)
{
    size_t i, n;
    yyjson_val *field, *part, *all = config_schema_settings(ck->config->schema, function);
    if (config_kind_of(node) != CONFIG_MAP) {
        SAY(ck, node, key, S("write { name: value }"), "it is %s and must be an object",
            config_kind_name(config_kind_of(node)));
        return;
    }
    yyjson_obj_foreach(config_fields(node), i, n, field, part)
    {
        struct px_str name = px_json_val_str(field), full = below(ck, key, name);
        yyjson_val *says = config_schema_setting(ck->config->schema, function, name);
        struct names names = {0};
        names_of_object(ck, all, &names);
        if (!px_str_eq(function, S("common")))
            names_of_object(ck, config_schema_settings(ck->config->schema, S("common")), &names);
        if (!says) {
            unknown(ck, part, full, "setting", name, &names);
        } else if (parameters && !yyjson_obj_get(says, "live")) {
            SAY(ck, part, full, S("set it in `settings`: a change of that is deployed"),
                "%.*s of %.*s is read from no parameter", PX_FMT(name), PX_FMT(function));
        } else {
            check_setting(ck, part, full, says);
        }
    }
}

static void check_settings(struct check *ck, yyjson_val *node, struct px_str key, bool parameters)
{
    size_t i, n;
    yyjson_val *field, *part;
    if (config_kind_of(node) == CONFIG_WRONG) {
        wrong(ck, node, key);
        return;
    }
    if (config_kind_of(node) != CONFIG_MAP) {
        SAY(ck, node, key, S("write { function: { name: value } }"),
            "it is %s and must be an object", config_kind_name(config_kind_of(node)));
        return;
    }
    yyjson_obj_foreach(config_fields(node), i, n, field, part)
    {
        struct px_str name = px_json_val_str(field), full = below(ck, key, name);
        bool common = px_str_eq(name, S("common"));
        struct names names = {0};
        names_of_object(ck, config_schema_functions(ck->config->schema), &names);
        add_name(ck, &names, S("common"));
        if (!common && !config_schema_function(ck->config->schema, name))
            unknown(ck, part, full, "function", name, &names);
        else
            check_function(ck, part, full, name, parameters);
    }
}

/* ---- types ---- */

static void check_value(struct check *ck, yyjson_val *node, const struct config_type *type,
                        struct px_str key);

static const enum config_kind kind_of_type[] = {
    [TYPE_BOOL] = CONFIG_BOOL, [TYPE_NUMBER] = CONFIG_NUMBER, [TYPE_TEXT] = CONFIG_TEXT,
    [TYPE_LIST] = CONFIG_LIST, [TYPE_SET] = CONFIG_LIST,      [TYPE_MAP] = CONFIG_MAP,
    [TYPE_OBJECT] = CONFIG_MAP};

static void names_of_type(struct check *ck, const struct config_type *type, struct names *names)
{
    for (size_t i = 0; i < type->count; i++) add_name(ck, names, type->members[i].name);
}

static bool is_stack(struct px_str key)
{
    struct px_str first, rest = key;
    (void)px_str_cut(&rest, '.', &first);
    return px_str_eq(key, S("global")) ||
           (px_str_eq(first, S("regions")) && rest.len > 0 && !memchr(rest.ptr, '.', rest.len));
}

static bool is_settings(struct px_str key, const char *name)
{
    struct px_str parent = key;
    size_t tail = strlen(name) + 1;
    if (key.len <= tail || key.ptr[key.len - tail] != '.' || !px_str_ends(key, px_str_c(name)))
        return false;
    parent.len -= tail;
    return is_stack(parent) && !px_str_eq(parent, S("global"));
}

static void check_members(struct check *ck, yyjson_val *node, const struct config_type *type,
                          struct px_str key)
{
    size_t i, n;
    yyjson_val *field, *part;
    for (i = 0; i < type->count; i++) {
        const struct config_member *member = &type->members[i];
        struct px_str full = below(ck, key, member->name);
        bool given = config_schema_given(ck->config->schema, full).len > 0;
        if (member->required && !given && !config_field(node, member->name))
            SAY(ck, node, full,
                px_arena_printf(ck->arena, "set it here: %.*s: <%s>", PX_FMT(member->name),
                                config_type_name(member->type)),
                "%.*s is missing", PX_FMT(member->name));
    }
    yyjson_obj_foreach(config_fields(node), i, n, field, part)
    {
        struct px_str name = px_json_val_str(field), full = below(ck, key, name);
        const struct config_member *member = config_type_member(type, name);
        struct px_str given = config_schema_given(ck->config->schema, full);
        struct names names = {0};
        names_of_type(ck, type, &names);
        if (!member)
            unknown(ck, part, full, "key", name, &names);
        else if (given.len > 0)
            SAY(ck, part, full, S("leave it out"), "%.*s", PX_FMT(given));
        else if (config_kind_of(part) == CONFIG_NULL && member->nullable)
            continue;
        else
            check_value(ck, part, member->type, full);
    }
}

static void check_parts(struct check *ck, yyjson_val *node, const struct config_type *type,
                        struct px_str key)
{
    size_t i, n;
    yyjson_val *field, *part;
    const struct config_limit *limit = config_schema_limit(ck->config->schema, key);
    struct px_str names = limit ? px_json_str(limit->says, "names") : S("");
    px_json_obj_foreach(config_fields(node), i, n, field, part)
    {
        struct px_str name = px_json_val_str(field), full = below(ck, key, name);
        if (names.len > 0 && !like(ck->arena, names, name))
            SAY(ck, part, full,
                remedy_of(ck, limit->says,
                          px_arena_printf(ck->arena, "a name must look like %.*s", PX_FMT(names))),
                "%.*s is no such name", PX_FMT(name));
        check_value(ck, part, type->of, full);
    }
    px_json_arr_foreach(config_items(node), i, n, part)
    {
        check_value(ck, part, type->of, below(ck, key, px_arena_printf(ck->arena, "%zu", i)));
    }
}

static void check_value(struct check *ck, yyjson_val *node, const struct config_type *type,
                        struct px_str key)
{
    enum config_kind kind = config_kind_of(node);
    if (kind == CONFIG_WRONG) {
        wrong(ck, node, key);
        return;
    }
    if (is_settings(key, "settings") || is_settings(key, "parameters")) {
        check_settings(ck, node, key, is_settings(key, "parameters"));
        return;
    }
    if (type->kind != TYPE_ANY && kind != kind_of_type[type->kind]) {
        SAY(ck, node, key, px_arena_printf(ck->arena, "write %s", config_type_name(type)),
            "it is %s and must be %s: %.*s", config_kind_name(kind), config_type_name(type),
            PX_FMT(shown(ck, node)));
        return;
    }
    const struct config_limit *limit = config_schema_limit(ck->config->schema, key);
    if (limit) check_limit(ck, node, key, limit->says);
    if (type->kind == TYPE_OBJECT) check_members(ck, node, type, key);
    if (type->of) check_parts(ck, node, type, key);
}

/* ---- the whole ---- */

static void check_region_names(struct check *ck, yyjson_val *regions, struct px_str key)
{
    const struct value *partitions = config_schema_regions(ck->config->schema);
    size_t i, n;
    yyjson_val *field, *part;
    struct names names = {0};
    for (size_t p = 0; p < value_count(partitions); p++) {
        const struct value *codes = value_item(partitions, p) ? value_item(partitions, p)
                                                              : partitions->map.fields[p].value;
        for (size_t r = 0; value_is(codes, VALUE_MAP) && r < codes->map.count; r++)
            add_name(ck, &names, codes->map.fields[r].name);
    }
    px_json_obj_foreach(config_fields(regions), i, n, field, part)
    {
        bool known = false;
        for (size_t r = 0; r < names.count && !known; r++)
            known = px_str_eq(px_json_val_str(field), px_str_c(names.at[r]));
        if (!known)
            unknown(ck, part, below(ck, key, px_json_val_str(field)), "region",
                    px_json_val_str(field), &names);
    }
}

/* What stands on one machine: functions and their settings, and nothing of Terraform's. */
static void check_local(struct check *ck, yyjson_val *regions)
{
    static const struct config_member members[] = {{.name = {"settings", 8}},
                                                   {.name = {"parameters", 10}}};
    size_t i, n;
    yyjson_val *field, *part, *local = config_field(regions, S("local"));
    struct names names = {.at = {"settings", "parameters"}, .count = PX_COUNT(members)};
    if (!local || yyjson_obj_size(config_fields(regions)) != 1)
        SAY(ck, regions, S("regions"), S("write regions: { local: { settings: {...} } }"),
            "the environment local has one region, local, for every region of a machine");
    px_json_obj_foreach(config_fields(local), i, n, field, part)
    {
        struct px_str name = px_json_val_str(field), full = below(ck, S("regions.local"), name);
        if (px_str_eq(name, S("settings")) || px_str_eq(name, S("parameters")))
            check_settings(ck, part, full, px_str_eq(name, S("parameters")));
        else
            unknown(ck, part, full, "key", name, &names);
    }
}

static void check_aws(struct check *ck, yyjson_val *root)
{
    const struct config_schema *schema = ck->config->schema;
    yyjson_val *global = config_field(root, S("global")),
               *regions = config_field(root, S("regions")), *field, *part;
    size_t i, n;
    if (!global)
        SAY(ck, root, S("global"),
            S("set it: { domain: ..., regions: ... }, the variables of infra/global"),
            "global is missing");
    else
        check_value(ck, global, config_schema_stack(schema, true), S("global"));
    if (config_kind_of(regions) != CONFIG_MAP) return;
    check_region_names(ck, regions, S("regions"));
    yyjson_obj_foreach(config_fields(regions), i, n, field, part)
    {
        check_value(ck, part, config_schema_stack(schema, false),
                    below(ck, S("regions"), px_json_val_str(field)));
    }
}

static void check_root(struct check *ck, yyjson_val *root)
{
    size_t i, n;
    yyjson_val *field, *part, *regions = config_field(root, S("regions")),
                              *name = config_field(root, S("environment"));
    struct names names = {.at = {"environment", "global", "regions"}, .count = 3};
    bool local = config_is_local(ck->config);
    yyjson_obj_foreach(config_fields(root), i, n, field, part)
    {
        struct px_str said = px_json_val_str(field);
        bool known = px_str_eq(said, S("environment")) || px_str_eq(said, S("regions")) ||
                     (px_str_eq(said, S("global")) && !local);
        if (!known) unknown(ck, part, said, "key", said, &names);
    }
    if (config_kind_of(name) == CONFIG_WRONG)
        wrong(ck, name, S("environment"));
    else if (!px_str_eq(config_text(name), ck->config->name))
        SAY(ck, name ? name : root, S("environment"),
            px_arena_printf(ck->arena, "write environment: '%.*s'", PX_FMT(ck->config->name)),
            "the file is of environment %.*s and must say so", PX_FMT(ck->config->name));
    if (config_kind_of(regions) == CONFIG_WRONG)
        wrong(ck, regions, S("regions"));
    else if (config_kind_of(regions) != CONFIG_MAP)
        SAY(ck, regions ? regions : root, S("regions"), S("write regions: { '<region>': {...} }"),
            "regions is missing or no object");
    else if (local)
        check_local(ck, regions);
    if (!local) check_aws(ck, root);
}

void config_check(const struct config *config, struct config_report *report)
{
    struct check ck = {.config = config, .report = report, .arena = config->arena};
    yyjson_val *root = config->tree.root;
    if (config_kind_of(root) == CONFIG_WRONG)
        wrong(&ck, root, S(""));
    else if (config_kind_of(root) != CONFIG_MAP)
        SAY(&ck, root, S(""), S("its value is an object with environment, global and regions"),
            "the file's value is %s", config_kind_name(config_kind_of(root)));
    else if (!config_is_local(config) && !config_schema_infra(config->schema))
        SAY(&ck, root, S(""), S("give --infra DIR: what Terraform's stacks take stands there"),
            "the environment is of AWS, and infra/ is not here");
    else
        check_root(&ck, root);
    config_check_rules(config, report);
}
