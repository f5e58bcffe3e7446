/* bench/keys.c - how long the authorizer takes to refuse keys and tokens, in one process, classes taking turns in an order drawn anew for each
 * turn, so that whatever else the machine does meets all of them alike.
 *
 *   keys FOLDER TURNS > samples     a line for each call: class, nanoseconds
 *
 * bench/keys.py compares the classes. What is measured is the function's handler over the embedded stores, without HTTP and processes: all that
 * differs between refusals, and as little as can be of what does not. */
#include <stdio.h>
#include <stdlib.h>

#include "base/px_id.h"
#include "svc/security/authorizer.h"
#include "svc/security/key_text.h"
#include "svc/security/wiring.h"

#define POOL 1000   /* keys of a class; each is as warm as those of the others */
#define LIVING 1000 /* keys besides, of other tenants */

static const struct token_place place = {{"dev", 3}, {"local", 5}, {"token-signing-key", 17}};

enum class {
    RIGHT,
    UNKNOWN,
    UNKNOWN_TOO, /* the same again: what chance alone makes of the statistic */
    REVOKED,
    EXPIRED,
    ID_KNOWN,
    ID_UNKNOWN,
    SHORT,
    LONG,
    CLASSES
};
static const char *const names[CLASSES] = {"right",      "unknown", "unknown_too",
                                           "revoked",    "expired", "id_known",
                                           "id_unknown", "short",   "long"};

struct bench {
    struct security_stores stores;
    struct px_arena arena;
    struct px_buf body;
    struct px_str events[CLASSES][POOL];
    struct px_arena kept;
    char
        event[512]; /* which is measured: in one place, or the pools' places in memory would tell */
};

static void must(int result)
{
    char text[512];
    if (result == 0) return;
    fprintf(stderr, "keys: %s\n", px_fault_text(result, text, sizeof text));
    exit(1);
}

static void issue(struct bench *bench, const char *tenant, int64_t expires_ns,
                  char text[KEY_TEXT_LEN + 1], char id[KEY_ID_LEN + 1])
{
    const struct keys keys = security_keys(&bench->stores);
    const struct key_spec spec = {.tenant = px_str_c(tenant),
                                  .scopes = KEY_INGEST | KEY_QUERY,
                                  .label = S("bench"),
                                  .expires_ns = expires_ns};
    struct key_info info;
    px_arena_reset(&bench->arena);
    must(keys_issue(&keys, &spec, &bench->arena, text, &info));
    memcpy(id, text + 6, KEY_ID_LEN);
    id[KEY_ID_LEN] = '\0';
}

static struct px_str event_of(struct bench *bench, const char *key)
{
    struct px_str event = px_arena_printf(
        &bench->kept,
        "{\"type\":\"REQUEST\",\"methodArn\":\"arn:aws:execute-api:local:000000000000:api/shard-0/POST/v1/query\","
        "\"headers\":{\"Authorization\":\"Bearer %s\"}}",
        key);
    if (!event.ptr) must(px_arena_fault(&bench->kept));
    return event;
}

static void fill_living(struct bench *bench)
{
    char text[KEY_TEXT_LEN + 1], id[KEY_ID_LEN + 1], tenant[32];
    for (int i = 0; i < LIVING; i++) {
        (void)snprintf(tenant, sizeof tenant, "tenant-%d", i / 50);
        issue(bench, tenant, 0, text, id);
    }
}

static void put_event(struct bench *bench, enum class class, int i, const char *key)
{
    bench->events[class][i] = event_of(bench, key);
}

/* Another secret behind an id. */
static void put_mixed(struct bench *bench, enum class class, int i, const char *id)
{
    char text[KEY_TEXT_LEN + 1];
    key_text_make(text);
    memcpy(text + 6, id, KEY_ID_LEN);
    put_event(bench, class, i, text);
}

