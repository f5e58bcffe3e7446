/* Claims under crashes: whatever moment a process dies at, its request is stored once in the end. */
#include "harness.h"

#include "svc/quota/days.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "base/px_id.h"
#include "svc/ingest/claim.h"

/* ---- helpers ---- */

static struct px_str body_of(struct test *t, unsigned number)
{
    return px_arena_printf(&t->arena, "{\"n\":%u}\n", number);
}

/* A claim of `it` for a request that the test takes by hand, as a process that stalls would. */
struct stall {
    struct claims claims;
    struct claim_stores stores;
    struct claim claim;
};
static int stall_catalog(void *ctx, struct catalog **ret_catalog)
{
    *ret_catalog = ctx;
    return 0;
}
static struct stall stall_begin(struct test *t, struct instance *it, const struct px_clock *clock,
                                const uint8_t id[16])
{
    struct stall stall = {
        .stores = {it->hot, it->writer, it->tables, clock, stall_catalog, it->catalog}};
    struct claim_wish wish = {.tenant = S("acme"),
                              .dataset = S("events"),
                              .has_key = true,
                              .window_ns = 86400 * PX_NS_PER_S,
                              .lease_ns = 60 * PX_NS_PER_S,
                              .accepted = 1};
    memcpy(wish.request_id, id, 16);
    memcpy(wish.content, id, 16);
    claims_init(&stall.claims);
    CHECK_OK(claim_take(&stall.claims, &stall.stores, &wish, &t->arena, &stall.claim));
    return stall;
}

/* Without a key the request's id is its content's hash: what the stored frame of it says. */
static void id_of_body(struct test *t, struct px_str body, uint8_t id[16])
{
    struct test scratch = *t;
    px_arena_init(&scratch.arena, 16u << 20);
    (void)snprintf(scratch.dir, sizeof scratch.dir, "%.50s/id", t->dir);
    PX_AUTO(instance_free) struct instance it = instance_new(&scratch, &t->clock, NULL);
    CHECK_STATUS(200, send_to(&scratch, it.ingest, &(struct request){.body = body}));
    memcpy(id, stored_in(&scratch, it.hot, "events").ids[0], 16);
    px_arena_deinit(&scratch.arena);
}

static void append_frame(struct instance *it, const uint8_t id[16])
{
    struct batch *batch;
    struct px_buf buf;
    uint64_t seq;
    CHECK_OK(batch_new(NULL, &batch));
    batch_row_begin(batch);
    CHECK_OK(batch_put_time(batch, 1));
    CHECK_OK(batch_row_end(batch));
    px_buf_init(&buf, 1u << 20);
    CHECK_OK(frame_encode(batch, 1, id, &buf));
    struct px_str payload = px_buf_str(&buf);
    CHECK_OK(hot_append(it->writer, S("acme"), S("events"), &payload, 1, &seq));
    px_buf_deinit(&buf);
    batch_free(&batch);
}

/* ---- claims that stand ---- */

TEST(a_claim_of_a_living_process_is_busy_until_its_lease_ends)
{
    PX_AUTO(instance_free) struct instance it = instance_new(t, &t->clock, NULL);
    PX_AUTO(instance_free) struct instance other = instance_new(t, &t->clock, NULL);
    uint8_t id[16];
    struct px_str body = body_of(t, 1);
    id_of_body(t, body, id);
    struct stall stall = stall_begin(t, &other, &t->clock, id);
    CHECK(claim_may_append(&stall.claim, &t->clock));

    struct reply reply = send_to(t, it.ingest, &(struct request){.body = body});
    CHECK_STATUS(409, reply);
    CHECK_STR(reply.retry_after, S("1"));
    test_advance(t, 31 * PX_NS_PER_S);
    CHECK(!claim_may_append(&stall.claim, &t->clock)); /* the second half belongs to the append */
    CHECK_STATUS(409, send_to(t, it.ingest, &(struct request){.body = body}));
    test_advance(t, 30 * PX_NS_PER_S);
    reply = send_to(t, it.ingest, &(struct request){.body = body});
    CHECK_STATUS(200, reply);
    CHECK(!px_json_bool(reply.json, "duplicate", true));
    CHECK_INT(stored_in(t, it.hot, "events").frames, 1);
}

