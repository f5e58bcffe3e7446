/* svc/quota/quota_builtin.h - the platform's files as the build put them into the program; for quota.c. */
#pragma once

#include "base/px.h"

struct px_str quota_text_quotas(void); /* platform/quotas.json */
struct px_str quota_text_tiers(void);  /* x-prism-throttling.tiers of platform/api.openapi.json */
