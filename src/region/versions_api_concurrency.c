/* region/versions_api_concurrency.c - provisioned concurrency of a version or an alias, reserved concurrency of a function. */
#include "region/versions_api.h"

/* Where the qualifier's provisioned concurrency stands. NULL: answered. */
static uint32_t *provisioned_of(struct api_call *call, const struct version_alias **ret_alias,
                                const struct version **ret_version)
{
    struct version_alias *a = alias_find(call->f, call->qualifier);
    int64_t number = 0;
    struct version *v = NULL;
    if (!a && px_str_to_i64(call->qualifier, &number) && number > 0 && number <= UINT32_MAX)
        v = version_find(call->f, (uint32_t)number);
    *ret_alias = a;
    *ret_version = v;
    if (a || v) return a ? &a->provisioned : &v->provisioned;
    if (px_str_eq(call->qualifier, S("$LATEST")) || call->qualifier.len == 0)
        api_invalid(call,
                    "Provisioned Concurrency Configs cannot be applied to unpublished function "
                    "versions");
    else
        api_refuse(call, 404, "ResourceNotFoundException", "no version or alias %.*s",
                   PX_FMT(call->qualifier));
    return NULL;
}

static uint32_t all_provisioned(const struct function_versions *f)
{
    uint32_t all = 0;
    for (size_t i = 0; i < f->alias_count; i++) all += f->aliases[i].provisioned;
    for (const struct version *v = f->versions; v; v = v->next) all += v->provisioned;
    return all;
}

static void warm_of(const struct function_versions *f, uint32_t number, uint32_t *ready,
                    uint32_t *wanted, bool *failed)
{
    struct lambda_pool_stats s = {0};
    const struct version *v = version_find(f, number);
    if (!v) return;
    if (v->pool) lambda_pool_stats(v->pool, &s);
    uint32_t warm = version_warm(f, v);
    *ready += PX_MIN(s.idle + s.busy, warm);
    *wanted += warm;
    *failed |= s.init_failures >= 3 && s.idle + s.busy < warm;
}

static void write_provisioned(struct api_call *call, const struct version_alias *a,
                              const struct version *v)
{
    struct function_versions *f = call->f;
    uint32_t ready = 0, wanted = 0, requested = a ? a->provisioned : v->provisioned;
    bool failed = false;
    warm_of(f, a ? a->main : v->number, &ready, &wanted, &failed);
    if (a && a->other) warm_of(f, a->other, &ready, &wanted, &failed);
    bool is_ready = ready >= wanted;
    px_buf_printf(&call->reply,
                  "{\"RequestedProvisionedConcurrentExecutions\":%u,"
                  "\"AvailableProvisionedConcurrentExecutions\":%u,"
                  "\"AllocatedProvisionedConcurrentExecutions\":%u,\"Status\":\"%s\"",
                  requested, PX_MIN(ready, requested), PX_MIN(ready, requested),
                  is_ready ? "READY"
                  : failed ? "FAILED"
                           : "IN_PROGRESS");
    if (!is_ready && failed)
        px_buf_add_c(&call->reply, ",\"StatusReason\":\"FUNCTION_ERROR_INIT_FAILURE\"");
    px_buf_add_c(&call->reply, "}");
}

void api_get_provisioned(struct api_call *call)
{
    const struct version_alias *a;
    const struct version *v;
    const uint32_t *has = provisioned_of(call, &a, &v);
    if (!has) return;
    if (*has == 0) {
        api_refuse(call, 404, "ProvisionedConcurrencyConfigNotFoundException",
                   "No Provisioned Concurrency Config found for this function");
        return;
    }
    write_provisioned(call, a, v);
    api_answer(call, 200);
}

static const char *why_not_provisioned(const struct api_call *call, const struct version_alias *a,
                                       const struct version *v, uint32_t has, int64_t wanted)
{
    const struct function_versions *f = call->f;
    if (wanted < 0 || wanted > 1000) return "ProvisionedConcurrentExecutions is at least 1";
    if (a && a->other) return "Alias with weights can not be used with Provisioned Concurrency";
    if (a && wanted > 0 && version_find(f, a->main)->provisioned > 0)
        return "Alias can't be used for provisioned concurrency configuration on an already "
               "provisioned version";
    for (size_t i = 0; v && wanted > 0 && i < f->alias_count; i++)
        if (f->aliases[i].provisioned > 0 &&
            (f->aliases[i].main == v->number || f->aliases[i].other == v->number))
            return "Version is pointed to by an alias with Provisioned Concurrency";
    if (all_provisioned(f) - has + (uint32_t)wanted > f->reserved)
        return "Requested Provisioned Concurrency should not be greater than the "
               "reservedConcurrentExecution for function";
    return NULL;
}

static void then_provision(struct api_call *call)
{
    const struct version_alias *a;
    const struct version *v;
    uint32_t *has = provisioned_of(call, &a, &v), before = has ? *has : 0;
    if (!has) return;
    bool delete = call->request->method == HTTP_DELETE_;
    int64_t wanted = delete ? 0 : px_json_i64(call->input, "ProvisionedConcurrentExecutions", 0);
    const char *wrong = why_not_provisioned(call, a, v, before,
                                            !delete &&wanted == 0 ? -1 : wanted);
    if (wrong) {
        api_invalid(call, wrong);
        return;
    }
    *has = (uint32_t)wanted;
    int r = versions_save(call->f);
    if (r != 0) *has = before;
    if (r == 0) r = versions_apply(call->f);
    if (r != 0) {
        api_fail(call, r);
        return;
    }
    if (!delete) write_provisioned(call, a, v);
    api_answer(call, delete ? 204 : 202);
}

void api_put_provisioned(struct api_call *call) { api_take_code(call, then_provision); }

void api_get_concurrency(struct api_call *call)
{
    px_buf_printf(&call->reply, "{\"ReservedConcurrentExecutions\":%u}", call->f->reserved);
    api_answer(call, 200);
}

static void then_reserve(struct api_call *call)
{
    struct function_versions *f = call->f;
    uint32_t before = f->reserved, most = f->spec->concurrency_max;
    bool delete = call->request->method == HTTP_DELETE_;
    int64_t wanted = delete ? most : px_json_i64(call->input, "ReservedConcurrentExecutions", -1);
    if (wanted < 1 || wanted > most) {
        api_refuse(call, 400, "InvalidParameterValueException",
                   "ReservedConcurrentExecutions is 1 to %u of this function on this machine",
                   most);
        return;
    }
    if ((uint32_t)wanted < all_provisioned(f)) {
        api_invalid(call, "ReservedConcurrentExecutions cannot be less than what is provisioned");
        return;
    }
    f->reserved = (uint32_t)wanted;
    int r = versions_save(f);
    if (r != 0) f->reserved = before;
    if (r == 0) r = versions_apply(f);
    if (r != 0)
        api_fail(call, r);
    else if (delete)
        api_answer(call, 204);
    else
        api_get_concurrency(call);
}

void api_put_concurrency(struct api_call *call) { api_take_code(call, then_reserve); }