TEST(otlp_exporters_are_told_503_because_they_do_not_repeat_after_409)
{
    PX_AUTO(instance_free) struct instance it = instance_new(t, &t->clock, NULL);
    PX_AUTO(instance_free) struct instance other = instance_new(t, &t->clock, NULL);
    struct request request = {.resource = "/v1/logs", .type = "application/json"};
    request.body = S(
        "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"severityNumber\":1}]}]}]}");
    CHECK_STATUS(200, send_to(t, it.ingest, &request));
    struct table_query query = {.key = {S("idempotency"), S("acme"), {0}}, .max = 2};
    struct table_item *items;
    size_t count;
    CHECK_OK(table_query(it.tables, &query, &t->arena, &items, &count));
    CHECK_INT(count, 1);
    uint8_t id[16];
    CHECK(px_unhex(px_str_skip(items[0].sort, strlen("logs/")), id, 16));
    struct table_key key = {S("idempotency"), S("acme"), items[0].sort};
    CHECK_OK(table_delete(it.tables, &key, TABLE_ANY, 0));

    struct claims claims;
    struct claim claim;
    struct claim_stores stores = {other.hot, other.writer,  other.tables,
                                  &t->clock, stall_catalog, other.catalog};
    struct claim_wish wish = {.tenant = S("acme"),
                              .dataset = S("logs"),
                              .window_ns = 60 * PX_NS_PER_S,
                              .lease_ns = 60 * PX_NS_PER_S};
    memcpy(wish.request_id, id, 16);
    memcpy(wish.content, id, 16);
    claims_init(&claims);
    CHECK_OK(claim_take(&claims, &stores, &wish, &t->arena, &claim));
    struct reply reply = send_to(t, it.ingest, &request);
    CHECK_STATUS(503, reply);
    CHECK_STR(reply.retry_after, S("1"));
}

TEST(a_claim_whose_frame_is_hot_is_settled_as_stored)
{
    PX_AUTO(instance_free) struct instance it = instance_new(t, &t->clock, NULL);
    PX_AUTO(instance_free) struct instance other = instance_new(t, &t->clock, NULL);
    uint8_t id[16];
    struct px_str body = body_of(t, 1);
    id_of_body(t, body, id);
    (void)stall_begin(t, &other, &t->clock, id);
    append_frame(&other, id);
    for (int i = 0; i < 2; i++) { /* judged, then noted */
        struct reply reply = send_to(t, it.ingest, &(struct request){.body = body});
        CHECK_STATUS(200, reply);
        CHECK(px_json_bool(reply.json, "duplicate", false));
    }
    CHECK_INT(stored_in(t, it.hot, "events").frames, 1);
}

TEST(a_claim_whose_frame_is_sealed_is_settled_as_stored)
{
    PX_AUTO(instance_free) struct instance it = instance_new(t, &t->clock, NULL);
    PX_AUTO(instance_free) struct instance other = instance_new(t, &t->clock, NULL);
    uint8_t id[16];
    struct px_str body = body_of(t, 1);
    id_of_body(t, body, id);
    (void)stall_begin(t, &other, &t->clock, id);
    struct seal_mark mark = {.writer = hot_writer_id(other.writer), .from = 0, .to = 1};
    struct catalog_sealing sealing = {.tenant = S("acme"),
                                      .dataset = S("events"),
                                      .schema_json = S("[{\"name\":\"time\",\"type\":\"time\"}]"),
                                      .marks = &mark,
                                      .mark_count = 1};
    CHECK_OK(catalog_seal(other.catalog, &sealing));
    struct reply reply = send_to(t, it.ingest, &(struct request){.body = body});
    CHECK_STATUS(200, reply);
    CHECK(px_json_bool(reply.json, "duplicate", false));
    CHECK_INT(stored_in(t, it.hot, "events").frames, 0);
}

