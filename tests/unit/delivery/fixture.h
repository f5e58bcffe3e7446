/* tests/unit/delivery/fixture.h - plans made of a few lines of JSON.
 *
 * rules.json holds small stacks by name, `address: {attributes}`, and for each rule the stack in which
 * it has nothing to say and the changes (RFC 7386 merge patches) that it must notice. What is made of
 * them is a plan as Terraform prints it:
 *   - every resource gets the tags of the context, unless it says otherwise;
 *   - "@aws_x.y.arn" is known after apply and refers to that;
 *   - "depends_on" becomes the resource's configuration, not an attribute;
 *   - `aws_x.y["k"]` is an instance. */
#pragma once

#include "support/support.h"

#include "delivery/verify.h"

struct fixture {
    struct test *t;
    yyjson_val *root; /* of rules.json */
    struct px_arena arena;
};
static void fixture_open(struct fixture *f, struct test *t)
{
    f->t = t;
    px_arena_init(&f->arena, 512u << 20);
    CHECK_OK(px_json_load(PX_SOURCE_DIR "/tests/unit/delivery/rules.json", 4u << 20, &f->arena,
                          &f->root));
}
static void fixture_close(struct fixture *f) { px_arena_deinit(&f->arena); }

struct maker {
    yyjson_mut_doc *doc;
    yyjson_mut_val *changes, *resources;
};

static bool fixture_is_later(yyjson_mut_val *v)
{
    return yyjson_mut_is_str(v) && yyjson_mut_get_str(v)[0] == '@';
}

/* {"references": ["aws_x.y.arn", "aws_x.y"]} */
static yyjson_mut_val *fixture_reference(struct maker *m, const char *text)
{
    yyjson_mut_val *e = yyjson_mut_obj(m->doc), *list = yyjson_mut_arr(m->doc);
    yyjson_mut_arr_add_strcpy(m->doc, list, text);
    const char *dot = strrchr(text, '.');
    if (dot) yyjson_mut_arr_add_strncpy(m->doc, list, text, (size_t)(dot - text));
    yyjson_mut_obj_add_val(m->doc, e, "references", list);
    return e;
}

static void fixture_split(struct maker *m, yyjson_mut_val *attrs, yyjson_mut_val *known,
                          yyjson_mut_val *unknown, yyjson_mut_val *expressions)
{
    size_t i, n;
    yyjson_mut_val *key, *value;
    yyjson_mut_obj_foreach(attrs, i, n, key, value)
    {
        const char *name = yyjson_mut_get_str(key);
        if (strcmp(name, "depends_on") == 0) continue;
        if (!fixture_is_later(value)) {
            yyjson_mut_val *constant = yyjson_mut_obj(m->doc);
            yyjson_mut_obj_add_val(m->doc, known, name, yyjson_mut_val_mut_copy(m->doc, value));
            yyjson_mut_obj_add_val(m->doc, constant, "constant_value",
                                   yyjson_mut_val_mut_copy(m->doc, value));
            yyjson_mut_obj_add_val(m->doc, expressions, name, constant);
            continue;
        }
        yyjson_mut_obj_add_bool(m->doc, unknown, name, true);
        yyjson_mut_obj_add_val(m->doc, expressions, name,
                               fixture_reference(m, yyjson_mut_get_str(value) + 1));
    }
}

static void fixture_tags(struct maker *m, yyjson_mut_val *known, const char *kind)
{
    static const char *const names[] = {"Project", "Environment", "Region", "ManagedBy",
                                        "Owner",   "CostCenter",  "Service"};
    if (yyjson_mut_obj_get(known, "tags_all")) return;
    yyjson_mut_val *tags = yyjson_mut_obj_add_obj(m->doc, known, "tags_all");
    for (size_t i = 0; i < PX_COUNT(names); i++)
        yyjson_mut_obj_add_str(m->doc, tags, names[i], i == 1 ? "prod" : "x");
    yyjson_mut_obj_add_str(m->doc, tags, "Stack", kind);
}

