/* region/copies.c - see copies.h.
 *
 * Both folders are walked in the order of keys, side by side, a page at a time. Deletions follow only a folder that is the one
 * that was copied before: <data>/copies.id and its twin beside the copies say so. A region whose folder was lost and begins
 * empty must not take its copies along. */
#include "region/copies.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/px_file.h"
#include "base/px_id.h"

#define PAGE 500
#define PAGE_BYTES_MAX (4u << 20)
#define PIECE_BYTES (8u << 20)
#define ID_BYTES 32

/* ---- one object ---- */

static int copy_bytes(const char *from, int out, bool *ret_gone)
{
    PX_AUTO(px_close) int in = open(from, O_RDONLY | O_CLOEXEC);
    *ret_gone = in < 0 && errno == ENOENT;
    if (*ret_gone) return 0;
    if (in < 0) return px_fault_errno("open %s", from);
    for (;;) {
        ssize_t n = sendfile(out, in, NULL, PIECE_BYTES);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return px_fault_errno("copy %s", from);
        if (n == 0) return 0;
    }
}

static int copy_to_temp(const char *from, const char *temp, bool *ret_gone)
{
    PX_AUTO(px_close) int out = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (out < 0) return px_fault_errno("create %s", temp);
    return copy_bytes(from, out, ret_gone);
}

/* An object that is gone meanwhile is no fault: the next comparison sees it. */
static int copy_one(struct object_store *from, struct object_store *to, struct px_str key,
                    bool replace, struct px_arena *arena, struct copies_sum *sum)
{
    struct px_str path, temp;
    bool gone = false;
    PX_TRY(object_url(from, key, arena, &path));
    PX_TRY(object_temp_path(to, arena, &temp));
    int r = copy_to_temp(path.ptr, temp.ptr, &gone);
    if (r == 0 && !gone && replace) r = object_delete(to, key);
    if (r == 0 && !gone) r = object_put_file(to, key, temp, S(""));
    if (r != 0 || gone) (void)unlink(temp.ptr);
    PX_TRY(r == OBJECT_EXISTS ? 0 : r);
    sum->copied += !gone;
    return 0;
}

/* ---- two folders side by side ---- */

struct side {
    struct object_store *store;
    struct px_arena arena;
    struct object_info *infos;
    size_t count, at;
    bool ended;
};

/* The object that the walk stands at; NULL behind the last. */
static int side_look(struct side *side, struct object_info **ret_info)
{
    char after[1025];
    struct px_str last = S("");
    if (side->at == side->count && !side->ended) {
        if (side->count > 0) {
            last = side->infos[side->count - 1].key;
            PX_ASSERT(last.len < sizeof after);
            memcpy(after, last.ptr, last.len);
            last.ptr = after;
        }
        px_arena_reset(&side->arena);
        side->at = side->count = 0;
        PX_TRY(
            object_list(side->store, S(""), last, PAGE, &side->arena, &side->infos, &side->count));
        side->ended = side->count < PAGE;
    }
    *ret_info = side->at < side->count ? &side->infos[side->at] : NULL;
    return 0;
}

/* One step of the walk. ret_more: there is another. */
static int step(struct side *from, struct side *to, bool deletes, struct copies_sum *sum,
                bool *ret_more)
{
    struct object_info *source, *copy;
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    px_arena_init(&arena, 64u << 10);
    PX_TRY(side_look(from, &source));
    PX_TRY(side_look(to, &copy));
    *ret_more = source || copy;
    int order = !source ? 1 : !copy ? -1 : px_str_cmp(source->key, copy->key);
    if (!*ret_more) return 0;
    if (order < 0) {
        from->at++;
        return copy_one(from->store, to->store, source->key, false, &arena, sum);
    }
    to->at++;
    if (order > 0) {
        if (!deletes) return 0;
        sum->deleted++;
        return object_delete(to->store, copy->key);
    }
    from->at++;
    bool same = source->bytes == copy->bytes && source->modified_ns <= copy->modified_ns;
    return same ? 0 : copy_one(from->store, to->store, source->key, true, &arena, sum);
}

