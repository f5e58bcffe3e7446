/* store/lite.c - one SQLite connection.
 *
 * A cached statement is found by the address of its text; the text is compared as well, so that an
 * address used again for another text is an inefficiency and not a mistake. */
#include "store/lite.h"

#include "base/px_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- outcomes ---- */

static int fault_of_code(int code, int system_errno)
{
    if (code == SQLITE_IOERR_NOMEM) return PX_F_OOM;
    switch (code & 0xff) {
    case SQLITE_NOMEM: return PX_F_OOM;
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return PX_F_BUSY;
    case SQLITE_FULL: return PX_F_NO_SPACE;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return PX_F_CORRUPT;
    case SQLITE_TOOBIG: return PX_F_LIMIT;
    case SQLITE_INTERRUPT: return PX_F_TIMEOUT;
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_READONLY: return PX_F_DENIED;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
        if (system_errno == ENOSPC || system_errno == EDQUOT || system_errno == EFBIG)
            return PX_F_NO_SPACE;
        return system_errno == EACCES || system_errno == EPERM ? PX_F_DENIED : PX_F_IO;
    default: return PX_F_BUG;
    }
}

int lite_fault(struct lite *lite, const char *doing)
{
    int system_errno = errno; /* SQLite notes it too, but not for what fails inside a commit */
    int code = sqlite3_extended_errcode(lite->db);
    if (sqlite3_system_errno(lite->db) != 0) system_errno = sqlite3_system_errno(lite->db);
    return px_fault(fault_of_code(code, system_errno), "%.120s: %s (SQLite %d)", doing,
                    sqlite3_errmsg(lite->db), code);
}

static bool is_conflict(int code)
{
    return code == SQLITE_CONSTRAINT_UNIQUE || code == SQLITE_CONSTRAINT_PRIMARYKEY ||
           code == SQLITE_CONSTRAINT_FOREIGNKEY || code == SQLITE_CONSTRAINT_ROWID;
}

/* ---- opening ---- */

/* Make the file with its mode before SQLite makes it with another; -wal and -shm take it over.
 *
 * A file that exists is never opened here: closing any descriptor of it takes away the locks that
 * this process's other connections have (https://www.sqlite.org/howtocorrupt.html section 2.2). The next
 * process that closes its connection then takes itself for the last one and removes the WAL under them. */
static int file_make(const char *path)
{
    struct stat about;
    int fd = stat(path, &about) == 0 ? -1 : open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0) {
        px_close(&fd);
    } else if (stat(path, &about) != 0) {
        return px_fault_errno("make %s", path);
    } else if (about.st_size > 0) {
        return 0;
    }
    char folder[PATH_MAX]; /* new: its name must survive what is written to it */
    const char *slash = strrchr(path, '/');
    int len = !slash ? 1 : slash == path ? 1 : (int)(slash - path);
    (void)snprintf(folder, sizeof folder, "%.*s", len, slash ? path : ".");
    return px_dir_sync(folder);
}

/* Turning to WAL takes an exclusive lock for which SQLite does not always wait. */
static int turn_to_wal(struct lite *lite, int busy_ms)
{
    for (int waited_ms = 0;; waited_ms += 5) {
        int code = sqlite3_exec(lite->db, "PRAGMA journal_mode=WAL", NULL, NULL, NULL);
        if (code == SQLITE_OK) return 0;
        if ((code & 0xff) != SQLITE_BUSY || waited_ms >= busy_ms)
            return lite_fault(lite, "turning to WAL");
        (void)usleep(5000);
    }
}

