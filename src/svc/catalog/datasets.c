/* svc/catalog/datasets.c - the HTTP face of the catalog.
 *
 * Who may answer for a tenant that moves is asked twice: before anything is done, and once it is done, before
 * it is told. A change that stood before the second look is in what the mover packs behind the fence; one that
 * did not is answered with "repeat", and repeating does no harm. docs/design/migration.md, "Datasets and keys".
 *
 * Counting sealed and hot rows together needs both to be of one moment: the dataset's version is read
 * before and after the hot files, and a seal in between makes us look again. */
#include "svc/catalog/datasets.h"

#include "svc/catalog/hot_summary.h"
#include "svc/catalog/names.h"
#include "svc/catalog/retention.h"
#include "svc/catalog/usage.h"

enum { LOOKS_MAX = 8, DROPS_MAX = 8 };
/* Of hot frames looked through for one answer; more are left out and the answer says `partial`. */
#define HOT_BYTES_MAX (UINT64_C(1) << 30)

struct answer {
    const struct datasets *datasets;
    const struct api_event *http;
    const struct lambda_event *event;
    struct px_str tenant, dataset;
};

static int problem(const struct answer *a, int status, const char *detail)
{
    api_respond_problem(status, px_str_c(detail), a->http->request_id, S(""),
                        a->event->reply->body);
    return px_buf_fault(a->event->reply->body);
}

static int refuse_elsewhere(const struct answer *a, struct px_str region)
{
    struct px_str hint = home_hint(region, a->event->arena);
    api_respond_problem(HOME_MISDIRECTED, S(HOME_DETAIL), a->http->request_id, hint,
                        a->event->reply->body);
    return px_buf_fault(a->event->reply->body);
}

static int refuse_moving(const struct answer *a)
{
    const struct http_header headers[] = {
        {S("Content-Type"), S("application/problem+json")},
        {S("Retry-After"), S("1")},
    };
    PX_AUTO(px_buf_deinit) struct px_buf problem;
    px_buf_init(&problem, 4096);
    api_problem_write(503, S(HOME_MOVING_DETAIL), a->http->request_id, S(""), &problem);
    PX_TRY(px_buf_fault(&problem));
    const struct api_response response = {503, headers, PX_COUNT(headers), px_buf_str(&problem),
                                          false};
    api_response_write(&response, a->event->reply->body);
    return px_buf_fault(a->event->reply->body);
}

/* Answers: REFUSED, in place of whatever was to be answered. */
enum { REFUSED = 1 };
static int check_home(const struct answer *a, enum home_purpose purpose)
{
    const struct api_caller *caller = &a->http->caller;
    const struct home_claim claim = {caller->home_region, caller->epoch};
    struct hot_fence fence;
    struct px_str region;
    PX_TRY(hot_fence_read(a->datasets->hot, a->tenant, &fence));
    enum home_verdict verdict = home_decide(&a->datasets->home, &fence, &claim, purpose, &region);
    if (verdict == HOME_HERE) return 0;
    px_buf_clear(a->event->reply->body);
    PX_TRY(verdict == HOME_MOVING ? refuse_moving(a) : refuse_elsewhere(a, region));
    return REFUSED;
}

static int respond(const struct answer *a, const struct px_buf *json)
{
    PX_TRY(px_buf_fault(json));
    api_respond_json(200, px_buf_str(json), a->event->reply->body);
    return px_buf_fault(a->event->reply->body);
}

/* ---- one dataset, sealed and hot ---- */

struct dataset_view {
    struct dataset_info info; /* zeros when nothing is sealed */
    struct hot_summary hot;
    struct schema schema;
    struct px_arena *arena; /* holds all of it */
};

