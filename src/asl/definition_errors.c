/* asl/definition_errors.c - Retry and Catch. */
#include "asl/fields.h"

static const char *const reserved[] = {
    ASL_E_ALL,       ASL_E_TASK_FAILED,    ASL_E_TIMEOUT,       ASL_E_HEARTBEAT_TIMEOUT,
    ASL_E_RUNTIME,   ASL_E_PERMISSIONS,    ASL_E_DATA_LIMIT,    ASL_E_RESULT_PATH,
    ASL_E_NO_CHOICE, ASL_E_PARAMETER_PATH, ASL_E_BRANCH_FAILED, ASL_E_INTRINSIC,
    ASL_E_TOLERANCE, ASL_E_ITEM_READER,    ASL_E_RESULT_WRITER, ASL_E_QUERY,
};

/* Names of HTTP Tasks go on behind this; source: developer guide, "Call HTTPS APIs in Step Functions workflows". */
static bool is_known_error(struct px_str name)
{
    if (!px_str_starts(name, S("States.")) || px_str_starts(name, S("States.Http."))) return true;
    for (size_t i = 0; i < PX_COUNT(reserved); i++)
        if (px_str_eq(name, px_str_c(reserved[i]))) return true;
    return false;
}

static void check_errors(const struct asl_reader *r, const struct px_str *errors, size_t count,
                         bool last)
{
    struct asl_place place = asl_named_place(r->place, r->object, "ErrorEquals");
    for (size_t i = 0; i < count; i++) {
        if (px_str_eq(errors[i], S(ASL_E_ALL)) && (count > 1 || !last))
            asl_problem(r->check, &place, ASL_C_SCHEMA,
                        "States.ALL must appear alone and at end of list");
        else if (errors[i].len == 0)
            asl_problem(r->check, &place, ASL_C_SCHEMA, "Value cannot be empty");
        else if (!is_known_error(errors[i]))
            asl_warning(r->check, &place, ASL_C_ERROR_NAME, "No error has the reserved name '%.*s'",
                        PX_FMT(errors[i]));
    }
}

void asl_read_retriers(const struct asl_reader *r, struct asl_state *state)
{
    yyjson_val *list = px_json_arr(r->object, "Retry"), *object;
    struct asl_place list_place = asl_named_place(r->place, r->object, "Retry");
    size_t i, n = yyjson_arr_size(list);
    struct asl_retrier *retriers = asl_check_array(r->check, struct asl_retrier, n);
    if (!retriers) return;
    px_json_arr_foreach(list, i, n, object)
    {
        struct asl_place place = asl_element_place(&list_place, i, object);
        struct asl_reader at = {r->check, &place, object, r->language};
        struct asl_retrier *retrier = &retriers[i];
        if (!asl_check_object(&at, ASL_O_RETRIER)) continue;
        retrier->errors = asl_read_texts(&at, "ErrorEquals", &retrier->error_count);
        check_errors(&at, retrier->errors, retrier->error_count, i + 1 == n);
        retrier->interval_s = px_json_i64(object, "IntervalSeconds", 1);
        retrier->max_attempts = px_json_i64(object, "MaxAttempts", 3);
        retrier->backoff_rate = px_json_f64(object, "BackoffRate", 2.0);
        retrier->max_delay_s = px_json_i64(object, "MaxDelaySeconds", 0);
        retrier->full_jitter = px_str_eq(px_json_str(object, "JitterStrategy"), S("FULL"));
    }
    state->retriers = retriers;
    state->retrier_count = n;
}

void asl_read_catchers(const struct asl_reader *r, struct asl_state *state)
{
    yyjson_val *list = px_json_arr(r->object, "Catch"), *object;
    struct asl_place list_place = asl_named_place(r->place, r->object, "Catch");
    size_t i, n = yyjson_arr_size(list);
    struct asl_catcher *catchers = asl_check_array(r->check, struct asl_catcher, n);
    if (!catchers) return;
    px_json_arr_foreach(list, i, n, object)
    {
        struct asl_place place = asl_element_place(&list_place, i, object);
        struct asl_reader at = {r->check, &place, object, r->language};
        struct asl_catcher *catcher = &catchers[i];
        if (!asl_check_object(&at, ASL_O_CATCHER)) continue;
        catcher->errors = asl_read_texts(&at, "ErrorEquals", &catcher->error_count);
        check_errors(&at, catcher->errors, catcher->error_count, i + 1 == n);
        catcher->next = asl_read_target(&at, state->flow, "Next");
        catcher->result_path = asl_read_path(&at, "ResultPath");
        catcher->assign = asl_read_assign(&at);
        if (r->language == ASL_JSONATA) catcher->output = asl_read_template(&at, "Output");
    }
    state->catchers = catchers;
    state->catcher_count = n;
}
