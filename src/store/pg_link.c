/* store/pg_link.c - connecting and running statements; docs: pg_link.h.
 *
 * libpq takes settings from its own environment variables and files in the home folder. All that matters
 * here is told outright; what must not be found names a path that is not there.
 * Nothing is set for the session: RDS Proxy refuses options in the startup packet and ties a client that
 * says SET to one connection for good (docs/design/aws.md). Statements have no name, for the same reason. */
#include "store/pg_link.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "aws/shared.h"
#include "base/px_clock.h"
#include "base/px_json.h"
#include "store/pg_endpoint.h"
#include "store/pg_token.h"
#include "store/secrets.h"

#define ROWS_BYTES_MAX ((size_t)64 << 20) /* of one statement */
#define CHUNK_ROWS 512
#define TOKEN_BYTES_MAX (64u << 10)
#define SECRET_BYTES ((size_t)1 << 20)
#define NOWHERE "/nonexistent/prism"

/* ---- waiting ---- */

/* Answers: PG_GONE. */
static int wait_for(struct pg_link *link, short events, int64_t until_ns)
{
    for (;;) {
        int64_t left_ns = until_ns - px_mono_ns(&px_clock_system);
        if (left_ns <= 0) {
            (void)snprintf(link->trouble, sizeof link->trouble, "%s gave no answer in time",
                           link->target.host);
            link->state[0] = '\0';
            pg_link_close(link);
            return px_fault(PX_F_TIMEOUT, "PostgreSQL: %s", link->trouble);
        }
        int64_t left_ms = PX_MIN((left_ns + PX_NS_PER_MS - 1) / PX_NS_PER_MS, (int64_t)60000);
        struct pollfd fd = {PQsocket(link->conn), events, 0};
        int n = poll(&fd, 1, (int)left_ms);
        if (n > 0) return 0;
        if (n < 0 && errno != EINTR) return px_fault_errno("poll");
    }
}

/* ---- what went wrong ---- */

/* One line; the last address that was tried is the one to tell of. */
static void trouble_set(struct pg_link *link, const char *message)
{
    static const char begin[] = "connection to server at";
    const char *text = message;
    for (const char *at = message; (at = strstr(at, begin)) != NULL; at++) text = at;
    size_t len = strcspn(text, "\n");
    (void)snprintf(link->trouble, sizeof link->trouble, "%.*s", (int)PX_MIN(len, (size_t)300),
                   text);
}

/* Of a connection that did not come about. */
static int refused(struct pg_link *link)
{
    const char *message = PQerrorMessage(link->conn);
    trouble_set(link, message);
    int meaning = PG_GONE;
    if (pg_state_find(px_str_c(message), link->state))
        meaning = pg_state_meaning(link->state);
    else if (strcasestr(message, "certificate"))
        meaning = PX_F_UNAVAILABLE; /* another attempt will not change who it is */
    else if (strstr(message, "out of memory"))
        meaning = PX_F_OOM;
    pg_link_close(link);
    if (meaning > 0) return PG_GONE;
    return px_fault(meaning, "PostgreSQL: %s", link->trouble);
}

int pg_link_fault(const struct pg_link *link, unsigned attempts)
{
    return px_fault(PX_F_UNAVAILABLE, "PostgreSQL: %s (attempts: %u)", link->trouble, attempts);
}

/* ---- connecting ---- */

static void no_notice(void *ctx, const PGresult *result) { (void)ctx, (void)result; }

struct who { /* signs in */
    const char *user, *password;
};

static PGconn *connect_start(const struct pg_target *target, const char *host,
                             const struct who *who)
{
    const char *const settings[][2] = {
        {"host", host},
        {"port", target->port},
        {"user", who->user},
        {"password", who->password},
        {"passfile", NOWHERE},
        {"dbname", target->database},
        {"sslmode", target->tls ? "verify-full" : "disable"},
        {"sslrootcert", target->tls ? target->ca_file : NOWHERE},
        {"sslcertmode", "disable"},
        {"sslcert", NOWHERE},
        {"sslkey", NOWHERE},
        {"sslcrl", NOWHERE},
        {"ssl_min_protocol_version", "TLSv1.2"},
        /* without TLS anybody may answer, and shall not be told the password */
        {"require_auth",
         !target->tls && (target->password[0] || target->secret[0]) ? "scram-sha-256" : ""},
        {"client_encoding", "UTF8"},
        {"application_name", "prism"},
        {"target_session_attrs", "any"},
        {"keepalives", "1"},
        {"keepalives_idle", "10"},
        {"keepalives_interval", "5"},
        {"keepalives_count", "3"},
    };
    const char *names[PX_COUNT(settings) + 1] = {NULL}, *values[PX_COUNT(settings) + 1] = {NULL};
    for (size_t i = 0; i < PX_COUNT(settings); i++) {
        names[i] = settings[i][0];
        values[i] = settings[i][1];
    }
    return PQconnectStartParams(names, values, 0);
}

