/* store/pg_ddl.h - a migration's text for PostgreSQL. Inside store and its tests only. */
#pragma once

#include "base/px_buf.h"

/* Each word TEXT outside of quotes becomes TEXT COLLATE "C": text then orders by its bytes, as SQLite's
 * does, whatever the database's own order is. NUL-terminated into buf, whose fault the caller asks for. */
void pg_ddl_write(struct px_str sql, struct px_buf *buf);
