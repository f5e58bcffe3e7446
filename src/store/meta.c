/* store/meta.c - which half an URL means, and migrations, which are the same for both; docs: meta.h. */
#include "base/px_clock.h"
#include "observe/observe.h"
#include "store/meta_half.h"

int meta_open(struct px_str url, const struct meta_options *options, struct meta **ret_meta)
{
    struct meta_options given = options ? *options : (struct meta_options){0};
    if (given.busy_ms <= 0) given.busy_ms = 5000;
    if (px_str_starts(url, S("postgresql://")) || px_str_starts(url, S("postgres://")))
        return meta_pg_open(url, &given, ret_meta);
    return meta_lite_open(url, &given, ret_meta);
}

void meta_close(struct meta **meta)
{
    if (!*meta) return;
    (*meta)->half->close(*meta);
    *meta = NULL;
}

void meta_set_deadline(struct meta *meta, int64_t mono_ns)
{
    meta->half->set_deadline(meta, mono_ns);
}

static int observed(struct observe_work *work, int r)
{
    if (r < 0) observe_store_kind(r);
    observe_end_store(work, r);
    return r;
}

int meta_exec(struct meta *meta, const char *sql, const struct meta_value *params, size_t count,
              int64_t *ret_changed)
{
    struct observe_work work = observe_begin("metadata exec", SPAN_CLIENT);
    return observed(&work, meta->half->exec(meta, sql, params, count, ret_changed));
}

int meta_select(struct meta *meta, const char *sql, const struct meta_value *params, size_t count,
                struct meta_rows **ret_rows)
{
    struct observe_work work = observe_begin("metadata select", SPAN_CLIENT);
    return observed(&work, meta->half->select(meta, sql, params, count, ret_rows));
}

int meta_rows_next(struct meta_rows *rows, struct meta_value *values, size_t columns)
{
    return rows->half->next(rows, values, columns);
}

void meta_rows_close(struct meta_rows **rows)
{
    if (!*rows) return;
    (*rows)->half->end(*rows);
    *rows = NULL;
}

int meta_begin(struct meta *meta, enum meta_mode mode) { return meta->half->begin(meta, mode); }
int meta_commit(struct meta *meta)
{
    struct observe_work work = observe_begin("metadata commit", SPAN_CLIENT);
    return observed(&work, meta->half->commit(meta));
}
void meta_rollback(struct meta *meta) { meta->half->rollback(meta); }

/* ---- migrations ---- */

/* Whether the step was run before. */
static int step_look(struct meta *meta, const struct meta_migration *step, bool *ret_done)
{
    const struct meta_value params[] = {meta_i(step->number)};
    PX_AUTO(meta_rows_close) struct meta_rows *rows = NULL;
    struct meta_value row[1];
    PX_TRY(meta_select(meta, "SELECT number FROM migrations WHERE number = $1", params, 1, &rows));
    int r = meta_rows_next(rows, row, 1);
    if (r != META_END) PX_TRY(r);
    *ret_done = r == 0;
    return 0;
}

/* Inside a write transaction; another process may have been faster. */
static int step_run(struct meta *meta, const struct meta_migration *step)
{
    bool done = false;
    PX_TRY(step_look(meta, step, &done));
    if (done) return 0;
    PX_TRY(meta->half->script(meta, step->sql));
    const struct meta_value params[] = {meta_i(step->number), meta_s(px_str_c(step->name)),
                                        meta_i(px_wall_ns(&px_clock_system))};
    PX_TRY(meta_exec(meta, "INSERT INTO migrations (number, name, applied_ns) VALUES ($1, $2, $3)",
                     params, PX_COUNT(params), NULL));
    return 0;
}

static int in_transaction(struct meta *meta, const struct meta_migration *step,
                          int (*run)(struct meta *meta, const struct meta_migration *step))
{
    PX_TRY(meta_begin(meta, META_WRITE));
    int r = run(meta, step);
    if (r == 0) r = meta_commit(meta);
    if (r != 0) meta_rollback(meta);
    PX_TRY(r);
    return 0;
}

static int home_make(struct meta *meta, const struct meta_migration *unused)
{
    (void)unused;
    PX_TRY(meta->half->script(meta, "CREATE TABLE IF NOT EXISTS migrations ("
                                    "number BIGINT NOT NULL PRIMARY KEY, name TEXT NOT NULL,"
                                    "applied_ns BIGINT NOT NULL)"));
    return 0;
}

int meta_migrate(struct meta *meta, const struct meta_migration *steps, size_t count)
{
    PX_ASSERT(!meta->read_only);
    bool exists = false, done = false;
    PX_TRY(meta->half->has_table(meta, "migrations", &exists));
    if (!exists) PX_TRY(in_transaction(meta, NULL, home_make));
    for (size_t i = 0; i < count; i++) {
        PX_ASSERT(i == 0 || steps[i - 1].number < steps[i].number);
        PX_TRY(step_look(meta, &steps[i], &done)); /* without the write lock: nearly always it is */
        if (!done) PX_TRY(in_transaction(meta, &steps[i], step_run));
    }
    return 0;
}

int meta_migrations(struct meta *meta, size_t max, struct meta_applied *ret_applied,
                    size_t *ret_count)
{
    bool exists = false;
    PX_TRY(meta->half->has_table(meta, "migrations", &exists));
    size_t count = 0;
    if (exists) {
        PX_AUTO(meta_rows_close) struct meta_rows *rows = NULL;
        struct meta_value row[2];
        int r;
        PX_TRY(meta_select(meta, "SELECT number, applied_ns FROM migrations ORDER BY number", NULL,
                           0, &rows));
        while ((r = meta_rows_next(rows, row, 2)) == 0 && count < max)
            ret_applied[count++] = (struct meta_applied){(int)row[0].i, row[1].i};
        if (r < 0) PX_TRY(r);
    }
    *ret_count = count;
    return 0;
}
