/* cli/progress.c - the rate is the mean since the start: it moves calmly and so does the time left. */
#include "cli/progress.h"

#include "cli/cli.h"
#include "cli/table.h"

#define BAR_COLUMNS 24

void progress_init(struct progress *progress, FILE *to, uint64_t total)
{
    *progress = (struct progress){.to = to, .total = total};
}

static void left_text(double seconds, char buf[32])
{
    if (seconds < 90)
        (void)snprintf(buf, 32, "%.0f s", seconds);
    else if (seconds < 5400)
        (void)snprintf(buf, 32, "%.0f min", seconds / 60);
    else
        (void)snprintf(buf, 32, "%.1f h", seconds / 3600);
}

size_t progress_line(const struct progress *progress, uint64_t bytes, uint64_t records,
                     double seconds, char *buf, size_t buf_bytes)
{
    char size[24], count[32], rate[32], left[32] = "?", bar[BAR_COLUMNS + 1];
    double per_second = seconds > 0 ? (double)records / seconds : 0;
    (void)cli_bytes(bytes, size);
    (void)cli_count(records, count);
    (void)cli_count((uint64_t)per_second, rate);
    int n;
    if (progress->total == 0) {
        n = snprintf(buf, buf_bytes, "%s  %s records  %s/s", size, count, rate);
    } else {
        double share = PX_MIN((double)bytes / (double)progress->total, 1.0);
        size_t filled = (size_t)(share * BAR_COLUMNS);
        for (size_t i = 0; i < BAR_COLUMNS; i++) bar[i] = i < filled ? '#' : '.';
        bar[BAR_COLUMNS] = '\0';
        if (bytes > 0) left_text(seconds / share - seconds, left);
        n = snprintf(buf, buf_bytes, "[%s] %3.0f%%  %s  %s records  %s/s  %s left", bar,
                     share * 100, size, count, rate, left);
    }
    return n < 0 ? 0 : PX_MIN((size_t)n, buf_bytes - 1);
}

void progress_show(struct progress *progress, uint64_t bytes, uint64_t records, double seconds)
{
    char line[200];
    if (!progress->to) return;
    size_t columns = table_terminal_width(progress->to);
    int room = columns > 1 ? (int)columns - 1
                           : (int)sizeof line; /* a wrapped line cannot be rewritten */
    (void)progress_line(progress, bytes, records, seconds, line, sizeof line);
    (void)fprintf(progress->to, "\r\033[K%.*s", room, line);
    (void)fflush(progress->to);
    progress->shown = true;
}

void progress_clear(struct progress *progress)
{
    if (!progress->shown) return;
    (void)fputs("\r\033[K", progress->to);
    (void)fflush(progress->to);
    progress->shown = false;
}