static int lite_configure(struct lite *lite, const struct lite_options *options)
{
    int busy_ms = options->busy_ms > 0 ? options->busy_ms : 5000;
    (void)sqlite3_extended_result_codes(lite->db, 1);
    (void)sqlite3_busy_timeout(lite->db, busy_ms);
    (void)sqlite3_db_config(lite->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    if (options->read_only) return lite_run_script(lite, "PRAGMA query_only=ON");
    PX_TRY(turn_to_wal(lite, busy_ms));
    return lite_run_script(lite, "PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;"
                                 "PRAGMA journal_size_limit=67108864; PRAGMA trusted_schema=OFF");
}

int lite_open(struct px_str path, const struct lite_options *options, struct lite *ret_lite)
{
    char file[PATH_MAX];
    if (path.len == 0 || path.len >= sizeof file)
        return px_fault(PX_F_CONFIG, "a database path of %zu bytes", path.len);
    memcpy(file, path.ptr, path.len);
    file[path.len] = '\0';
    if (!options->read_only) PX_TRY(file_make(file));

    struct lite lite = {0};
    int code = sqlite3_open_v2(file, &lite.db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    int r = 0;
    if (!lite.db) return px_fault(PX_F_OOM, "open %s", file);
    if (code != SQLITE_OK) r = lite_fault(&lite, file);
    if (r == 0) r = lite_configure(&lite, options);
    if (r != 0) {
        lite_close(&lite);
        PX_TRY(r);
    }
    *ret_lite = lite;
    return 0;
}

void lite_close(struct lite *lite)
{
    if (!lite->db) return;
    for (size_t i = 0; i < LITE_CACHE; i++) (void)sqlite3_finalize(lite->slots[i].stmt);
    int code = sqlite3_close(lite->db);
    PX_ASSERT(code == SQLITE_OK); /* else a statement was not given back */
    *lite = (struct lite){0};
}

/* ---- statements ---- */

static struct lite_slot *slot_find(struct lite *lite, const char *sql, bool *ret_taken)
{
    struct lite_slot *oldest = NULL;
    *ret_taken = false;
    for (size_t i = 0; i < LITE_CACHE; i++) {
        struct lite_slot *slot = &lite->slots[i];
        if (slot->sql == sql && strcmp(sqlite3_sql(slot->stmt), sql) == 0) {
            *ret_taken = slot->taken;
            return slot;
        }
        if (!slot->taken && (!oldest || slot->used_at < oldest->used_at)) oldest = slot;
    }
    return oldest; /* NULL: all are taken */
}

static int prepare(struct lite *lite, const char *sql, unsigned flags, sqlite3_stmt **ret_stmt)
{
    const char *rest = NULL;
    sqlite3_stmt *stmt = NULL;
    if (sqlite3_prepare_v3(lite->db, sql, -1, flags, &stmt, &rest) != SQLITE_OK)
        return lite_fault(lite, sql);
    PX_ASSERT(stmt && px_str_trim(px_str_c(rest)).len == 0); /* one statement, not empty */
    *ret_stmt = stmt;
    return 0;
}

static int slot_fill(struct lite *lite, struct lite_slot *slot, const char *sql)
{
    (void)sqlite3_finalize(slot->stmt);
    *slot = (struct lite_slot){0};
    PX_TRY(prepare(lite, sql, SQLITE_PREPARE_PERSISTENT, &slot->stmt));
    slot->sql = sql;
    return 0;
}

int lite_take(struct lite *lite, const char *sql, struct lite_stmt *ret_stmt)
{
    bool taken;
    struct lite_slot *slot = slot_find(lite, sql, &taken);
    struct lite_stmt stmt = {.lite = lite};
    if (!slot || taken) {
        PX_TRY(prepare(lite, sql, 0, &stmt.stmt));
    } else {
        if (slot->sql != sql || strcmp(sqlite3_sql(slot->stmt), sql) != 0)
            PX_TRY(slot_fill(lite, slot, sql));
        slot->taken = true;
        slot->used_at = ++lite->tick;
        stmt.slot = slot;
        stmt.stmt = slot->stmt;
    }
    *ret_stmt = stmt;
    return 0;
}

void lite_give(struct lite_stmt *stmt)
{
    if (!stmt->stmt) return;
    if (stmt->slot) {
        (void)sqlite3_reset(stmt->stmt); /* repeats the error that the step told */
        (void)sqlite3_clear_bindings(stmt->stmt);
        stmt->slot->taken = false;
    } else {
        (void)sqlite3_finalize(stmt->stmt);
    }
    *stmt = (struct lite_stmt){0};
}

/* Binding fails only for an index that is not there or for 2 GB of text. */
void lite_bind_text(struct lite_stmt *stmt, int index, struct px_str text)
{
    const char *ptr = text.ptr ? text.ptr : "";
    int code = sqlite3_bind_text64(stmt->stmt, index, ptr, text.len, SQLITE_STATIC, SQLITE_UTF8);
    PX_ASSERT(code == SQLITE_OK);
}

void lite_bind_int(struct lite_stmt *stmt, int index, int64_t value)
{
    int code = sqlite3_bind_int64(stmt->stmt, index, value);
    PX_ASSERT(code == SQLITE_OK);
}

int lite_step(struct lite_stmt *stmt)
{
    int code = sqlite3_step(stmt->stmt);
    if (code == SQLITE_ROW) return LITE_ROW;
    if (code == SQLITE_DONE) return LITE_DONE;
    if (is_conflict(code)) return LITE_CONFLICT;
    return lite_fault(stmt->lite, sqlite3_sql(stmt->stmt));
}

struct px_str lite_column(const struct lite_stmt *stmt, int column)
{
    const char *bytes = sqlite3_column_blob(stmt->stmt, column);
    return px_str(bytes, (size_t)sqlite3_column_bytes(stmt->stmt, column));
}

int lite_run(struct lite *lite, const char *sql)
{
    PX_AUTO(lite_give) struct lite_stmt stmt = {0};
    PX_TRY(lite_take(lite, sql, &stmt));
    int r = lite_step(&stmt);
    if (r == LITE_DONE) return 0;
    PX_TRY(r);
    return 0;
}

int lite_run_script(struct lite *lite, const char *sql)
{
    if (sqlite3_exec(lite->db, sql, NULL, NULL, NULL) == SQLITE_OK) return 0;
    return lite_fault(lite, sql);
}

int lite_empty_log(struct lite *lite)
{
    int code = sqlite3_wal_checkpoint_v2(lite->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    return code == SQLITE_OK ? 0 : lite_fault(lite, "emptying the log");
}

/* ---- transactions ---- */

static int set_relaxed(struct lite *lite, bool relaxed)
{
    if (lite->relaxed == relaxed) return 0;
    PX_TRY(
        lite_run_script(lite, relaxed ? "PRAGMA synchronous=NORMAL" : "PRAGMA synchronous=FULL"));
    lite->relaxed = relaxed;
    return 0;
}

int lite_begin_write(struct lite *lite, bool relaxed)
{
    PX_TRY(set_relaxed(lite, relaxed));
    PX_TRY(lite_run(lite, "BEGIN IMMEDIATE"));
    return 0;
}

void lite_rollback(struct lite *lite)
{
    if (sqlite3_get_autocommit(lite->db)) return;
    (void)sqlite3_exec(lite->db, "ROLLBACK", NULL, NULL,
                       NULL); /* what fails is rolled back at reopen */
}