/* The sealed half and its marks. ret_exists: the catalog has it. */
static int look_sealed(const struct answer *a, struct px_str dataset, struct dataset_view *view,
                       struct catalog_snapshot *marks, bool *ret_exists)
{
    struct catalog *catalog = a->datasets->catalog;
    view->info = (struct dataset_info){.tenant = a->tenant, .name = dataset};
    int r = catalog_read(catalog, a->tenant, dataset, INT64_MAX, INT64_MIN, view->arena, marks);
    if (r != CATALOG_ABSENT) PX_TRY(r);
    *ret_exists = false;
    r = catalog_find(catalog, a->tenant, dataset, view->arena, &view->info);
    if (r != CATALOG_ABSENT) PX_TRY(r);
    *ret_exists = r == 0;
    if (!*ret_exists) {
        struct tenant_retention said;
        PX_TRY(catalog_tenant_retention(catalog, a->tenant, view->arena, &said));
        view->info.tenant_days = said.days;
        view->info.tenant_rules = said.rules;
        return schema_init(&view->schema, view->arena);
    }
    r = schema_from_json(view->info.schema_json, view->arena, &view->schema);
    return r > 0 ? px_fault(PX_F_CORRUPT, "a schema in the catalog") : r;
}

/* Answers: CATALOG_ABSENT: neither sealed nor hot. */
static int look(const struct answer *a, struct px_str dataset, struct dataset_view *view)
{
    bool exists = false;
    for (int i = 0; i < LOOKS_MAX; i++) {
        struct catalog_snapshot marks;
        struct hot_file *files = NULL;
        size_t count = 0;
        int64_t version = 0;
        px_arena_reset(view->arena);
        PX_TRY(look_sealed(a, dataset, view, &marks, &exists));
        PX_TRY(hot_list(a->datasets->hot, a->tenant, dataset, view->arena, &files, &count));
        PX_TRY(hot_summarize(files, count, marks.marks, marks.mark_count, HOT_BYTES_MAX,
                             &view->schema, view->arena, &view->hot));
        PX_TRY(catalog_version(a->datasets->catalog, a->tenant, dataset, &version));
        if (version == marks.version && (!exists || version == view->info.version)) break;
    }
    return exists || view->hot.rows > 0 ? 0 : CATALOG_ABSENT;
}

static void write_time(const char *name, int64_t us, struct px_buf *json)
{
    char text[31];
    struct px_str at = px_time_format(us * PX_NS_PER_US, 6, text);
    px_buf_printf(json, ",\"%s\":\"%.*s\"", name, PX_FMT(at));
}

static void write_times(const struct dataset_view *view, struct px_buf *json)
{
    const struct dataset_info *info = &view->info;
    bool sealed = info->rows > 0, hot = view->hot.rows > 0;
    if (!sealed && !hot) return;
    int64_t min = sealed ? info->time_min_us : view->hot.time_min_us;
    int64_t max = sealed ? info->time_max_us : view->hot.time_max_us;
    if (hot) {
        min = PX_MIN(min, view->hot.time_min_us);
        max = PX_MAX(max, view->hot.time_max_us);
    }
    write_time("time_min", min, json);
    write_time("time_max", max, json);
}

/* Members of a dataset's object, without braces. */
static void write_dataset(const struct answer *a, const struct dataset_view *view,
                          struct px_buf *json)
{
    const struct dataset_info *info = &view->info;
    long long rows = info->rows + (int64_t)view->hot.rows;
    long long bytes = info->bytes + (int64_t)view->hot.bytes;
    px_buf_add_c(json, "\"name\":");
    px_buf_add_json_str(json, info->name);
    px_buf_printf(json,
                  ",\"rows\":%lld,\"sealed_rows\":%lld,\"bytes\":%lld,\"hot_bytes\":%llu,"
                  "\"segments\":%lld",
                  rows, (long long)info->rows, bytes, (unsigned long long)view->hot.bytes,
                  (long long)info->segments);
    if (info->quarantined > 0)
        px_buf_printf(json, ",\"quarantined\":%lld", (long long)info->quarantined);
    if (view->hot.partial) px_buf_add_c(json, ",\"partial\":true");
    write_times(view, json);
    px_buf_printf(json, ",\"retention_days\":%lld",
                  (long long)retention_of(a->datasets->lifecycle, info).days);
}

/* ---- GET ---- */

