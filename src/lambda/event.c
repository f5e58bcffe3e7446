/* lambda/event.c - see event.h. */
#include "lambda/event.h"

int lambda_event_refuse(const struct lambda_event *event, const char *why)
{
    event->reply->error_type = S("InvalidEvent");
    event->reply->error_message = px_str_c(why);
    return LAMBDA_ERROR;
}

int lambda_event_object(const struct lambda_event *event, yyjson_val **ret_root)
{
    int r = px_json_parse(event->payload, event->arena, ret_root, NULL);
    if (r == PX_JSON_INVALID || (r == 0 && !yyjson_is_obj(*ret_root)))
        return lambda_event_refuse(event, "the event is not a JSON object");
    return r;
}