/* One key of each class. No two have a character in common but by chance: what the processor learned at the one would help with the other. */
static void fill_class(struct bench *bench, int i)
{
    const struct keys keys = security_keys(&bench->stores);
    char text[KEY_TEXT_LEN + 2], id[KEY_ID_LEN + 1], tenant[32];
    struct key_info info;
    (void)snprintf(tenant, sizeof tenant, "bench-%d", i / 50);

    issue(bench, tenant, 0, text, id);
    put_event(bench, RIGHT, i, text);
    issue(bench, tenant, 0, text, id);
    put_mixed(bench, ID_KNOWN, i, id);
    issue(bench, tenant, 0, text, id);
    px_arena_reset(&bench->arena);
    must(keys_revoke(&keys, px_str_c(tenant), px_str_c(id), &bench->arena, &info));
    put_event(bench, REVOKED, i, text);
    issue(bench, tenant, px_wall_ns(bench->stores.clock) - PX_NS_PER_S, text, id);
    put_event(bench, EXPIRED, i, text);

    key_text_make(text);
    put_event(bench, UNKNOWN, i, text);
    key_text_make(text);
    put_event(bench, UNKNOWN_TOO, i, text);
    key_text_make(text);
    put_mixed(bench, ID_UNKNOWN, i, text + 6);
    key_text_make(text);
    text[KEY_TEXT_LEN - 1] = '\0';
    put_event(bench, SHORT, i, text);
    key_text_make(text);
    memcpy(text + KEY_TEXT_LEN, "0", 2);
    put_event(bench, LONG, i, text);
}

static void fill_tenants(struct bench *bench)
{
    struct registry registry = security_registry(&bench->stores, NULL);
    for (int i = 0; i * 50 < POOL; i++) {
        char name[32];
        struct tenant tenant;
        const char *why = NULL;
        (void)snprintf(name, sizeof name, "bench-%d", i);
        const struct tenant_spec spec = {.name = px_str_c(name), .home_region = S("local")};
        px_arena_reset(&bench->arena);
        must(registry_create(&registry, &spec, &bench->arena, &tenant, &why));
    }
}

static int64_t measure(struct bench *bench, struct px_str event)
{
    struct authorizer service = {security_keys(&bench->stores),
                                 security_registry(&bench->stores, NULL), S("dev"), place};
    struct lambda_reply reply = {.body = &bench->body};
    px_arena_reset(&bench->arena);
    px_buf_clear(&bench->body);
    PX_ASSERT(event.len < sizeof bench->event);
    memcpy(bench->event, event.ptr, event.len + 1);
    const struct lambda_event call = {
        .payload = px_str(bench->event, event.len), .arena = &bench->arena, .reply = &reply};
    int64_t begin_ns = px_mono_ns(&px_clock_system);
    int r = authorizer_handle(&service, &call);
    int64_t took_ns = px_mono_ns(&px_clock_system) - begin_ns;
    if (r < 0) must(r);
    return took_ns;
}

static void shuffle(enum class order[CLASSES])
{
    for (size_t i = CLASSES - 1; i > 0; i--) {
        uint32_t drawn;
        px_random(&drawn, sizeof drawn);
        size_t at = drawn % (i + 1);
        enum class held = order[i];
        order[i] = order[at];
        order[at] = held;
    }
}

static void turns(struct bench *bench, int64_t count)
{
    enum class order[CLASSES];
    for (int i = 0; i < CLASSES; i++) order[i] = (enum class)i;
    for (int64_t turn = -POOL; turn < count; turn++) { /* the first POOL warm up */
        shuffle(order);
        for (size_t i = 0; i < CLASSES; i++) {
            struct px_str event = bench->events[order[i]][(turn + POOL) % POOL];
            int64_t took_ns = measure(bench, event);
            if (turn >= 0) printf("%s %lld\n", names[order[i]], (long long)took_ns);
        }
    }
}

int main(int argc, char **argv)
{
    static struct bench bench;
    int64_t count = 0;
    if (argc != 3 || !px_str_to_i64(px_str_c(argv[2]), &count) || count < 1) {
        fprintf(stderr, "usage: keys FOLDER TURNS\n");
        return 2;
    }
    px_arena_init(&bench.arena, (size_t)64 << 20);
    px_arena_init(&bench.kept, (size_t)64 << 20);
    px_buf_init(&bench.body, (size_t)1 << 20);
    bench.stores.clock = &px_clock_system;
    struct security_urls urls = {px_arena_printf(&bench.kept, "%s/tables.db", argv[1]),
                                 px_arena_printf(&bench.kept, "%s/secrets", argv[1])};
    must(security_stores_open(&bench.stores, &urls));
    fill_tenants(&bench);
    fill_living(&bench);
    for (int i = 0; i < POOL; i++) fill_class(&bench, i);
    turns(&bench, count);
    security_stores_close(&bench.stores);
    px_buf_deinit(&bench.body);
    px_arena_deinit(&bench.kept);
    px_arena_deinit(&bench.arena);
    return 0;
}
