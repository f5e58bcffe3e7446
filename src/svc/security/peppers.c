/* svc/security/peppers.c - see peppers.h. */
#include "svc/security/peppers.h"

#include <openssl/sha.h>

#include "base/px_id.h"
#include "base/px_json.h"

#define ARENA_BYTES_MAX ((size_t)1 << 20)
#define PAGE_ITEMS 500
#define PAGE_BYTES_MAX ((size_t)64 << 20)
#define PEPPER_BYTES 32

static void id_set(struct pepper *pepper)
{
    static const char what[] = "prism pepper id";
    uint8_t digest[SHA256_DIGEST_LENGTH];
    SHA256_CTX sha;
    SHA256_Init(&sha);
    SHA256_Update(&sha, what, sizeof what);
    SHA256_Update(&sha, pepper->value.ptr, pepper->value.len);
    SHA256_Final(digest, &sha);
    px_hex(digest, PEPPER_ID_LEN / 2, pepper->id);
}

static bool read_list(yyjson_val *root, struct peppers *peppers)
{
    size_t i, n;
    yyjson_val *item;
    px_json_arr_foreach(px_json_arr(root, "peppers"), i, n, item)
    {
        if (peppers->count == PEPPERS_MAX) return false;
        struct pepper *pepper = &peppers->list[peppers->count++];
        pepper->value = px_json_str(item, "value");
        if (pepper->value.len == 0 || !px_time_parse(px_json_str(item, "since"), &pepper->since_ns))
            return false;
        id_set(pepper);
    }
    return peppers->count > 0;
}

static int parse(struct px_str value, struct peppers *peppers)
{
    yyjson_val *root = NULL;
    if (!px_str_starts(value, S("{"))) {
        struct px_str copy = px_arena_dup(&peppers->arena, value);
        if (!copy.ptr) return px_arena_fault(&peppers->arena);
        peppers->list[0] = (struct pepper){.value = copy};
        peppers->count = 1;
        id_set(&peppers->list[0]);
        return 0;
    }
    int r = px_json_parse(value, &peppers->arena, &root, NULL);
    if (r < 0) PX_TRY(r);
    if (r > 0 || !read_list(root, peppers))
        return px_fault(PX_F_CORRUPT, "the secret of peppers is not whole");
    return 0;
}

int peppers_parse(struct px_str value, struct peppers *ret_peppers)
{
    *ret_peppers = (struct peppers){0};
    px_arena_init(&ret_peppers->arena, ARENA_BYTES_MAX);
    int r = parse(value, ret_peppers);
    if (r != 0) peppers_deinit(ret_peppers);
    PX_TRY(r);
    return 0;
}

void peppers_deinit(struct peppers *peppers)
{
    px_arena_deinit_wiped(&peppers->arena);
    peppers->count = 0;
}

int peppers_load(struct secret_store *secrets, enum secret_version version,
                 struct peppers *ret_peppers)
{
    PX_AUTO(px_arena_deinit_wiped) struct px_arena scratch;
    px_arena_init(&scratch, ARENA_BYTES_MAX);
    struct px_str value;
    int r = secret_get(secrets, PEPPER_SECRET, version, &scratch, &value);
    if (r == SECRET_ABSENT) return r;
    PX_TRY(r);
    PX_TRY(peppers_parse(value, ret_peppers));
    return 0;
}

const struct pepper *peppers_find(const struct peppers *peppers, struct px_str id)
{
    for (size_t i = 0; i < peppers->count; i++)
        if (px_str_eq(px_str_c(peppers->list[i].id), id)) return &peppers->list[i];
    return NULL;
}

const struct pepper *peppers_for_new(const struct peppers *peppers, int64_t now_ns)
{
    for (size_t i = 0; i + 1 < peppers->count; i++)
        if (peppers->list[i].since_ns <= now_ns - PEPPER_SETTLE_NS) return &peppers->list[i];
    return &peppers->list[peppers->count - 1];
}

/* ---- rotation ---- */

/* Which of them a key needs that still opens. A key of the time before ids may need any. */
static int mark_needed(const struct peppers *peppers, yyjson_val *key, int64_t now_ns, bool *needed)
{
    int64_t expires_ns = INT64_MAX;
    struct px_str id = px_json_str(key, "pepper");
    if (!px_str_eq(px_json_str(key, "status"), S("active"))) return 0;
    if (px_time_parse(px_json_str(key, "expires"), &expires_ns) && expires_ns <= now_ns) return 0;
    for (size_t i = 0; i < peppers->count; i++)
        if (id.len == 0 || px_str_eq(id, px_str_c(peppers->list[i].id))) needed[i] = true;
    return 0;
}

static int find_needed(const struct peppers *peppers, struct table_store *tables, int64_t now_ns,
                       bool *needed)
{
    PX_AUTO(px_arena_deinit) struct px_arena after;
    px_arena_init(&after, PAGE_BYTES_MAX);
    struct table_query query = {.key = {.table = S("keys")}, .max = PAGE_ITEMS};
    for (;;) {
        PX_AUTO(px_arena_deinit_wiped) struct px_arena page;
        px_arena_init(&page, PAGE_BYTES_MAX);
        struct table_item *items = NULL;
        size_t count = 0;
        PX_TRY(table_query(tables, &query, &page, &items, &count));
        for (size_t i = 0; i < count; i++) {
            yyjson_val *doc = NULL;
            int r = px_json_parse(items[i].document, &page, &doc, NULL);
            if (r < 0) PX_TRY(r);
            if (r == 0) PX_TRY(mark_needed(peppers, doc, now_ns, needed));
        }
        if (count < PAGE_ITEMS) return 0;
        px_arena_reset(&after);
        query.after_partition = px_arena_dup(&after, items[count - 1].partition);
        if (!query.after_partition.ptr) return px_arena_fault(&after);
    }
}

static void write_one(struct px_buf *value, struct px_str pepper, int64_t since_ns)
{
    char time[32];
    px_buf_add_c(value, "{\"value\":");
    px_buf_add_json_str(value, pepper);
    px_buf_add_c(value, ",\"since\":");
    px_buf_add_json_str(value, px_time_format(since_ns, 3, time));
    px_buf_add_char(value, '}');
}

static void write_new(struct px_buf *value, int64_t now_ns)
{
    unsigned char raw[PEPPER_BYTES];
    char hex[2 * PEPPER_BYTES + 1];
    px_random(raw, sizeof raw);
    px_hex(raw, sizeof raw, hex);
    write_one(value, px_str(hex, sizeof hex - 1), now_ns);
    explicit_bzero(raw, sizeof raw);
    explicit_bzero(hex, sizeof hex);
}

int peppers_add(const struct peppers *before, struct table_store *tables, int64_t now_ns,
                struct px_buf *value)
{
    bool needed[PEPPERS_MAX] = {false};
    size_t kept = 0;
    if (before) PX_TRY(find_needed(before, tables, now_ns, needed));
    px_buf_add_c(value, "{\"peppers\":[");
    write_new(value, now_ns);
    for (size_t i = 0; before && i < before->count; i++) {
        bool fresh = i == 0 || before->list[i - 1].since_ns > now_ns - PEPPER_KEEP_NS;
        if (!fresh && !needed[i]) continue;
        if (++kept == PEPPERS_MAX)
            return px_fault(PX_F_LIMIT,
                            "keys need %u peppers: end the oldest keys first (workflow "
                            "key-rotation)",
                            PEPPERS_MAX);
        px_buf_add_char(value, ',');
        write_one(value, before->list[i].value, before->list[i].since_ns);
    }
    px_buf_add_c(value, "]}");
    return px_buf_fault(value);
}
