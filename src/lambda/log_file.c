/* lambda/log_file.c - see the header. */
#include "lambda/log_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

int log_file_open(struct log_file *log, const char *path, uint64_t bytes_max)
{
    *log = (struct log_file){.path = path, .fd = -1, .bytes_max = bytes_max};
    if (!path) return 0;
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0) return px_fault_errno("open %s", path);
    struct stat what;
    if (fstat(fd, &what) != 0) {
        int fault = px_fault_errno("look at %s", path);
        px_close(&fd);
        return fault;
    }
    log->fd = fd;
    log->bytes = (uint64_t)what.st_size;
    return 0;
}

static void rotate(struct log_file *log)
{
    char old[4096];
    struct log_file fresh;
    int n = snprintf(old, sizeof old, "%s.1", log->path);
    if (n < 0 || (size_t)n >= sizeof old || rename(log->path, old) != 0) return;
    if (log_file_open(&fresh, log->path, log->bytes_max) != 0)
        return; /* the old one takes the rest */
    fresh.dropped_bytes = log->dropped_bytes;
    px_close(&log->fd);
    *log = fresh;
}

void log_file_append(struct log_file *log, struct px_str lines)
{
    if (log->fd < 0 || lines.len == 0) return;
    if (log->bytes > 0 && log->bytes + lines.len > log->bytes_max) rotate(log);
    ssize_t n = write(log->fd, lines.ptr, lines.len);
    size_t written = n > 0 ? (size_t)n : 0;
    log->bytes += written;
    log->dropped_bytes += lines.len - written;
}

void log_file_close(struct log_file *log) { px_close(&log->fd); }