/* Names of both sides in order, each once: datasets of the catalog and of hot folders with files. */
static int merge_names(const struct answer *a, struct px_str **ret_names, size_t *ret_count)
{
    struct px_arena *arena = a->event->arena;
    struct dataset_info *infos = NULL;
    struct hot_file *files = NULL;
    size_t info_count = 0, file_count = 0, count = 0;
    PX_TRY(catalog_list(a->datasets->catalog, a->tenant, arena, &infos, &info_count));
    PX_TRY(hot_list(a->datasets->hot, a->tenant, S(""), arena, &files, &file_count));
    struct px_str *names = px_arena_array(arena, struct px_str, info_count + file_count);
    if (!names) return px_arena_fault(arena);
    for (size_t i = 0, f = 0; i < info_count || f < file_count;) {
        bool from_info = f == file_count ||
                         (i < info_count && px_str_cmp(infos[i].name, files[f].dataset) <= 0);
        struct px_str name = from_info ? infos[i++].name : files[f++].dataset;
        if (count == 0 || !px_str_eq(names[count - 1], name)) names[count++] = name;
    }
    *ret_names = names;
    *ret_count = count;
    return 0;
}

static int list(const struct answer *a)
{
    struct px_str *names = NULL;
    size_t count = 0;
    PX_TRY(merge_names(a, &names, &count));
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    px_arena_init(&arena, (size_t)256 << 20);
    PX_AUTO(px_buf_deinit) struct px_buf json;
    px_buf_init(&json, (size_t)5 << 20);
    px_buf_add_c(&json, "{\"datasets\":[");
    size_t written = 0;
    for (size_t i = 0; i < count; i++) {
        struct dataset_view view = {.arena = &arena};
        int r = look(a, names[i], &view);
        if (r == CATALOG_ABSENT) continue; /* files without rows, or dropped just now */
        PX_TRY(r);
        px_buf_add_c(&json, written++ > 0 ? ",{" : "{");
        write_dataset(a, &view, &json);
        px_buf_add_char(&json, '}');
    }
    px_buf_add_c(&json, "]}");
    return respond(a, &json);
}

static void write_columns(const struct schema *schema, struct px_buf *json)
{
    px_buf_add_c(json, ",\"columns\":[");
    for (uint32_t i = 0; i < schema->count; i++) {
        px_buf_add_c(json, i > 0 ? ",{\"name\":" : "{\"name\":");
        px_buf_add_json_str(json, schema->columns[i].name);
        px_buf_printf(json, ",\"type\":\"%s\"}", col_type_name(schema->columns[i].type));
    }
    px_buf_add_char(json, ']');
}

static int show(const struct answer *a)
{
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    px_arena_init(&arena, (size_t)256 << 20);
    struct dataset_view view = {.arena = &arena};
    int r = look(a, a->dataset, &view);
    if (r == CATALOG_ABSENT) return problem(a, 404, "the tenant has no such dataset");
    PX_TRY(r);
    PX_AUTO(px_buf_deinit) struct px_buf json;
    px_buf_init(&json, (size_t)5 << 20);
    px_buf_add_char(&json, '{');
    write_dataset(a, &view, &json);
    write_columns(&view.schema, &json);
    px_buf_add_char(&json, '}');
    return respond(a, &json);
}

/* ---- DELETE ---- */

/* Everything that is visible now goes; a frame that is appended meanwhile begins the dataset anew.
 * Answers: CATALOG_ABSENT, CATALOG_CONFLICT (a seal was faster). */
static int drop_once(const struct answer *a, struct px_arena *arena)
{
    struct catalog_snapshot marks;
    struct hot_file *files = NULL;
    struct hot_summary hot;
    size_t count = 0;
    px_arena_reset(arena);
    int r = catalog_read(a->datasets->catalog, a->tenant, a->dataset, INT64_MAX, INT64_MIN, arena,
                         &marks);
    if (r != CATALOG_ABSENT) PX_TRY(r);
    PX_TRY(hot_list(a->datasets->hot, a->tenant, a->dataset, arena, &files, &count));
    PX_TRY(
        hot_summarize(files, count, marks.marks, marks.mark_count, UINT64_MAX, NULL, arena, &hot));
    return catalog_drop_dataset(a->datasets->catalog, a->tenant, a->dataset, hot.marks,
                                hot.mark_count);
}

