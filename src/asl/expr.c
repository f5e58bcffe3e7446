/* asl/expr.c - one door to paths, functions and JSONata. */
#include "asl/expr_value.h"

#include "asl/intrinsic.h"
#include "asl/jsonata.h"
#include "asl/path.h"

enum expr_kind { EXPR_PATH, EXPR_CALL, EXPR_JSONATA };
struct asl_expr {
    enum expr_kind kind;
    struct px_str text;
    const struct asl_path *path;
    const struct asl_call *call;
};

/* ---- compiling ---- */

/* NULL: arena fault. */
static struct asl_expr *expr_new(enum expr_kind kind, struct px_str text, struct px_arena *arena)
{
    struct asl_expr *expr = px_arena_new(arena, struct asl_expr);
    struct px_str kept = px_arena_dup(arena, text);
    if (!expr || !kept.ptr) return NULL;
    *expr = (struct asl_expr){.kind = kind, .text = kept};
    return expr;
}

int asl_expr_path(struct px_str text, struct px_arena *arena, const struct asl_expr **ret_expr,
                  struct px_where *ret_where)
{
    struct px_str body = px_str_trim(text);
    bool is_call = px_str_starts(body, S("States."));
    struct asl_expr *expr = expr_new(is_call ? EXPR_CALL : EXPR_PATH, body, arena);
    size_t used;
    if (!expr) return px_arena_fault(arena);
    int r = is_call ? asl_call_compile(body, arena, &expr->call, ret_where)
                    : asl_path_compile(body, ASL_PATH_ALONE, arena, &expr->path, &used, ret_where);
    if (r == ASL_INVALID && body.ptr) ret_where->offset += (size_t)(body.ptr - text.ptr);
    if (!r) *ret_expr = expr;
    return r;
}

int asl_expr_jsonata(struct px_str text, struct asl_jsonata *jsonata, struct px_arena *arena,
                     const struct asl_expr **ret_expr, struct px_where *ret_where)
{
    struct px_str body = px_str_trim(text);
    struct asl_expr *expr = expr_new(EXPR_JSONATA, body, arena);
    if (!expr) return px_arena_fault(arena);
    int r = jsonata ? asl_jsonata_check(jsonata, expr->text, ret_where) : 0;
    if (r == ASL_INVALID && body.ptr) ret_where->offset += (size_t)(body.ptr - text.ptr);
    if (!r) *ret_expr = expr;
    return r;
}

struct px_str asl_expr_source(const struct asl_expr *expr) { return expr->text; }
bool asl_expr_is_reference(const struct asl_expr *expr)
{
    return expr->kind == EXPR_PATH && asl_path_is_reference(expr->path);
}
bool asl_expr_is_intrinsic(const struct asl_expr *expr) { return expr->kind == EXPR_CALL; }

/* ---- evaluating ---- */

/* Fields whose paths Step Functions reports in its JSONPath library's words. */
static bool field_is_bare(const char *field)
{
    static const char *const fields[] = {"InputPath", "OutputPath", "ItemsPath"};
    for (size_t i = 0; i < PX_COUNT(fields); i++)
        if (strcmp(field, fields[i]) == 0) return true;
    return false;
}

/* miss NULL: there is no such variable. */
static int path_missed(const struct asl_expr *expr, const struct asl_scope *scope,
                       const char *field, const struct asl_path_miss *miss,
                       struct asl_failure *ret_failure)
{
    struct asl_values *values = scope->values;
    if (miss && field_is_bare(field)) {
        struct px_str text = asl_path_miss_text(expr->path, miss, values);
        if (!text.ptr) return px_arena_fault(values->arena);
        return asl_fail(values->arena, ret_failure, ASL_E_RUNTIME, "Invalid path '%.*s' : %.*s",
                        PX_FMT(expr->text), PX_FMT(text));
    }
    bool context = asl_path_root(expr->path) == ASL_ROOT_CONTEXT;
    struct px_str input = {0};
    int r = asl_value_write(values, context ? scope->context : scope->input, &input);
    if (r < 0) return r;
    return asl_fail(
        values->arena, ret_failure, ASL_E_RUNTIME,
        "The JSONPath '%.*s' specified for the field '%s' could not be found in the input "
        "'%.*s'",
        PX_FMT(expr->text), field, PX_FMT(input));
}

