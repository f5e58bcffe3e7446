/* store/executions_lite.c - the journal of workflows in SQLite; docs: executions.h.
 *
 * A turn's events are one row, so that a chain of states costs one insert. Invariant: the events of an execution are the ids 1 to
 * event_count, without gaps, in rows that do not overlap. Frames of an execution that succeeded are gone; those of one that ended
 * otherwise stay, because a redrive goes on from them. */
#include "store/executions_lite.h"
#include "store/executions_batch.h"

#include <stdlib.h>

#define LINES_READ_MAX 100000

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS definitions ("
    " definition INTEGER PRIMARY KEY AUTOINCREMENT, machine TEXT NOT NULL, text TEXT NOT NULL);"
    "CREATE INDEX IF NOT EXISTS definitions_by_machine ON definitions (machine, definition);"
    "CREATE TABLE IF NOT EXISTS executions ("
    " number INTEGER PRIMARY KEY, machine TEXT NOT NULL, definition INTEGER NOT NULL,"
    " name TEXT NOT NULL, arn TEXT NOT NULL, status INTEGER NOT NULL,"
    " start_ms INTEGER NOT NULL, stop_ms INTEGER NOT NULL, input TEXT NOT NULL,"
    " output TEXT, error TEXT, cause TEXT,"
    " parent INTEGER NOT NULL, parent_frame INTEGER NOT NULL, parent_run INTEGER NOT NULL,"
    " parent_index INTEGER NOT NULL, waiter TEXT NOT NULL, waiter_execution INTEGER NOT NULL,"
    " redrive_count INTEGER NOT NULL, event_count INTEGER NOT NULL,"
    " version INTEGER NOT NULL DEFAULT 0, alias TEXT NOT NULL DEFAULT '');"
    "CREATE UNIQUE INDEX IF NOT EXISTS executions_by_name ON executions (machine, name);"
    "CREATE INDEX IF NOT EXISTS executions_running ON executions (number) WHERE status = 0;"
    "CREATE INDEX IF NOT EXISTS executions_ended ON executions (stop_ms) WHERE status > 0;"
    "CREATE INDEX IF NOT EXISTS executions_by_parent ON executions (parent) WHERE parent > 0;"
    "CREATE INDEX IF NOT EXISTS executions_by_waiter ON executions (waiter_execution)"
    " WHERE waiter_execution > 0;"
    "CREATE TABLE IF NOT EXISTS frames ("
    " execution INTEGER NOT NULL, frame INTEGER NOT NULL, parent INTEGER NOT NULL,"
    " record TEXT NOT NULL, PRIMARY KEY (execution, frame)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS events ("
    " execution INTEGER NOT NULL, first INTEGER NOT NULL, count INTEGER NOT NULL,"
    " lines TEXT NOT NULL, PRIMARY KEY (execution, first)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS machines ("
    " machine TEXT PRIMARY KEY, definition INTEGER NOT NULL, revision TEXT NOT NULL,"
    " shipped INTEGER NOT NULL, next INTEGER NOT NULL, updated_ms INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS machine_versions ("
    " machine TEXT NOT NULL, number INTEGER NOT NULL, definition INTEGER NOT NULL,"
    " revision TEXT NOT NULL, description TEXT NOT NULL, created_ms INTEGER NOT NULL,"
    " PRIMARY KEY (machine, number)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS machine_aliases ("
    " machine TEXT NOT NULL, name TEXT NOT NULL, place INTEGER NOT NULL, description TEXT NOT NULL,"
    " version INTEGER NOT NULL, weight INTEGER NOT NULL, other INTEGER NOT NULL,"
    " other_weight INTEGER NOT NULL, created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL,"
    " PRIMARY KEY (machine, name)) WITHOUT ROWID;";

/* A journal of before versions. */
static const char since_versions[] =
    "ALTER TABLE executions ADD COLUMN version INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE executions ADD COLUMN alias TEXT NOT NULL DEFAULT '';";

static int step_to_done(struct lite_stmt *stmt)
{
    int r = lite_step(stmt);
    if (r == LITE_DONE) return 0;
    PX_TRY(r);
    return 0;
}

/* End the transaction: with a commit when r is 0. */
static int end(struct execution_store *store, int r)
{
    if (r == 0) r = lite_run(&store->lite, "COMMIT");
    if (r != 0) lite_rollback(&store->lite);
    return r;
}

static int bring_up_to_date(struct execution_store *store)
{
    PX_AUTO(lite_give) struct lite_stmt stmt = {0};
    PX_TRY(lite_run_script(&store->lite, schema));
    PX_TRY(lite_take(&store->lite,
                     "SELECT count(*) FROM pragma_table_info('executions') WHERE name = 'version'",
                     &stmt));
    int r = lite_step(&stmt);
    if (r != LITE_ROW) PX_TRY(r);
    bool there = sqlite3_column_int(stmt.stmt, 0) > 0;
    lite_give(&stmt);
    return there ? 0 : lite_run_script(&store->lite, since_versions);
}

int execution_store_open(struct px_str path, struct execution_store **ret_store)
{
    PX_AUTO(execution_store_close) struct execution_store *store = calloc(1, sizeof *store);
    if (!store) return px_fault(PX_F_OOM, "the workflows' journal");
    PX_TRY(lite_open(path, &(struct lite_options){0}, &store->lite));
    PX_TRY(lite_begin_write(&store->lite, false));
    PX_TRY(end(store, bring_up_to_date(store)));
    *ret_store = PX_TAKE(store);
    return 0;
}

void execution_store_close(struct execution_store **store)
{
    if (!*store) return;
    lite_close(&(*store)->lite);
    free(*store);
    *store = NULL;
}

/* ---- definitions ---- */

int execution_defined(struct execution_store *store, struct px_str machine, struct px_str text,
                      uint64_t *ret_definition)
{
    PX_AUTO(lite_give) struct lite_stmt stmt = {0};
    PX_TRY(lite_take(&store->lite,
                     "SELECT definition, text FROM definitions WHERE machine = ?1"
                     " ORDER BY definition DESC LIMIT 1",
                     &stmt));
    lite_bind_text(&stmt, 1, machine);
    int r = lite_step(&stmt);
    if (r == LITE_DONE) return EXECUTION_ABSENT;
    if (r != LITE_ROW) PX_TRY(r);
    if (!px_str_eq(lite_column(&stmt, 1), text)) return EXECUTION_ABSENT;
    *ret_definition = (uint64_t)sqlite3_column_int64(stmt.stmt, 0);
    return 0;
}

int execution_define(struct execution_store *store, struct px_str machine, struct px_str text,
                     uint64_t *ret_definition)
{
    int r = execution_defined(store, machine, text, ret_definition);
    if (r != EXECUTION_ABSENT) return r;
    PX_AUTO(lite_give) struct lite_stmt stmt = {0};
    PX_TRY(
        lite_take(&store->lite, "INSERT INTO definitions (machine, text) VALUES (?1, ?2)", &stmt));
    lite_bind_text(&stmt, 1, machine);
    lite_bind_text(&stmt, 2, text);
    PX_TRY(step_to_done(&stmt));
    *ret_definition = (uint64_t)sqlite3_last_insert_rowid(store->lite.db);
    return 0;
}

int execution_definition(struct execution_store *store, uint64_t definition, struct px_arena *arena,
                         struct px_str *ret_text)
{
    PX_AUTO(lite_give) struct lite_stmt stmt = {0};
    PX_TRY(lite_take(&store->lite, "SELECT text FROM definitions WHERE definition = ?1", &stmt));
    lite_bind_int(&stmt, 1, (int64_t)definition);
    int r = lite_step(&stmt);
    if (r == LITE_DONE) return EXECUTION_ABSENT;
    if (r != LITE_ROW) PX_TRY(r);
    struct px_str text = px_arena_dup(arena, lite_column(&stmt, 0));
    if (!text.ptr) return px_arena_fault(arena);
    *ret_text = text;
    return 0;
}

/* ---- writing a batch ---- */

static void bind_optional(struct lite_stmt *stmt, int index, struct px_str text)
{
    if (text.ptr) lite_bind_text(stmt, index, text); /* else it stays NULL */
}

static int row_insert(struct execution_store *store, const struct execution_row *row)
{
    PX_AUTO(lite_give) struct lite_stmt stmt = {0};
    PX_TRY(lite_take(&store->lite,
                     "INSERT INTO executions (number, machine, definition, name, arn, status,"
                     " start_ms, stop_ms, input, output, error, cause, parent, parent_frame,"
                     " parent_run, parent_index, waiter, waiter_execution, redrive_count,"
                     " event_count, version, alias) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9,"
                     " ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22)",
                     &stmt));
    lite_bind_int(&stmt, 1, (int64_t)row->number);
    lite_bind_text(&stmt, 2, row->machine);
    lite_bind_int(&stmt, 3, (int64_t)row->definition);
    lite_bind_text(&stmt, 4, row->name);
    lite_bind_text(&stmt, 5, row->arn);
    lite_bind_int(&stmt, 6, row->status);
    lite_bind_int(&stmt, 7, row->start_ms);
    lite_bind_int(&stmt, 8, row->stop_ms);
    lite_bind_text(&stmt, 9, row->input);
    bind_optional(&stmt, 10, row->output);
    bind_optional(&stmt, 11, row->error);
    bind_optional(&stmt, 12, row->cause);
    lite_bind_int(&stmt, 13, (int64_t)row->parent);
    lite_bind_int(&stmt, 14, row->parent_frame);
    lite_bind_int(&stmt, 15, row->parent_run);
    lite_bind_int(&stmt, 16, row->parent_index);
    lite_bind_text(&stmt, 17, row->waiter);
    lite_bind_int(&stmt, 18, (int64_t)row->waiter_execution);
    lite_bind_int(&stmt, 19, row->redrive_count);
    lite_bind_int(&stmt, 20, row->event_count);
    lite_bind_int(&stmt, 21, row->version);
    lite_bind_text(&stmt, 22, row->alias);
    int r = lite_step(&stmt);
    if (r == LITE_CONFLICT)
        return px_fault(PX_F_BUG, "execution %.*s of %.*s stands there twice", PX_FMT(row->name),
                        PX_FMT(row->machine));
    if (r != LITE_DONE) PX_TRY(r);
    return 0;
}

static int row_update(struct execution_store *store, const struct execution_row *row)
{
    PX_AUTO(lite_give) struct lite_stmt stmt = {0};
    PX_TRY(lite_take(&store->lite,
                     "UPDATE executions SET status = ?2, stop_ms = ?3, output = ?4, error = ?5,"
                     " cause = ?6, redrive_count = ?7, event_count = ?8 WHERE number = ?1",
                     &stmt));
    lite_bind_int(&stmt, 1, (int64_t)row->number);
    lite_bind_int(&stmt, 2, row->status);
    lite_bind_int(&stmt, 3, row->stop_ms);
    bind_optional(&stmt, 4, row->output);
    bind_optional(&stmt, 5, row->error);
    bind_optional(&stmt, 6, row->cause);
    lite_bind_int(&stmt, 7, row->redrive_count);
    lite_bind_int(&stmt, 8, row->event_count);
    PX_TRY(step_to_done(&stmt));
    if (sqlite3_changes64(store->lite.db) != 1)
        return px_fault(PX_F_CORRUPT, "the journal has no execution %llu",
                        (unsigned long long)row->number);
    return 0;
}

static int events_insert(struct execution_store *store, const struct execution_turn *turn)
{
    PX_AUTO(lite_give) struct lite_stmt stmt = {0};
    if (turn->event_count == 0) return 0;
    PX_TRY(lite_take(&store->lite,
                     "INSERT INTO events (execution, first, count, lines) VALUES (?1, ?2, ?3, ?4)",
                     &stmt));
    lite_bind_int(&stmt, 1, (int64_t)turn->row.number);
    lite_bind_int(&stmt, 2, turn->event_first);
    lite_bind_int(&stmt, 3, turn->event_count);
    lite_bind_text(&stmt, 4, turn->events);
    int r = lite_step(&stmt);
    if (r == LITE_CONFLICT)
        return px_fault(PX_F_BUG, "event %u of execution %llu stands there twice",
                        turn->event_first, (unsigned long long)turn->row.number);
    if (r != LITE_DONE) PX_TRY(r);
    return 0;
}

static int frame_write(struct execution_store *store, uint64_t number,
                       const struct execution_frame *frame)
{
    PX_AUTO(lite_give) struct lite_stmt stmt = {0};
    const char *sql =
        frame->children_gone ? "DELETE FROM frames WHERE execution = ?1 AND parent = ?2"
        : frame->record.ptr
            ? "INSERT INTO frames (execution, frame, parent, record) VALUES (?1, ?2, ?3, ?4)"
              " ON CONFLICT (execution, frame) DO UPDATE SET record = excluded.record"
            : "DELETE FROM frames WHERE execution = ?1 AND frame = ?2";
    PX_TRY(lite_take(&store->lite, sql, &stmt));
    lite_bind_int(&stmt, 1, (int64_t)number);
    lite_bind_int(&stmt, 2, frame->frame);
    if (!frame->children_gone && frame->record.ptr) {
        lite_bind_int(&stmt, 3, frame->parent);
        lite_bind_text(&stmt, 4, frame->record);
    }
    return step_to_done(&stmt);
}

static int run_with_number(struct execution_store *store, const char *sql, uint64_t number)
{
    PX_AUTO(lite_give) struct lite_stmt stmt = {0};
    PX_TRY(lite_take(&store->lite, sql, &stmt));
    lite_bind_int(&stmt, 1, (int64_t)number);
    return step_to_done(&stmt);
}

static int turn_write(struct execution_store *store, const struct execution_turn *turn)
{
    PX_TRY(turn->first ? row_insert(store, &turn->row) : row_update(store, &turn->row));
    PX_TRY(events_insert(store, turn));
    if (turn->row.status == EXECUTION_SUCCEEDED)
        return run_with_number(store, "DELETE FROM frames WHERE execution = ?1", turn->row.number);
    for (size_t i = 0; i < turn->frame_count; i++)
        PX_TRY(frame_write(store, turn->row.number, &turn->frames[i]));
    return 0;
}

int execution_define_begin(struct execution_store *store)
{
    return lite_begin_write(&store->lite, false);
}

int execution_define_end(struct execution_store *store) { return end(store, 0); }

int execution_commit(struct execution_store *store, const struct execution_batch *batch)
{
    if (!batch->first) return 0;
    PX_TRY(lite_begin_write(&store->lite, false));
    int r = 0;
    for (const struct batched_turn *t = batch->first; t && r == 0; t = t->next)
        r = turn_write(store, &t->turn);
    PX_TRY(end(store, r));
    return 0;
}

/* ---- reading ---- */

#define ROW_COLUMNS                                                                                \
    "number, machine, definition, name, arn, status, start_ms, stop_ms, parent, parent_frame,"     \
    " parent_run, parent_index, waiter, waiter_execution, redrive_count, event_count, error,"      \
    " cause, input, output, version, alias"

static void column_keep(const struct lite_stmt *stmt, int column, struct px_arena *arena,
                        struct px_str *ret_text)
{
    bool absent = sqlite3_column_type(stmt->stmt, column) == SQLITE_NULL;
    *ret_text = absent ? (struct px_str){0} : px_arena_dup(arena, lite_column(stmt, column));
}

static uint32_t column_u32(const struct lite_stmt *stmt, int column)
{
    return (uint32_t)sqlite3_column_int64(stmt->stmt, column);
}

/* Of a row that is read by ROW_COLUMNS. */
static int row_read(const struct lite_stmt *stmt, bool with_data, struct px_arena *arena,
                    struct execution_row *ret_row)
{
    sqlite3_stmt *s = stmt->stmt;
    struct execution_row row = {
        .number = (uint64_t)sqlite3_column_int64(s, 0),
        .definition = (uint64_t)sqlite3_column_int64(s, 2),
        .status = (enum execution_status)sqlite3_column_int(s, 5),
        .start_ms = sqlite3_column_int64(s, 6),
        .stop_ms = sqlite3_column_int64(s, 7),
        .parent = (uint64_t)sqlite3_column_int64(s, 8),
        .parent_frame = column_u32(stmt, 9),
        .parent_run = column_u32(stmt, 10),
        .parent_index = column_u32(stmt, 11),
        .waiter_execution = (uint64_t)sqlite3_column_int64(s, 13),
        .redrive_count = column_u32(stmt, 14),
        .event_count = column_u32(stmt, 15),
        .version = column_u32(stmt, 20),
    };
    column_keep(stmt, 1, arena, &row.machine);
    column_keep(stmt, 3, arena, &row.name);
    column_keep(stmt, 4, arena, &row.arn);
    column_keep(stmt, 12, arena, &row.waiter);
    column_keep(stmt, 16, arena, &row.error);
    column_keep(stmt, 17, arena, &row.cause);
    column_keep(stmt, 21, arena, &row.alias);
    bool lost = !row.alias.ptr || !row.machine.ptr || !row.name.ptr || !row.arn.ptr ||
                !row.waiter.ptr || (!row.error.ptr && sqlite3_column_type(s, 16) != SQLITE_NULL) ||
                (!row.cause.ptr && sqlite3_column_type(s, 17) != SQLITE_NULL);
    if (with_data) {
        column_keep(stmt, 18, arena, &row.input);
        column_keep(stmt, 19, arena, &row.output);
        lost = lost || !row.input.ptr ||
               (!row.output.ptr && sqlite3_column_type(s, 19) != SQLITE_NULL);
    }
    if (lost) return px_arena_fault(arena);
    if (row.status > EXECUTION_ABORTED)
        return px_fault(PX_F_CORRUPT, "execution %.*s has no such status", PX_FMT(row.name));
    *ret_row = row;
    return 0;
}

static int one_row(struct lite_stmt *stmt, struct px_arena *arena, struct execution_row *ret_row)
{
    int r = lite_step(stmt);
    if (r == LITE_DONE) return EXECUTION_ABSENT;
    if (r != LITE_ROW) PX_TRY(r);
    return row_read(stmt, true, arena, ret_row);
}

int execution_last_number(struct execution_store *store, uint64_t *ret_number)
{
    PX_AUTO(lite_give) struct lite_stmt stmt = {0};
    PX_TRY(lite_take(&store->lite, "SELECT coalesce(max(number), 0) FROM executions", &stmt));
    int r = lite_step(&stmt);
    if (r != LITE_ROW) PX_TRY(r);
    *ret_number = (uint64_t)sqlite3_column_int64(stmt.stmt, 0);
    return 0;
}

int execution_get(struct execution_store *store, uint64_t number, struct px_arena *arena,
                  struct execution_row *ret_row)
{
    PX_AUTO(lite_give) struct lite_stmt stmt = {0};
    PX_TRY(
        lite_take(&store->lite, "SELECT " ROW_COLUMNS " FROM executions WHERE number = ?1", &stmt));
    lite_bind_int(&stmt, 1, (int64_t)number);
    return one_row(&stmt, arena, ret_row);
}

int execution_find(struct execution_store *store, struct px_str machine, struct px_str name,
                   struct px_arena *arena, struct execution_row *ret_row)
{
    PX_AUTO(lite_give) struct lite_stmt stmt = {0};
    PX_TRY(lite_take(&store->lite,
                     "SELECT " ROW_COLUMNS " FROM executions WHERE machine = ?1 AND name = ?2",
                     &stmt));
    lite_bind_text(&stmt, 1, machine);
    lite_bind_text(&stmt, 2, name);
    return one_row(&stmt, arena, ret_row);
}

int execution_next_running(struct execution_store *store, uint64_t after, struct px_arena *arena,
                           struct execution_row *ret_row)
{
    PX_AUTO(lite_give) struct lite_stmt stmt = {0};
    PX_TRY(lite_take(&store->lite,
                     "SELECT " ROW_COLUMNS " FROM executions WHERE status = 0 AND number > ?1"
                     " ORDER BY number LIMIT 1",
                     &stmt));
    lite_bind_int(&stmt, 1, (int64_t)after);
    return one_row(&stmt, arena, ret_row);
}

/* Grown by doubling inside the arena. */
static void *room(struct px_arena *arena, void *list, size_t item_bytes, size_t count, size_t *cap)
{
    if (count < *cap) return list;
    size_t more = *cap ? *cap * 2 : 16;
    void *grown = px_arena_realloc(arena, list, *cap * item_bytes, more * item_bytes);
    if (grown) *cap = more;
    return grown;
}

int execution_frames(struct execution_store *store, uint64_t number, struct px_arena *arena,
                     struct execution_frame **ret_frames, size_t *ret_count)
{
    PX_AUTO(lite_give) struct lite_stmt stmt = {0};
    struct execution_frame *list = NULL;
    size_t count = 0, cap = 0;
    int r;
    /* a child's number is greater than its parent's */
    PX_TRY(lite_take(&store->lite,
                     "SELECT frame, parent, record FROM frames WHERE execution = ?1 ORDER BY frame",
                     &stmt));
    lite_bind_int(&stmt, 1, (int64_t)number);
    while ((r = lite_step(&stmt)) == LITE_ROW) {
        list = room(arena, list, sizeof *list, count, &cap);
        struct px_str record = list ? px_arena_dup(arena, lite_column(&stmt, 2))
                                    : (struct px_str){0};
        if (!record.ptr) return px_arena_fault(arena);
        list[count++] = (struct execution_frame){
            .frame = column_u32(&stmt, 0), .parent = column_u32(&stmt, 1), .record = record};
    }
    if (r != LITE_DONE) PX_TRY(r);
    *ret_frames = list;
    *ret_count = count;
    return 0;
}

/* Every part of the filter that is not asked for holds for all rows. */
static void bind_filter(struct lite_stmt *stmt, const struct execution_filter *filter)
{
    lite_bind_int(stmt, 1, filter->before ? (int64_t)filter->before : INT64_MAX);
    lite_bind_text(stmt, 2, filter->machine);
    lite_bind_int(stmt, 3, filter->status);
    lite_bind_int(stmt, 4, filter->with_children || filter->parent > 0);
    lite_bind_text(stmt, 5, filter->name);
    lite_bind_int(stmt, 6, (int64_t)filter->parent);
    lite_bind_int(stmt, 7, (int64_t)filter->waited_for_by);
    lite_bind_int(stmt, 8, (int64_t)PX_MIN(filter->max, (size_t)INT64_MAX));
    lite_bind_int(stmt, 9, filter->version);
    lite_bind_text(stmt, 10, filter->alias);
}

#define LIST_SQL(where)                                                                            \
    "SELECT " ROW_COLUMNS " FROM executions WHERE " where " AND number < ?1"                       \
    " AND (?2 = '' OR machine = ?2) AND (?3 < 0 OR status = ?3) AND (?4 OR parent = 0)"            \
    " AND (?5 = '' OR name = ?5) AND (?6 = 0 OR parent = ?6)"                                      \
    " AND (?7 = 0 OR waiter_execution = ?7) AND (?9 = 0 OR version = ?9)"                          \
    " AND (?10 = '' OR alias = ?10) ORDER BY number DESC LIMIT ?8"

int execution_list(struct execution_store *store, const struct execution_filter *filter,
                   bool with_data, struct px_arena *arena, struct execution_row **ret_rows,
                   size_t *ret_count)
{
    PX_AUTO(lite_give) struct lite_stmt stmt = {0};
    struct execution_row *list = NULL;
    size_t count = 0, cap = 0;
    int r;
    /* the first condition names the partial index that serves */
    PX_TRY(lite_take(&store->lite,
                     filter->parent                        ? LIST_SQL("parent > 0 AND parent = ?6")
                     : filter->waited_for_by               ? LIST_SQL("waiter_execution > 0 AND"
                                                                                    " waiter_execution = ?7")
                     : filter->status == EXECUTION_RUNNING ? LIST_SQL("status = 0")
                                                           : LIST_SQL("1"),
                     &stmt));
    bind_filter(&stmt, filter);
    while ((r = lite_step(&stmt)) == LITE_ROW) {
        list = room(arena, list, sizeof *list, count, &cap);
        if (!list) return px_arena_fault(arena);
        PX_TRY(row_read(&stmt, with_data, arena, &list[count++]));
    }
    if (r != LITE_DONE) PX_TRY(r);
    *ret_rows = list;
    *ret_count = count;
    return 0;
}

/* ---- history ---- */

struct lines {
    struct px_arena *arena;
    struct px_str *list;
    size_t count, cap, max;
};

static int lines_add(struct lines *lines, struct px_str line)
{
    lines->list = room(lines->arena, lines->list, sizeof *lines->list, lines->count, &lines->cap);
    struct px_str kept = lines->list ? px_arena_dup(lines->arena, line) : (struct px_str){0};
    if (!kept.ptr) return px_arena_fault(lines->arena);
    lines->list[lines->count++] = kept;
    return 0;
}

/* A row's lines that are asked for, in their order. */
static int row_lines(struct lines *lines, struct px_str text, uint32_t first, uint32_t from)
{
    struct px_str line;
    for (uint32_t id = first; lines->count < lines->max && px_str_cut(&text, '\n', &line); id++)
        if (id >= from) PX_TRY(lines_add(lines, line));
    return 0;
}

/* Backwards: from the row's end, or from event `from` when it is in the row. */
static int row_lines_back(struct lines *lines, struct px_str text, uint32_t first, uint32_t from)
{
    uint32_t id = first;
    for (size_t i = 0; i < text.len; i++) id += text.ptr[i] == '\n';
    while (text.len > 0 && lines->count < lines->max) {
        text.len--; /* the line's end */
        const char *before = text.len ? memrchr(text.ptr, '\n', text.len) : NULL;
        size_t begin = before ? (size_t)(before - text.ptr) + 1 : 0;
        struct px_str line = px_str(text.ptr + begin, text.len - begin);
        text.len = begin;
        if (--id <= from) PX_TRY(lines_add(lines, line));
    }
    return 0;
}

int execution_history(struct execution_store *store, uint64_t number, uint32_t from, bool backwards,
                      size_t max, struct px_arena *arena, struct px_str **ret_lines,
                      size_t *ret_count)
{
    PX_AUTO(lite_give) struct lite_stmt stmt = {0};
    struct lines lines = {.arena = arena, .max = PX_MIN(max, (size_t)LINES_READ_MAX)};
    int r = LITE_DONE;
    if (from == 0) from = backwards ? UINT32_MAX : 1;
    PX_TRY(lite_take(&store->lite,
                     backwards ? "SELECT first, lines FROM events WHERE execution = ?1 AND"
                                 " first <= ?2 ORDER BY first DESC"
                               : "SELECT first, lines FROM events WHERE execution = ?1 AND"
                                 " first + count > ?2 ORDER BY first",
                     &stmt));
    lite_bind_int(&stmt, 1, (int64_t)number);
    lite_bind_int(&stmt, 2, from);
    while (lines.count < lines.max && (r = lite_step(&stmt)) == LITE_ROW) {
        uint32_t first = column_u32(&stmt, 0);
        PX_TRY(backwards ? row_lines_back(&lines, lite_column(&stmt, 1), first, from)
                         : row_lines(&lines, lite_column(&stmt, 1), first, from));
    }
    if (r != LITE_DONE && r != LITE_ROW) PX_TRY(r);
    *ret_lines = lines.list;
    *ret_count = lines.count;
    return 0;
}

/* ---- retention ---- */

/* One whose parent, or whose caller, still runs stays: after a crash that one asks for its output. */
#define ENDED_BEFORE                                                                               \
    "(SELECT number FROM executions WHERE status > 0 AND stop_ms < ?1"                             \
    " AND parent NOT IN (SELECT number FROM executions WHERE status = 0)"                          \
    " AND waiter_execution NOT IN (SELECT number FROM executions WHERE status = 0)"                \
    " ORDER BY stop_ms LIMIT ?2)"

static int expire_from(struct execution_store *store, const char *sql, int64_t before_ms,
                       size_t max)
{
    PX_AUTO(lite_give) struct lite_stmt stmt = {0};
    PX_TRY(lite_take(&store->lite, sql, &stmt));
    lite_bind_int(&stmt, 1, before_ms);
    lite_bind_int(&stmt, 2, (int64_t)PX_MIN(max, (size_t)INT64_MAX));
    return step_to_done(&stmt);
}

int execution_expire(struct execution_store *store, int64_t before_ms, size_t max,
                     size_t *ret_removed)
{
    size_t removed = 0;
    PX_TRY(lite_begin_write(&store->lite, false));
    int r = expire_from(store, "DELETE FROM frames WHERE execution IN " ENDED_BEFORE, before_ms,
                        max);
    if (r == 0)
        r = expire_from(store, "DELETE FROM events WHERE execution IN " ENDED_BEFORE, before_ms,
                        max);
    if (r == 0)
        r = expire_from(store, "DELETE FROM executions WHERE number IN " ENDED_BEFORE, before_ms,
                        max);
    if (r == 0) removed = (size_t)sqlite3_changes64(store->lite.db);
    if (r == 0)
        r = lite_run(&store->lite,
                     "DELETE FROM definitions WHERE definition NOT IN (SELECT definition FROM"
                     " executions) AND definition NOT IN (SELECT max(definition) FROM definitions"
                     " GROUP BY machine) AND definition NOT IN (SELECT definition FROM"
                     " machine_versions) AND definition NOT IN (SELECT definition FROM machines)"
                     " AND definition NOT IN (SELECT shipped FROM machines)");
    PX_TRY(end(store, r));
    *ret_removed = removed;
    return 0;
}
