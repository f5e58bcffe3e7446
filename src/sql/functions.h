/* sql/functions.h - which functions a tenant's statement may call. Names compare without case. */
#pragma once

#include "base/px.h"

bool sql_function_allowed(struct px_str name);       /* in expressions, windows and as aggregates */
bool sql_table_function_allowed(struct px_str name); /* in FROM */
