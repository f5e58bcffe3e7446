/* fleet/fleet_control.c - the supervisor's control socket (<data>/region.sock, mode 0600), which answers what a region's
 * answers of the same names, and:
 *
 *   POST /regions/{name}/kill     SIGKILL, and it stays down
 *   POST /regions/{name}/heal     it starts again
 *   POST /regions/{name}/standby  {"to":"eu-west-1"} or {"to":null}: evacuated to it, or back
 *   POST /lag                     {"lag_ms":200,"scatter_ms":0}
 *   POST /partition               {"between":["us-east-1","eu-west-1"],"cut":true}
 */
#include "fleet/fleet_internal.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/px_json.h"
#include "http/client.h"
#include "lambda/answer.h"

#define STATUS_BYTES_MAX (1u << 20)
#define PUSH_TIMEOUT_MS 2000

/* ---- settings, to the regions' control sockets, from a thread ---- */

struct push {
    uv_work_t work;
    struct fleet *fleet;
    struct http_request *request;
    struct px_arena arena;
    struct {
        struct px_str endpoint, body;
    } to[FLEET_REGIONS_MAX];
    size_t count;
};

static void on_push(uv_work_t *work)
{
    struct push *push = work->data;
    const struct http_header type = {S("Content-Type"), S("application/json")};
    for (size_t i = 0; i < push->count; i++) {
        PX_AUTO(http_client_free) struct http_client *client = NULL;
        struct http_response response;
        const struct http_call call = {"POST", S("/replication"), &type, 1, push->to[i].body};
        if (http_client_new(push->to[i].endpoint, PUSH_TIMEOUT_MS, &client) != 0) continue;
        /* A region that is not there reads fleet.json when it starts. */
        if (http_client_call(client, &call, 65536, NULL, NULL, &response) != 0) continue;
    }
}

static void on_pushed(uv_work_t *work, int error)
{
    struct push *push = work->data;
    (void)error;
    push->fleet->pushes--;
    if (push->request) answer_json(push->request, 200, S("{}"));
    px_arena_deinit(&push->arena);
    free(push);
}

static void fill(struct push *push, size_t region)
{
    const struct fleet_state *state = &push->fleet->state;
    PX_AUTO(px_buf_deinit) struct px_buf body;
    px_buf_init(&body, 16384);
    fleet_state_write_settings(state, region, &body);
    push->to[push->count].endpoint = px_arena_printf(&push->arena, "unix:%s/regions/%s/region.sock",
                                                     state->folder, state->regions[region].name);
    push->to[push->count].body = px_arena_dup(&push->arena, px_buf_str(&body));
    push->count++;
}

void fleet_push_settings(struct fleet *fleet, struct http_request *request)
{
    struct push *push = calloc(1, sizeof *push);
    if (push) {
        push->work.data = push;
        push->fleet = fleet;
        push->request = request;
        px_arena_init(&push->arena, 256u << 10);
        for (size_t i = 0; i < fleet->state.count; i++)
            if (fleet->parts[i].child.state == CHILD_READY) fill(push, i);
        if (uv_queue_work(&fleet->loop, &push->work, on_push, on_pushed) == 0) {
            fleet->pushes++;
            return;
        }
        px_arena_deinit(&push->arena);
        free(push);
    }
    if (request) answer_problem(request, 503, "out of memory");
}

/* ---- status ---- */

static void write_child(const struct child *child, struct px_buf *buf)
{
    px_buf_printf(buf, "\"state\":\"%s\",\"pid\":%d,\"restarts\":%u,\"last_error\":",
                  child_state_name(child), child_pid(child), child->restarts);
    px_buf_add_json_str(buf, px_str_c(child->last_error));
}

