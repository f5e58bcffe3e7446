/* store/lite.h - SQLite as the embedded tables and metadata use it: WAL mode, synced commits, a bounded
 * wait for other processes, statements prepared once. Its outcomes in Prism's two channels. */
#pragma once

#include "base/px.h"
#include "base/px_arena.h"

#include <sqlite3.h>

enum lite_answer { LITE_ROW = 1, LITE_DONE, LITE_CONFLICT };

#define LITE_CACHE 64

struct lite_slot {
    const char *sql; /* the caller's address; NULL: free */
    sqlite3_stmt *stmt;
    uint64_t used_at;
    bool taken;
};
struct lite {
    sqlite3 *db;
    uint64_t tick;
    bool relaxed; /* synchronous is NORMAL, else FULL */
    struct lite_slot slots[LITE_CACHE];
};

struct lite_options {
    int busy_ms;    /* 0: 5000 */
    bool read_only; /* the file must exist then */
};
/* Open the file, created with mode 0600 when absent. */
PX_MUST_USE int lite_open(struct px_str path, const struct lite_options *options,
                          struct lite *ret_lite);
void lite_close(struct lite *lite);

/* A statement for `sql`, which stays at its address as long as lite is open. Given back with
 * lite_give(), which the cleanup attribute can do. */
struct lite_stmt {
    struct lite *lite;
    sqlite3_stmt *stmt;
    struct lite_slot *slot; /* NULL: not cached, because another one of the same text is taken */
};
PX_MUST_USE int lite_take(struct lite *lite, const char *sql, struct lite_stmt *ret_stmt);
void lite_give(struct lite_stmt *stmt);
void lite_bind_text(struct lite_stmt *stmt, int index,
                    struct px_str text); /* borrowed until given back */
void lite_bind_int(struct lite_stmt *stmt, int index, int64_t value);

/* Answers: LITE_ROW, LITE_DONE, LITE_CONFLICT (unique, primary or foreign key). */
PX_MUST_USE int lite_step(struct lite_stmt *stmt);
/* A view into the row, valid until the next step. */
struct px_str lite_column(const struct lite_stmt *stmt, int column);

/* Statements without parameters or rows. */
PX_MUST_USE int lite_run(struct lite *lite, const char *sql);
PX_MUST_USE int lite_run_script(struct lite *lite, const char *sql);
/* All of the log into the file, and the log to nothing. Faults: PX_F_BUSY when another connection reads for too long. */
PX_MUST_USE int lite_empty_log(struct lite *lite);

/* relaxed: the commit may be lost on power failure. */
PX_MUST_USE int lite_begin_write(struct lite *lite, bool relaxed);
void lite_rollback(struct lite *lite); /* without a transaction: nothing */
/* The fault for SQLite's last error on this connection. */
PX_MUST_USE int lite_fault(struct lite *lite, const char *doing);
