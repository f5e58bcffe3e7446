/* store/table_log.c - see table_log.h.
 *
 *   log_self    this log: its region, its id, up to where it was trimmed
 *   log_tables  which tables are global
 *   log         changes made here, in order; seq is never used twice
 *   stamps      of every item of a global table the change that stands, also where it was a removal
 *   log_peers   how far the logs of other regions were applied, and up to when they are complete here
 *
 * Applying writes no log: each region sends what it wrote itself to all others. */
#include "store/tables_lite.h"

#include "base/px_id.h"

#define NAMES_BYTES_MAX 8192u

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS log_self (one INTEGER PRIMARY KEY CHECK (one = 1),"
    " origin TEXT NOT NULL, id TEXT NOT NULL, trimmed_seq INTEGER NOT NULL);"
    "CREATE TABLE IF NOT EXISTS log_tables (tbl TEXT PRIMARY KEY) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS log (seq INTEGER PRIMARY KEY AUTOINCREMENT,"
    " tbl TEXT NOT NULL, pk TEXT NOT NULL, sk TEXT NOT NULL, document TEXT,"
    " version INTEGER NOT NULL, expires_ns INTEGER NOT NULL, stamp_ns INTEGER NOT NULL,"
    " origin TEXT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS stamps (tbl TEXT NOT NULL, pk TEXT NOT NULL, sk TEXT NOT NULL,"
    " stamp_ns INTEGER NOT NULL, origin TEXT NOT NULL, PRIMARY KEY (tbl, pk, sk)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS log_peers (name TEXT PRIMARY KEY, id TEXT NOT NULL,"
    " seq INTEGER NOT NULL, complete_ns INTEGER NOT NULL) WITHOUT ROWID;";

static struct lite *lite_at(struct table_store *store) { return &lite_of(store)->lite; }

static int step_done(struct lite_stmt *stmt)
{
    int r = lite_step(stmt);
    if (r == LITE_DONE) return 0;
    PX_TRY(r);
    return 0;
}

static void bind_key(struct lite_stmt *stmt, const struct table_key *key)
{
    lite_bind_text(stmt, 1, key->table);
    lite_bind_text(stmt, 2, key->partition);
    lite_bind_text(stmt, 3, key->sort);
}

/* ---- which tables are logged ---- */

void lite_log_deinit(struct lite_log *log)
{
    px_arena_deinit(&log->arena);
    *log = (struct lite_log){0};
}

static bool has_log(struct lite *lite, int *ret_fault)
{
    PX_AUTO(lite_give) struct lite_stmt look = {0};
    *ret_fault = lite_take(lite, "SELECT 1 FROM sqlite_schema WHERE name = 'log_peers'", &look);
    if (*ret_fault != 0) return false;
    int r = lite_step(&look);
    if (r != LITE_ROW && r != LITE_DONE) *ret_fault = r;
    return r == LITE_ROW;
}

/* The names that a statement gives, one a row. */
static int read_names(struct lite *lite, const char *sql, struct px_arena *arena,
                      struct px_str *names, size_t max, size_t *ret_count)
{
    PX_AUTO(lite_give) struct lite_stmt stmt = {0};
    PX_TRY(lite_take(lite, sql, &stmt));
    size_t count = 0;
    for (; count < max; count++) {
        int r = lite_step(&stmt);
        if (r == LITE_DONE) break;
        if (r != LITE_ROW) PX_TRY(r);
        names[count] = px_arena_dup(arena, lite_column(&stmt, 0));
        if (!names[count].ptr) return px_arena_fault(arena);
    }
    *ret_count = count;
    return 0;
}

int lite_log_load(struct lite_tables *tables)
{
    struct lite_log log = {0};
    int r = 0;
    if (!has_log(&tables->lite, &r)) return r;
    lite_log_deinit(&tables->log);
    px_arena_init(&tables->log.arena, NAMES_BYTES_MAX);
    size_t selves = 0;
    PX_TRY(read_names(&tables->lite, "SELECT origin FROM log_self", &tables->log.arena, &log.origin,
                      1, &selves));
    PX_TRY(read_names(&tables->lite, "SELECT tbl FROM log_tables", &tables->log.arena, log.tables,
                      TABLE_LOG_TABLES_MAX, &log.table_count));
    log.arena = tables->log.arena;
    tables->log = log;
    return 0;
}

static int add_self(struct lite *lite, struct px_str origin)
{
    uint8_t random[16];
    char id[33];
    px_random(random, sizeof random);
    px_hex(random, sizeof random, id);
    PX_AUTO(lite_give) struct lite_stmt stmt = {0};
    PX_TRY(lite_take(lite, "INSERT OR IGNORE INTO log_self VALUES (1, ?1, ?2, 0)", &stmt));
    lite_bind_text(&stmt, 1, origin);
    lite_bind_text(&stmt, 2, px_str_c(id));
    return step_done(&stmt);
}

static int add_table(struct lite *lite, struct px_str table)
{
    PX_AUTO(lite_give) struct lite_stmt stmt = {0};
    PX_TRY(lite_take(lite, "INSERT OR IGNORE INTO log_tables VALUES (?1)", &stmt));
    lite_bind_text(&stmt, 1, table);
    return step_done(&stmt);
}

static int make_log(struct lite *lite, struct px_str origin, const struct px_str *tables,
                    size_t count)
{
    PX_TRY(lite_run_script(lite, schema));
    PX_TRY(add_self(lite, origin));
    for (size_t i = 0; i < count; i++) PX_TRY(add_table(lite, tables[i]));
    return 0;
}

int table_log_enable(struct table_store *store, struct px_str origin, const struct px_str *tables,
                     size_t table_count)
{
    PX_ASSERT(origin.len > 0 && origin.len <= TABLE_LOG_NAME_BYTES_MAX);
    PX_ASSERT(table_count <= TABLE_LOG_TABLES_MAX);
    PX_TRY(lite_begin_write(lite_at(store), false));
    PX_TRY(lite_change_end(lite_at(store), make_log(lite_at(store), origin, tables, table_count)));
    PX_TRY(lite_log_load(lite_of(store)));
    struct px_str whose = lite_of(store)->log.origin;
    if (px_str_eq(whose, origin)) return 0;
    return px_fault(PX_F_CONFIG, "these tables are those of region %.*s, not of %.*s",
                    PX_FMT(whose), PX_FMT(origin));
}

/* ---- changes made here ---- */

static bool is_logged(const struct lite_log *log, struct px_str table)
{
    for (size_t i = 0; i < log->table_count; i++)
        if (px_str_eq(log->tables[i], table)) return true;
    return false;
}

/* Later than what stands there, whatever the clock says. */
static int stamp_next(struct lite_tables *tables, const struct table_key *key, int64_t *ret_ns)
{
    PX_AUTO(lite_give) struct lite_stmt stmt = {0};
    PX_TRY(
        lite_take(&tables->lite,
                  "INSERT INTO stamps (tbl, pk, sk, stamp_ns, origin) VALUES (?1, ?2, ?3, ?4, ?5)"
                  " ON CONFLICT (tbl, pk, sk) DO UPDATE SET"
                  " stamp_ns = max(excluded.stamp_ns, stamp_ns + 1), origin = excluded.origin"
                  " RETURNING stamp_ns",
                  &stmt));
    bind_key(&stmt, key);
    lite_bind_int(&stmt, 4, px_wall_ns(tables->store.clock));
    lite_bind_text(&stmt, 5, tables->log.origin);
    int r = lite_step(&stmt);
    if (r != LITE_ROW) PX_TRY(r);
    *ret_ns = sqlite3_column_int64(stmt.stmt, 0);
    return step_done(&stmt);
}

int lite_log_note(struct lite_tables *tables, const struct table_put *put, int64_t version)
{
    int64_t stamp_ns;
    if (!is_logged(&tables->log, put->key.table)) return 0;
    PX_TRY(stamp_next(tables, &put->key, &stamp_ns));
    PX_AUTO(lite_give) struct lite_stmt stmt = {0};
    PX_TRY(
        lite_take(&tables->lite,
                  "INSERT INTO log (tbl, pk, sk, document, version, expires_ns, stamp_ns, origin)"
                  " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                  &stmt));
    bind_key(&stmt, &put->key);
    if (version > 0) lite_bind_text(&stmt, 4, put->document); /* else NULL: nothing is bound */
    lite_bind_int(&stmt, 5, version);
    lite_bind_int(&stmt, 6, version > 0 ? put->expires_ns : 0);
    lite_bind_int(&stmt, 7, stamp_ns);
    lite_bind_text(&stmt, 8, tables->log.origin);
    return step_done(&stmt);
}

/* ---- reading the log ---- */

int table_log_state(struct table_store *store, struct table_log_state *ret_state)
{
    PX_AUTO(lite_give) struct lite_stmt stmt = {0};
    PX_TRY(lite_take(lite_at(store),
                     "SELECT id, trimmed_seq,"
                     " coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'log'), 0),"
                     " (SELECT count(*) FROM log) FROM log_self",
                     &stmt));
    int r = lite_step(&stmt);
    if (r == LITE_DONE) return px_fault(PX_F_CONFIG, "these tables have no log");
    if (r != LITE_ROW) PX_TRY(r);
    struct px_str id = lite_column(&stmt, 0);
    if (id.len != sizeof ret_state->id - 1) return px_fault(PX_F_CORRUPT, "the id of a log");
    memcpy(ret_state->id, id.ptr, id.len);
    ret_state->id[id.len] = '\0';
    ret_state->trimmed_seq = sqlite3_column_int64(stmt.stmt, 1);
    ret_state->last_seq = sqlite3_column_int64(stmt.stmt, 2);
    ret_state->rows = sqlite3_column_int64(stmt.stmt, 3);
    return 0;
}

static int keep(struct px_arena *arena, struct px_str text, struct px_str *ret_text)
{
    *ret_text = px_arena_dup(arena, text);
    return ret_text->ptr ? 0 : px_arena_fault(arena);
}

static int row_change(const struct lite_stmt *stmt, struct px_arena *arena,
                      struct table_change *ret_change)
{
    struct table_change change = {.seq = sqlite3_column_int64(stmt->stmt, 0),
                                  .version = sqlite3_column_int64(stmt->stmt, 5),
                                  .expires_ns = sqlite3_column_int64(stmt->stmt, 6),
                                  .stamp_ns = sqlite3_column_int64(stmt->stmt, 7)};
    PX_TRY(keep(arena, lite_column(stmt, 1), &change.key.table));
    PX_TRY(keep(arena, lite_column(stmt, 2), &change.key.partition));
    PX_TRY(keep(arena, lite_column(stmt, 3), &change.key.sort));
    PX_TRY(keep(arena, lite_column(stmt, 8), &change.origin));
    /* the copy of an empty text has a pointer, a removal has none */
    if (sqlite3_column_type(stmt->stmt, 4) != SQLITE_NULL)
        PX_TRY(keep(arena, lite_column(stmt, 4), &change.document));
    *ret_change = change;
    return 0;
}

static size_t change_bytes(const struct table_change *change)
{
    return change->key.table.len + change->key.partition.len + change->key.sort.len +
           change->document.len + change->origin.len;
}

int table_log_read(struct table_store *store, const struct table_log_query *query,
                   struct px_arena *arena, struct table_change **ret_changes, size_t *ret_count)
{
    PX_AUTO(lite_give) struct lite_stmt stmt = {0};
    struct table_change *changes = px_arena_array(arena, struct table_change, query->count_max);
    if (!changes) return px_arena_fault(arena);
    PX_TRY(lite_take(lite_at(store),
                     "SELECT seq, tbl, pk, sk, document, version, expires_ns, stamp_ns, origin"
                     " FROM log WHERE seq > ?1 ORDER BY seq",
                     &stmt));
    lite_bind_int(&stmt, 1, query->after_seq);
    size_t count = 0, bytes = 0;
    while (count < query->count_max) {
        int r = lite_step(&stmt);
        if (r == LITE_DONE) break;
        if (r != LITE_ROW) PX_TRY(r);
        if (sqlite3_column_int64(stmt.stmt, 7) >= query->before_ns) break;
        PX_TRY(row_change(&stmt, arena, &changes[count]));
        bytes += change_bytes(&changes[count]);
        if (count > 0 && bytes > query->bytes_max) break;
        count++;
    }
    *ret_changes = changes;
    *ret_count = count;
    return 0;
}

int table_log_repeat(struct table_store *store)
{
    struct lite *lite = lite_at(store);
    PX_TRY(lite_begin_write(lite, false));
    return lite_change_end(
        lite,
        lite_run(lite,
                 "INSERT INTO log (tbl, pk, sk, document, version, expires_ns, stamp_ns, origin)"
                 " SELECT s.tbl, s.pk, s.sk, i.document, coalesce(i.version, 0),"
                 " coalesce(i.expires_ns, 0), s.stamp_ns, s.origin FROM stamps s"
                 " LEFT JOIN items i USING (tbl, pk, sk)"));
}

static int run_with(struct lite *lite, const char *sql, int64_t value)
{
    PX_AUTO(lite_give) struct lite_stmt stmt = {0};
    PX_TRY(lite_take(lite, sql, &stmt));
    lite_bind_int(&stmt, 1, value);
    return step_done(&stmt);
}

static int trim(struct lite *lite, int64_t seq)
{
    PX_TRY(run_with(lite, "DELETE FROM log WHERE seq <= ?1", seq));
    return run_with(lite, "UPDATE log_self SET trimmed_seq = max(trimmed_seq, ?1)", seq);
}

int table_log_trim(struct table_store *store, int64_t seq)
{
    PX_TRY(lite_begin_write(lite_at(store), true)); /* lost: it is trimmed once more */
    return lite_change_end(lite_at(store), trim(lite_at(store), seq));
}

int table_log_compact(struct table_store *store)
{
    struct lite *lite = lite_at(store);
    PX_TRY(lite_begin_write(lite, true));
    return lite_change_end(
        lite, lite_run(lite, "DELETE FROM log WHERE seq NOT IN (SELECT seq FROM ("
                             "SELECT seq, row_number() OVER (PARTITION BY tbl, pk, sk"
                             " ORDER BY stamp_ns DESC, origin DESC, seq DESC) AS place FROM log)"
                             " WHERE place = 1)"));
}

/* ---- changes of others ---- */

int table_log_cursor(struct table_store *store, struct px_str peer,
                     struct table_log_cursor *ret_cursor)
{
    PX_AUTO(lite_give) struct lite_stmt stmt = {0};
    PX_TRY(lite_take(lite_at(store), "SELECT id, seq FROM log_peers WHERE name = ?1", &stmt));
    lite_bind_text(&stmt, 1, peer);
    int r = lite_step(&stmt);
    *ret_cursor = (struct table_log_cursor){0};
    if (r == LITE_DONE) return 0;
    if (r != LITE_ROW) PX_TRY(r);
    struct px_str id = lite_column(&stmt, 0);
    if (id.len >= sizeof ret_cursor->id) return px_fault(PX_F_CORRUPT, "the id of a log");
    memcpy(ret_cursor->id, id.ptr, id.len);
    ret_cursor->seq = sqlite3_column_int64(stmt.stmt, 1);
    return 0;
}

/* Whether the change is newer than what stands here; its stamp stands from now on. */
static int stamp_take(struct lite *lite, const struct table_change *change, bool *ret_newer)
{
    PX_AUTO(lite_give) struct lite_stmt stmt = {0};
    PX_TRY(
        lite_take(lite,
                  "INSERT INTO stamps (tbl, pk, sk, stamp_ns, origin) VALUES (?1, ?2, ?3, ?4, ?5)"
                  " ON CONFLICT (tbl, pk, sk) DO UPDATE SET"
                  " stamp_ns = excluded.stamp_ns, origin = excluded.origin"
                  " WHERE (excluded.stamp_ns, excluded.origin) > (stamp_ns, origin)",
                  &stmt));
    bind_key(&stmt, &change->key);
    lite_bind_int(&stmt, 4, change->stamp_ns);
    lite_bind_text(&stmt, 5, change->origin);
    PX_TRY(step_done(&stmt));
    *ret_newer = sqlite3_changes64(lite->db) > 0;
    return 0;
}

static int apply_one(struct lite_tables *tables, const struct table_change *change, bool *ret_newer)
{
    const struct table_put put = {
        .key = change->key, .document = change->document, .expires_ns = change->expires_ns};
    if (!is_logged(&tables->log, change->key.table) || change->key.partition.len == 0)
        return px_fault(PX_F_PROTOCOL, "a change of table %.*s, which is not global here",
                        PX_FMT(change->key.table));
    PX_TRY(stamp_take(&tables->lite, change, ret_newer));
    if (!*ret_newer) return 0;
    if (!change->document.ptr) return lite_item_remove(&tables->lite, &change->key);
    return lite_item_write(&tables->lite, &put, change->version);
}

static int cursor_set(struct lite *lite, struct px_str peer, const struct table_log_cursor *cursor,
                      int64_t complete_ns)
{
    PX_AUTO(lite_give) struct lite_stmt stmt = {0};
    PX_TRY(
        lite_take(lite,
                  "INSERT INTO log_peers VALUES (?1, ?2, ?3, ?4) ON CONFLICT (name) DO UPDATE SET"
                  " id = excluded.id, seq = excluded.seq,"
                  " complete_ns = max(complete_ns, excluded.complete_ns)",
                  &stmt));
    lite_bind_text(&stmt, 1, peer);
    lite_bind_text(&stmt, 2, px_str_c(cursor->id));
    lite_bind_int(&stmt, 3, cursor->seq);
    lite_bind_int(&stmt, 4, complete_ns);
    return step_done(&stmt);
}

int table_log_apply(struct table_store *store, struct px_str peer,
                    const struct table_log_cursor *cursor, const struct table_change *changes,
                    size_t count, int64_t complete_ns, size_t *ret_applied)
{
    struct lite *lite = lite_at(store);
    size_t applied = 0;
    /* Synced when it brings something: the other end forgets what is said to be here. */
    PX_TRY(lite_begin_write(lite, count == 0));
    int r = 0;
    for (size_t i = 0; i < count && r == 0; i++) {
        bool newer = false;
        r = apply_one(lite_of(store), &changes[i], &newer);
        applied += newer;
    }
    if (r == 0) r = cursor_set(lite, peer, cursor, complete_ns);
    PX_TRY(lite_change_end(lite, r));
    *ret_applied = applied;
    return 0;
}

/* The earliest time up to which a peer's changes are all here; 0 when one never was. */
static int complete_ns(struct lite *lite, const struct px_str *peers, size_t count, int64_t *ret_ns)
{
    int64_t earliest = INT64_MAX;
    for (size_t i = 0; i < count; i++) {
        PX_AUTO(lite_give) struct lite_stmt stmt = {0};
        PX_TRY(lite_take(lite, "SELECT complete_ns FROM log_peers WHERE name = ?1", &stmt));
        lite_bind_text(&stmt, 1, peers[i]);
        int r = lite_step(&stmt);
        if (r != LITE_ROW && r != LITE_DONE) PX_TRY(r);
        int64_t ns = r == LITE_ROW ? sqlite3_column_int64(stmt.stmt, 0) : 0;
        earliest = PX_MIN(earliest, ns);
    }
    *ret_ns = count > 0 ? earliest : 0;
    return 0;
}

/* ---- forgetting ---- */

static void bind_place(struct lite_stmt *stmt, int at, const struct table_log_place *place)
{
    lite_bind_text(stmt, at, px_str_c(place->table));
    lite_bind_text(stmt, at + 1, px_str(place->partition, place->partition_bytes));
    lite_bind_text(stmt, at + 2, px_str(place->sort, place->sort_bytes));
}

static int place_fill(const struct lite_stmt *stmt, struct table_log_place *ret_place)
{
    struct px_str table = lite_column(stmt, 0), partition = lite_column(stmt, 1),
                  sort = lite_column(stmt, 2);
    struct table_log_place place = {.partition_bytes = partition.len, .sort_bytes = sort.len};
    if (table.len >= sizeof place.table || partition.len >= sizeof place.partition ||
        sort.len >= sizeof place.sort)
        return px_fault(PX_F_CORRUPT, "a stamp's key");
    memcpy(place.table, table.ptr, table.len);
    if (partition.len > 0) memcpy(place.partition, partition.ptr, partition.len);
    if (sort.len > 0) memcpy(place.sort, sort.ptr, sort.len);
    *ret_place = place;
    return 0;
}

/* The max-th stamp behind place. Answers: TABLE_ABSENT: there are fewer. */
static int place_after(struct lite *lite, const struct table_log_place *place, size_t max,
                       struct table_log_place *ret_end)
{
    PX_AUTO(lite_give) struct lite_stmt stmt = {0};
    PX_TRY(lite_take(lite,
                     "SELECT tbl, pk, sk FROM stamps WHERE (tbl, pk, sk) > (?1, ?2, ?3)"
                     " ORDER BY tbl, pk, sk LIMIT 1 OFFSET ?4",
                     &stmt));
    bind_place(&stmt, 1, place);
    lite_bind_int(&stmt, 4, (int64_t)max - 1);
    int r = lite_step(&stmt);
    if (r == LITE_DONE) return TABLE_ABSENT;
    if (r != LITE_ROW) PX_TRY(r);
    return place_fill(&stmt, ret_end);
}

static int forget(struct lite *lite, const struct table_log_place *from,
                  const struct table_log_place *to, int64_t before_ns)
{
    PX_AUTO(lite_give) struct lite_stmt stmt = {0};
    PX_TRY(lite_take(lite,
                     "DELETE FROM stamps WHERE (tbl, pk, sk) > (?1, ?2, ?3)"
                     " AND (tbl, pk, sk) <= (?4, ?5, ?6) AND stamp_ns < ?7 AND NOT EXISTS"
                     " (SELECT 1 FROM items i WHERE i.tbl = stamps.tbl AND i.pk = stamps.pk"
                     " AND i.sk = stamps.sk)",
                     &stmt));
    bind_place(&stmt, 1, from);
    bind_place(&stmt, 4, to);
    lite_bind_int(&stmt, 7, before_ns);
    return step_done(&stmt);
}

int table_log_forget(struct table_store *store, const struct px_str *peers, size_t peer_count,
                     size_t max, struct table_log_place *place, size_t *ret_removed)
{
    struct lite *lite = lite_at(store);
    int64_t before_ns = 0;
    struct table_log_place end = {.table = "\x7f"}; /* behind every name of a table */
    PX_ASSERT(max > 0);
    PX_TRY(complete_ns(lite, peers, peer_count, &before_ns));
    int r = place_after(lite, place, max, &end);
    bool is_last = r == TABLE_ABSENT;
    PX_TRY(is_last ? 0 : r);
    PX_TRY(lite_begin_write(lite, true));
    r = forget(lite, place, &end, before_ns);
    size_t removed = r == 0 ? (size_t)sqlite3_changes64(lite->db) : 0;
    PX_TRY(lite_change_end(lite, r));
    *place = is_last ? (struct table_log_place){0} : end;
    *ret_removed = removed;
    return 0;
}
