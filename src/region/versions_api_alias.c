/* region/versions_api_alias.c - aliases: which version a name is, and the weight of a second one. */
#include <stdio.h>

#include "base/px_id.h"
#include "region/versions_api.h"

static void write_alias(struct api_call *call, const struct version_alias *a)
{
    struct px_buf *buf = &call->reply;
    px_buf_printf(buf,
                  "{\"AliasArn\":\"" API_ARN ":%s\",\"Name\":\"%s\",\"FunctionVersion\":\"%u\"",
                  api_region(call), call->f->spec->name, a->name, a->name, a->main);
    if (a->other)
        px_buf_printf(buf, ",\"RoutingConfig\":{\"AdditionalVersionWeights\":{\"%u\":%.17g}}",
                      a->other, a->weight);
    px_buf_printf(buf, ",\"RevisionId\":\"%s\",\"Description\":", a->revision);
    px_buf_add_json_str(buf, px_str_c(a->description));
    px_buf_add_c(buf, "}");
}

void api_get_alias(struct api_call *call)
{
    const struct version_alias *a = alias_find(call->f, call->sub);
    if (!a) {
        api_refuse(call, 404, "ResourceNotFoundException", "Cannot find alias %.*s",
                   PX_FMT(call->sub));
        return;
    }
    write_alias(call, a);
    api_answer(call, 200);
}

void api_list_aliases(struct api_call *call)
{
    px_buf_add_c(&call->reply, "{\"Aliases\":[");
    for (size_t i = 0; i < call->f->alias_count; i++) {
        if (i > 0) px_buf_add_c(&call->reply, ",");
        write_alias(call, &call->f->aliases[i]);
    }
    px_buf_add_c(&call->reply, "]}");
    api_answer(call, 200);
}

/* The wanted alias, from what the call says over what is there. NULL: fine; else what is wrong. */
static const char *wanted_alias(const struct api_call *call, struct version_alias *a)
{
    const struct function_versions *f = call->f;
    struct px_str main = px_json_str(call->input, "FunctionVersion");
    yyjson_val *routing = px_json_obj(call->input, "RoutingConfig");
    yyjson_val *weights = px_json_obj(routing, "AdditionalVersionWeights");
    int64_t number = a->main;
    if (main.ptr && (!px_str_to_i64(main, &number) || number < 1 || number > UINT32_MAX))
        return "FunctionVersion must be a published version's number";
    a->main = (uint32_t)number;
    if (!version_find(f, a->main)) return "FunctionVersion is no version of the function";
    if (routing) a->other = 0, a->weight = 0;
    if (yyjson_obj_size(weights) > 1) return "one additional version is all that an alias takes";
    if (yyjson_obj_size(weights) == 1) {
        yyjson_obj_iter iter = yyjson_obj_iter_with(weights);
        yyjson_val *key = yyjson_obj_iter_next(&iter), *value = yyjson_obj_iter_get_val(key);
        if (!px_str_to_i64(px_json_val_str(key), &number) || number < 1 || number > UINT32_MAX ||
            !version_find(f, (uint32_t)number))
            return "AdditionalVersionWeights names no version of the function";
        a->weight = yyjson_is_num(value) ? yyjson_get_num(value) : -1;
        if (!(a->weight >= 0 && a->weight <= 1)) return "a weight is 0 to 1";
        a->other = (uint32_t)number;
    }
    if (a->other == a->main && a->other)
        return "the additional version must be another than FunctionVersion";
    const struct version *m = version_find(f, a->main), *o = version_find(f, a->other);
    if (a->provisioned && (m->provisioned || (o && o->provisioned)))
        return "Invalid alias configuration for Provisioned Concurrency: the version has some of "
               "its own";
    struct px_str description = px_json_str(call->input, "Description");
    if (description.len >= sizeof a->description) return "Description has at most 256 bytes";
    if (description.ptr)
        (void)snprintf(a->description, sizeof a->description, "%.*s", PX_FMT(description));
    return NULL;
}

/* `after` takes the place of *a, or of a new alias; on stable storage, then in the pools. */
static void settle_alias(struct api_call *call, struct version_alias *a,
                         const struct version_alias *after, int status)
{
    struct function_versions *f = call->f;
    struct version_alias before = *a;
    bool is_new = a == &f->aliases[f->alias_count];
    *a = *after;
    px_uuid7(px_wall_ns(f->all->options.clock), a->revision);
    f->alias_count += is_new;
    int r = versions_save(f);
    if (r != 0) {
        *a = before;
        f->alias_count -= is_new;
        api_fail(call, r);
        return;
    }
    r = versions_apply(f);
    if (r != 0) {
        api_fail(call, r);
        return;
    }
    write_alias(call, a);
    api_answer(call, status);
}

static void then_update_alias(struct api_call *call)
{
    struct version_alias *a = alias_find(call->f, call->sub);
    struct px_str known = px_json_str(call->input, "RevisionId");
    if (!a) {
        api_refuse(call, 404, "ResourceNotFoundException", "Cannot find alias %.*s",
                   PX_FMT(call->sub));
        return;
    }
    if (known.len && !px_str_eq(known, px_str_c(a->revision))) {
        api_refuse(call, 412, "PreconditionFailedException",
                   "The RevisionId provided does not match the latest one; read it again");
        return;
    }
    struct version_alias after = *a;
    const char *wrong = wanted_alias(call, &after);
    if (wrong)
        api_invalid(call, wrong);
    else
        settle_alias(call, a, &after, 200);
}

void api_update_alias(struct api_call *call) { api_take_code(call, then_update_alias); }

static bool is_alias_name(struct px_str name)
{
    bool digits = true;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool digit = c >= '0' && c <= '9';
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!digit && !letter && c != '-' && c != '_') return false;
        digits &= digit;
    }
    return name.len > 0 && name.len < ALIAS_NAME_BYTES && !digits;
}

static void then_create_alias(struct api_call *call)
{
    struct function_versions *f = call->f;
    struct px_str name = px_json_str(call->input, "Name");
    struct version_alias after = {0};
    if (alias_find(f, name)) {
        api_refuse(call, 409, "ResourceConflictException", "Alias already exists: %.*s",
                   PX_FMT(name));
        return;
    }
    const char *wrong = f->alias_count == ALIASES_MAX ? "too many aliases"
                        : !is_alias_name(name)        ? "Name: letters, digits, - and _, no number"
                                                      : wanted_alias(call, &after);
    if (wrong) {
        api_invalid(call, wrong);
        return;
    }
    (void)snprintf(after.name, sizeof after.name, "%.*s", PX_FMT(name));
    settle_alias(call, &f->aliases[f->alias_count], &after, 201);
}

void api_create_alias(struct api_call *call) { api_take_code(call, then_create_alias); }

void api_delete_alias(struct api_call *call)
{
    struct function_versions *f = call->f;
    struct version_alias *a = alias_find(f, call->sub);
    if (a && px_str_eq(call->sub, S(VERSIONS_LIVE))) {
        api_refuse(call, 409, "ResourceConflictException",
                   "alias " VERSIONS_LIVE " is what callers of this region use");
        return;
    }
    if (a) {
        struct version_alias gone = *a;
        size_t at = (size_t)(a - f->aliases);
        memmove(a, a + 1, (f->alias_count - at - 1) * sizeof *a);
        f->alias_count--;
        int r = versions_save(f);
        if (r != 0) f->aliases[f->alias_count++] = gone;
        if (r == 0) r = versions_apply(f);
        if (r != 0) {
            api_fail(call, r);
            return;
        }
    }
    api_answer(call, 204);
}
