/* region/status.c - what a region says of itself: `prism status` and the metrics rows. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "region/region_internal.h"

#define WALK_DEPTH_MAX 8

/* Bytes and files below a folder; a folder that vanishes meanwhile counts as far as it was read. */
static void measure(int parent, const char *name, int depth, uint64_t *bytes, uint64_t *files)
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
            measure(fd, entry->d_name, depth + 1, bytes, files);
        } else if (S_ISREG(st.st_mode)) {
            *bytes += (uint64_t)st.st_size;
            (*files)++;
        }
    }
    closedir(dir);
}

static void write_data(struct region *region, struct px_buf *buf)
{
    static const char *const names[] = {"hot", "segments", "analytics", "dead-letter", "logs"};
    char path[4096];
    px_buf_add_c(buf, ",\"data\":{");
    for (size_t i = 0; i < PX_COUNT(names); i++) {
        uint64_t bytes = 0, files = 0;
        snprintf(path, sizeof(path), "%.*s/%s", PX_FMT(region->data.path), names[i]);
        measure(AT_FDCWD, path, 0, &bytes, &files);
        px_buf_printf(buf, "%s\"%s\":{\"bytes\":%llu,\"files\":%llu}", i ? "," : "", names[i],
                      (unsigned long long)bytes, (unsigned long long)files);
    }
    px_buf_add_c(buf, "}");
}

static void write_functions(struct region *region, struct px_buf *buf)
{
    px_buf_add_c(buf, ",\"functions\":[");
    for (size_t i = 0; i < region->catalogue.count; i++) {
        const struct function_spec *f = &region->catalogue.functions[i];
        struct lambda_pool_stats s;
        lambda_pool_stats(region->pools[i], &s);
        px_buf_printf(buf,
                      "%s{\"name\":\"%s\",\"service\":\"%s\",\"instances\":%u,\"starting\":%u,"
                      "\"idle\":%u,\"busy\":%u,\"queued\":%u,\"min\":%u,\"max\":%u,"
                      "\"invocations\":%llu,\"errors\":%llu,\"throttles\":%llu,\"timeouts\":%llu,"
                      "\"crashes\":%llu,\"cold_starts\":%llu,\"rss_bytes\":%llu,\"last_error\":",
                      i ? "," : "", f->name, f->service, s.starting + s.idle + s.busy, s.starting,
                      s.idle, s.busy, s.queued, f->concurrency_min, f->concurrency_max,
                      (unsigned long long)s.invocations, (unsigned long long)s.errors,
                      (unsigned long long)s.throttles, (unsigned long long)s.timeouts,
                      (unsigned long long)s.crashes, (unsigned long long)s.cold_starts,
                      (unsigned long long)s.rss_bytes);
        px_buf_add_json_str(buf, px_str_c(s.last_error));
        px_buf_add_c(buf, "}");
    }
    px_buf_add_c(buf, "]");
}

static const char *phase_name(enum region_phase phase)
{
    static const char *const names[] = {"starting", "serving", "draining", "stopping"};
    return names[phase];
}

void status_write(struct region *region, struct px_buf *buf)
{
    struct gateway_stats g;
    char when[40];
    struct px_str started = px_time_format(region->started_wall_ns, 3, when);
    gateway_stats(region->gateway, &g);
    px_buf_printf(buf, "{\"pid\":%d,\"port\":%u,\"phase\":\"%s\",\"started\":\"%.*s\",\"region\":",
                  (int)getpid(), region->port, phase_name(region->phase), PX_FMT(started));
    px_buf_add_json_str(buf, region->data.region_name);
    px_buf_add_c(buf, ",\"data_dir\":");
    px_buf_add_json_str(buf, region->data.path);
    px_buf_printf(
        buf,
        ",\"gateway\":{\"requests\":%llu,\"refused\":%llu,\"connections\":%u,\"active\":%u}"
        ",\"queues\":{\"asynchronous\":%zu,\"telemetry_dropped\":%llu}",
        (unsigned long long)g.requests, (unsigned long long)g.refused, g.connections, g.active,
        async_pending(region->async), (unsigned long long)telemetry_dropped(region->telemetry));
    write_functions(region, buf);
    write_data(region, buf);
    px_buf_add_c(buf, "}");
}

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

void status_metrics(struct region *region)
{
    struct gateway_stats g;
    char when[40];
    struct px_str now = px_time_format(px_wall_ns(region->clock), 6, when);
    gateway_stats(region->gateway, &g);
    metric(region, now, "gateway.requests", NULL, (double)g.requests);
    metric(region, now, "gateway.refused", NULL, (double)g.refused);
    metric(region, now, "gateway.connections", NULL, g.connections);
    metric(region, now, "asynchronous.pending", NULL, (double)async_pending(region->async));
    metric(region, now, "telemetry.dropped", NULL, (double)telemetry_dropped(region->telemetry));
    for (size_t i = 0; i < region->catalogue.count; i++) {
        const char *name = region->catalogue.functions[i].name;
        struct lambda_pool_stats s;
        lambda_pool_stats(region->pools[i], &s);
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
}
