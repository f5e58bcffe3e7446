/* svc/query/cost.c - see cost.h. DuckDB's own TOTAL_BYTES_READ counts only footers (1.5.5: what its
 * prefetching readers read is missing), so the kernel is asked: rchar of /proc/self/io. */
#include "svc/query/cost.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

static uint64_t bytes_read_now(void)
{
    char text[512];
    PX_AUTO(px_close) int fd = open("/proc/self/io", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    ssize_t n = read(fd, text, sizeof(text) - 1);
    if (n <= 0) return 0;
    text[n] = '\0';
    const char *rchar = strstr(text, "rchar:");
    return rchar ? strtoull(rchar + 6, NULL, 10) : 0;
}

static double ms_of(struct timeval time)
{
    return (double)time.tv_sec * 1e3 + (double)time.tv_usec / 1e3;
}

static double cpu_ms_now(void)
{
    struct rusage usage = {0};
    (void)getrusage(RUSAGE_SELF, &usage);
    return ms_of(usage.ru_utime) + ms_of(usage.ru_stime);
}

void cost_mark_set(struct cost_mark *mark, const struct px_clock *clock)
{
    *mark = (struct cost_mark){px_mono_ns(clock), cpu_ms_now(), bytes_read_now()};
}

void cost_since(const struct cost_mark *mark, const struct px_clock *clock, struct query_cost *cost)
{
    cost->wall_ms = (double)(px_mono_ns(clock) - mark->mono_ns) / (double)PX_NS_PER_MS;
    cost->cpu_ms = cpu_ms_now() - mark->cpu_ms;
    uint64_t now = bytes_read_now();
    if (now > mark->bytes_read) cost->bytes_scanned += now - mark->bytes_read;
}

void cost_add_json(struct px_buf *buf, const struct query_cost *cost)
{
    px_buf_printf(buf,
                  "{\"bytes_scanned\":%llu,\"files_read\":%llu,\"files_pruned\":%llu,\"rows\":%llu,"
                  "\"cpu_ms\":%.1f,\"wall_ms\":%.1f}",
                  (unsigned long long)cost->bytes_scanned, (unsigned long long)cost->files_read,
                  (unsigned long long)cost->files_pruned, (unsigned long long)cost->rows,
                  cost->cpu_ms, cost->wall_ms);
}

void cost_add_header(struct px_buf *buf, const struct query_cost *cost)
{
    px_buf_printf(buf,
                  "bytes_scanned=%llu, files_read=%llu, files_pruned=%llu, rows=%llu, cpu_ms=%.1f, "
                  "wall_ms=%.1f",
                  (unsigned long long)cost->bytes_scanned, (unsigned long long)cost->files_read,
                  (unsigned long long)cost->files_pruned, (unsigned long long)cost->rows,
                  cost->cpu_ms, cost->wall_ms);
}
