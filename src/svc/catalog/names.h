/* svc/catalog/names.h - names of tenants and datasets, safe in paths, keys and SQL. */
#pragma once

#include "base/px.h"

/* [a-z][a-z0-9_-]{0,62}; "_system" is the one reserved tenant. */
bool tenant_name_ok(struct px_str name);
/* [a-z][a-z0-9_]{0,62}: usable in SQL without quotes. `why` (may be NULL) gets a sentence. */
bool dataset_name_ok(struct px_str name, const char **ret_why);
