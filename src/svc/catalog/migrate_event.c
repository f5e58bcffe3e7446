/* svc/catalog/migrate_event.c - one event. The database is opened for it and closed after it: it comes a few times a release,
 * and the administrator's password is read anew each time, since RDS rotates it. */
#include "svc/catalog/migrate_event.h"

#include "base/px_json.h"
#include "lambda/event.h"
#include "store/meta_users.h"
#include "store/secrets.h"

#define BATCH_MARGIN_NS (30 * PX_NS_PER_S) /* left of the event's time when no batch is begun */
#define META_MARGIN_NS (2 * PX_NS_PER_S)   /* for telling that the database gave no answer */
#define USERS_MAX 32
#define ROWS_MAX 1000000

struct request {
    const struct operation *operation;
    const struct lambda_event *event;
    int to;
    int64_t rows;
    enum migrate_word word;
    struct meta_user users[USERS_MAX];
    size_t user_count;
};
struct result {
    size_t run;
    struct migrate_filled filled;
    struct migrate_verdict verdict;
    const char *held;
    size_t users_missing;
};
struct operation {
    const char *name;
    int (*run)(const struct migrate *m, const struct request *request, struct result *result);
};

/* ---- operations ---- */

static int op_status(const struct migrate *m, const struct request *request, struct result *result)
{
    (void)m, (void)request, (void)result;
    return 0;
}

static int op_expand(const struct migrate *m, const struct request *request, struct result *result)
{
    PX_TRY(migrate_expand(m, request->to, &result->run));
    PX_TRY(meta_users_ensure(m->meta, request->users, request->user_count));
    return 0;
}

static int op_backfill(const struct migrate *m, const struct request *request,
                       struct result *result)
{
    const struct migrate_batches batches = {
        .to = request->to,
        .rows = request->rows,
        .deadline_mono_ns = lambda_deadline_mono_ns(request->event, BATCH_MARGIN_NS)};
    PX_TRY(migrate_backfill(m, &batches, &result->filled));
    return 0;
}

static int op_contract(const struct migrate *m, const struct request *request,
                       struct result *result)
{
    int r = migrate_contract(m, request->to, request->word, &result->run);
    switch (r) {
    case MIGRATE_BEHIND: result->held = "behind"; return 0;
    case MIGRATE_IN_USE: result->held = "in_use"; return 0;
    case MIGRATE_UNSAID: result->held = "unsaid"; return 0;
    case MIGRATE_LEFT: result->held = "left"; return 0;
    default: return r;
    }
}

static int op_verify(const struct migrate *m, const struct request *request, struct result *result)
{
    (void)request;
    int r = migrate_verify(m, &result->verdict);
    if (r < 0) PX_TRY(r);
    return 0;
}

static const struct operation operations[] = {{"status", op_status},
                                              {"expand", op_expand},
                                              {"backfill", op_backfill},
                                              {"contract", op_contract},
                                              {"verify", op_verify}};

/* ---- the event ---- */

static const struct operation *find_operation(struct px_str name)
{
    for (size_t i = 0; i < PX_COUNT(operations); i++)
        if (px_str_eq(px_str_c(operations[i].name), name)) return &operations[i];
    return NULL;
}

/* Answers: LAMBDA_ERROR. */
static int read_event(const struct lambda_event *event, struct request *request)
{
    yyjson_val *root = NULL;
    int r = lambda_event_object(event, &root);
    if (r != 0) return r;
    request->event = event;
    request->operation = find_operation(px_json_str(root, "op"));
    if (!request->operation)
        return lambda_event_refuse(event,
                                   "op is one of status, expand, backfill, contract, verify");
    int64_t to = px_json_i64(root, "to", 0);
    request->rows = px_json_i64(root, "rows", 0);
    if (to < 0 || to > INT32_MAX) return lambda_event_refuse(event, "to is the number of a step");
    if (request->rows < 0 || request->rows > ROWS_MAX)
        return lambda_event_refuse(event, "rows is how many a batch changes, 1 to 1000000");
    request->to = (int)to;
    if (yyjson_is_true(yyjson_obj_get(root, "approved"))) request->word = MIGRATE_APPROVED;
    if (yyjson_is_true(yyjson_obj_get(root, "force"))) request->word = MIGRATE_FORCED;
    return 0;
}

/* ---- the answer ---- */

/* What is to be done next. Users that are missing are expand's, too. */
static void add_next(const struct migrate_item *item, const struct result *result,
                     struct px_buf *body)
{
    bool adding = item && item->kind != MIGRATE_CONTRACT;
    const char *next = item ? migrate_kind_name(item->kind) : "none";
    if (!adding && result->users_missing > 0) {
        next = "expand";
        item = NULL;
    }
    px_buf_printf(body, ",\"next\":\"%s\",\"next_number\":%d,\"next_name\":", next,
                  item ? item->number : 0);
    px_buf_add_json_str(body, px_str_c(item ? item->step->name : ""));
}