TEST(another_requests_frame_under_the_number_does_not_count)
{
    PX_AUTO(instance_free) struct instance it = instance_new(t, &t->clock, NULL);
    PX_AUTO(instance_free) struct instance other = instance_new(t, &t->clock, NULL);
    uint8_t id[16], foreign[16] = {1};
    struct px_str body = body_of(t, 1);
    id_of_body(t, body, id);
    (void)stall_begin(t, &other, &t->clock, id);
    append_frame(&other, foreign);
    CHECK_STATUS(409, send_to(t, it.ingest, &(struct request){.body = body}));
    test_advance(t, 61 * PX_NS_PER_S);
    CHECK_STATUS(200, send_to(t, it.ingest, &(struct request){.body = body}));
    CHECK_INT(stored_in(t, it.hot, "events").frames, 2);
}

/* ---- dying at every point ---- */

/* A clock that kills its process at the nth reading: every reading is a crash point. */
struct deadly {
    int left;
};
static int64_t deadly_ns(void *ctx)
{
    struct deadly *it = ctx;
    if (it->left-- == 0) (void)raise(SIGKILL);
    return px_wall_ns(&px_clock_system);
}

static bool child_survives(struct test *t, int readings, const struct request *request)
{
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        struct deadly deadly = {INT32_MAX};
        struct px_clock clock = {deadly_ns, deadly_ns, &deadly};
        struct instance it = instance_new(t, &clock, NULL);
        deadly.left = readings;
        struct reply reply = send_to(t, it.ingest, request);
        _exit(reply.r == 0 && reply.status == 200 ? 0 : 1);
    }
    int status;
    CHECK(waitpid(pid, &status, 0) == pid);
    CHECK(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
    return !WIFSIGNALED(status);
}

static struct test at_crash_point(struct test *t, int readings)
{
    struct test scratch = *t;
    px_arena_init(&scratch.arena, 16u << 20);
    (void)snprintf(scratch.dir, sizeof scratch.dir, "%.50s/%d", t->dir, readings);
    CHECK_OK(px_dir_make(scratch.dir));
    return scratch;
}

static void one_crash_point(struct test *t, int readings, bool *ret_survived)
{
    struct test scratch = at_crash_point(t, readings);
    const struct request request = {.key = "key", .body = S("{\"n\":1}\n")};
    *ret_survived = child_survives(&scratch, readings, &request);
    PX_AUTO(instance_free) struct instance it = instance_new(&scratch, &px_clock_system, NULL);
    /* at once: the dead process is known to be dead, nobody waits for its lease */
    CHECK_STATUS(200, send_to(&scratch, it.ingest, &request));
    struct stored stored = stored_in(&scratch, it.hot, "events");
    if (stored.frames != 1) TEST_FAIL("killed at reading %d: %zu frames", readings, stored.frames);
    px_arena_deinit(&scratch.arena);
}

TEST(a_process_killed_at_any_point_leaves_a_request_that_its_repeat_stores_once)
{
    bool survived = false;
    int readings = 0;
    for (; !survived; readings++) one_crash_point(t, readings, &survived);
    CHECK(readings > 5); /* before the claim, around the append, before the note */
}

/* What is stored was counted, by one who was killed as well; what was counted and not stored is no more than that held. On a day of
 * one record that one is stored and told again, or was lost with its process. */
static void one_crash_point_of_a_day(struct test *t, int readings, bool *ret_survived)
{
    struct test scratch = at_crash_point(t, readings);
    const struct request request = {
        .key = "key", .body = S("{\"n\":1}\n"), .quotas = "{\"records_per_day\":1}"};
    *ret_survived = child_survives(&scratch, readings, &request);
    PX_AUTO(instance_free) struct instance it = instance_new(&scratch, &px_clock_system, NULL);
    struct reply reply = send_to(&scratch, it.ingest, &request);
    struct stored stored = stored_in(&scratch, it.hot, "events");
    struct days_used used = {0};
    CHECK_OK(
        days_read(it.tables, &px_clock_system, S("records"), S("acme"), &scratch.arena, &used));
    CHECK_INT(used.count, 1);
    CHECK_STATUS(stored.frames == 1 ? 200 : 429, reply);
    CHECK(stored.frames <= 1);
    if (*ret_survived) CHECK_INT(stored.frames, 1);
    px_arena_deinit(&scratch.arena);
}

TEST(a_process_killed_at_any_point_leaves_its_day_counted_and_its_request_told)
{
    bool survived = false;
    int readings = 0;
    for (; !survived; readings++) one_crash_point_of_a_day(t, readings, &survived);
    CHECK(readings > 6);
}

