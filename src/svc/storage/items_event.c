/* svc/storage/items_event.c - see items_event.h. */
#include "svc/storage/items_event.h"

#include "lambda/event.h"
#include "svc/storage/items.h"

#define MARGIN_NS (2 * PX_NS_PER_S)

static int fail(const struct lambda_event *event, struct px_str type, struct px_str why)
{
    event->reply->error_type = type;
    event->reply->error_message = why;
    return LAMBDA_ERROR;
}

int items_event(const struct storage_function *function, yyjson_val *root,
                const struct lambda_event *event)
{
    struct px_str store = px_json_str(root, "store"), key = px_json_str(root, "key"), why = {0};
    struct items_page page = {.after = px_json_i64(root, "after", 0),
                              .max = px_json_i64(root, "max", 0)};
    bool analytics = px_str_eq(store, S("analytics"));
    if (!analytics && !px_str_eq(store, S("segments")))
        return lambda_event_refuse(event, "store is segments or analytics");
    if (key.len == 0 || page.after < 0 || page.max < 0)
        return lambda_event_refuse(event, "key is an object's; after and max are not negative");
    struct px_str url = analytics ? function->urls.analytics : function->urls.segments;
    if (url.len == 0) return px_fault(PX_F_CONFIG, "%.*s has no URL", PX_FMT(store));
    PX_AUTO(object_store_close) struct object_store *objects = NULL;
    const struct object_options options = {.cloud = function->cloud,
                                           .temp_dir = function->limits.temp_dir};
    PX_TRY(object_store_open(url, &options, &objects));
    const struct items_source source = {
        .store = objects,
        .limits = function->limits,
        .deadline_mono_ns = lambda_deadline_mono_ns(event, MARGIN_NS)};
    struct px_buf *body = event->reply->body;
    int64_t begun_ns = px_mono_ns(&px_clock_system);
    px_buf_add_c(body, "{\"op\":\"" ITEMS_OP "\",\"rows\":[");
    int r = items_read(&source, key, event->arena, &page, body, &why);
    if (r == ITEMS_ABSENT)
        return fail(event, S("NoSuchKey"), S("The specified key does not exist."));
    if (r == ITEMS_REFUSED) return fail(event, S("Unreadable"), why);
    PX_TRY(r);
    px_buf_printf(body, "],\"count\":%lld,\"total\":%lld,\"more\":%s,\"ms\":%lld}",
                  (long long)page.count, (long long)page.total, page.more ? "true" : "false",
                  (long long)((px_mono_ns(&px_clock_system) - begun_ns) / PX_NS_PER_MS));
    return px_buf_fault(body);
}
