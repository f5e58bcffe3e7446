/* store/meta.c - which half an URL means; docs: meta.h. */
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

int meta_scrub(struct meta *meta) { return meta->half->scrub ? meta->half->scrub(meta) : 0; }

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