/* ---- failing appends ---- */

static struct px_str noise_body(struct test *t, size_t bytes)
{
    char *raw = px_arena_alloc(&t->arena, bytes / 2), *text = px_arena_alloc(&t->arena, bytes + 32);
    px_random(raw, bytes / 2);
    size_t n = (size_t)sprintf(text, "{\"noise\":\"");
    px_hex(raw, bytes / 2, text + n);
    n += bytes / 2 * 2;
    n += (size_t)sprintf(text + n, "\"}");
    return px_str(text, n);
}

static void file_limit(rlim_t bytes)
{
    struct rlimit limit;
    CHECK_OK(getrlimit(RLIMIT_FSIZE, &limit));
    limit.rlim_cur = PX_MIN(bytes, limit.rlim_max);
    (void)signal(SIGXFSZ, SIG_IGN);
    CHECK_OK(setrlimit(RLIMIT_FSIZE, &limit));
}

TEST(after_a_failed_append_the_request_can_be_repeated_at_once)
{
    PX_AUTO(instance_free) struct instance it = instance_new(t, &t->clock, NULL);
    PX_AUTO(instance_free) struct instance other = instance_new(t, &t->clock, NULL);
    struct request request = {.key = "k", .body = noise_body(t, 1000000)};
    CHECK_STATUS(200,
                 send_to(t, it.ingest, &(struct request){.key = "first", .body = S("{\"a\":1}")}));
    file_limit(300000); /* room for the claim, none for the frame */
    struct reply reply = send_to(t, it.ingest, &request);
    file_limit(RLIM_INFINITY);
    CHECK(reply.r < 0);
    CHECK_INT(stored_in(t, it.hot, "events").frames, 1);
    CHECK_STATUS(200, send_to(t, other.ingest, &request));
    CHECK_STATUS(200,
                 send_to(t, it.ingest, &(struct request){.key = "next", .body = S("{\"a\":2}")}));
    reply = send_to(t, it.ingest, &request);
    CHECK_STATUS(200, reply);
    CHECK(px_json_bool(reply.json, "duplicate", false));
    CHECK_INT(stored_in(t, it.hot, "events").frames, 3);
}

/* Reading the clock before the append, the disk becomes full: neither the frame nor the withdrawal of
 * its claim can be written. */
struct filling {
    struct test *t;
    int left;
};
static int64_t filling_ns(void *ctx)
{
    struct filling *it = ctx;
    if (it->left > 0 && --it->left == 0) file_limit(1);
    return it->t->now_ns;
}

/* How many readings a stored request takes up to the one before its append. */
#define READINGS_MAX 12

static bool debt_is_paid_first(struct test *t, int readings)
{
    struct filling filling = {t, 0};
    struct px_clock clock = {filling_ns, filling_ns, &filling};
    PX_AUTO(instance_free) struct instance it = instance_new(t, &clock, NULL);
    struct request stuck = {.key = "stuck", .body = S("{\"s\":1}")};
    filling.left = readings;
    struct reply reply = send_to(t, it.ingest, &stuck);
    filling.left = 0;
    bool failed = reply.r < 0;
    if (failed) /* the disk is still full: no new claim is made over the number that the old one names */
        CHECK(send_to(t, it.ingest, &(struct request){.key = "early", .body = S("{\"e\":1}")}).r <
              0);
    file_limit(RLIM_INFINITY);
    CHECK_STATUS(200,
                 send_to(t, it.ingest, &(struct request){.key = "other", .body = S("{\"o\":1}")}));
    CHECK_STATUS(200, send_to(t, it.ingest, &stuck));
    CHECK_INT(stored_in(t, it.hot, "events").frames, 2);
    return failed;
}

TEST(a_number_is_not_used_again_while_a_claim_names_it)
{
    int failures = 0;
    for (int readings = 1; readings <= READINGS_MAX; readings++) {
        struct test scratch = *t;
        px_arena_init(&scratch.arena, 16u << 20);
        (void)snprintf(scratch.dir, sizeof scratch.dir, "%.50s/%d", t->dir, readings);
        CHECK_OK(px_dir_make(scratch.dir));
        failures += debt_is_paid_first(&scratch, readings);
        px_arena_deinit(&scratch.arena);
    }
    CHECK(failures >= 2);
}

