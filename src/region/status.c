/* region/status.c - what a region says of itself: `prism status` and the metrics rows. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "region/region_internal.h"

#define WALK_DEPTH_MAX 8
#define STATUS_FOLDERS 5

struct status_size {
    uint64_t bytes, files;
};

/* Bytes and files below a folder; a folder that vanishes meanwhile counts as far as it was read. */
static void measure(int parent, const char *name, int depth, struct status_size *size)
{
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (!dir) {
        px_close(&fd);
        return;
    }
    struct dirent *entry;
    while ((entry = readdir(dir))) {
        struct stat st;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
            fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        if (S_ISDIR(st.st_mode) && depth < WALK_DEPTH_MAX) {
            measure(fd, entry->d_name, depth + 1, size);
        } else if (S_ISREG(st.st_mode)) {
            size->bytes += (uint64_t)st.st_size;
            size->files++;
        }
    }
    closedir(dir);
}

static const char *const folders[STATUS_FOLDERS] = {"hot", "segments", "analytics", "dead-letter",
                                                    "logs"};

static void write_data(const struct status_size sizes[STATUS_FOLDERS], struct px_buf *buf)
{
    px_buf_add_c(buf, ",\"data\":{");
    for (size_t i = 0; i < STATUS_FOLDERS; i++)
        px_buf_printf(buf, "%s\"%s\":{\"bytes\":%llu,\"files\":%llu}", i ? "," : "", folders[i],
                      (unsigned long long)sizes[i].bytes, (unsigned long long)sizes[i].files);
    px_buf_add_c(buf, "}");
}

static void write_functions(struct region *region, struct px_buf *buf)
{
    px_buf_add_c(buf, ",\"functions\":[");
    for (size_t i = 0; i < region->catalogue.count; i++) {
        const struct function_spec *f = &region->catalogue.functions[i];
        struct lambda_pool_stats s;
        versions_stats(region->versions, i, &s);
        px_buf_printf(buf,
                      "%s{\"name\":\"%s\",\"service\":\"%s\",\"instances\":%u,\"starting\":%u,"
                      "\"idle\":%u,\"busy\":%u,\"queued\":%u,\"min\":%u,\"max\":%u,"
                      "\"max_wanted\":%u,\"memory_mb\":%u,"
                      "\"invocations\":%llu,\"errors\":%llu,\"throttles\":%llu,\"timeouts\":%llu,"
                      "\"crashes\":%llu,\"cold_starts\":%llu,\"rss_bytes\":%llu,\"last_error\":",
                      i ? "," : "", f->name, f->service, s.starting + s.idle + s.busy, s.starting,
                      s.idle, s.busy, s.queued, f->concurrency_min, f->concurrency_max,
                      f->concurrency_wanted, f->memory_mb, (unsigned long long)s.invocations,
                      (unsigned long long)s.errors, (unsigned long long)s.throttles,
                      (unsigned long long)s.timeouts, (unsigned long long)s.crashes,
                      (unsigned long long)s.cold_starts, (unsigned long long)s.rss_bytes);
        px_buf_add_json_str(buf, px_str_c(s.last_error));
        px_buf_add_c(buf, ",\"versions\":");
        versions_write(region->versions, i, buf);
        px_buf_add_c(buf, "}");
    }
    px_buf_add_c(buf, "]");
}

static const char *phase_name(enum region_phase phase)
{
    static const char *const names[] = {"starting", "serving", "draining", "stopping"};
    return names[phase];
}

static void status_write(struct region *region, const struct status_size sizes[STATUS_FOLDERS],
                         struct px_buf *buf)
{
    struct gateway_stats g;
    char when[40];
    struct px_str started = px_time_format(region->started_wall_ns, 3, when);
    gateway_stats(region->gateway, &g);
    px_buf_printf(buf, "{\"pid\":%d,\"port\":%u,\"phase\":\"%s\",\"started\":\"%.*s\",\"region\":",
                  (int)getpid(), region->port, phase_name(region->phase), PX_FMT(started));
    px_buf_add_json_str(buf, region->data.region_name);
    px_buf_printf(buf, ",\"tls_port\":%u,\"tls_own\":%s", region->data.tls.port,
                  region->data.tls.certificate.len == 0 ? "true" : "false");
    px_buf_printf(buf, ",\"memory_mb\":%llu", (unsigned long long)region->memory_mb);
    px_buf_add_c(buf, ",\"data_dir\":");
    px_buf_add_json_str(buf, region->data.path);
    px_buf_printf(
        buf,
        ",\"gateway\":{\"requests\":%llu,\"refused\":%llu,\"connections\":%u,\"active\":%u}"
        ",\"queues\":{\"asynchronous\":%zu,\"telemetry_dropped\":%llu}",
        (unsigned long long)g.requests, (unsigned long long)g.refused, g.connections, g.active,
        async_pending(region->async), (unsigned long long)telemetry_dropped(region->telemetry));
    if (region->replicator) {
        px_buf_add_c(buf, ",\"replication\":");
        replicator_write_status(region->replicator, buf);
        px_buf_add_c(buf, ",\"copies\":");
        copies_write_status(region->copies, buf);
    }
    struct workflows_stats w;
    workflows_stats(region->workflows, &w);
    px_buf_printf(buf,
                  ",\"workflows\":{\"running\":%zu,\"started\":%llu,\"succeeded\":%llu,"
                  "\"failed\":%llu,\"stalled\":%s}",
                  w.running, (unsigned long long)w.started, (unsigned long long)w.succeeded,
                  (unsigned long long)w.failed, w.stalled ? "true" : "false");
    write_functions(region, buf);
    px_buf_add_c(buf, ",\"alarms\":");
    watch_write_status(region->watch, buf);
    write_data(sizes, buf);
    px_buf_add_c(buf, "}");
}

