/* lambda/event.h - direct events {"op":...} of workflows and operators: read, or refused. */
#pragma once

#include "base/px_json.h"
#include "lambda/runtime.h"

/* Ends an event that cannot be meant so: `return lambda_event_refuse(event, "op is one of ...")`. Always LAMBDA_ERROR, of type InvalidEvent. */
int lambda_event_refuse(const struct lambda_event *event, const char *why);
/* The payload, an object in the event's arena. Answers: LAMBDA_ERROR: it is none, and was refused. */
PX_MUST_USE int lambda_event_object(const struct lambda_event *event, yyjson_val **ret_root);