/* Answers: PG_GONE. */
static int connect_go_on(struct pg_link *link, int64_t until_ns)
{
    PostgresPollingStatusType status = PGRES_POLLING_WRITING; /* as libpq's manual says */
    while (status != PGRES_POLLING_OK) {
        if (status == PGRES_POLLING_FAILED) return refused(link);
        int r = wait_for(link, status == PGRES_POLLING_READING ? POLLIN : POLLOUT, until_ns);
        if (r == PX_F_TIMEOUT) return PG_GONE; /* of this attempt: another address may answer */
        if (r != 0) return r;
        status = PQconnectPoll(link->conn);
    }
    return 0;
}

/* By a token of its own for each connection: a signature is cheap, and none is ever too old. */
static int start_signed(struct pg_link *link)
{
    char host[PG_HOST_BYTES];
    struct cloud *cloud = NULL;
    struct px_str token;
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    px_arena_init(&arena, TOKEN_BYTES_MAX);
    pg_endpoint_find(link->target.host, host);
    PX_TRY(cloud_shared_take(link->cloud, &cloud));
    PX_TRY(pg_token_make(cloud, &link->target, host, &arena, &token));
    const struct who who = {link->target.user, token.ptr};
    link->conn = connect_start(&link->target, host, &who);
    return 0;
}

/* Who the secret says now: a rotation changes it, and the one before is good until the next. */
static int start_by_secret(struct pg_link *link)
{
    const struct pg_target *target = &link->target;
    const struct secret_options how = {.cloud = link->cloud};
    PX_AUTO(secret_store_close) struct secret_store *secrets = NULL;
    PX_AUTO(px_arena_deinit_wiped) struct px_arena arena;
    px_arena_init(&arena, SECRET_BYTES);
    struct px_str value;
    yyjson_val *root = NULL;
    PX_TRY(secret_store_open(px_str_c(target->secrets), &how, &secrets));
    int r = secret_get(secrets, px_str_c(target->secret), SECRET_CURRENT, &arena, &value);
    if (r == SECRET_ABSENT)
        return px_fault(PX_F_CONFIG, "there is no secret %s for PostgreSQL's user", target->secret);
    PX_TRY(r);
    r = px_json_parse(value, &arena, &root, NULL);
    if (r < 0) PX_TRY(r);
    const struct who who = {px_arena_cstr(&arena, px_json_str(root, "username")),
                            px_arena_cstr(&arena, px_json_str(root, "password"))};
    if (r > 0 || !who.user || !who.user[0] || !who.password || !who.password[0])
        return px_fault(PX_F_CONFIG, "secret %s has no username and password", target->secret);
    link->conn = connect_start(target, target->host, &who);
    return 0;
}

static int start(struct pg_link *link)
{
    const struct pg_target *target = &link->target;
    const struct who who = {target->user, target->password};
    if (target->iam) return start_signed(link);
    if (target->secret[0]) return start_by_secret(link);
    link->conn = connect_start(target, target->host, &who);
    return 0;
}

int pg_link_open(struct pg_link *link, int64_t until_ns)
{
    if (link->conn && PQstatus(link->conn) == CONNECTION_OK) return 0;
    pg_link_close(link);
    link->state[0] = '\0';
    PX_TRY(start(link));
    if (!link->conn) return px_fault(PX_F_OOM, "a connection to PostgreSQL");
    if (PQstatus(link->conn) == CONNECTION_BAD) return refused(link);
    (void)PQsetErrorVerbosity(link->conn,
                              PQERRORS_VERBOSE); /* only so is the code in the message */
    (void)PQsetNoticeReceiver(link->conn, no_notice, NULL);
    int r = connect_go_on(link, until_ns);
    if (r != 0) return r;
    (void)PQsetErrorVerbosity(link->conn, PQERRORS_DEFAULT);
    if (PQsetnonblocking(link->conn, 1) != 0) return refused(link);
    return 0;
}

void pg_link_close(struct pg_link *link)
{
    PQfinish(link->conn); /* NULL is fine */
    link->conn = NULL;
}

/* ---- results ---- */

void pg_result_free(struct pg_result *result)
{
    for (size_t i = 0; i < result->count; i++) PQclear(result->parts[i]);
    free(result->parts);
    *result = (struct pg_result){0};
}

