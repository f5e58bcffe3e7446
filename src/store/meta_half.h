/* store/meta_half.h - what a half of the metadata store implements. Inside store only. */
#pragma once

#include "base/px_buf.h"
#include "store/meta.h"

struct meta_half {
    bool has_users; /* who signs in, with rights (meta_users.h) */
    int (*exec)(struct meta *meta, const char *sql, const struct meta_value *params, size_t count,
                int64_t *ret_changed);
    int (*select)(struct meta *meta, const char *sql, const struct meta_value *params, size_t count,
                  struct meta_rows **ret_rows);
    int (*next)(struct meta_rows *rows, struct meta_value *values, size_t columns);
    void (*end)(struct meta_rows *rows); /* and free */
    int (*begin)(struct meta *meta, enum meta_mode mode);
    int (*commit)(struct meta *meta);
    void (*rollback)(struct meta *meta);
    int (*script)(struct meta *meta, const char *sql); /* of a migration, in its transaction */
    void (*script_text)(const char *sql, struct px_buf *buf); /* what script() sends */
    int (*has_table)(struct meta *meta, const char *name, bool *ret_has);
    void (*set_deadline)(struct meta *meta, int64_t mono_ns);
    int (*scrub)(struct meta *meta);  /* NULL: nothing to do */
    void (*close)(struct meta *meta); /* and free; rolls back what was not committed */
};
/* Each half's own structs begin with these. */
struct meta {
    const struct meta_half *half;
    bool read_only;
};
struct meta_rows {
    const struct meta_half *half;
};

PX_MUST_USE int meta_lite_open(struct px_str path, const struct meta_options *options,
                               struct meta **ret_meta);
PX_MUST_USE int meta_pg_open(struct px_str url, const struct meta_options *options,
                             struct meta **ret_meta);