int copies_make_alike(struct object_store *from, struct object_store *to, bool deletes,
                      bool (*stop)(void *ctx), void *ctx, struct copies_sum *sum)
{
    struct side source = {.store = from}, copy = {.store = to};
    bool more = true;
    int r = 0;
    px_arena_init(&source.arena, PAGE_BYTES_MAX);
    px_arena_init(&copy.arena, PAGE_BYTES_MAX);
    while (r == 0 && more && !(stop && stop(ctx))) r = step(&source, &copy, deletes, sum, &more);
    px_arena_deinit(&source.arena);
    px_arena_deinit(&copy.arena);
    return r;
}

/* ---- the thread ---- */

struct copies {
    struct copies_options options;
    const char *replica_folder; /* of the sibling */
    pthread_t thread;
    bool started;
    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t wake;
    bool stop;
    struct copies_sum sum;
    int64_t complete_ns; /* wall */
    char error[128];
};

static bool is_stopping(void *ctx)
{
    struct copies *copies = ctx;
    (void)pthread_mutex_lock(&copies->mutex);
    bool stop = copies->stop;
    (void)pthread_mutex_unlock(&copies->mutex);
    return stop;
}

/* The id in a file; made when it is absent. */
static int read_id(const char *path, const char *otherwise, char id[ID_BYTES + 1])
{
    PX_AUTO(px_buf_deinit) struct px_buf text;
    px_buf_init(&text, 4096);
    int r = px_file_read(path, &text);
    if (r == PX_FILE_ABSENT) {
        memcpy(id, otherwise, ID_BYTES + 1);
        return px_file_write_atomic(path, px_str(id, ID_BYTES), 0600);
    }
    if (r > 0 || (r == 0 && text.len != ID_BYTES)) return px_fault(PX_F_CORRUPT, "%s", path);
    PX_TRY(r);
    memcpy(id, text.ptr, ID_BYTES);
    id[ID_BYTES] = '\0';
    return 0;
}

static int may_delete(struct copies *copies, const char *target, bool *ret_may)
{
    uint8_t random[ID_BYTES / 2];
    char fresh[ID_BYTES + 1], ours[ID_BYTES + 1], theirs[ID_BYTES + 1], path[5000];
    px_random(random, sizeof random);
    px_hex(random, sizeof random, fresh);
    (void)snprintf(path, sizeof path, "%.*s/copies.id", PX_FMT(copies->options.dir->path));
    PX_TRY(read_id(path, fresh, ours));
    (void)snprintf(path, sizeof path, "%s/copies.id", target);
    PX_TRY(read_id(path, ours, theirs));
    *ret_may = strcmp(ours, theirs) == 0;
    return 0;
}

static int copy_store(struct copies *copies, const char *target, const char *store, bool deletes)
{
    PX_AUTO(object_store_close) struct object_store *from = NULL;
    PX_AUTO(object_store_close) struct object_store *to = NULL;
    char path[5000];
    size_t removed;
    struct copies_sum sum = {0};
    (void)snprintf(path, sizeof path, "%.*s/%s", PX_FMT(copies->options.dir->path), store);
    PX_TRY(object_store_open(px_str_c(path), NULL, &from));
    (void)snprintf(path, sizeof path, "%s/%s", target, store);
    PX_TRY(object_store_open(px_str_c(path), NULL, &to));
    PX_TRY(object_store_sweep(to, 60000, &removed)); /* of copies that were cut off */
    int r = copies_make_alike(from, to, deletes, is_stopping, copies, &sum);
    (void)pthread_mutex_lock(&copies->mutex);
    copies->sum.copied += sum.copied;
    copies->sum.deleted += sum.deleted;
    (void)pthread_mutex_unlock(&copies->mutex);
    return r;
}

static int copy_all(struct copies *copies)
{
    char target[4096];
    bool deletes = false;
    (void)snprintf(target, sizeof target, "%s/replicas/%.*s", copies->replica_folder,
                   PX_FMT(copies->options.dir->region_name));
    if (access(copies->replica_folder, F_OK) != 0)
        return px_fault(PX_F_UNAVAILABLE, "%s is gone", copies->replica_folder);
    PX_TRY(px_dir_make(target));
    PX_TRY(may_delete(copies, target, &deletes));
    PX_TRY(copy_store(copies, target, "segments", deletes));
    return copy_store(copies, target, "analytics", deletes);
}