static void write_region(const struct fleet *fleet, size_t i, struct px_buf *buf)
{
    const struct fleet_region *r = &fleet->state.regions[i];
    px_buf_printf(buf,
                  "%s{\"name\":\"%s\",\"port\":%u,\"primary\":%s,\"killed\":%s,\"evacuated\":%s,"
                  "\"standby\":",
                  i ? "," : "", r->name, r->port, i == 0 ? "true" : "false",
                  r->down ? "true" : "false", r->out ? "true" : "false");
    if (r->standby >= 0)
        px_buf_printf(buf, "\"%s\",", fleet->state.regions[r->standby].name);
    else
        px_buf_add_c(buf, "null,");
    write_child(&fleet->parts[i].child, buf);
    px_buf_add_c(buf, ",\"cut_from\":[");
    const char *comma = "";
    for (size_t k = 0; k < fleet->state.count; k++) {
        if (!fleet->state.cuts[i][k]) continue;
        px_buf_printf(buf, "%s\"%s\"", comma, fleet->state.regions[k].name);
        comma = ",";
    }
    px_buf_add_c(buf, "]}");
}

void fleet_write_status(struct fleet *fleet, struct px_buf *buf)
{
    char when[40];
    struct px_str started = px_time_format(fleet->started_wall_ns, 3, when);
    const char *phase = fleet->stopping ? "draining" : fleet->ready_told ? "serving" : "starting";
    px_buf_printf(buf,
                  "{\"pid\":%d,\"port\":%u,\"phase\":\"%s\",\"started\":\"%.*s\",\"data_dir\":",
                  (int)getpid(), fleet->state.port, phase, PX_FMT(started));
    px_buf_add_json_str(buf, px_str_c(fleet->state.folder));
    if (fleet->state.tls.port)
        px_buf_printf(buf, ",\"tls_port\":%u,\"tls_own\":%s", fleet->state.tls.port,
                      fleet->state.tls.certificate.len == 0 ? "true" : "false");
    px_buf_printf(buf, ",\"registry_lag_ms\":%u,\"registry_scatter_ms\":%u,\"router\":{",
                  fleet->state.lag_ms, fleet->state.scatter_ms);
    write_child(&fleet->router, buf);
    px_buf_add_c(buf, "},\"regions\":[");
    for (size_t i = 0; i < fleet->state.count; i++) write_region(fleet, i, buf);
    px_buf_add_c(buf, "]}");
}

static void serve_status(struct fleet *fleet, struct http_request *request)
{
    PX_AUTO(px_buf_deinit) struct px_buf body;
    px_buf_init(&body, STATUS_BYTES_MAX);
    fleet_write_status(fleet, &body);
    if (px_buf_fault(&body))
        answer_problem(request, 503, "out of memory");
    else
        answer_json(request, 200, px_buf_str(&body));
}

/* ---- changes ---- */

/* Save, or say why not. */
static bool saved(struct fleet *fleet, struct http_request *request)
{
    int r = fleet_save(fleet);
    if (r == 0) return true;
    px_log_fault(&fleet->log, r, "fleet.json");
    answer_problem(request, px_fault_http(r), px_fault_message(r));
    return false;
}

static void serve_kill(struct fleet *fleet, struct http_request *request, size_t i)
{
    fleet->state.regions[i].down = true;
    if (!saved(fleet, request)) return;
    if (fleet->parts[i].child.state != CHILD_DOWN) child_stop(&fleet->parts[i].child, SIGKILL);
    answer_json(request, 202, S("{}"));
}

static void serve_heal(struct fleet *fleet, struct http_request *request, size_t i)
{
    fleet->state.regions[i].down = false;
    if (!saved(fleet, request)) return;
    child_start(&fleet->parts[i].child);
    answer_json(request, 202, S("{}"));
}

/* The region that stands in learns it by its functions' environment, so it starts anew. */
static void serve_standby(struct fleet *fleet, struct http_request *request, size_t i)
{
    yyjson_val *root = NULL;
    struct fleet_region *region = &fleet->state.regions[i];
    bool parsed = px_json_parse(request->body, request->arena, &root, NULL) == 0;
    struct px_str to = px_json_str(root, "to");
    int standby = to.len > 0 ? fleet_state_find(&fleet->state, to) : -1;
    bool wrong = !parsed || (to.len > 0 && (standby < 0 || standby == (int)i));
    if (wrong || (standby >= 0 && fleet->state.regions[standby].out)) {
        answer_problem(request, 400,
                       "\"to\" is another region that is not evacuated itself, or null");
        return;
    }
    int before = region->standby;
    region->standby = standby;
    region->out = standby >= 0;
    if (!saved(fleet, request)) return;
    if (before >= 0 && before != standby) child_restart(&fleet->parts[before].child);
    if (standby >= 0 && before != standby) child_restart(&fleet->parts[standby].child);
    answer_json(request, 202, S("{}"));
}

