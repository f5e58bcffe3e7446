/* tests/unit/store/postgres.h - where a test's metadata is: an SQLite file of its scratch folder, or, when
 * PRISM_TEST_POSTGRES names a server, a database of its own there. tests/sys/test_meta_postgres.py starts
 * one and sets it to an URL that has %s in the database's place. PRISM_TEST_POSTGRES_ADMIN is another one,
 * for who makes the databases, where that is by another way. */
#pragma once

#include <libpq-fe.h>

#include "aws/reach.h"
#include "support/support.h"

/* A token is signed with credentials. */
__attribute__((constructor)) static void postgres_reach(void)
{
    const char *url = getenv("PRISM_TEST_POSTGRES");
    if (url && strstr(url, "iam=1")) reach_init();
}

static __attribute__((unused)) bool on_postgres(void)
{
    return getenv("PRISM_TEST_POSTGRES") != NULL;
}

static struct px_str postgres_url_of(struct test *t, const char *format, const char *database)
{
    const char *place = format ? strstr(format, "%s") : NULL;
    if (!place) TEST_FAIL("PRISM_TEST_POSTGRES has no %%s");
    return px_arena_printf(&t->arena, "%.*s%s%s", (int)(place - format), format, database,
                           place + 2);
}

static __attribute__((unused)) struct px_str postgres_url(struct test *t, const char *database)
{
    return postgres_url_of(t, getenv("PRISM_TEST_POSTGRES"), database);
}

/* As the one who may make databases; `sql` has no rows. A database that is there already is fine. */
static __attribute__((unused)) void postgres_do(struct test *t, const char *sql)
{
    const char *admin = getenv("PRISM_TEST_POSTGRES_ADMIN");
    if (!admin) admin = getenv("PRISM_TEST_POSTGRES");
    PGconn *conn = PQconnectdb(postgres_url_of(t, admin, "postgres").ptr);
    if (PQstatus(conn) != CONNECTION_OK) TEST_FAIL("%s", PQerrorMessage(conn));
    PGresult *result = PQexec(conn, sql);
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    bool there = state && (strcmp(state, "42P04") == 0 || strcmp(state, "23505") == 0);
    ExecStatusType status = PQresultStatus(result);
    if (!there && status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
        TEST_FAIL("%s: %s", sql, PQerrorMessage(conn));
    PQclear(result);
    PQfinish(conn);
}

static __attribute__((unused)) const char *postgres_name(struct test *t, const char *name)
{
    return px_arena_printf(&t->arena, "%s-%s", strrchr(t->dir, '/') + 1, name).ptr;
}

/* For a store that is there, or that opening makes. */
static __attribute__((unused)) struct px_str meta_url(struct test *t, const char *name)
{
    if (!on_postgres()) return test_path(t, "%s.db", name);
    return postgres_url(t, postgres_name(t, name));
}

static __attribute__((unused)) struct px_str meta_url_make(struct test *t, const char *name)
{
    char sql[128];
    (void)snprintf(sql, sizeof sql, "CREATE DATABASE \"%s\" TEMPLATE template0",
                   on_postgres() ? postgres_name(t, name) : "");
    if (on_postgres()) postgres_do(t, sql);
    return meta_url(t, name);
}
