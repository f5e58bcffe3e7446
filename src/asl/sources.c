/* asl/sources.c - where a Map's items come from: $$.Map.Item.Source.
 *
 * As the developer guide names it ("Accessing execution data from the Context object"): STATE_DATA for what the state was given, the
 * bucket's URI for items that are objects of a list, and the URI of the file that an item was read from. The guide writes S3:// there;
 * a public suite of cases that runs against the service expects s3://, which is what everybody else calls it.
 *
 * Items of one file are a run, so there is an entry a file and not an item. They lie with the frame and in its record: an item's
 * input is made when its child begins, which may be after a crash. */
#include <stdlib.h>

#include "asl/engine_internal.h"

struct source {
    size_t first; /* item of it */
    struct asl_blob *uri;
};
struct sources {
    struct source *list;
    size_t count, cap;
};

void sources_free(struct sources **sources)
{
    if (!*sources) return;
    for (size_t i = 0; i < (*sources)->count; i++) asl_blob_unref(&(*sources)->list[i].uri);
    free((*sources)->list);
    free(*sources);
    *sources = NULL;
}

static int add(struct sources **sources, size_t first, struct px_str uri)
{
    struct sources *to = *sources;
    if (!to && !(to = *sources = calloc(1, sizeof(*to))))
        return px_fault(PX_F_OOM, "a Map's files");
    if (to->count == to->cap) {
        size_t cap = to->cap ? to->cap * 2 : 1;
        struct source *list = realloc(to->list, cap * sizeof(*list));
        if (!list) return px_fault(PX_F_OOM, "a Map's files");
        to->list = list;
        to->cap = cap;
    }
    struct asl_blob *blob = asl_blob_new(uri);
    if (!blob) return px_fault(PX_F_OOM, "a Map's files");
    to->list[to->count++] = (struct source){first, blob};
    return 0;
}

int sources_add(struct sources **sources, size_t first, struct px_str bucket, struct px_str key)
{
    PX_AUTO(px_buf_deinit) struct px_buf uri;
    px_buf_init(&uri, ASL_DATA_BYTES_MAX);
    px_buf_printf(&uri, "s3://%.*s", PX_FMT(bucket));
    if (key.len > 0) px_buf_printf(&uri, "/%.*s", PX_FMT(key));
    PX_TRY(px_buf_fault(&uri));
    return add(sources, first, px_buf_str(&uri));
}

struct px_str sources_find(const struct sources *sources, size_t item)
{
    size_t low = 0, high = sources ? sources->count : 0;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (sources->list[middle].first <= item)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 ? asl_blob_str(sources->list[low - 1].uri) : S("STATE_DATA");
}

void sources_write(const struct sources *sources, struct px_buf *buf)
{
    for (size_t i = 0; sources && i < sources->count; i++) {
        px_buf_printf(buf, i ? ",%zu," : ",\"sources\":[%zu,", sources->list[i].first);
        px_buf_add_json_str(buf, asl_blob_str(sources->list[i].uri));
    }
    if (sources) px_buf_add_char(buf, ']');
}

int sources_read(yyjson_val *record, struct sources **ret_sources)
{
    yyjson_val *list = px_json_arr(record, "sources"), *value;
    size_t i, n, first = 0;
    yyjson_arr_foreach(list, i, n, value)
    {
        if (i % 2 == 0)
            first = (size_t)yyjson_get_uint(value);
        else
            PX_TRY(add(ret_sources, first, px_json_val_str(value)));
    }
    return 0;
}
