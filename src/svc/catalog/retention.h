/* svc/catalog/retention.h - how long a dataset's rows stay, and who said so.
 *
 * The first that says it counts: the dataset itself, its tenant, the class of platform/lifecycle.json. */
#pragma once

#include "svc/catalog/catalog.h"
#include "svc/catalog/lifecycle.h"

#define RETENTION_DAYS_MAX 36500

struct retention {
    int64_t days;
    const char *from; /* "dataset", "tenant", "class" */
};
/* info: as the catalog lists it; of a dataset that it does not know only names and tenant_days are looked at. */
struct retention retention_of(const struct lifecycle *lifecycle, const struct dataset_info *info);