/* ---- many processes ---- */

#define PROCESSES 4
#define REQUESTS 40

/* Send until it is answered with 200; the answer tells whether it was a repeat. */
static bool send_until_stored(struct test *t, struct ingest *ingest, unsigned number)
{
    char key[32];
    (void)snprintf(key, sizeof key, "key-%u", number);
    struct request request = {.key = key, .body = body_of(t, number)};
    for (int i = 0; i < 10000; i++) {
        struct reply reply = send_to(t, ingest, &request);
        if (reply.r == 0 && reply.status == 200)
            return px_json_bool(reply.json, "duplicate", false);
        if (reply.r == 0 && reply.status != 409) break;
        (void)usleep(1000);
    }
    _exit(7);
}

static int run_all_requests(struct test *t)
{
    struct instance it = instance_new(t, &px_clock_system, NULL);
    unsigned stored = 0;
    for (unsigned i = 0; i < REQUESTS; i++) stored += !send_until_stored(t, it.ingest, i);
    instance_free(&it);
    return (int)stored;
}

TEST(the_same_requests_from_several_processes_are_stored_once)
{
    pid_t pids[PROCESSES];
    int stored_by_all = 0;
    for (int i = 0; i < PROCESSES; i++) {
        pids[i] = fork();
        CHECK(pids[i] >= 0);
        if (pids[i] == 0) _exit(100 + run_all_requests(t));
    }
    for (int i = 0; i < PROCESSES; i++) {
        int status;
        CHECK(waitpid(pids[i], &status, 0) == pids[i]);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) >= 100);
        stored_by_all += WEXITSTATUS(status) - 100;
    }
    CHECK_INT(stored_by_all, REQUESTS); /* exactly one process was told that it stored it */
    PX_AUTO(instance_free) struct instance it = instance_new(t, &px_clock_system, NULL);
    CHECK_INT(stored_in(t, it.hot, "events").frames, REQUESTS);
}

/* ---- killed at random ---- */

#define KILLS 40

struct progress {
    _Atomic unsigned answered; /* requests 0 .. answered-1 were answered */
};

static void work_until_killed(struct test *t, struct progress *progress)
{
    struct instance it = instance_new(t, &px_clock_system, NULL);
    for (;;) {
        unsigned next = progress->answered;
        if (next == PX_COUNT(((struct stored *)0)->ids)) break;
        px_arena_reset(&t->arena);
        (void)send_until_stored(t, it.ingest, next);
        progress->answered = next + 1;
    }
    _exit(0);
}

TEST(nothing_is_lost_or_doubled_over_random_kills)
{
    struct progress *progress = mmap(NULL, sizeof *progress, PROT_READ | PROT_WRITE,
                                     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(progress != MAP_FAILED);
    /* on a loaded machine most are killed before they have done anything: then it takes more of them */
    for (int i = 0; i < KILLS || (progress->answered <= 5 && i < 100 * KILLS); i++) {
        pid_t pid = fork();
        CHECK(pid >= 0);
        if (pid == 0) work_until_killed(t, progress);
        (void)usleep(2000 + (unsigned)(px_random_u64() % 30000));
        CHECK_OK(kill(pid, SIGKILL));
        CHECK(waitpid(pid, NULL, 0) == pid);
    }
    PX_AUTO(instance_free) struct instance it = instance_new(t, &px_clock_system, NULL);
    unsigned answered = progress->answered;
    if (answered < PX_COUNT(((struct stored *)0)->ids))
        (void)send_until_stored(t, it.ingest, answered++);
    struct stored stored = stored_in(t, it.hot, "events");
    CHECK_INT(stored.frames, answered);
    CHECK_INT(stored.rows, answered);
    for (size_t i = 0; i < stored.frames; i++)
        for (size_t j = 0; j < i; j++) CHECK(memcmp(stored.ids[i], stored.ids[j], 16) != 0);
    CHECK(answered > 5);
    print_message("%u requests over %d kills\n", answered, KILLS);
    CHECK_OK(munmap(progress, sizeof *progress));
}

TEST_MAIN
