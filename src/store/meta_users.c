/* store/meta_users.c - users of PostgreSQL; docs: meta_users.h.
 *
 * rds_iam is a role that RDS makes; who is in it signs in by token and not by password:
 * https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/UsingWithRDS.IAMDBAuth.DBAccounts.html */
#include "store/meta_users.h"

#include <stdio.h>
#include <string.h>

#include "store/meta_half.h"

#define SQL_BYTES_MAX 512

/* ---- names ---- */

static bool name_is_fine(struct px_str name)
{
    if (name.len == 0 || name.len >= META_USER_BYTES || name.ptr[0] < 'a' || name.ptr[0] > 'z')
        return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_')) return false;
    }
    return !px_str_starts(name, S("pg_")) && !px_str_starts(name, S("rds"));
}

static int parse_one(struct px_str entry, struct meta_user *user)
{
    struct px_str word = entry, name;
    if (!px_str_cut(&word, '=', &name) || !name_is_fine(name) ||
        (!px_str_eq(word, S("read")) && !px_str_eq(word, S("read-write"))))
        return px_fault(PX_F_CONFIG,
                        "users of the database: \"%.*s\" is not name=read or name=read-write",
                        PX_FMT(entry));
    *user = (struct meta_user){.writes = px_str_eq(word, S("read-write"))};
    memcpy(user->name, name.ptr, name.len);
    return 0;
}

int meta_users_parse(struct px_str text, struct meta_user *users, size_t max, size_t *ret_count)
{
    size_t count = 0;
    while (text.len > 0) {
        struct px_str entry;
        (void)px_str_cut(&text, ',', &entry);
        if (count == max) return px_fault(PX_F_LIMIT, "more than %zu users of the database", max);
        PX_TRY(parse_one(entry, &users[count]));
        count++;
    }
    *ret_count = count;
    return 0;
}

/* ---- looking ---- */

static int ask(struct meta *meta, const char *sql, const struct meta_user *user, bool *ret_yes)
{
    const struct meta_value params[] = {meta_s(px_str_c(user->name))};
    PX_AUTO(meta_rows_close) struct meta_rows *rows = NULL;
    struct meta_value value;
    PX_TRY(meta_select(meta, sql, params, 1, &rows));
    int r = meta_rows_next(rows, &value, 1);
    if (r != META_END) PX_TRY(r);
    *ret_yes = r == 0 && value.type == META_INT && value.i > 0;
    return 0;
}

static int is_there(struct meta *meta, const struct meta_user *user, bool *ret_is)
{
    PX_TRY(ask(meta, "SELECT count(*) FROM pg_roles WHERE rolname = $1 AND rolcanlogin", user,
               ret_is));
    return 0;
}

static int needs_iam(struct meta *meta, const struct meta_user *user, bool *ret_needs)
{
    PX_TRY(ask(meta,
               "SELECT count(*) FROM pg_roles r WHERE r.rolname = 'rds_iam' AND NOT EXISTS ("
               "SELECT 1 FROM pg_auth_members m JOIN pg_roles u ON u.oid = m.member "
               "WHERE m.roleid = r.oid AND u.rolname = $1)",
               user, ret_needs));
    return 0;
}

static int lacks_rights(struct meta *meta, const struct meta_user *user, bool *ret_lacks)
{
    static const char reads[] =
        "SELECT count(*) FROM pg_tables t WHERE t.schemaname = 'public' AND NOT "
        "has_table_privilege($1, format('%I.%I', t.schemaname, t.tablename), 'SELECT')";
    static const char writes[] =
        "SELECT count(*) FROM pg_tables t WHERE t.schemaname = 'public' AND t.tablename NOT IN "
        "('migrations', 'schema_steps', 'schema_backfills') AND NOT "
        "has_table_privilege($1, format('%I.%I', t.schemaname, t.tablename), 'INSERT')";
    PX_TRY(ask(meta, reads, user, ret_lacks));
    if (!*ret_lacks && user->writes) PX_TRY(ask(meta, writes, user, ret_lacks));
    return 0;
}