static int drop(const struct answer *a)
{
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    px_arena_init(&arena, (size_t)512 << 20);
    int r = CATALOG_CONFLICT;
    for (int i = 0; i < DROPS_MAX && r == CATALOG_CONFLICT; i++) r = drop_once(a, &arena);
    if (r == CATALOG_ABSENT) return problem(a, 404, "the tenant has no such dataset");
    if (r == CATALOG_CONFLICT) return problem(a, 503, "the dataset is busy; try again");
    PX_TRY(r);
    PX_AUTO(px_buf_deinit) struct px_buf json;
    px_buf_init(&json, 4096);
    px_buf_add_c(&json, "{\"name\":");
    px_buf_add_json_str(&json, a->dataset);
    px_buf_add_c(&json, ",\"dropped\":true}");
    return respond(a, &json);
}

/* ---- retention ---- */

/* Members of what counts. Days are left out where each dataset's class tells them, rules where there are none. */
static void write_retention(const struct retention *said, struct px_buf *json)
{
    px_buf_printf(json, "\"from\":\"%s\"", said->from);
    if (said->days > 0) px_buf_printf(json, ",\"days\":%lld", (long long)said->days);
    if (!said->rules_from) return;
    px_buf_printf(json, ",\"rules_from\":\"%s\",\"rules\":%.*s", said->rules_from,
                  PX_FMT(said->rules));
}

static int tell_retention(const struct answer *a, const struct retention *said)
{
    PX_AUTO(px_buf_deinit) struct px_buf json;
    px_buf_init(&json, 64u << 10);
    px_buf_add_char(&json, '{');
    write_retention(said, &json);
    px_buf_add_char(&json, '}');
    return respond(a, &json);
}

static int find_tenant_retention(const struct answer *a, struct px_arena *arena,
                                 struct retention *ret_said)
{
    struct tenant_retention said;
    PX_TRY(catalog_tenant_retention(a->datasets->catalog, a->tenant, arena, &said));
    *ret_said = (struct retention){.days = said.days,
                                   .from = said.days > 0 ? "tenant" : "class",
                                   .rules = said.rules,
                                   .rules_from = said.rules.len > 0 ? "tenant" : NULL};
    return 0;
}

static int show_tenant_retention(const struct answer *a)
{
    struct retention said;
    PX_TRY(find_tenant_retention(a, a->event->arena, &said));
    return tell_retention(a, &said);
}

static int show_retention(const struct answer *a)
{
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    px_arena_init(&arena, (size_t)256 << 20);
    struct dataset_view view = {.arena = &arena};
    int r = look(a, a->dataset, &view);
    if (r == CATALOG_ABSENT) return problem(a, 404, "the tenant has no such dataset");
    PX_TRY(r);
    const struct retention said = retention_of(a->datasets->lifecycle, &view.info);
    return tell_retention(a, &said);
}

/* What somebody says; zeros: nothing. */
struct wish {
    int64_t days;
    struct px_str rules;
};

/* Members are those two, each once. NULL, or what is wrong with the body. */
static const char *check_members(yyjson_val *root)
{
    static const char *const why =
        "the body is {\"days\": n, \"rules\": [...]}, or one of both, with n a whole number from 1 "
        "to 36500";
    yyjson_val *days = yyjson_obj_get(root, "days"), *rules = yyjson_obj_get(root, "rules");
    size_t known = (days != NULL) + (rules != NULL);
    if (!yyjson_is_obj(root) || known == 0 || yyjson_obj_size(root) != known) return why;
    if (!days) return NULL;
    if (!yyjson_is_int(days)) return why;
    int64_t n = yyjson_get_sint(days);
    return n >= 1 && n <= RETENTION_DAYS_MAX ? NULL : why;
}

