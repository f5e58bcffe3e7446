/* store/machines_lite.c - see machines.h. A machine is written as a whole: it has a few dozen rows and changes seldom, and so nothing
 * half-changed can be read. Its tables are made by execution_store_open(). */
#include "store/machines.h"

#include "store/executions_lite.h"

/* ---- what can be ---- */

const struct machine_version *machine_version_find(const struct machine_record *record,
                                                   uint32_t number)
{
    for (size_t i = 0; i < record->version_count; i++)
        if (record->versions[i].number == number) return &record->versions[i];
    return NULL;
}

const struct machine_alias *machine_alias_find(const struct machine_record *record,
                                               struct px_str name)
{
    for (size_t i = 0; i < record->alias_count; i++)
        if (px_str_eq(record->aliases[i].name, name)) return &record->aliases[i];
    return NULL;
}

bool machine_alias_leads_to(const struct machine_alias *alias, uint32_t version)
{
    for (size_t i = 0; i < alias->route_count; i++)
        if (alias->routes[i].version == version) return true;
    return false;
}

static bool alias_ok(const struct machine_record *record, const struct machine_alias *alias)
{
    uint32_t sum = 0;
    if (alias->route_count < 1 || alias->route_count > MACHINE_ROUTES_MAX) return false;
    for (size_t i = 0; i < alias->route_count; i++) {
        if (!machine_version_find(record, alias->routes[i].version)) return false;
        if (alias->routes[i].weight > 100) return false;
        sum += alias->routes[i].weight;
    }
    return sum == 100 &&
           (alias->route_count == 1 || alias->routes[0].version != alias->routes[1].version);
}

bool machine_record_ok(const struct machine_record *record)
{
    uint32_t last = 0;
    for (size_t i = 0; i < record->version_count; i++) {
        if (record->versions[i].number <= last) return false;
        last = record->versions[i].number;
    }
    for (size_t i = 0; i < record->alias_count; i++)
        if (!alias_ok(record, &record->aliases[i])) return false;
    return last < record->next && record->definition > 0;
}

/* ---- reading ---- */

static struct px_str kept(const struct lite_stmt *stmt, int column, struct px_arena *arena)
{
    return px_arena_dup(arena, lite_column(stmt, column));
}

static uint32_t u32(const struct lite_stmt *stmt, int column)
{
    return (uint32_t)sqlite3_column_int64(stmt->stmt, column);
}

static int take_of(struct execution_store *store, const char *sql, struct px_str machine,
                   struct lite_stmt *stmt)
{
    PX_TRY(lite_take(&store->lite, sql, stmt));
    lite_bind_text(stmt, 1, machine);
    return 0;
}

static int count_rows(struct execution_store *store, const char *sql, struct px_str machine,
                      size_t *ret_count)
{
    PX_AUTO(lite_give) struct lite_stmt stmt = {0};
    PX_TRY(take_of(store, sql, machine, &stmt));
    int r = lite_step(&stmt);
    if (r != LITE_ROW) PX_TRY(r);
    *ret_count = (size_t)sqlite3_column_int64(stmt.stmt, 0);
    return 0;
}

static int read_head(struct execution_store *store, struct px_str machine, struct px_arena *arena,
                     struct machine_record *record)
{
    PX_AUTO(lite_give) struct lite_stmt stmt = {0};
    PX_TRY(take_of(store,
                   "SELECT definition, revision, shipped, next, updated_ms FROM machines"
                   " WHERE machine = ?1",
                   machine, &stmt));
    int r = lite_step(&stmt);
    if (r == LITE_DONE) return EXECUTION_ABSENT;
    if (r != LITE_ROW) PX_TRY(r);
    *record = (struct machine_record){
        .machine = px_arena_dup(arena, machine),
        .definition = (uint64_t)sqlite3_column_int64(stmt.stmt, 0),
        .revision = kept(&stmt, 1, arena),
        .shipped = (uint64_t)sqlite3_column_int64(stmt.stmt, 2),
        .next = u32(&stmt, 3),
        .updated_ms = sqlite3_column_int64(stmt.stmt, 4),
    };
    return record->machine.ptr && record->revision.ptr ? 0 : px_arena_fault(arena);
}