static void serve_region(struct fleet *fleet, struct http_request *request, struct px_str rest)
{
    struct px_str name;
    (void)px_str_cut(&rest, '/', &name);
    int i = fleet_state_find(&fleet->state, name);
    if (i < 0)
        answer_problem(request, 404, "there is no such region; see prism region list");
    else if (px_str_eq(rest, S("kill")))
        serve_kill(fleet, request, (size_t)i);
    else if (px_str_eq(rest, S("heal")))
        serve_heal(fleet, request, (size_t)i);
    else if (px_str_eq(rest, S("standby")))
        serve_standby(fleet, request, (size_t)i);
    else
        answer_problem(request, 404, "kill, heal or standby");
}

static void serve_lag(struct fleet *fleet, struct http_request *request)
{
    yyjson_val *root = NULL;
    int r = px_json_parse(request->body, request->arena, &root, NULL);
    int64_t lag_ms = r == 0 ? px_json_i64(root, "lag_ms", -1) : -1;
    int64_t scatter_ms = r == 0 ? px_json_i64(root, "scatter_ms", 0) : -1;
    if (lag_ms < 0 || lag_ms > FLEET_LAG_MS_MAX || scatter_ms < 0 ||
        scatter_ms > FLEET_SCATTER_MS_MAX) {
        answer_problem(request, 400, "lag_ms is 0 to 3600000, scatter_ms 0 to 60000");
        return;
    }
    fleet->state.lag_ms = (uint32_t)lag_ms;
    fleet->state.scatter_ms = (uint32_t)scatter_ms;
    if (saved(fleet, request)) fleet_push_settings(fleet, request);
}

static void serve_partition(struct fleet *fleet, struct http_request *request)
{
    yyjson_val *root = NULL;
    int r = px_json_parse(request->body, request->arena, &root, NULL);
    yyjson_val *pair = r == 0 ? px_json_arr(root, "between") : NULL;
    int a = fleet_state_find(&fleet->state, px_json_val_str(yyjson_arr_get(pair, 0))),
        b = fleet_state_find(&fleet->state, px_json_val_str(yyjson_arr_get(pair, 1)));
    if (a < 0 || b < 0 || a == b) {
        answer_problem(request, 400, "\"between\" is two regions; see prism region list");
        return;
    }
    fleet->state.cuts[a][b] = fleet->state.cuts[b][a] = px_json_bool(root, "cut", true);
    if (saved(fleet, request)) fleet_push_settings(fleet, request);
}

static void on_request(void *ctx, struct http_request *request)
{
    struct fleet *fleet = ctx;
    const struct px_str regions = S("/regions/");
    bool get = request->method == HTTP_GET_, post = request->method == HTTP_POST_;
    if (get && px_str_eq(request->path, S("/status"))) {
        serve_status(fleet, request);
    } else if (post && px_str_eq(request->path, S("/drain"))) {
        answer_json(request, 202, S("{\"draining\":true}"));
        fleet_begin_stop(fleet);
    } else if (post && fleet->stopping) {
        answer_problem(request, 503, "the regions are draining");
    } else if (post && px_str_starts(request->path, regions)) {
        serve_region(fleet, request, px_str_skip(request->path, regions.len));
    } else if (post && px_str_eq(request->path, S("/lag"))) {
        serve_lag(fleet, request);
    } else if (post && px_str_eq(request->path, S("/partition"))) {
        serve_partition(fleet, request);
    } else {
        answer_problem(request, 404,
                       "these are several regions: ask one of them, with --region NAME");
    }
}

int fleet_control_start(struct fleet *fleet)
{
    const char *path = px_arena_printf(fleet->arena, "%s/region.sock", fleet->state.folder).ptr;
    const struct http_server_options options = {
        .body_bytes_max = 65536, .connections_max = 64, .on_request = on_request, .ctx = fleet};
    if (!path) return px_arena_fault(fleet->arena);
    PX_TRY(http_server_new(&fleet->loop, &options, &fleet->control));
    return http_server_listen_unix(fleet->control, path);
}
