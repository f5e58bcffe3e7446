/* region/changes.c - see changes.h. */
#include "region/changes.h"

#include "base/px_id.h"

static void add_hex(struct px_buf *buf, const char *name, struct px_str bytes)
{
    px_buf_printf(buf, ",\"%s\":\"", name);
    char *room = px_buf_reserve(buf, bytes.len * 2 + 1);
    if (room && bytes.len > 0) {
        px_hex(bytes.ptr, bytes.len, room);
        buf->len += bytes.len * 2;
    }
    px_buf_add_char(buf, '"');
}

static void write_one(const struct table_change *change, struct px_buf *buf)
{
    px_buf_add_c(buf, "{\"table\":");
    px_buf_add_json_str(buf, change->key.table);
    add_hex(buf, "pk", change->key.partition);
    add_hex(buf, "sk", change->key.sort);
    if (change->document.ptr) {
        px_buf_add_c(buf, ",\"document\":");
        px_buf_add_json_str(buf, change->document);
    }
    px_buf_printf(buf, ",\"version\":%lld,\"expires_ns\":%lld,\"stamp_ns\":%lld,\"region\":",
                  (long long)change->version, (long long)change->expires_ns,
                  (long long)change->stamp_ns);
    px_buf_add_json_str(buf, change->origin);
    px_buf_add_char(buf, '}');
}

void changes_write(const struct changes *batch, struct px_buf *buf)
{
    px_buf_add_c(buf, "{\"origin\":");
    px_buf_add_json_str(buf, batch->origin);
    px_buf_printf(buf,
                  ",\"id\":\"%s\",\"known\":{\"id\":\"%s\",\"seq\":%lld},\"upto\":%lld,"
                  "\"complete_ns\":%lld,\"changes\":[",
                  batch->id, batch->known.id, (long long)batch->known.seq, (long long)batch->upto,
                  (long long)batch->complete_ns);
    for (size_t i = 0; i < batch->count; i++) {
        if (i > 0) px_buf_add_char(buf, ',');
        write_one(&batch->changes[i], buf);
    }
    px_buf_add_c(buf, "]}");
}

static bool read_hex(yyjson_val *obj, const char *name, struct px_arena *arena,
                     struct px_str *ret_bytes)
{
    struct px_str hex = px_json_str(obj, name);
    char *bytes = px_arena_alloc(arena, hex.len / 2 + 1);
    if (!bytes || !px_unhex(hex, bytes, hex.len / 2)) return false;
    *ret_bytes = px_str(bytes, hex.len / 2);
    return true;
}

static bool table_ok(struct px_str name)
{
    if (name.len == 0 || name.len > 32) return false;
    for (size_t i = 0; i < name.len; i++)
        if (name.ptr[i] != '_' && (name.ptr[i] < 'a' || name.ptr[i] > 'z')) return false;
    return true;
}

static bool read_one(yyjson_val *obj, struct px_arena *arena, struct table_change *ret_change)
{
    struct table_change change = {.key.table = px_json_str(obj, "table"),
                                  .document = px_json_str(obj, "document"),
                                  .version = px_json_i64(obj, "version", -1),
                                  .expires_ns = px_json_i64(obj, "expires_ns", -1),
                                  .stamp_ns = px_json_i64(obj, "stamp_ns", -1),
                                  .origin = px_json_str(obj, "region")};
    if (!read_hex(obj, "pk", arena, &change.key.partition) ||
        !read_hex(obj, "sk", arena, &change.key.sort))
        return false;
    bool whole = table_ok(change.key.table) && change.key.partition.len > 0 &&
                 change.version >= (change.document.ptr ? 1 : 0) && change.expires_ns >= 0 &&
                 change.stamp_ns > 0 && change.origin.len > 0 &&
                 change.origin.len <= TABLE_LOG_NAME_BYTES_MAX;
    if (whole) *ret_change = change;
    return whole;
}

static bool read_head(yyjson_val *root, struct changes *batch)
{
    yyjson_val *known = px_json_obj(root, "known");
    struct px_str id = px_json_str(root, "id"), known_id = px_json_str(known, "id");
    batch->origin = px_json_str(root, "origin");
    batch->known.seq = px_json_i64(known, "seq", -1);
    batch->upto = px_json_i64(root, "upto", -1);
    batch->complete_ns = px_json_i64(root, "complete_ns", -1);
    if (id.len != sizeof batch->id - 1 || known_id.len >= sizeof batch->known.id ||
        batch->origin.len == 0 || batch->known.seq < 0 || batch->upto < 0 || batch->complete_ns < 0)
        return false;
    memcpy(batch->id, id.ptr, id.len);
    if (known_id.len > 0) memcpy(batch->known.id, known_id.ptr, known_id.len);
    return true;
}

int changes_read(struct px_str text, struct px_arena *arena, struct changes *ret_batch)
{
    yyjson_val *root = NULL, *entry;
    struct changes batch = {0};
    int r = px_json_parse(text, arena, &root, NULL);
    if (r != 0) return r;
    yyjson_val *list = px_json_arr(root, "changes");
    size_t i, n, count = yyjson_arr_size(list);
    if (!list || count > CHANGES_MAX || !read_head(root, &batch)) return PX_JSON_INVALID;
    struct table_change *changes = px_arena_array(arena, struct table_change, count + 1);
    if (!changes) return px_arena_fault(arena);
    px_json_arr_foreach(list, i, n, entry)
    {
        if (!read_one(entry, arena, &changes[i]))
            return px_arena_full(arena) ? px_arena_fault(arena) : PX_JSON_INVALID;
    }
    batch.changes = changes;
    batch.count = count;
    *ret_batch = batch;
    return 0;
}