static void add_functions(const struct migrate_state *state, struct px_buf *body)
{
    px_buf_add_c(body, ",\"functions\":[");
    for (size_t i = 0; i < state->user_count; i++) {
        px_buf_add_c(body, i > 0 ? ",{\"name\":" : "{\"name\":");
        px_buf_add_json_str(body, px_str_c(state->users[i].name));
        px_buf_printf(body, ",\"knows\":%d}", state->users[i].knows);
    }
    px_buf_add_char(body, ']');
}

static int answer(const struct migrate *m, const struct request *request,
                  const struct result *result, int64_t ms)
{
    struct px_buf *body = request->event->reply->body;
    struct migrate_state state;
    PX_TRY(migrate_look(m, &state));
    px_buf_printf(body, "{\"op\":\"%s\",\"version\":%d,\"contracted\":%d", request->operation->name,
                  state.expanded, state.contracted);
    add_next(migrate_next(&state, request->to), result, body);
    px_buf_printf(body, ",\"pending\":%zu,\"contract_pending\":%zu", state.adding, state.removing);
    add_functions(&state, body);
    px_buf_printf(body,
                  ",\"users_missing\":%zu,\"run\":%zu,\"rows\":%lld,\"more\":%s,\"held\":\"%s\","
                  "\"unsound\":%d,\"left\":%lld,\"ms\":%lld}",
                  result->users_missing, result->run, (long long)result->filled.rows,
                  result->filled.more ? "true" : "false", result->held ? result->held : "",
                  result->verdict.number, (long long)result->verdict.left, (long long)ms);
    return px_buf_fault(body);
}

/* ---- signing in ---- */

/* As RDS writes it: {"username":..., "password":...}. The value is the caller's to wipe. */
static int read_secret(const struct schema_function *function, struct px_arena *arena,
                       struct px_str *ret_value, struct meta_options *options)
{
    PX_AUTO(secret_store_close) struct secret_store *store = NULL;
    const struct secret_options how = {.cloud = function->cloud};
    yyjson_val *root = NULL;
    PX_TRY(secret_store_open(function->secrets_url, &how, &store));
    int r = secret_get(store, function->secret, SECRET_CURRENT, arena, ret_value);
    if (r == SECRET_ABSENT) return px_fault(PX_F_CONFIG, "the administrator's secret is not there");
    PX_TRY(r);
    r = px_json_parse(*ret_value, arena, &root, NULL);
    if (r < 0) PX_TRY(r);
    if (r == 0) options->user = px_json_str(root, "username");
    if (r == 0) options->password = px_json_str(root, "password");
    if (options->user.len == 0 || options->password.len == 0)
        return px_fault(PX_F_CONFIG, "the administrator's secret has no username and password");
    return 0;
}

static int open_meta(const struct schema_function *function, const struct lambda_event *event,
                     struct meta **ret_meta)
{
    struct meta_options options = {.cloud = function->cloud};
    struct px_str value = {0};
    int r = 0;
    if (function->meta_url.len == 0) return px_fault(PX_F_CONFIG, "PRISM_META_URL is not set");
    if (function->secret.len > 0) r = read_secret(function, event->arena, &value, &options);
    if (r == 0) r = meta_open(function->meta_url, &options, ret_meta);
    secret_wipe(value);
    secret_wipe(options.password);
    PX_TRY(r);
    meta_set_deadline(*ret_meta, lambda_deadline_mono_ns(event, META_MARGIN_NS));
    return 0;
}

int schema_handle(const struct schema_function *function, const struct lambda_event *event)
{
    PX_AUTO(meta_close) struct meta *meta = NULL;
    struct request request = {0};
    struct result result = {0};
    int64_t begun_ns = px_mono_ns(&px_clock_system);
    int r = read_event(event, &request);
    if (r != 0) return r;
    PX_TRY(meta_users_parse(function->users, request.users, USERS_MAX, &request.user_count));
    PX_TRY(open_meta(function, event, &meta));
    const struct migrate m = {meta, function->list, &px_clock_system};
    PX_TRY(request.operation->run(&m, &request, &result));
    PX_TRY(meta_users_missing(meta, request.users, request.user_count, &result.users_missing));
    PX_TRY(answer(&m, &request, &result, (px_mono_ns(&px_clock_system) - begun_ns) / PX_NS_PER_MS));
    return 0;
}