static int path_value(const struct asl_expr *expr, const struct asl_scope *scope, const char *field,
                      enum asl_past_end past_end, yyjson_mut_val **ret_value, bool *ret_fresh,
                      struct asl_failure *ret_failure)
{
    struct asl_path_miss miss = {0};
    yyjson_mut_val *value = NULL, *root = asl_scope_root(scope, expr->path);
    if (!root) return path_missed(expr, scope, field, NULL, ret_failure);
    int r = asl_path_eval(expr->path, scope->values, root, &value, ret_fresh, &miss, ret_failure);
    if (r) return r;
    if (!value && past_end == ASL_PAST_END_IS_NULL &&
        asl_path_miss_is_past_end(expr->path, &miss)) {
        value = yyjson_mut_null(scope->values->doc);
        *ret_fresh = true;
        if (!value) return px_arena_fault(scope->values->arena);
    }
    if (!value) return path_missed(expr, scope, field, &miss, ret_failure);
    *ret_value = value;
    return 0;
}

int asl_expr_value(const struct asl_expr *expr, const struct asl_scope *scope, const char *field,
                   enum asl_past_end past_end, yyjson_mut_val **ret_value, bool *ret_fresh,
                   struct asl_failure *ret_failure)
{
    switch (expr->kind) {
    case EXPR_PATH:
        return path_value(expr, scope, field, past_end, ret_value, ret_fresh, ret_failure);
    case EXPR_CALL:
        return asl_call_eval(expr->call, expr->text, scope, ret_value, ret_fresh, ret_failure);
    case EXPR_JSONATA: break;
    }
    if (!scope->jsonata)
        return px_fault(PX_F_BUG, "a JSONata expression without an engine: %s", field);
    *ret_fresh = false; /* the plainest ones are answered with what stands there */
    return asl_jsonata_eval(scope->jsonata, expr->text, scope, field, ret_value, ret_failure);
}

int asl_expr_eval(const struct asl_expr *expr, const struct asl_scope *scope, const char *field,
                  yyjson_mut_val **ret_value, struct asl_failure *ret_failure)
{
    bool fresh;
    return asl_expr_value(expr, scope, field, ASL_PAST_END_FAILS, ret_value, &fresh, ret_failure);
}

int asl_expr_find(const struct asl_expr *expr, const struct asl_scope *scope,
                  yyjson_mut_val **ret_value, struct asl_failure *ret_failure)
{
    if (expr->kind != EXPR_PATH)
        return asl_expr_eval(expr, scope, "Variable", ret_value, ret_failure);
    struct asl_path_miss miss;
    bool fresh;
    yyjson_mut_val *value = NULL, *root = asl_scope_root(scope, expr->path);
    if (root) {
        int r = asl_path_eval(expr->path, scope->values, root, &value, &fresh, &miss, ret_failure);
        if (r) return r;
    }
    bool nothing = value && !asl_path_is_definite(expr->path) && yyjson_mut_arr_size(value) == 0;
    *ret_value = nothing ? NULL : value;
    return 0;
}

int asl_expr_put(const struct asl_expr *reference, struct asl_values *values, yyjson_mut_val **root,
                 yyjson_mut_val *value, struct asl_failure *ret_failure)
{
    PX_ASSERT(asl_expr_is_reference(reference));
    bool done = true;
    PX_TRY(asl_path_put(reference->path, values, root, value, &done));
    if (done && asl_value_depth_is_fine(*root)) return 0;
    if (done)
        return asl_fail(values->arena, ret_failure, ASL_E_RUNTIME,
                        "The value at the ReferencePath %.*s is nested more than %d levels deep.",
                        PX_FMT(reference->text), ASL_DEPTH_MAX);
    struct px_str input = {0};
    int r = asl_value_write(values, *root, &input);
    if (r < 0) return r;
    return asl_fail(values->arena, ret_failure, ASL_E_RESULT_PATH,
                    "Unable to apply ReferencePath %.*s to input %.*s", PX_FMT(reference->text),
                    PX_FMT(input));
}
