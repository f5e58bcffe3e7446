/* store/objects_s3_list.c - ListObjectsV2, page by page. S3 lists in the order of keys' bytes. */
#include "store/objects_s3.h"

#include <aws/common/byte_buf.h>
#include <aws/common/date_time.h>

#include "aws/uri.h"
#include "aws/xml.h"

#define PAGE_KEYS_MAX 1000u              /* S3's */
#define PAGE_BYTES_MAX ((size_t)8 << 20) /* 1000 keys of 1024 bytes, each escaped */

struct page {
    const struct s3_objects *s3;
    struct px_arena *scratch;
    struct object_listing *found;
    /* the object that is being read */
    struct px_str key;
    uint64_t bytes;
    int64_t modified_ns;
    /* of the page */
    struct px_str next; /* token of the next page; empty: this is the last */
    size_t objects;
};

static int64_t time_of(struct px_str text)
{
    struct aws_byte_cursor cursor = aws_byte_cursor_from_array(text.ptr, text.len);
    struct aws_date_time time;
    if (aws_date_time_init_from_str_cursor(&time, &cursor, AWS_DATE_FORMAT_ISO_8601) != 0) return 0;
    return (int64_t)aws_date_time_as_millis(&time) * PX_NS_PER_MS;
}

static int leaf(void *ctx, struct px_str name, struct px_str text)
{
    struct page *page = ctx;
    bool fits = true;
    if (px_str_eq(name, S("Key")))
        fits = cloud_uri_plain(text, page->scratch, &page->key);
    else if (px_str_eq(name, S("Size")))
        fits = px_str_to_u64(text, &page->bytes);
    else if (px_str_eq(name, S("LastModified")))
        page->modified_ns = time_of(text);
    else if (px_str_eq(name, S("NextContinuationToken"))) {
        page->next = px_arena_dup(page->scratch, text);
        fits = page->next.ptr != NULL;
    }
    return fits ? 0 : px_fault(PX_F_PROTOCOL, "ListObjectsV2: a strange %.*s", PX_FMT(name));
}

static int leave(void *ctx, struct px_str name)
{
    struct page *page = ctx;
    if (!px_str_eq(name, S("Contents"))) return 0;
    size_t skip = page->s3->prefix.len > 0 ? page->s3->prefix.len + 1 : 0;
    struct px_str key = px_str_skip(page->key, skip);
    page->objects++;
    if (!object_key_is_valid(key)) return 0; /* another program's: a "folder" of a console, say */
    return object_listing_add(page->found, key, page->bytes, page->modified_ns);
}

static int query_make(const struct s3_objects *s3, struct px_str prefix, struct px_str after,
                      struct px_str token, size_t max, struct px_arena *arena,
                      struct px_str *ret_query)
{
    const char *slash = s3->prefix.len > 0 ? "/" : "";
    struct px_str full = px_arena_printf(arena, "%.*s%s%.*s", PX_FMT(s3->prefix), slash,
                                         PX_FMT(prefix));
    const char *name = token.len > 0   ? "&continuation-token="
                       : after.len > 0 ? "&start-after="
                                       : "";
    struct px_str behind = token;
    if (token.len == 0 && after.len > 0)
        behind = px_arena_printf(arena, "%.*s%s%.*s", PX_FMT(s3->prefix), slash, PX_FMT(after));
    full = cloud_uri_param(full, arena);
    behind = cloud_uri_param(behind, arena);
    struct px_str query = px_arena_printf(
        arena, "list-type=2&encoding-type=url&max-keys=%zu&prefix=%.*s%s%.*s",
        PX_MIN(max, (size_t)PAGE_KEYS_MAX), PX_FMT(full), name, PX_FMT(behind));
    if (!full.ptr || !behind.ptr || !query.ptr) return px_arena_fault(arena);
    *ret_query = query;
    return 0;
}

static int page_read(struct page *page, struct px_str query)
{
    static const char *const containers[] = {"ListBucketResult", "Contents", NULL};
    struct cloud_xml_reader reader = {containers, leaf, leave, page};
    struct s3_request request = {
        .what = "ListObjectsV2", .method = "GET", .query = query, .body_bytes_max = PAGE_BYTES_MAX};
    struct cloud_response response = {0};
    int r = s3_call(page->s3, &request, page->scratch, &response);
    if (r == CLOUD_REFUSED) r = s3_refusal(page->s3, request.what, &response);
    if (r == OBJECT_ABSENT) return px_fault(PX_F_PROTOCOL, "ListObjectsV2: %d", response.status);
    PX_TRY(r);
    r = cloud_xml_read(response.body, &reader);
    if (r == CLOUD_XML_INVALID) return px_fault(PX_F_PROTOCOL, "ListObjectsV2: not its XML");
    PX_TRY(r);
    return 0;
}

int s3_list(struct object_store *store, struct px_str prefix, struct px_str after, size_t max,
            struct px_arena *arena, struct object_info **ret_infos, size_t *ret_count)
{
    PX_AUTO(px_arena_deinit) struct px_arena scratch, token_arena;
    px_arena_init(&scratch, S3_SCRATCH_BYTES_MAX + PAGE_BYTES_MAX);
    px_arena_init(&token_arena, S3_SCRATCH_BYTES_MAX);
    struct object_listing found = {.arena = arena};
    struct px_str token = {0};
    bool more = max > 0;
    while (more) {
        struct page page = {.s3 = s3_of(store), .scratch = &scratch, .found = &found};
        struct px_str query = {0};
        px_arena_reset(&scratch);
        PX_TRY(query_make(page.s3, prefix, after, token, max - found.count, &scratch, &query));
        PX_TRY(page_read(&page, query));
        px_arena_reset(&token_arena);
        token = px_arena_dup(&token_arena, page.next);
        if (!token.ptr) return px_arena_fault(&token_arena);
        more = token.len > 0 && found.count < max;
    }
    *ret_infos = found.infos;
    *ret_count = found.count;
    return 0;
}
