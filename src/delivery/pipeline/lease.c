/* delivery/pipeline/lease.c - see lease.h. */
#include "delivery/pipeline/lease.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/px_file.h"
#include "delivery/pipeline/journal.h"

#define LOOK_NS_MAX PX_NS_PER_S /* how often somebody else's entries are looked for */
#define BEAT_BYTES_MAX 8192

static struct px_str key_of(uint32_t run, uint32_t fence, char buf[64])
{
    int n = snprintf(buf, 64, "runs/%06u/lease-%05u", run, fence);
    return px_str(buf, (size_t)n);
}

/* ---- the holder ---- */

static int beat(struct lease *lease, int64_t number)
{
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    char key[64], at[32], text[LEASE_TEXT_BYTES];
    int64_t now_ns = px_mono_ns(lease->clock);
    pthread_mutex_lock(&lease->mutex);
    memcpy(text, lease->text, sizeof text);
    lease->said = false;
    pthread_mutex_unlock(&lease->mutex);
    px_buf_init(&buf, BEAT_BYTES_MAX);
    (void)px_time_format(px_wall_ns(lease->clock), 3, at);
    px_buf_printf(&buf, "{\"fence\":%u,\"beat\":%lld,\"at\":\"%s\"", lease->fence,
                  (long long)number, at);
    if (text[0]) px_buf_printf(&buf, ",\"progress\":%s", text);
    px_buf_add_c(&buf, "}\n");
    PX_TRY(px_buf_fault(&buf));
    PX_TRY(object_put(lease->store, key_of(lease->run, lease->fence, key), px_buf_str(&buf)));
    atomic_store(&lease->beat_ns, now_ns);
    return 0;
}

static void look_for_news(struct lease *lease)
{
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    struct object_info info;
    char key[64];
    px_arena_init(&arena, 1u << 16);
    struct px_str next = journal_key(lease->run, atomic_load(&lease->seq) + 1, key);
    if (object_head(lease->store, next, &arena, &info) == 0) atomic_store(&lease->news, true);
}

/* Until it is time, or something was said, or the end; false: the end. */
static bool wait_a_while(struct lease *lease, int64_t ns)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t at = (int64_t)until.tv_sec * PX_NS_PER_S + until.tv_nsec + ns;
    until = (struct timespec){at / PX_NS_PER_S, at % PX_NS_PER_S};
    pthread_mutex_lock(&lease->mutex);
    while (!lease->stop && pthread_cond_timedwait(&lease->wake, &lease->mutex, &until) != ETIMEDOUT)
        continue;
    bool on = !lease->stop;
    pthread_mutex_unlock(&lease->mutex);
    return on;
}

static bool has_said(struct lease *lease)
{
    pthread_mutex_lock(&lease->mutex);
    bool said = lease->said;
    pthread_mutex_unlock(&lease->mutex);
    return said;
}

static void *keep_alive(void *arg)
{
    struct lease *lease = arg;
    int64_t number = 1, every_ns = lease->lease_ns / 3, look_ns = PX_MIN(every_ns, LOOK_NS_MAX);
    while (wait_a_while(lease, look_ns)) {
        int64_t since_ns = px_mono_ns(lease->clock) - atomic_load(&lease->beat_ns);
        if ((since_ns >= every_ns || has_said(lease)) && beat(lease, number) == 0) number++;
        look_for_news(lease);
    }
    return NULL;
}

bool lease_is_lost(struct lease *lease)
{
    if (px_mono_ns(lease->clock) - atomic_load(&lease->beat_ns) > lease->lease_ns)
        atomic_store(&lease->lost, true);
    return atomic_load(&lease->lost);
}

int lease_start(struct lease *lease)
{
    pthread_condattr_t attr;
    lease->stop = lease->said = false;
    lease->text[0] = '\0';
    atomic_store(&lease->news, false);
    atomic_store(&lease->lost, false);
    (void)pthread_mutex_init(&lease->mutex, NULL);
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&lease->wake, &attr);
    (void)pthread_condattr_destroy(&attr);
    PX_TRY(beat(lease, 0));
    if (pthread_create(&lease->thread, NULL, keep_alive, lease) != 0)
        return px_fault(PX_F_LIMIT, "no thread for the lease");
    lease->started = true;
    return 0;
}

