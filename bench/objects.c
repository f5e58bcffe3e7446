/* objects MODE URL COUNT BYTES - put or get COUNT objects of BYTES bytes, one after another, and print what it
 * took, as JSON. Modes: put, get (the object store of Prism); get-crt (every object by aws-c-s3, however
 * small it is, to see what that would cost). */
#include "base/px.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "aws/transfer.h"
#include "base/px_clock.h"
#include "store/objects.h"

static void must(int result)
{
    char text[512];
    if (result == 0) return;
    (void)fprintf(stderr, "objects: %d %s\n", result,
                  result < 0 ? px_fault_text(result, text, sizeof text) : "");
    exit(1);
}

struct bench {
    const char *mode;
    size_t count, bytes;
    struct object_store *store;
    struct px_buf buf;
    /* get-crt */
    struct cloud *cloud;
    struct cloud_client *client;
    struct cloud_transfers *transfers;
    struct px_str folder; /* "/bucket/prefix" */
};

static double cpu_s(void)
{
    struct rusage use;
    (void)getrusage(RUSAGE_SELF, &use);
    return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
           (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
}

/* ru_maxrss would include what started this program. */
static unsigned long long peak_kib(void)
{
    char line[256];
    unsigned long long kib = 0;
    FILE *status = fopen("/proc/self/status", "re");
    while (status && fgets(line, sizeof line, status))
        if (strncmp(line, "VmHWM:", 6) == 0) kib = strtoull(line + 6, NULL, 10);
    if (status) (void)fclose(status);
    return kib;
}

static void get_crt(struct bench *bench, const char *key)
{
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    px_arena_init(&arena, 1u << 20);
    struct cloud_transfer transfer = {
        .path = px_arena_printf(&arena, "%.*s/%s", PX_FMT(bench->folder), key)};
    struct cloud_response response;
    must(cloud_transfer_get(bench->transfers, &transfer, bench->bytes, S(""), &bench->buf, &arena,
                            &response));
}

static void one(struct bench *bench, size_t i)
{
    char key[64];
    (void)snprintf(key, sizeof key, "%zu/%08zu", bench->bytes, i);
    if (strcmp(bench->mode, "put") == 0) {
        must(object_put(bench->store, px_str_c(key), px_buf_str(&bench->buf)));
        return;
    }
    px_buf_clear(&bench->buf);
    if (strcmp(bench->mode, "get") == 0)
        must(object_get(bench->store, px_str_c(key), &bench->buf));
    else
        get_crt(bench, key);
    if (bench->buf.len != bench->bytes) must(PX_F_CORRUPT);
}

static void open_crt(struct bench *bench, struct px_str url)
{
    struct cloud_client_options options = {.service = S("s3")};
    must(cloud_open(NULL, &bench->cloud));
    must(cloud_client_new(bench->cloud, &options, &bench->client));
    struct cloud_transfers_options transfers = {.url = cloud_client_url(bench->client)};
    must(cloud_transfers_new(bench->cloud, &transfers, &bench->transfers));
    bench->folder = px_str_skip(url, 4); /* "s3:/" */
}

int main(int argc, char **argv)
{
    uint64_t count = 0, bytes = 0;
    if (argc != 5 || !px_str_to_u64(px_str_c(argv[3]), &count) ||
        !px_str_to_u64(px_str_c(argv[4]), &bytes)) {
        (void)fputs("objects put|get|get-crt URL COUNT BYTES\n", stderr);
        return 2;
    }
    struct bench bench = {.mode = argv[1], .count = (size_t)count, .bytes = (size_t)bytes};
    must(object_store_open(px_str_c(argv[2]), NULL, &bench.store));
    if (strcmp(bench.mode, "get-crt") == 0) open_crt(&bench, px_str_c(argv[2]));
    px_buf_init(&bench.buf, bytes);
    if (bytes > 0) memset(px_buf_reserve(&bench.buf, bytes), 'x', bytes);
    bench.buf.len = bytes;
    one(&bench, 0); /* connections and credentials */
    double cpu = cpu_s();
    int64_t begin_ns = px_mono_ns(&px_clock_system);
    for (size_t i = 0; i < count; i++) one(&bench, i);
    double wall = (double)(px_mono_ns(&px_clock_system) - begin_ns) / 1e9;
    cpu = cpu_s() - cpu;
    (void)printf("{\"wall_s\":%.4f,\"cpu_s\":%.4f,\"peak_kib\":%llu}\n", wall, cpu, peak_kib());
    cloud_transfers_free(&bench.transfers);
    cloud_client_free(&bench.client);
    cloud_close(&bench.cloud);
    object_store_close(&bench.store);
    px_buf_deinit(&bench.buf);
    return 0;
}
