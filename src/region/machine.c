/* region/machine.c - see machine.h. Sources: proc(5) meminfo; Linux kernel documentation, control groups
 * v2, memory.max, and v1, memory.limit_in_bytes. */
#include "region/machine.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/px_file.h"

#define SHARE_PERCENT 75

/* A small file of the kernel's as text; empty when there is none. */
static void read_text(const char *path, char *text, size_t room)
{
    FILE *file = fopen(path, "re");
    size_t n = file ? fread(text, 1, room - 1, file) : 0;
    text[n] = '\0';
    if (file) (void)fclose(file);
}

static int total_bytes(uint64_t *ret_bytes)
{
    char text[512];
    uint64_t kb = 0;
    read_text("/proc/meminfo", text, sizeof text);
    struct px_str rest = px_str_c(text), line, unit = S("kB");
    (void)px_str_cut(&rest, '\n', &line); /* "MemTotal:       24600000 kB", the first one */
    bool found = px_str_starts(line, S("MemTotal:")) && px_str_ends(line, unit);
    if (found) line = px_str_trim(px_str(line.ptr + 9, line.len - 9 - unit.len));
    if (!found || !px_str_to_u64(line, &kb) || kb == 0)
        return px_fault(PX_F_IO, "/proc/meminfo does not say how much memory there is");
    *ret_bytes = kb << 10;
    return 0;
}

/* "max", nothing, and numbers beyond the machine's memory are no limit. */
static uint64_t lowered_by(uint64_t bytes, const char *path)
{
    char text[64];
    uint64_t limit = 0;
    read_text(path, text, sizeof text);
    if (!px_str_to_u64(px_str_trim(px_str_c(text)), &limit) || limit == 0) return bytes;
    return PX_MIN(bytes, limit);
}

/* In a container the files of its own group stand at the root of what it sees. On a machine of its own,
 * a unit of systemd for instance, they stand where /proc/self/cgroup says. */
static uint64_t lowered_by_groups(uint64_t bytes)
{
    char text[512], path[600], group[400];
    bytes = lowered_by(bytes, "/sys/fs/cgroup/memory.max");
    bytes = lowered_by(bytes, "/sys/fs/cgroup/memory/memory.limit_in_bytes");
    read_text("/proc/self/cgroup", text, sizeof text);
    if (sscanf(text, "0::%399s", group) != 1) return bytes;
    (void)snprintf(path, sizeof path, "/sys/fs/cgroup%s/memory.max", group);
    return lowered_by(bytes, path);
}

int machine_memory_mb(uint64_t *ret_mb)
{
    const char *given = getenv("PRISM_REGION_MEMORY_MB");
    uint64_t bytes = 0, mb = 0;
    if (given && given[0]) {
        if (!px_str_to_u64(px_str_c(given), &mb) || mb == 0 || mb > UINT64_C(1) << 40)
            return px_fault(PX_F_CONFIG, "PRISM_REGION_MEMORY_MB is megabytes, not '%s'", given);
        *ret_mb = mb;
        return 0;
    }
    PX_TRY(total_bytes(&bytes));
    *ret_mb = lowered_by_groups(bytes) >> 20;
    return 0;
}

void machine_fit(struct function_catalogue *catalogue, uint64_t memory_mb)
{
    for (size_t i = 0; i < catalogue->count; i++) {
        struct function_spec *spec = &catalogue->functions[i];
        uint64_t fit = memory_mb * SHARE_PERCENT / 100 / spec->memory_mb;
        fit = PX_MAX(fit, UINT64_C(1));
        spec->concurrency_wanted = spec->concurrency_max;
        spec->concurrency_max = (uint32_t)PX_MIN(fit, (uint64_t)spec->concurrency_max);
        spec->concurrency_min = PX_MIN(spec->concurrency_min, spec->concurrency_max);
    }
}