void lease_say(struct lease *lease, struct px_str json)
{
    if (!lease->started || json.len >= LEASE_TEXT_BYTES) return;
    pthread_mutex_lock(&lease->mutex);
    bool same = strlen(lease->text) == json.len && memcmp(lease->text, json.ptr, json.len) == 0;
    memcpy(lease->text, json.ptr, json.len);
    lease->text[json.len] = '\0';
    lease->said |= !same;
    pthread_mutex_unlock(&lease->mutex);
}

void lease_stop(struct lease *lease)
{
    if (!lease->started) return;
    pthread_mutex_lock(&lease->mutex);
    lease->stop = true;
    pthread_cond_broadcast(&lease->wake);
    pthread_mutex_unlock(&lease->mutex);
    (void)pthread_join(lease->thread, NULL);
    (void)pthread_cond_destroy(&lease->wake);
    (void)pthread_mutex_destroy(&lease->mutex);
    lease->started = false;
}

/* ---- others ---- */

int lease_look(struct object_store *store, uint32_t run, uint32_t fence, struct px_arena *arena,
               struct lease_seen *ret_seen)
{
    PX_AUTO(px_buf_deinit) struct px_buf buf, progress;
    struct object_info info;
    yyjson_val *root = NULL;
    char key[64];
    px_buf_init(&buf, BEAT_BYTES_MAX);
    px_buf_init(&progress, BEAT_BYTES_MAX);
    int r = object_head(store, key_of(run, fence, key), arena, &info);
    if (r == 0) r = object_get(store, px_str_c(key), &buf);
    if (r == OBJECT_ABSENT) return r;
    if (r == OBJECT_TOO_LARGE) return px_fault(PX_F_CORRUPT, "%s is too large", key);
    PX_TRY(r);
    r = px_json_parse(px_buf_str(&buf), arena, &root, NULL);
    if (r == PX_JSON_INVALID) return px_fault(PX_F_CORRUPT, "%s is no JSON", key);
    PX_TRY(r);
    yyjson_val *said = px_json_obj(root, "progress");
    if (said) px_buf_add_json(&progress, said);
    PX_TRY(px_buf_fault(&progress));
    struct px_str copy = px_arena_dup(arena, px_buf_str(&progress));
    if (!copy.ptr) return px_arena_fault(arena);
    *ret_seen = (struct lease_seen){info.modified_ns, px_json_i64(root, "beat", 0), copy};
    return 0;
}

/* ---- processes of this machine ---- */

/* When a process began, in ticks since the machine did: with its number it is known for sure. 0: there is none. proc(5), field 22
 * of stat; the name in parentheses may hold anything. */
static int64_t process_started(int64_t pid)
{
    char path[64], text[1024];
    (void)snprintf(path, sizeof path, "/proc/%lld/stat", (long long)pid);
    FILE *file = fopen(path, "re");
    if (!file) return 0;
    size_t n = fread(text, 1, sizeof text - 1, file);
    (void)fclose(file);
    text[n] = '\0';
    const char *at = strrchr(text, ')');
    if (at && (at[2] == 'Z' || at[2] == 'X')) return 0; /* dead, not yet waited for */
    for (int field = 2; at && field < 22; field++) at = strchr(at + 1, ' ');
    return at ? strtoll(at, NULL, 10) : 0;
}

void lease_self(struct lease_self *ret_self)
{
    PX_AUTO(px_buf_deinit) struct px_buf boot;
    *ret_self = (struct lease_self){.pid = getpid()};
    px_buf_init(&boot, sizeof ret_self->boot - 1);
    if (gethostname(ret_self->host, sizeof ret_self->host - 1) != 0) ret_self->host[0] = '\0';
    if (px_file_read("/proc/sys/kernel/random/boot_id", &boot) == 0) {
        struct px_str id = px_str_trim(px_buf_str(&boot));
        memcpy(ret_self->boot, id.ptr, id.len);
    }
    ret_self->started = process_started(ret_self->pid);
}

bool lease_holder_is_dead(const struct state_holder *holder)
{
    struct lease_self self;
    lease_self(&self);
    bool here = self.boot[0] && px_str_eq(holder->boot, px_str_c(self.boot)) &&
                px_str_eq(holder->host,
                          px_str_c(self.host)); /* a container has a name of its own */
    return here && process_started(holder->pid) != holder->started;
}