static int read_versions(struct execution_store *store, struct px_arena *arena,
                         struct machine_record *record)
{
    PX_AUTO(lite_give) struct lite_stmt stmt = {0};
    size_t count = 0;
    int r;
    PX_TRY(count_rows(store, "SELECT count(*) FROM machine_versions WHERE machine = ?1",
                      record->machine, &count));
    record->versions = px_arena_array(arena, struct machine_version, count);
    if (!record->versions) return px_arena_fault(arena);
    PX_TRY(take_of(store,
                   "SELECT number, definition, revision, description, created_ms"
                   " FROM machine_versions WHERE machine = ?1 ORDER BY number",
                   record->machine, &stmt));
    while ((r = lite_step(&stmt)) == LITE_ROW && record->version_count < count) {
        struct machine_version *v = &record->versions[record->version_count++];
        *v = (struct machine_version){
            .number = u32(&stmt, 0),
            .definition = (uint64_t)sqlite3_column_int64(stmt.stmt, 1),
            .revision = kept(&stmt, 2, arena),
            .description = kept(&stmt, 3, arena),
            .created_ms = sqlite3_column_int64(stmt.stmt, 4),
        };
        if (!v->revision.ptr || !v->description.ptr) return px_arena_fault(arena);
    }
    if (r != LITE_DONE) PX_TRY(r);
    return 0;
}

static int read_aliases(struct execution_store *store, struct px_arena *arena,
                        struct machine_record *record)
{
    PX_AUTO(lite_give) struct lite_stmt stmt = {0};
    size_t count = 0;
    int r;
    PX_TRY(count_rows(store, "SELECT count(*) FROM machine_aliases WHERE machine = ?1",
                      record->machine, &count));
    record->aliases = px_arena_array(arena, struct machine_alias, count);
    if (!record->aliases) return px_arena_fault(arena);
    PX_TRY(take_of(store,
                   "SELECT name, description, version, weight, other, other_weight, created_ms,"
                   " updated_ms FROM machine_aliases WHERE machine = ?1 ORDER BY place",
                   record->machine, &stmt));
    while ((r = lite_step(&stmt)) == LITE_ROW && record->alias_count < count) {
        struct machine_alias *a = &record->aliases[record->alias_count++];
        *a = (struct machine_alias){
            .name = kept(&stmt, 0, arena),
            .description = kept(&stmt, 1, arena),
            .routes = {{u32(&stmt, 2), u32(&stmt, 3)}, {u32(&stmt, 4), u32(&stmt, 5)}},
            .route_count = u32(&stmt, 4) ? 2 : 1,
            .created_ms = sqlite3_column_int64(stmt.stmt, 6),
            .updated_ms = sqlite3_column_int64(stmt.stmt, 7),
        };
        if (!a->name.ptr || !a->description.ptr) return px_arena_fault(arena);
    }
    if (r != LITE_DONE) PX_TRY(r);
    return 0;
}

/* One reader at a time and one writer of whole machines: no transaction is needed around the three. */
int machine_read(struct execution_store *store, struct px_str machine, struct px_arena *arena,
                 struct machine_record *ret_record)
{
    struct machine_record record;
    int r = read_head(store, machine, arena, &record);
    if (r != 0) return r;
    PX_TRY(read_versions(store, arena, &record));
    PX_TRY(read_aliases(store, arena, &record));
    if (!machine_record_ok(&record))
        return px_fault(PX_F_CORRUPT, "the journal's versions of machine %.*s do not fit together",
                        PX_FMT(machine));
    *ret_record = record;
    return 0;
}

/* ---- writing ---- */

