/* export/exporter.h - spans to whoever collects them, over OTLP/HTTP: X-Ray with a signature, or a receiver on
 * this machine (the local region, a collector) without one. For lambda_handler.exporter.
 *
 *   "xray"               https://xray.<region>.amazonaws.com/v1/traces, or AWS_ENDPOINT_URL_XRAY;
 *                        takes the function's cloud, which opens AWS with the first batch if nobody did
 *   "http://host:port/path"   the host is an address or localhost */
#pragma once

#include "lambda/runtime.h"

/* exporter_ctx: the function's struct cloud_shared (aws/shared.h), which outlives it. */
extern const struct lambda_exporter span_exporter;