/* Answers: RETENTION_INVALID, with ret_why. */
static int read_wish(const struct answer *a, yyjson_val *root, struct wish *ret_wish,
                     const char **ret_why)
{
    struct retention_rules rules;
    PX_AUTO(px_buf_deinit) struct px_buf text;
    yyjson_val *list = yyjson_obj_get(root, "rules");
    px_buf_init(&text, 64u << 10);
    *ret_why = check_members(root);
    if (*ret_why) return RETENTION_INVALID;
    *ret_wish = (struct wish){.days = px_json_i64(root, "days", 0)};
    if (!list) return 0;
    int r = retention_rules_parse(list, a->event->arena, &rules, ret_why);
    if (r != 0) return r;
    px_buf_add_json(&text, list);
    PX_TRY(px_buf_fault(&text));
    ret_wish->rules = px_arena_dup(a->event->arena, px_buf_str(&text));
    return ret_wish->rules.ptr ? 0 : px_arena_fault(a->event->arena);
}

/* Answers: REFUSED, answered already. */
static int parse_wish(const struct answer *a, struct wish *ret_wish)
{
    yyjson_val *root = NULL;
    struct px_where where = {0};
    const char *why = NULL;
    int r = px_json_parse(a->http->body, a->event->arena, &root, &where);
    if (r < 0) PX_TRY(r);
    if (r == PX_JSON_INVALID) why = where.expected;
    if (r == 0) r = read_wish(a, root, ret_wish, &why);
    if (r <= 0) return r;
    PX_TRY(problem(a, 400, why));
    return REFUSED;
}

/* Answers: CATALOG_ABSENT. */
static int change_retention(const struct answer *a, const struct wish *wish)
{
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    px_arena_init(&arena, (size_t)256 << 20);
    struct dataset_view view = {.arena = &arena};
    int r = look(a, a->dataset, &view);
    if (r != 0) return r;
    return catalog_say_retention(a->datasets->catalog, a->tenant, a->dataset, wish->days,
                                 wish->rules);
}

static int tell_wish(const struct answer *a, const struct wish *wish)
{
    PX_AUTO(px_buf_deinit) struct px_buf json;
    px_buf_init(&json, 64u << 10);
    px_buf_add_char(&json, '{');
    if (wish->days > 0) px_buf_printf(&json, "\"days\":%lld", (long long)wish->days);
    if (wish->rules.len > 0)
        px_buf_printf(&json, "%s\"rules\":%.*s", wish->days > 0 ? "," : "", PX_FMT(wish->rules));
    px_buf_add_char(&json, '}');
    return respond(a, &json);
}

static int set_retention(const struct answer *a)
{
    struct wish wish;
    int r = parse_wish(a, &wish);
    if (r == REFUSED) return 0;
    PX_TRY(r);
    r = change_retention(a, &wish);
    if (r == CATALOG_ABSENT) return problem(a, 404, "the tenant has no such dataset");
    PX_TRY(r);
    return tell_wish(a, &wish);
}

static int clear_retention(const struct answer *a)
{
    int r = change_retention(a, &(struct wish){0});
    if (r == CATALOG_ABSENT) return problem(a, 404, "the tenant has no such dataset");
    PX_TRY(r);
    return show_retention(a);
}

static int say_of_all(const struct answer *a, const struct wish *wish)
{
    return catalog_say_retention(a->datasets->catalog, a->tenant, S(""), wish->days, wish->rules);
}

static int set_tenant_retention(const struct answer *a)
{
    struct wish wish;
    int r = parse_wish(a, &wish);
    if (r == REFUSED) return 0;
    PX_TRY(r);
    PX_TRY(say_of_all(a, &wish));
    return tell_wish(a, &wish);
}

static int clear_tenant_retention(const struct answer *a)
{
    PX_TRY(say_of_all(a, &(struct wish){0}));
    return show_tenant_retention(a);
}

/* ---- usage ---- */

static int tell_usage(const struct answer *a, struct usage_of *of)
{
    const struct datasets *datasets = a->datasets;
    if (datasets->open_tables) PX_TRY(datasets->open_tables(datasets->ctx, &of->tables));
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    PX_AUTO(px_buf_deinit) struct px_buf json;
    px_arena_init(&arena, (size_t)64 << 20);
    px_buf_init(&json, (size_t)1 << 20);
    PX_TRY(usage_write(a->datasets->catalog, of, &arena, &json));
    return respond(a, &json);
}