static int done(struct lite_stmt *stmt)
{
    int r = lite_step(stmt);
    if (r == LITE_DONE) return 0;
    PX_TRY(r);
    return 0;
}

static int delete_from(struct execution_store *store, const char *sql, struct px_str machine)
{
    PX_AUTO(lite_give) struct lite_stmt stmt = {0};
    PX_TRY(take_of(store, sql, machine, &stmt));
    return done(&stmt);
}

static int write_head(struct execution_store *store, const struct machine_record *record)
{
    PX_AUTO(lite_give) struct lite_stmt stmt = {0};
    PX_TRY(take_of(store,
                   "INSERT OR REPLACE INTO machines (machine, definition, revision, shipped, next,"
                   " updated_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                   record->machine, &stmt));
    lite_bind_int(&stmt, 2, (int64_t)record->definition);
    lite_bind_text(&stmt, 3, record->revision);
    lite_bind_int(&stmt, 4, (int64_t)record->shipped);
    lite_bind_int(&stmt, 5, record->next);
    lite_bind_int(&stmt, 6, record->updated_ms);
    return done(&stmt);
}

static int write_version(struct execution_store *store, struct px_str machine,
                         const struct machine_version *v)
{
    PX_AUTO(lite_give) struct lite_stmt stmt = {0};
    PX_TRY(take_of(store,
                   "INSERT INTO machine_versions (machine, number, definition, revision,"
                   " description, created_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                   machine, &stmt));
    lite_bind_int(&stmt, 2, v->number);
    lite_bind_int(&stmt, 3, (int64_t)v->definition);
    lite_bind_text(&stmt, 4, v->revision);
    lite_bind_text(&stmt, 5, v->description);
    lite_bind_int(&stmt, 6, v->created_ms);
    return done(&stmt);
}

static int write_alias(struct execution_store *store, struct px_str machine, size_t place,
                       const struct machine_alias *a)
{
    PX_AUTO(lite_give) struct lite_stmt stmt = {0};
    PX_TRY(take_of(store,
                   "INSERT INTO machine_aliases (machine, name, place, description, version,"
                   " weight, other, other_weight, created_ms, updated_ms)"
                   " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
                   machine, &stmt));
    lite_bind_text(&stmt, 2, a->name);
    lite_bind_int(&stmt, 3, (int64_t)place);
    lite_bind_text(&stmt, 4, a->description);
    for (size_t i = 0; i < MACHINE_ROUTES_MAX; i++) {
        bool there = i < a->route_count;
        lite_bind_int(&stmt, 5 + 2 * (int)i, there ? a->routes[i].version : 0);
        lite_bind_int(&stmt, 6 + 2 * (int)i, there ? a->routes[i].weight : 0);
    }
    lite_bind_int(&stmt, 9, a->created_ms);
    lite_bind_int(&stmt, 10, a->updated_ms);
    return done(&stmt);
}

static int write_all(struct execution_store *store, const struct machine_record *record)
{
    struct px_str machine = record->machine;
    PX_TRY(delete_from(store, "DELETE FROM machine_versions WHERE machine = ?1", machine));
    PX_TRY(delete_from(store, "DELETE FROM machine_aliases WHERE machine = ?1", machine));
    PX_TRY(write_head(store, record));
    for (size_t i = 0; i < record->version_count; i++)
        PX_TRY(write_version(store, machine, &record->versions[i]));
    for (size_t i = 0; i < record->alias_count; i++)
        PX_TRY(write_alias(store, machine, i, &record->aliases[i]));
    return 0;
}

int machine_write(struct execution_store *store, const struct machine_record *record)
{
    PX_ASSERT(machine_record_ok(record));
    PX_TRY(lite_begin_write(&store->lite, false));
    int r = write_all(store, record);
    if (r == 0) r = lite_run(&store->lite, "COMMIT");
    if (r != 0) lite_rollback(&store->lite);
    PX_TRY(r);
    return 0;
}
