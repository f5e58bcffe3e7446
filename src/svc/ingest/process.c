/* svc/ingest/process.c - "<boot id>/<pid namespace>/<pid>/<start time>", from /proc (proc(5)). */
#include "svc/ingest/process.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static struct px_str read_small(const char *path, char *buf, size_t buf_bytes)
{
    PX_AUTO(px_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, buf, buf_bytes);
    return px_str(buf, n > 0 ? (size_t)n : 0);
}

/* Field 3 (state) and field 22 (start time in ticks since boot) of /proc/<pid>/stat. The name in field 2
 * may hold anything, so fields are counted from behind its last parenthesis. False: no such process. */
static bool read_stat(long pid, char *ret_state, struct px_str *ret_start, char *buf,
                      size_t buf_bytes)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    struct px_str text = read_small(path, buf, buf_bytes);
    const char *name_end = text.len ? memrchr(text.ptr, ')', text.len) : NULL;
    if (!name_end) return false;
    struct px_str rest = px_str_skip(text, (size_t)(name_end - text.ptr) + 2), field = {0};
    for (int number = 3; number <= 22; number++) {
        bool more = px_str_cut(&rest, ' ', &field);
        if (number == 3 && field.len == 1) *ret_state = field.ptr[0];
        if (!more) return false;
    }
    *ret_start = field;
    return true;
}

/* "<boot id>/<pid namespace>/" */
static bool machine_name(char *name, size_t room)
{
    char boot[64];
    struct px_str boot_id = px_str_trim(
        read_small("/proc/sys/kernel/random/boot_id", boot, sizeof boot));
    struct stat ns;
    if (boot_id.len != 36 || stat("/proc/self/ns/pid", &ns) != 0) return false;
    (void)snprintf(name, room, "%.*s/%llu/", PX_FMT(boot_id), (unsigned long long)ns.st_ino);
    return true;
}

void process_name(char name[PROCESS_NAME_BYTES])
{
    char machine[64], buf[1024], state;
    struct px_str start;
    long pid = (long)getpid();
    name[0] = '\0';
    if (machine_name(machine, sizeof machine) && read_stat(pid, &state, &start, buf, sizeof buf))
        (void)snprintf(name, PROCESS_NAME_BYTES, "%s%ld/%.*s", machine, pid, PX_FMT(start));
}

bool process_is_gone(struct px_str name)
{
    char machine[64], buf[1024], state = '?';
    if (!machine_name(machine, sizeof machine)) return false;
    struct px_str here = px_str_c(machine);
    if (!px_str_starts(name, here)) return false; /* elsewhere, or before a reboot: nobody knows */

    struct px_str start_then = px_str_skip(name, here.len), pid_text, start_now;
    int64_t pid;
    if (!px_str_cut(&start_then, '/', &pid_text) || !px_str_to_i64(pid_text, &pid)) return false;
    if (access("/proc/self/stat", R_OK) != 0) return false; /* /proc hides things */
    if (!read_stat((long)pid, &state, &start_now, buf, sizeof buf)) return true;
    return !px_str_eq(start_now, start_then) || state == 'Z' || state == 'X';
}