static void turn(struct copies *copies)
{
    if (!replicator_reaches(copies->options.replicator, copies->options.siblings->replica)) return;
    int64_t begun_ns = px_wall_ns(copies->options.clock);
    int r = copy_all(copies);
    if (r != 0) px_log_fault(copies->options.log, r, "copies in %s", copies->replica_folder);
    (void)pthread_mutex_lock(&copies->mutex);
    if (r == 0 && !copies->stop) copies->complete_ns = begun_ns;
    (void)snprintf(copies->error, sizeof copies->error, "%s", r ? px_fault_message(r) : "");
    (void)pthread_mutex_unlock(&copies->mutex);
}

static bool pause_thread(struct copies *copies)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t ns = until.tv_nsec + copies->options.every_ms * PX_NS_PER_MS;
    until.tv_sec += ns / PX_NS_PER_S;
    until.tv_nsec = ns % PX_NS_PER_S;
    int waited = 0;
    (void)pthread_mutex_lock(&copies->mutex);
    while (!copies->stop && waited == 0)
        waited = pthread_cond_timedwait(&copies->wake, &copies->mutex, &until);
    bool goes_on = !copies->stop;
    (void)pthread_mutex_unlock(&copies->mutex);
    return goes_on;
}

static void *run(void *arg)
{
    struct copies *copies = arg;
    while (pause_thread(copies)) turn(copies);
    return NULL;
}

static const char *folder_of(const struct siblings *siblings)
{
    for (size_t i = 0; i < siblings->count; i++)
        if (strcmp(siblings->at[i].name, siblings->replica) == 0) return siblings->at[i].folder;
    PX_ASSERT(!"the replica is a sibling");
    return NULL;
}

int copies_new(const struct copies_options *options, struct copies **ret_copies)
{
    PX_AUTO(copies_free) struct copies *copies = calloc(1, sizeof *copies);
    pthread_condattr_t attributes;
    if (!copies) return px_fault(PX_F_OOM, "copies");
    copies->options = *options;
    copies->replica_folder = folder_of(options->siblings);
    (void)pthread_mutex_init(&copies->mutex, NULL);
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&copies->wake, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    if (pthread_create(&copies->thread, NULL, run, copies) != 0)
        return px_fault(PX_F_UNAVAILABLE, "a thread for copies");
    copies->started = true;
    *ret_copies = PX_TAKE(copies);
    return 0;
}

void copies_free(struct copies **copies)
{
    struct copies *c = PX_TAKE(*copies);
    if (!c) return;
    (void)pthread_mutex_lock(&c->mutex);
    c->stop = true;
    (void)pthread_cond_broadcast(&c->wake);
    (void)pthread_mutex_unlock(&c->mutex);
    if (c->started) (void)pthread_join(c->thread, NULL);
    (void)pthread_mutex_destroy(&c->mutex);
    (void)pthread_cond_destroy(&c->wake);
    free(c);
}

void copies_write_status(struct copies *copies, struct px_buf *buf)
{
    char when[40];
    (void)pthread_mutex_lock(&copies->mutex);
    px_buf_add_c(buf, "{\"region\":");
    px_buf_add_json_str(buf, px_str_c(copies->options.siblings->replica));
    px_buf_printf(buf, ",\"copied\":%llu,\"deleted\":%llu,\"complete\":",
                  (unsigned long long)copies->sum.copied, (unsigned long long)copies->sum.deleted);
    if (copies->complete_ns)
        px_buf_add_json_str(buf, px_time_format(copies->complete_ns, 3, when));
    else
        px_buf_add_c(buf, "null");
    px_buf_add_c(buf, ",\"error\":");
    px_buf_add_json_str(buf, px_str_c(copies->error));
    px_buf_add_char(buf, '}');
    (void)pthread_mutex_unlock(&copies->mutex);
}