static int usage(const struct answer *a)
{
    const struct api_caller *caller = &a->http->caller;
    struct usage_of of = {.tenant = a->tenant,
                          .tier = a->datasets->own_quotas ? S("") : caller->tier,
                          .own = caller->quotas,
                          .limits = true};
    return tell_usage(a, &of);
}

/* Whether that tenant exists is not known here, and not told. */
static int usage_of_another(const struct answer *a)
{
    struct usage_of of = {.tenant = api_path_param(a->http, S("tenant"))};
    bool by_operator = px_str_eq(a->tenant, S("_system"));
    if (!api_caller_may(&a->http->caller, S("admin")) ||
        (!by_operator && !px_str_eq(of.tenant, a->tenant)))
        return problem(a, 403, "this needs an admin key of the operator's tenant");
    if (!tenant_name_ok(of.tenant)) return problem(a, 400, "that is no tenant's name");
    return tell_usage(a, &of);
}

/* ---- routes ---- */

#define ITEM "/v1/datasets/{dataset}"
static const struct route {
    const char *method, *resource;
    int (*run)(const struct answer *answer);
    bool admin, names_dataset;
    const char *audit; /* its name in the audit log; NULL: it changes nothing */
} routes[] = {
    {"GET", "/v1/datasets", list, false, false, NULL},
    {"GET", ITEM, show, false, true, NULL},
    {"DELETE", ITEM, drop, true, true, "dataset.drop"},
    {"GET", ITEM "/retention", show_retention, false, true, NULL},
    {"PUT", ITEM "/retention", set_retention, true, true, "dataset.retention"},
    {"DELETE", ITEM "/retention", clear_retention, true, true, "dataset.retention"},
    {"GET", "/v1/retention", show_tenant_retention, false, false, NULL},
    {"PUT", "/v1/retention", set_tenant_retention, true, false, "tenant.retention"},
    {"DELETE", "/v1/retention", clear_tenant_retention, true, false, "tenant.retention"},
    {"GET", "/v1/usage", usage, false, false, NULL},
    {"GET", "/v1/admin/tenants/{tenant}/usage", usage_of_another, false, false, NULL},
};

static const struct route *find_route(const struct api_event *http)
{
    for (size_t i = 0; i < PX_COUNT(routes); i++)
        if (px_str_eq(px_str_c(routes[i].method), http->method) &&
            px_str_eq(px_str_c(routes[i].resource), http->resource))
            return &routes[i];
    return NULL;
}

/* ---- the audit log ---- */

static int write_tenant_before(const struct answer *a, struct px_buf *json)
{
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    struct retention said;
    px_arena_init(&arena, 1u << 20);
    PX_TRY(find_tenant_retention(a, &arena, &said));
    if (said.days == 0 && !said.rules_from) return 0;
    px_buf_add_char(json, '{');
    write_retention(&said, json);
    px_buf_add_char(json, '}');
    return px_buf_fault(json);
}

/* What the catalog says of the dataset: its rows and how long they stay. Looking at hot frames is left to the change. */
static int write_dataset_before(const struct answer *a, struct px_buf *json)
{
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    px_arena_init(&arena, (size_t)64 << 20);
    struct dataset_info info = {0};
    int r = catalog_find(a->datasets->catalog, a->tenant, a->dataset, &arena, &info);
    if (r == CATALOG_ABSENT) return 0;
    PX_TRY(r);
    const struct retention said = retention_of(a->datasets->lifecycle, &info);
    px_buf_printf(json, "{\"retention_days\":%lld,\"sealed_rows\":%lld,\"segments\":%lld",
                  (long long)said.days, (long long)info.rows, (long long)info.segments);
    if (said.rules_from) px_buf_printf(json, ",\"rules\":%.*s", PX_FMT(said.rules));
    px_buf_add_char(json, '}');
    return px_buf_fault(json);
}

