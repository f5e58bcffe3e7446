/* store/migrate_ledger.h - what migrations keep in the database that they migrate. Inside store only.
 *
 *   schema_steps      what was run: number, kind, name, checksum of the text, unused_since, when
 *   schema_backfills  how far backfills are: batches, rows
 *   schema_functions  who said lately what it knows
 *   migrations        of before there were kinds of steps: number, name, when. It stays for functions of that release. */
#pragma once

#include "store/migrate.h"

/* What was run, and whether there is a home. */
PX_MUST_USE int ledger_read(const struct migrate *m, struct migrate_state *state);
/* How far backfills are, and who said something; of a database with a home. */
PX_MUST_USE int ledger_read_rest(const struct migrate *m, struct migrate_state *state);
/* The tables, with what the table of before says. */
PX_MUST_USE int ledger_make(const struct migrate *m, const struct migrate_state *state);
PX_MUST_USE int ledger_note(const struct migrate *m, const struct migrate_step *step);
PX_MUST_USE int ledger_count(const struct migrate *m, const struct migrate_step *step,
                             int64_t rows);
PX_MUST_USE int ledger_say(const struct migrate *m, struct px_str name, int knows);
/* The one number that `sql` selects. */
PX_MUST_USE int ledger_number(struct meta *meta, const char *sql, int64_t *ret_number);
