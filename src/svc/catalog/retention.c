/* svc/catalog/retention.c - see retention.h. */
#include "svc/catalog/retention.h"

struct retention retention_of(const struct lifecycle *lifecycle, const struct dataset_info *info)
{
    if (info->retention_days > 0) return (struct retention){info->retention_days, "dataset"};
    if (info->tenant_days > 0) return (struct retention){info->tenant_days, "tenant"};
    const struct lifecycle_class *class = lifecycle_class_of(lifecycle, info->tenant, info->name);
    return (struct retention){class->retention_days, "class"};
}
