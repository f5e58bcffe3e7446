/* store/migrate_ledger.c - the tables of migrations; docs: migrate_ledger.h. */
#include "store/migrate_ledger.h"

#include <stdio.h>

#include <openssl/sha.h>

#include "base/px_id.h"
#include "store/meta_half.h"

#define CHECKSUM_BYTES (2 * SHA256_DIGEST_LENGTH + 1)

static const char home[] = "CREATE TABLE IF NOT EXISTS schema_steps ("
                           " number BIGINT NOT NULL PRIMARY KEY,"
                           " kind TEXT NOT NULL,"
                           " name TEXT NOT NULL,"
                           " checksum TEXT NOT NULL,"
                           " unused_since BIGINT NOT NULL,"
                           " applied_ns BIGINT NOT NULL);"
                           "CREATE TABLE IF NOT EXISTS schema_backfills ("
                           " number BIGINT NOT NULL PRIMARY KEY,"
                           " batches BIGINT NOT NULL,"
                           " rows_changed BIGINT NOT NULL,"
                           " updated_ns BIGINT NOT NULL);"
                           "CREATE TABLE IF NOT EXISTS schema_functions ("
                           " name TEXT NOT NULL,"
                           " knows BIGINT NOT NULL,"
                           " seen_ns BIGINT NOT NULL,"
                           " PRIMARY KEY (name, knows));";

static int64_t now_ns(const struct migrate *m) { return px_wall_ns(m->clock); }

/* Of all that decides what running it does; each part with its NUL, so that none flows into the next. */
static void checksum(const struct migrate_step *step, char hex[CHECKSUM_BYTES])
{
    uint8_t digest[SHA256_DIGEST_LENGTH];
    SHA256_CTX sha;
    const char *kind = migrate_kind_name(step->kind);
    (void)SHA256_Init(&sha);
    (void)SHA256_Update(&sha, kind, strlen(kind) + 1);
    (void)SHA256_Update(&sha, step->sql, strlen(step->sql) + 1);
    (void)SHA256_Final(digest, &sha);
    px_hex(digest, sizeof digest, hex);
}

int ledger_number(struct meta *meta, const char *sql, int64_t *ret_number)
{
    PX_AUTO(meta_rows_close) struct meta_rows *rows = NULL;
    struct meta_value value;
    PX_TRY(meta_select(meta, sql, NULL, 0, &rows));
    int r = meta_rows_next(rows, &value, 1);
    if (r == META_END || (r == 0 && value.type != META_INT))
        return px_fault(PX_F_BUG, "not one number: %.120s", sql);
    PX_TRY(r);
    *ret_number = value.i;
    return 0;
}

/* ---- reading ---- */

static struct migrate_item *item_of(struct migrate_state *state, int number)
{
    for (size_t i = 0; i < state->count; i++)
        if (state->items[i].number == number) return &state->items[i];
    return NULL;
}

static void list_items(const struct migrate *m, struct migrate_state *state)
{
    for (size_t i = 0; i < m->list->count; i++) {
        const struct migrate_step *step = &m->list->steps[i];
        state->items[state->count++] = (struct migrate_item){
            .number = step->number, .kind = step->kind, .step = step};
    }
}

static enum migrate_kind kind_of(struct px_str name)
{
    for (int kind = MIGRATE_EXPAND; kind < MIGRATE_CONTRACT; kind++)
        if (px_str_eq(px_str_c(migrate_kind_name((enum migrate_kind)kind)), name))
            return (enum migrate_kind)kind;
    return MIGRATE_CONTRACT; /* also of a kind that we do not know: the strictest */
}

/* Keeps the items in order of their numbers. Those that we do not know are a later release's. */
static int add_unknown(struct migrate_state *state, const struct migrate_item *item)
{
    size_t at = state->count;
    if (state->count == MIGRATE_STEPS_MAX)
        return px_fault(PX_F_LIMIT, "the schema has more than %d steps", MIGRATE_STEPS_MAX);
    while (at > 0 && state->items[at - 1].number > item->number) {
        state->items[at] = state->items[at - 1];
        at--;
    }
    state->items[at] = *item;
    state->count++;
    return 0;
}