/* ---- GET /status: the folders are walked in a thread, because there may be many files ---- */

struct status_work {
    uv_work_t work;
    struct region *region;
    struct http_request *request;
    struct status_size sizes[STATUS_FOLDERS];
};

static void on_work(uv_work_t *work)
{
    struct status_work *w = work->data;
    char path[4096];
    for (size_t i = 0; i < STATUS_FOLDERS; i++) {
        snprintf(path, sizeof(path), "%.*s/%s", PX_FMT(w->region->data.path), folders[i]);
        measure(AT_FDCWD, path, 0, &w->sizes[i]);
    }
}

static void on_walked(uv_work_t *work, int error)
{
    struct status_work *w = work->data;
    const struct http_header header = {S("Content-Type"), S("application/json")};
    struct px_buf body;
    px_buf_init(&body, 4 << 20);
    bool there = error == 0 &&
                 versions_running(w->region->versions); /* else it has ended meanwhile */
    if (there) status_write(w->region, w->sizes, &body);
    http_reply(w->request, !there || px_buf_fault(&body) ? 503 : 200, &header, 1,
               px_buf_str(&body));
    px_buf_deinit(&body);
    free(w);
}

void status_serve(struct region *region, struct http_request *request)
{
    struct status_work *w = calloc(1, sizeof(*w));
    if (w) {
        w->work.data = w;
        w->region = region;
        w->request = request;
    }
    if (w && uv_queue_work(&region->loop, &w->work, on_work, on_walked) == 0) return;
    free(w);
    http_reply(request, 503, NULL, 0, S(""));
}

/* ---- metrics ---- */

static void metric(struct region *region, struct px_str time, const char *name,
                   const char *function, double value)
{
    struct px_buf *row = telemetry_row(region->telemetry, TELEMETRY_METRIC);
    if (!row) return;
    px_buf_printf(row, "{\"time\":\"%.*s\",\"metric_name\":\"%s\",\"value\":%.15g", PX_FMT(time),
                  name, value);
    if (function) px_buf_printf(row, ",\"attributes.function\":\"%s\"", function);
    px_buf_add_c(row, "}\n");
    telemetry_done(region->telemetry, TELEMETRY_METRIC);
}

static struct px_buf *sum_row(void *ctx, bool begin)
{
    struct region *region = ctx;
    if (begin) return telemetry_row(region->telemetry, TELEMETRY_METRIC);
    telemetry_done(region->telemetry, TELEMETRY_METRIC);
    return NULL;
}

void status_metrics(struct region *region)
{
    struct gateway_stats g;
    char when[40];
    struct px_str now = px_time_format(px_wall_ns(region->clock), 6, when);
    struct workflows_stats w;
    gateway_stats(region->gateway, &g);
    workflows_stats(region->workflows, &w);
    metric(region, now, "workflows.running", NULL, (double)w.running);
    metric(region, now, "workflows.started", NULL, (double)w.started);
    metric(region, now, "workflows.succeeded", NULL, (double)w.succeeded);
    metric(region, now, "workflows.failed", NULL, (double)w.failed);
    metric(region, now, "gateway.requests", NULL, (double)g.requests);
    metric(region, now, "gateway.refused", NULL, (double)g.refused);
    metric(region, now, "gateway.connections", NULL, g.connections);
    metric(region, now, "asynchronous.pending", NULL, (double)async_pending(region->async));
    metric(region, now, "telemetry.dropped", NULL,
           (double)(telemetry_dropped(region->telemetry) + metric_sums_dropped(region->sums)));
    for (size_t i = 0; i < region->catalogue.count; i++) {
        const char *name = region->catalogue.functions[i].name;
        struct lambda_pool_stats s;
        versions_stats(region->versions, i, &s);
        if (s.invocations == 0 && s.cold_starts == 0) continue;
        metric(region, now, "function.invocations", name, (double)s.invocations);
        metric(region, now, "function.errors", name, (double)s.errors);
        metric(region, now, "function.throttles", name, (double)s.throttles);
        metric(region, now, "function.timeouts", name, (double)s.timeouts);
        metric(region, now, "function.crashes", name, (double)s.crashes);
        metric(region, now, "function.cold_starts", name, (double)s.cold_starts);
        metric(region, now, "function.instances", name, s.starting + s.idle + s.busy);
        metric(region, now, "function.rss_bytes", name, (double)s.rss_bytes);
    }
    metric_sums_write(region->sums, now, sum_row, region);
    request_sums_write(region->requests, now, sum_row, region);
}
