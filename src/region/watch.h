/* region/watch.h - metrics and alarms of a region, as CloudWatch would tell them: figures of versions, state machines and the gateway,
 * and the alarms of platform/alarms.json on them.
 *
 * Nothing runs by itself: a metric is added up and an alarm is weighed when somebody asks. Alarms whose metrics this
 * machine does not have (databases, file systems, anomaly bands, metric math) are not there; docs/design/rollout.md
 * lists them. Served as CloudWatch's JSON protocol (X-Amz-Target: GraniteServiceVersion20100801.<Action>): GetMetricData
 * and DescribeAlarms. */
#pragma once

#include "http/server.h"
#include "region/versions.h"
#include "region/workflows.h"

struct watch; /* opaque */
struct watch_options {
    const struct function_catalogue *catalogue;
    const struct versions *versions;
    const struct workflows *workflows;
    const struct figures *gateway; /* refused: answers with 400 to 499; errors: 500 and more */
    const char *platform_dir;      /* holds alarms.json */
    struct px_str prefix;          /* of alarms' names */
    const struct px_clock *clock;
};
/* All borrowed. Faults: PX_F_CONFIG with the alarm and field. */
PX_MUST_USE int watch_new(const struct watch_options *options, struct watch **ret_watch);
void watch_free(struct watch **watch);
/* False: the request is for another service. */
bool watch_serve(struct watch *watch, struct http_request *request);
/* {"ok":n,"firing":[{"name":..,"summary":..,"reason":..}]} */
void watch_write_status(struct watch *watch, struct px_buf *buf);