/* Takes the part over, also when it fails. */
static int result_add(struct pg_result *result, PGresult *part)
{
    size_t bytes = PQresultMemorySize(part);
    int r = 0;
    if (result->bytes + bytes > ROWS_BYTES_MAX) r = px_fault(PX_F_LIMIT, "the rows are too many");
    if (r == 0 && result->count == result->room) {
        size_t room = result->room ? result->room * 2 : 4;
        PGresult **parts = realloc(result->parts, room * sizeof(PGresult *));
        if (!parts) r = px_fault(PX_F_OOM, "rows");
        if (parts) result->parts = parts;
        if (parts) result->room = room;
    }
    if (r != 0) {
        PQclear(part);
        return r;
    }
    result->parts[result->count++] = part;
    result->bytes += bytes;
    return 0;
}

int64_t pg_result_changed(const struct pg_result *result)
{
    int64_t changed = 0;
    if (result->count == 0) return 0;
    if (!px_str_to_i64(px_str_c(PQcmdTuples(result->parts[result->count - 1])), &changed)) return 0;
    return changed;
}

/* ---- statements ---- */

/* libpq itself failed: the connection broke, or there is no memory. */
static int broken(struct pg_link *link)
{
    const char *message = PQerrorMessage(link->conn);
    bool no_memory = strstr(message, "out of memory") != NULL;
    trouble_set(link, *message ? message : "the connection broke");
    link->state[0] = '\0';
    pg_link_close(link);
    if (no_memory) return px_fault(PX_F_OOM, "PostgreSQL: %s", link->trouble);
    return PG_GONE;
}

/* What the server, or libpq in its place, says of a statement. Its details may hold rows and are not shown. */
static int failed(struct pg_link *link, const PGresult *part, const char *sql)
{
    const char *state = PQresultErrorField(part, PG_DIAG_SQLSTATE);
    const char *message = PQresultErrorField(part, PG_DIAG_MESSAGE_PRIMARY);
    int meaning = pg_state_meaning(state);
    trouble_set(link, message ? message : PQresultErrorMessage(part));
    (void)snprintf(link->state, sizeof link->state, "%s", state ? state : "");
    if (meaning > 0) return meaning;
    return px_fault(meaning, "%.120s: %s (PostgreSQL %s)", sql, link->trouble, state);
}

/* Answers: PG_GONE. */
static int send_all(struct pg_link *link, const struct pg_statement *statement)
{
    const struct pg_params *params = statement->params;
    int sent = params ? PQsendQueryParams(link->conn, statement->sql, params->count, params->types,
                                          params->values, params->lengths, params->formats, 1)
                      : PQsendQuery(link->conn, statement->sql);
    if (!sent) return broken(link);
    if (params && !PQsetChunkedRowsMode(link->conn, CHUNK_ROWS)) return broken(link);
    int left;
    while ((left = PQflush(link->conn)) > 0) {
        int r = wait_for(link, POLLIN | POLLOUT, statement->until_ns);
        if (r != 0) return r;
        if (!PQconsumeInput(link->conn)) return broken(link);
    }
    return left < 0 ? broken(link) : 0;
}

/* *ret_part NULL: there is no more. Answers: PG_GONE. */
static int part_next(struct pg_link *link, int64_t until_ns, PGresult **ret_part)
{
    while (PQisBusy(link->conn)) {
        int r = wait_for(link, POLLIN, until_ns);
        if (r != 0) return r;
        if (!PQconsumeInput(link->conn)) return broken(link);
    }
    *ret_part = PQgetResult(link->conn);
    return 0;
}

static bool is_good(const PGresult *part)
{
    ExecStatusType status = PQresultStatus(part);
    return status == PGRES_TUPLES_OK || status == PGRES_TUPLES_CHUNK ||
           status == PGRES_COMMAND_OK || status == PGRES_EMPTY_QUERY;
}

/* Reads to the end, so that the connection can go on after an error. */
static int read_all(struct pg_link *link, const struct pg_statement *statement,
                    struct pg_result *result)
{
    PGresult *part = NULL;
    int outcome = 0;
    for (;;) {
        int r = part_next(link, statement->until_ns, &part);
        if (r != 0) return outcome != 0 ? outcome : r;
        if (!part) return outcome;
        if (outcome == 0 && !is_good(part)) outcome = failed(link, part, statement->sql);
        if (outcome != 0) {
            PQclear(part);
            continue;
        }
        if (!statement->params) pg_result_free(result); /* the last statement's */
        outcome = result_add(result, part);
    }
}

int pg_link_run(struct pg_link *link, const struct pg_statement *statement,
                struct pg_result *ret_result)
{
    PX_AUTO(pg_result_free) struct pg_result result = {0};
    PX_ASSERT(link->conn);
    int r = send_all(link, statement);
    if (r == 0) r = read_all(link, statement, &result);
    if (link->conn && (r == PG_GONE || PQstatus(link->conn) != CONNECTION_OK)) pg_link_close(link);
    if (r != 0) return r;
    *ret_result = result;
    result = (struct pg_result){0};
    return 0;
}