static int is_fine(struct meta *meta, const struct meta_user *user, bool *ret_fine)
{
    bool wrong = false;
    *ret_fine = false;
    PX_TRY(is_there(meta, user, ret_fine));
    if (!*ret_fine) return 0;
    PX_TRY(needs_iam(meta, user, &wrong));
    if (!wrong) PX_TRY(lacks_rights(meta, user, &wrong));
    *ret_fine = !wrong;
    return 0;
}

int meta_users_missing(struct meta *meta, const struct meta_user *users, size_t count,
                       size_t *ret_missing)
{
    size_t missing = 0;
    for (size_t i = 0; meta->half->has_users && i < count; i++) {
        bool fine = false;
        PX_TRY(is_fine(meta, &users[i], &fine));
        missing += !fine;
    }
    *ret_missing = missing;
    return 0;
}

/* ---- making ---- */

/* %s stands for the name, which needs no escaping (name_is_fine). */
static int run(struct meta *meta, const char *format, const char *name)
{
    char sql[SQL_BYTES_MAX];
    const char *at = strstr(format, "%s");
    PX_ASSERT(at && strlen(format) + strlen(name) < sizeof sql);
    (void)snprintf(sql, sizeof sql, "%.*s%s%s", (int)(at - format), format, name, at + 2);
    PX_TRY(meta_exec(meta, sql, NULL, 0, NULL));
    return 0;
}

static int run_if_there(struct meta *meta, const char *table, const char *format, const char *name)
{
    bool there = false;
    PX_TRY(meta->half->has_table(meta, table, &there));
    if (there) PX_TRY(run(meta, format, name));
    return 0;
}

static int give_rights(struct meta *meta, const struct meta_user *user)
{
    PX_TRY(run(meta, "GRANT USAGE ON SCHEMA public TO \"%s\"", user->name));
    PX_TRY(run(meta, "REVOKE ALL ON ALL TABLES IN SCHEMA public FROM \"%s\"", user->name));
    PX_TRY(run(meta,
               user->writes
                   ? "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO \"%s\""
                   : "GRANT SELECT ON ALL TABLES IN SCHEMA public TO \"%s\"",
               user->name));
    static const char *const kept[][2] = {
        {"schema_steps", "REVOKE INSERT, UPDATE, DELETE ON schema_steps FROM \"%s\""},
        {"schema_backfills", "REVOKE INSERT, UPDATE, DELETE ON schema_backfills FROM \"%s\""},
        {"migrations", "REVOKE INSERT, UPDATE, DELETE ON migrations FROM \"%s\""},
        {"schema_functions", "GRANT INSERT, UPDATE ON schema_functions TO \"%s\""},
    };
    for (size_t i = 0; i < PX_COUNT(kept); i++)
        PX_TRY(run_if_there(meta, kept[i][0], kept[i][1], user->name));
    return 0;
}

static int ensure(struct meta *meta, const struct meta_user *user)
{
    bool there = false, iam = false;
    PX_TRY(is_there(meta, user, &there));
    if (!there) PX_TRY(run(meta, "CREATE ROLE \"%s\" LOGIN", user->name));
    PX_TRY(needs_iam(meta, user, &iam));
    if (iam) PX_TRY(run(meta, "GRANT rds_iam TO \"%s\"", user->name));
    PX_TRY(give_rights(meta, user));
    return 0;
}

static int ensure_all(struct meta *meta, const struct meta_user *users, size_t count)
{
    PX_TRY(meta_exec(meta, "REVOKE CREATE ON SCHEMA public FROM PUBLIC", NULL, 0, NULL));
    for (size_t i = 0; i < count; i++) PX_TRY(ensure(meta, &users[i]));
    return 0;
}

int meta_users_ensure(struct meta *meta, const struct meta_user *users, size_t count)
{
    if (!meta->half->has_users || count == 0) return 0;
    PX_TRY(meta_begin(meta, META_WRITE));
    int r = ensure_all(meta, users, count);
    if (r == 0) r = meta_commit(meta);
    if (r != 0) meta_rollback(meta);
    PX_TRY(r);
    return 0;
}
