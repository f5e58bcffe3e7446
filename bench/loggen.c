/* bench/loggen.c - realistic NDJSON of any size: real log lines, tiled, with rising timestamps and a few
 * typed fields. The same arguments give the same bytes.
 *
 *   loggen --records 1000000 [--start RFC3339] [--step-us 1000] [--seed 1] LOGFILE... > out.ndjson
 *
 * 1,000,000 records are about 330 MB. */
#include <argp.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/px_arena.h"
#include "base/px_buf.h"
#include "base/px_clock.h"
#include "base/px_file.h"

struct arguments {
    uint64_t records, seed;
    int64_t start_ns, step_us;
    char **files;
    int file_count;
};
struct line {
    struct px_str text; /* a JSON string with its quotes */
    struct px_str service;
};

static const struct argp_option options[] = {
    {"records", 'n', "N", 0, "How many records (default 1000000)", 0},
    {"start", 's', "TIME", 0, "Time of the first, RFC 3339 (default 2026-11-01T00:00:00Z)", 0},
    {"step-us", 'u', "US", 0, "Microseconds between records (default 1000)", 0},
    {"seed", 'r', "N", 0, "Seed of the typed fields (default 1)", 0},
    {0},
};

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct arguments *a = state->input;
    int64_t n = 0;
    if (key == 's') {
        if (!px_time_parse(px_str_c(text), &a->start_ns))
            argp_error(state, "--start: '%s' is no RFC 3339 time", text);
        return 0;
    }
    if (key == ARGP_KEY_ARGS) {
        a->files = state->argv + state->next;
        a->file_count = state->argc - state->next;
        return 0;
    }
    if (key == ARGP_KEY_NO_ARGS) argp_error(state, "name at least one log file");
    if (key != 'n' && key != 'u' && key != 'r') return ARGP_ERR_UNKNOWN;
    if (!px_str_to_i64(px_str_c(text), &n) || n < 1)
        argp_error(state, "'%s' is no positive number", text);
    if (key == 'n')
        a->records = (uint64_t)n;
    else if (key == 'u')
        a->step_us = n;
    else
        a->seed = (uint64_t)n;
    return 0;
}

/* SplitMix64 (Steele, Lea, Flood 2014): any seed will do, and it is the same everywhere. */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* "/x/HDFS.log" -> hdfs */
static struct px_str service_of(const char *path, struct px_arena *arena)
{
    const char *base = strrchr(path, '/');
    struct px_str rest = px_str_c(base ? base + 1 : path), stem;
    (void)px_str_cut(&rest, '.', &stem);
    char *name = px_arena_cstr(arena, stem);
    for (char *c = name; c && *c; c++) *c = (char)(*c >= 'A' && *c <= 'Z' ? *c + 32 : *c);
    return px_str_c(name);
}

static int load_file(const char *path, struct px_arena *arena, struct line **lines, size_t *count)
{
    struct px_buf text, json;
    px_buf_init(&text, 1 << 30);
    px_buf_init(&json, 1 << 20);
    int r = px_file_read(path, &text);
    if (r != 0) {
        fprintf(stderr, "loggen: cannot read %s\n", path);
        return -1;
    }
    struct px_str rest = px_buf_str(&text), line, service = service_of(path, arena);
    while (rest.len) {
        (void)px_str_cut(&rest, '\n', &line);
        line = px_str_trim(line);
        if (line.len == 0) continue;
        px_buf_clear(&json);
        px_buf_add_json_str(&json, line);
        struct line *grown = realloc(*lines, (*count + 1) * sizeof(**lines));
        if (!grown) return -1;
        *lines = grown;
        (*lines)[(*count)++] = (struct line){px_arena_dup(arena, px_buf_str(&json)), service};
    }
    px_buf_deinit(&text);
    px_buf_deinit(&json);
    return 0;
}

static void write_record(const struct arguments *a, const struct line *lines, size_t count,
                         uint64_t index, uint64_t *random)
{
    static const char *const severities[] = {"INFO", "INFO",  "INFO", "INFO",
                                             "INFO", "DEBUG", "WARN", "ERROR"};
    static const int statuses[] = {200, 200, 200, 200, 200, 201, 204, 301, 400, 404, 500, 503};
    char when[40];
    uint64_t r = next_random(random), trace_hi = next_random(random),
             trace_lo = next_random(random);
    const struct line *line = &lines[index % count];
    struct px_str time = px_time_format(a->start_ns + (int64_t)index * a->step_us * PX_NS_PER_US, 6,
                                        when);
    printf(
        "{\"time\":\"%.*s\",\"service\":\"%.*s\",\"host\":\"node-%02u\",\"severity\":\"%s\","
        "\"status\":%d,\"latency_ms\":%u.%03u,\"trace_id\":\"%016llx%016llx\",\"message\":%.*s}\n",
        PX_FMT(time), PX_FMT(line->service), (unsigned)(r % 64), severities[(r >> 8) % 8],
        statuses[(r >> 16) % 12], (unsigned)((r >> 24) % 500), (unsigned)((r >> 40) % 1000),
        (unsigned long long)trace_hi, (unsigned long long)trace_lo, PX_FMT(line->text));
}

int main(int argc, char **argv)
{
    static const struct argp argp = {
        options, parse, "LOGFILE...", "Tile real log lines into NDJSON records.", NULL, NULL, NULL};
    struct arguments a = {.records = 1000000, .seed = 1, .step_us = 1000};
    (void)!px_time_parse(S("2026-11-01T00:00:00Z"), &a.start_ns);
    argp_parse(&argp, argc, argv, 0, NULL, &a);

    struct px_arena arena;
    struct line *lines = NULL;
    size_t count = 0;
    px_arena_init(&arena, 1 << 30);
    for (int i = 0; i < a.file_count; i++)
        if (load_file(a.files[i], &arena, &lines, &count) != 0) return 1;
    if (count == 0) {
        fprintf(stderr, "loggen: the files hold no lines\n");
        return 1;
    }
    static char output[1 << 20];
    setvbuf(stdout, output, _IOFBF, sizeof(output));
    uint64_t random = a.seed;
    for (uint64_t i = 0; i < a.records; i++) write_record(&a, lines, count, i, &random);
    return fflush(stdout) == 0 ? 0 : 1;
}
