/* store/meta_login.c - see meta_login.h. */
#include "store/meta_login.h"

#include <stdio.h>

#include "base/px_clock.h"
#include "store/pg_link.h"

#define NAME_MAX_BYTES 64 /* PostgreSQL's identifiers, with a NUL */

static int link_to(const struct meta_login *login, struct pg_link *link)
{
    struct pg_target *target = &link->target;
    PX_TRY(pg_target_init(login->url, target));
    if (login->user.len == 0 || login->user.len >= sizeof target->user ||
        login->password.len == 0 || login->password.len >= sizeof target->password)
        return px_fault(PX_F_CONFIG, "a user of PostgreSQL has no name or password of its length");
    (void)snprintf(target->user, sizeof target->user, "%.*s", PX_FMT(login->user));
    (void)snprintf(target->password, sizeof target->password, "%.*s", PX_FMT(login->password));
    target->iam = false;
    target->secret[0] = '\0';
    return 0;
}

static void link_end(struct pg_link *link)
{
    pg_link_close(link);
    explicit_bzero(&link->target, sizeof link->target);
}

static int64_t until(void) { return px_mono_ns(&px_clock_system) + META_LOGIN_MS * PX_NS_PER_MS; }

/* Answers: META_LOGIN_REFUSED. */
static int sign_in(const struct meta_login *login, struct pg_link *link)
{
    PX_TRY(link_to(login, link));
    int r = pg_link_open(link, until());
    if (r == PG_GONE) return pg_link_fault(link, 1);
    if (r == PX_F_DENIED) return META_LOGIN_REFUSED;
    PX_TRY(r);
    return 0;
}

int meta_login_try(const struct meta_login *login)
{
    PX_AUTO(link_end) struct pg_link link = {0};
    return sign_in(login, &link);
}

/* ---- a password ---- */

/* Statements that change users take no parameters, so names and verifier come through settings of the session, whose text is quoted
 * by the server. Two at once take turns: PostgreSQL would refuse the second. */
#define SETTINGS                                                                                   \
    "SELECT set_config('prism.login', $1, false), set_config('prism.verifier', $2, false), "       \
    "set_config('prism.acts_as', $3, false)"
#define CHANGE                                                                                     \
    "DO $do$ DECLARE login text := current_setting('prism.login'); "                               \
    "acts_as text := current_setting('prism.acts_as'); BEGIN "                                     \
    "PERFORM pg_advisory_xact_lock(7016900, 1); "                                                  \
    "IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = login) THEN "                             \
    "EXECUTE format('CREATE ROLE %I', login); END IF; "                                            \
    "EXECUTE format('ALTER ROLE %I LOGIN PASSWORD %L', login, "                                    \
    "current_setting('prism.verifier')); "                                                         \
    "IF acts_as <> login THEN EXECUTE format('GRANT %I TO %I', acts_as, login); "                  \
    "EXECUTE format('ALTER ROLE %I SET role = %I', login, acts_as); END IF; END $do$"

/* Answers: PG_GONE. */
static int run(struct pg_link *link, const char *sql, const struct meta_value *values, size_t count)
{
    PX_AUTO(pg_result_free) struct pg_result result = {0};
    struct pg_params params = {0};
    if (count > 0) PX_TRY(pg_params_set(&params, values, count));
    const struct pg_statement statement = {
        .sql = sql, .params = count > 0 ? &params : NULL, .until_ns = until()};
    int r = pg_link_run(link, &statement, &result);
    if (r == PG_CONFLICT) return px_fault(PX_F_BUSY, "users of PostgreSQL: somebody else's change");
    return r;
}

static int change(struct pg_link *link, const struct meta_password *password, const char *verifier)
{
    struct px_str acts_as = password->acts_as.len > 0 ? password->acts_as : password->user;
    const struct meta_value values[] = {meta_s(password->user), meta_s(px_str_c(verifier)),
                                        meta_s(acts_as)};
    int r = run(link, SETTINGS, values, PX_COUNT(values));
    if (r == 0) r = run(link, CHANGE, NULL, 0);
    return r == PG_GONE ? pg_link_fault(link, 1) : r;
}

int meta_password_set(const struct meta_login *owner, const struct meta_password *password)
{
    PX_AUTO(link_end) struct pg_link link = {0};
    char user[NAME_MAX_BYTES], text[256];
    if (password->user.len == 0 || password->user.len >= sizeof user ||
        password->acts_as.len >= sizeof user || password->password.len >= sizeof text)
        return px_fault(PX_F_CONFIG, "a user of PostgreSQL has a name of 1 to 63 bytes");
    int r = sign_in(owner, &link);
    if (r != 0) return r;
    (void)snprintf(user, sizeof user, "%.*s", PX_FMT(password->user));
    (void)snprintf(text, sizeof text, "%.*s", PX_FMT(password->password));
    char *verifier = PQencryptPasswordConn(link.conn, text, user, "scram-sha-256");
    explicit_bzero(text, sizeof text);
    if (!verifier) return px_fault(PX_F_OOM, "a password's SCRAM form");
    r = change(&link, password, verifier);
    PQfreemem(verifier);
    return r;
}