static void fixture_resource(struct maker *m, const char *address, yyjson_mut_val *attrs,
                             const char *kind)
{
    char type[96], name[96], key[96] = "";
    CHECK(sscanf(address, "%95[a-z0-9_].%95[a-z0-9_][\"%95[^\"]", type, name, key) >= 2);
    yyjson_mut_val *json = yyjson_mut_arr_add_obj(m->doc, m->changes);
    yyjson_mut_val *change = yyjson_mut_obj(m->doc), *known = yyjson_mut_obj(m->doc),
                   *unknown = yyjson_mut_obj(m->doc), *expressions = yyjson_mut_obj(m->doc);
    fixture_split(m, attrs, known, unknown, expressions);
    fixture_tags(m, known, kind);
    yyjson_mut_obj_add_strcpy(m->doc, json, "address", address);
    yyjson_mut_obj_add_strcpy(m->doc, json, "type", type);
    yyjson_mut_obj_add_strcpy(m->doc, json, "name", name);
    yyjson_mut_obj_add_str(m->doc, json, "mode", "managed");
    if (key[0]) yyjson_mut_obj_add_strcpy(m->doc, json, "index", key);
    yyjson_mut_obj_add_val(m->doc, json, "change", change);
    yyjson_mut_arr_add_str(m->doc, yyjson_mut_obj_add_arr(m->doc, change, "actions"), "create");
    yyjson_mut_obj_add_val(m->doc, change, "after", known);
    yyjson_mut_obj_add_val(m->doc, change, "after_unknown", unknown);
    yyjson_mut_val *config = yyjson_mut_arr_add_obj(m->doc, m->resources);
    yyjson_mut_obj_add_strcpy(m->doc, config, "type", type);
    yyjson_mut_obj_add_strcpy(m->doc, config, "name", name);
    yyjson_mut_obj_add_val(m->doc, config, "expressions", expressions);
    yyjson_mut_val *depends = yyjson_mut_obj_get(attrs, "depends_on");
    if (depends)
        yyjson_mut_obj_add_val(m->doc, config, "depends_on",
                               yyjson_mut_val_mut_copy(m->doc, depends));
}

static yyjson_mut_val *fixture_patched(yyjson_mut_doc *doc, yyjson_val *stack, yyjson_val *patch)
{
    yyjson_mut_val *base = yyjson_val_mut_copy(doc, stack);
    return patch ? yyjson_mut_merge_patch(doc, base, yyjson_val_mut_copy(doc, patch)) : base;
}

/* The plan of a stack of rules.json as text, from the fixture's arena. */
static struct px_str fixture_plan(struct fixture *f, const char *name, yyjson_val *patch)
{
    yyjson_val *stack = yyjson_obj_get(px_json_obj(f->root, "stacks"), name);
    if (!stack) TEST_FAIL("rules.json has no stack %s", name);
    struct maker m = {.doc = yyjson_mut_doc_new(NULL)};
    yyjson_mut_val *made = fixture_patched(m.doc, stack, patch);
    const char *kind = yyjson_mut_get_str(yyjson_mut_obj_get(made, "kind"));
    yyjson_mut_val *root = yyjson_mut_obj(m.doc), *config, *module;
    yyjson_mut_doc_set_root(m.doc, root);
    m.changes = yyjson_mut_obj_add_arr(m.doc, root, "resource_changes");
    config = yyjson_mut_obj_add_obj(m.doc, root, "configuration");
    module = yyjson_mut_obj_add_obj(m.doc, config, "root_module");
    m.resources = yyjson_mut_obj_add_arr(m.doc, module, "resources");
    static const char *const parts[] = {"module_calls", "outputs"};
    for (size_t i = 0; i < PX_COUNT(parts); i++) {
        yyjson_mut_val *part = yyjson_mut_obj_get(made, parts[i]);
        if (part)
            yyjson_mut_obj_add_val(m.doc, module, parts[i], yyjson_mut_val_mut_copy(m.doc, part));
    }
    yyjson_mut_val *variables = yyjson_mut_obj_add_obj(m.doc, root, "variables");
    size_t i, n;
    yyjson_mut_val *key, *value;
    yyjson_mut_obj_foreach(yyjson_mut_obj_get(made, "variables"), i, n, key, value)
    {
        yyjson_mut_val *given = yyjson_mut_obj(m.doc);
        yyjson_mut_obj_add_val(m.doc, given, "value", yyjson_mut_val_mut_copy(m.doc, value));
        yyjson_mut_obj_add_val(m.doc, variables, yyjson_mut_get_str(key), given);
    }
    yyjson_mut_obj_foreach(yyjson_mut_obj_get(made, "resources"), i, n, key, value)
    {
        fixture_resource(&m, yyjson_mut_get_str(key), value, kind);
    }
    char *text = yyjson_mut_write(m.doc, 0, NULL);
    struct px_str copy = px_arena_dup(&f->arena, px_str_c(text));
    free(text);
    yyjson_mut_doc_free(m.doc);
    CHECK(copy.ptr);
    return copy;
}

/* platform/ of rules.json as files of the test's folder. */
static const char *fixture_platform(struct fixture *f)
{
    size_t i, n;
    yyjson_val *key, *value;
    yyjson_obj_foreach(px_json_obj(f->root, "platform"), i, n, key, value)
    {
        PX_AUTO(px_buf_deinit) struct px_buf text;
        px_buf_init(&text, 1u << 20);
        px_buf_add_json(&text, value);
        struct px_str path = test_path(f->t, "%s", yyjson_get_str(key));
        CHECK_OK(px_file_write_atomic(path.ptr, px_buf_str(&text), 0600));
    }
    return f->t->dir;
}

static struct plan *fixture_open_plan(struct fixture *f, const char *name, yyjson_val *patch)
{
    struct plan *plan = NULL;
    struct px_where where = {0};
    int r = plan_open(fixture_plan(f, name, patch), name, NULL, &f->arena, &plan, &where);
    if (r != 0) TEST_FAIL("%s is no plan: %s", name, where.expected);
    return plan;
}
