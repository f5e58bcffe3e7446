/* tools/settingsbake.c - the settings of environment `local`, while building (config/local.h).
 *
 *   settingsbake PLATFORM OUT.json */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/px_file.h"
#include "config/local.h"

#define ARENA_BYTES_MAX ((size_t)64 << 20)

static int failed(const char *what)
{
    fprintf(stderr, "settingsbake: %s\n", what);
    return 1;
}

static int fault(int r)
{
    char text[512];
    return failed(px_fault_text(r, text, sizeof text));
}

/* As compilers say it, so that whoever reads a build's output knows the line. */
static int refused(const struct config_report *report)
{
    for (size_t i = 0; i < report->count; i++) {
        const struct config_fault *fault = &report->faults[i];
        fprintf(stderr, "%.*s:%u:%u: %.*s: %.*s\n", PX_FMT(fault->place.file), fault->place.line,
                fault->place.column, PX_FMT(fault->key), PX_FMT(fault->message));
    }
    return failed("environment local has faults; see prism config check local");
}

static int bake(const char *platform, const char *out, struct px_arena *arena)
{
    struct config_report report = {.arena = arena};
    const struct config_local of = {.platform_dir = platform,
                                    .environment = S("local"),
                                    .region = S("local"),
                                    .report = &report};
    yyjson_val *functions = NULL;
    struct px_str keep;
    int r = config_local_settings(&of, arena, &functions, &keep);
    if (r == CONFIG_LOCAL_REFUSED) return refused(&report);
    if (r > 0) return failed("there is no environment local");
    if (r == 0) r = px_file_write_atomic(out, keep, 0644);
    return r == 0 ? 0 : fault(r);
}

int main(int argc, char **argv)
{
    char real[PATH_MAX];
    PX_AUTO(px_arena_deinit) struct px_arena arena = {0};
    if (argc != 3) return failed("PLATFORM OUT.json");
    px_arena_init(&arena, ARENA_BYTES_MAX);
    if (!realpath(argv[1], real)) return failed(argv[1]);
    return bake(real, argv[2], &arena);
}