static int take_step(struct migrate_state *state, const struct meta_value row[5])
{
    int number = (int)row[0].i;
    struct migrate_item *item = item_of(state, number);
    enum migrate_kind kind = kind_of(row[1].s);
    char hex[CHECKSUM_BYTES];
    if (kind == MIGRATE_CONTRACT) state->floor = PX_MAX(state->floor, (int)row[3].i);
    if (!item) {
        const struct migrate_item unknown = {number, kind, NULL, row[4].i, 0, false};
        PX_TRY(add_unknown(state, &unknown));
        return 0;
    }
    item->applied_ns = PX_MAX(row[4].i, INT64_C(1));
    checksum(item->step, hex);
    item->edited = row[2].s.len > 0 && !px_str_eq(row[2].s, px_str_c(hex));
    return 0;
}

static int read_steps(const struct migrate *m, struct migrate_state *state)
{
    PX_AUTO(meta_rows_close) struct meta_rows *rows = NULL;
    struct meta_value row[5];
    int r;
    PX_TRY(meta_select(m->meta,
                       "SELECT number, kind, checksum, unused_since, applied_ns FROM schema_steps "
                       "ORDER BY number",
                       NULL, 0, &rows));
    while ((r = meta_rows_next(rows, row, 5)) == 0) PX_TRY(take_step(state, row));
    if (r < 0) PX_TRY(r);
    return 0;
}

static int read_old_steps(const struct migrate *m, struct migrate_state *state)
{
    PX_AUTO(meta_rows_close) struct meta_rows *rows = NULL;
    struct meta_value row[2];
    int r;
    PX_TRY(meta_select(m->meta, "SELECT number, applied_ns FROM migrations ORDER BY number", NULL,
                       0, &rows));
    while ((r = meta_rows_next(rows, row, 2)) == 0) {
        struct migrate_item *item = item_of(state, (int)row[0].i);
        const struct migrate_item unknown = {(int)row[0].i, MIGRATE_EXPAND, NULL, row[1].i, 0,
                                             false};
        if (item)
            item->applied_ns = PX_MAX(row[1].i, INT64_C(1));
        else
            PX_TRY(add_unknown(state, &unknown));
    }
    if (r < 0) PX_TRY(r);
    return 0;
}

static int read_progress(const struct migrate *m, struct migrate_state *state)
{
    PX_AUTO(meta_rows_close) struct meta_rows *rows = NULL;
    struct meta_value row[2];
    int r;
    PX_TRY(
        meta_select(m->meta, "SELECT number, rows_changed FROM schema_backfills", NULL, 0, &rows));
    while ((r = meta_rows_next(rows, row, 2)) == 0) {
        struct migrate_item *item = item_of(state, (int)row[0].i);
        if (item) item->rows = row[1].i;
    }
    if (r < 0) PX_TRY(r);
    return 0;
}

static int read_users(const struct migrate *m, struct migrate_state *state)
{
    const struct meta_value params[] = {meta_i(now_ns(m) - MIGRATE_FORGET_S * PX_NS_PER_S)};
    PX_AUTO(meta_rows_close) struct meta_rows *rows = NULL;
    struct meta_value row[3];
    int r;
    /* the least first: should there be more than have room, those are the ones that matter */
    PX_TRY(meta_select(m->meta,
                       "SELECT name, knows, seen_ns FROM schema_functions WHERE seen_ns > $1 "
                       "ORDER BY knows, name",
                       params, 1, &rows));
    while ((r = meta_rows_next(rows, row, 3)) == 0 && state->user_count < MIGRATE_USERS_MAX) {
        struct migrate_user *user = &state->users[state->user_count++];
        (void)snprintf(user->name, sizeof user->name, "%.*s", PX_FMT(row[0].s));
        user->knows = (int)row[1].i;
        user->seen_ns = row[2].i;
    }
    if (r < 0) PX_TRY(r);
    return 0;
}