static int intend(const struct answer *a, const struct route *route, const struct audit *audit,
                  struct audit_intent *ret_intent)
{
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    PX_AUTO(px_buf_deinit) struct px_buf asked, before;
    px_arena_init(&arena, (size_t)64 << 20);
    px_buf_init(&asked, 1u << 20);
    px_buf_init(&before, 64u << 10);
    yyjson_val *body = NULL;
    int r = a->http->body.len > 0 ? px_json_parse(a->http->body, &arena, &body, NULL) : 0;
    if (r < 0) PX_TRY(r);
    if (r == 0 && yyjson_is_obj(body)) px_buf_add_json(&asked, body);
    PX_TRY(px_buf_fault(&asked));
    PX_TRY(route->names_dataset ? write_dataset_before(a, &before)
                                : write_tenant_before(a, &before));
    const struct api_event *http = a->http;
    const struct audit_call call = {.tenant = a->tenant,
                                    .who = {.tenant = a->tenant,
                                            .key_id = http->caller.key_id,
                                            .source = http->source_ip,
                                            .request_id = http->request_id},
                                    .operation = px_str_c(route->audit),
                                    .target = route->names_dataset ? a->dataset : a->tenant,
                                    .asked = px_buf_str(&asked),
                                    .before = px_buf_str(&before)};
    return audit_intend(audit, &call, ret_intent);
}

static int conclude(const struct answer *a, const struct audit *audit,
                    const struct audit_intent *intent)
{
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    struct api_response response;
    px_arena_init(&arena, (size_t)8 << 20);
    int r = api_response_parse(px_buf_str(a->event->reply->body), &arena, &response);
    if (r > 0) return px_fault(PX_F_BUG, "an answer is none");
    PX_TRY(r);
    struct audit_outcome outcome = {.status = response.status};
    if (response.status < 300) outcome.after = response.body;
    return audit_conclude(audit, intent, &outcome);
}

/* Before it is done and once it is, as far as it is to be recorded at all. */
static int run_recorded(const struct answer *a, const struct route *route)
{
    struct audit audit;
    struct audit_intent intent = {0};
    if (!route->audit || !a->datasets->open_audit) return route->run(a);
    PX_TRY(a->datasets->open_audit(a->datasets->ctx, &audit));
    PX_TRY(intend(a, route, &audit, &intent));
    int r = route->run(a);
    if (r == 0) return conclude(a, &audit, &intent);
    audit_conclude_fault(&audit, &intent, r);
    return r;
}

static int answer_route(struct answer *a)
{
    const struct route *route = find_route(a->http);
    const char *why = NULL;
    if (!route) return problem(a, 404, "there is no such route");
    if (a->tenant.len == 0) return problem(a, 403, "the caller belongs to no tenant");
    bool admin = api_caller_may(&a->http->caller, S("admin"));
    if (route->admin && !admin) return problem(a, 403, "this needs a key with the scope admin");
    if (!admin && !api_caller_may(&a->http->caller, S("query"))) /* one for sending cannot look */
        return problem(a, 403, "this needs a key with the scope query or admin");
    if (a->http->caller.restriction.len > 0) /* figures of all rows, and names of all datasets */
        return problem(a, 403, "who has a restriction lists no datasets: query them");
    const enum home_purpose purpose = route->admin ? HOME_CHANGE : HOME_READ;
    int r = check_home(a, purpose);
    if (r == REFUSED) return 0;
    PX_TRY(r);
    if (route->names_dataset && !dataset_name_ok(a->dataset, &why)) return problem(a, 400, why);
    PX_TRY(run_recorded(a, route));
    r = check_home(a, purpose);
    PX_TRY(r < 0 ? r : 0);
    return 0;
}

int datasets_handle(const struct datasets *datasets, const struct lambda_event *event)
{
    struct api_event http;
    struct px_where where = {0};
    int r = api_event_parse(event->payload, event->arena, &http, &where);
    if (r == API_INVALID) {
        event->reply->error_type = S("InvalidEvent");
        event->reply->error_message = S("the event is not an API Gateway proxy event");
        return LAMBDA_ERROR;
    }
    PX_TRY(r);
    api_event_observe(&http);
    struct answer answer = {datasets, &http, event, http.caller.tenant,
                            api_path_param(&http, S("dataset"))};
    return answer_route(&answer);
}
