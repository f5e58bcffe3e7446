/* delivery/rules_elsewhere.h - what functions may do in other regions: PV-IAM-13, PV-IAM-14. Inside delivery only. */
#pragma once

#include "delivery/rule.h"

/* The bucket of an ARN of S3's, when it is the deployment's and not this region's; else empty. */
struct px_str rule_bucket_elsewhere(struct verify *v, struct px_str resource);
void calls_elsewhere(struct verify *v);
void reads_elsewhere(struct verify *v);