int ledger_read(const struct migrate *m, struct migrate_state *state)
{
    const struct meta_half *half = m->meta->half;
    list_items(m, state);
    PX_TRY(half->has_table(m->meta, "schema_steps", &state->has_home));
    if (state->has_home) {
        PX_TRY(read_steps(m, state));
        return 0;
    }
    PX_TRY(half->has_table(m->meta, "migrations", &state->has_old_home));
    if (state->has_old_home) PX_TRY(read_old_steps(m, state));
    return 0;
}

int ledger_read_rest(const struct migrate *m, struct migrate_state *state)
{
    PX_TRY(read_progress(m, state));
    PX_TRY(read_users(m, state));
    return 0;
}

/* ---- writing ---- */

static int insert_step(const struct migrate *m, const struct migrate_item *item)
{
    char hex[CHECKSUM_BYTES] = "";
    if (item->step) checksum(item->step, hex);
    const struct meta_value params[] = {
        meta_i(item->number),
        meta_s(px_str_c(migrate_kind_name(item->kind))),
        meta_s(px_str_c(item->step ? item->step->name : "")),
        meta_s(px_str_c(hex)),
        meta_i(item->step ? item->step->unused_since : 0),
        meta_i(item->applied_ns),
    };
    PX_TRY(meta_exec(m->meta,
                     "INSERT INTO schema_steps (number, kind, name, checksum, unused_since, "
                     "applied_ns) VALUES ($1, $2, $3, $4, $5, $6)",
                     params, PX_COUNT(params), NULL));
    return 0;
}

int ledger_make(const struct migrate *m, const struct migrate_state *state)
{
    if (state->has_home) return 0;
    PX_TRY(m->meta->half->script(m->meta, home));
    for (size_t i = 0; i < state->count; i++)
        if (state->items[i].applied_ns != 0) PX_TRY(insert_step(m, &state->items[i]));
    return 0;
}

int ledger_note(const struct migrate *m, const struct migrate_step *step)
{
    const struct migrate_item item = {step->number, step->kind, step, now_ns(m), 0, false};
    PX_TRY(insert_step(m, &item));
    return 0;
}

int ledger_count(const struct migrate *m, const struct migrate_step *step, int64_t rows)
{
    const struct meta_value params[] = {meta_i(step->number), meta_i(rows), meta_i(now_ns(m))};
    PX_TRY(meta_exec(m->meta,
                     "INSERT INTO schema_backfills (number, batches, rows_changed, updated_ns) "
                     "VALUES ($1, 1, $2, $3) ON CONFLICT (number) DO UPDATE SET "
                     "batches = schema_backfills.batches + 1, "
                     "rows_changed = schema_backfills.rows_changed + $2, updated_ns = $3",
                     params, PX_COUNT(params), NULL));
    return 0;
}

static int said_lately(const struct migrate *m, struct px_str name, int knows, bool *ret_lately)
{
    const struct meta_value params[] = {meta_s(name), meta_i(knows)};
    PX_AUTO(meta_rows_close) struct meta_rows *rows = NULL;
    struct meta_value seen;
    PX_TRY(meta_select(m->meta,
                       "SELECT seen_ns FROM schema_functions WHERE name = $1 AND knows = $2",
                       params, PX_COUNT(params), &rows));
    int r = meta_rows_next(rows, &seen, 1);
    if (r != META_END) PX_TRY(r);
    *ret_lately = r == 0 && seen.i > now_ns(m) - MIGRATE_SAY_S * PX_NS_PER_S;
    return 0;
}

int ledger_say(const struct migrate *m, struct px_str name, int knows)
{
    const struct meta_value params[] = {meta_s(name), meta_i(knows), meta_i(now_ns(m))};
    bool lately = false;
    PX_TRY(said_lately(m, name, knows, &lately));
    if (lately) return 0;
    PX_TRY(meta_exec(m->meta,
                     "INSERT INTO schema_functions (name, knows, seen_ns) VALUES ($1, $2, $3) "
                     "ON CONFLICT (name, knows) DO UPDATE SET seen_ns = $3",
                     params, PX_COUNT(params), NULL));
    return 0;
}
