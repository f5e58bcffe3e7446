/* store/pg_url.c - URLs of PostgreSQL; docs: pg_url.h. */
#include "store/pg_url.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/px_id.h"
#include "store/secrets.h"

/* ---- parts ---- */

static int text_set(struct px_str raw, const char *what, char *out, size_t out_bytes)
{
    size_t n = 0;
    for (size_t i = 0; i < raw.len; i++) {
        char c = raw.ptr[i];
        if (c == '%') {
            if (!px_unhex(px_str(raw.ptr + i + 1, raw.len - i > 2 ? 2 : 0), &c, 1))
                return px_fault(PX_F_CONFIG, "PostgreSQL's URL: %s is not percent-encoded", what);
            i += 2;
        }
        if (c == '\0' || n + 1 >= out_bytes)
            return px_fault(PX_F_CONFIG, "PostgreSQL's URL: %s is not one", what);
        out[n++] = c;
    }
    out[n] = '\0';
    return 0;
}

/* "host", "host:port", "[v6]" or "[v6]:port". */
static int host_set(struct px_str authority, struct pg_target *target)
{
    struct px_str host = authority, port = S("5432");
    bool bracketed = px_str_starts(authority, S("["));
    if (bracketed) {
        authority = px_str_skip(authority, 1);
        if (!px_str_cut(&authority, ']', &host))
            return px_fault(PX_F_CONFIG, "PostgreSQL's URL: the host's ] is missing");
        if (authority.len > 0 && authority.ptr[0] != ':')
            return px_fault(PX_F_CONFIG, "PostgreSQL's URL: the port is not one");
        if (authority.len > 0) port = px_str_skip(authority, 1);
    } else if (px_str_cut(&authority, ':', &host)) {
        port = authority;
    }
    uint64_t number = 0;
    if (!px_str_to_u64(port, &number) || number == 0 || number > UINT16_MAX)
        return px_fault(PX_F_CONFIG, "PostgreSQL's URL: the port is not one");
    (void)snprintf(target->port, sizeof target->port, "%u", (unsigned)number);
    return text_set(host, "the host", target->host, sizeof target->host);
}

static int user_set(struct px_str userinfo, struct pg_target *target)
{
    struct px_str user;
    if (px_str_cut(&userinfo, ':', &user))
        PX_TRY(text_set(userinfo, "the password", target->password, sizeof target->password));
    return text_set(user, "the user", target->user, sizeof target->user);
}

static int parameter_set(struct px_str name, struct px_str value, struct pg_target *target)
{
    if (px_str_eq(name, S("sslmode"))) {
        target->tls = px_str_eq(value, S("verify-full"));
        if (target->tls || px_str_eq(value, S("disable"))) return 0;
        return px_fault(PX_F_CONFIG, "PostgreSQL's URL: sslmode is verify-full or disable");
    }
    if (px_str_eq(name, S("iam"))) {
        target->iam = px_str_eq(value, S("1"));
        if (target->iam || px_str_eq(value, S("0"))) return 0;
        return px_fault(PX_F_CONFIG, "PostgreSQL's URL: iam is 1 or 0");
    }
    if (px_str_eq(name, S("secret")))
        return text_set(value, "secret", target->secret, sizeof target->secret);
    if (px_str_eq(name, S("secrets")))
        return text_set(value, "secrets", target->secrets, sizeof target->secrets);
    if (px_str_eq(name, S("sslrootcert")))
        return text_set(value, "sslrootcert", target->ca_file, sizeof target->ca_file);
    if (px_str_eq(name, S("host")) && target->host[0] == '\0')
        return text_set(value, "the host", target->host, sizeof target->host);
    return px_fault(PX_F_CONFIG, "PostgreSQL's URL has a parameter \"%.*s\"",
                    (int)PX_MIN(name.len, (size_t)32), name.ptr ? name.ptr : "");
}

static int parameters_set(struct px_str query, struct pg_target *target)
{
    while (query.len > 0) {
        struct px_str value, name;
        (void)px_str_cut(&query, '&', &value);
        (void)px_str_cut(&value, '=', &name);
        PX_TRY(parameter_set(name, value, target));
    }
    return 0;
}

/* ---- TLS ---- */

static bool is_here(const char *host)
{
    struct px_str name = px_str_c(host);
    return host[0] == '/' || px_str_eq(name, S("localhost")) || px_str_eq(name, S("::1")) ||
           px_str_starts(name, S("127."));
}

/* Where Debian, Amazon Linux and Alpine keep what they trust. */
static const char *const system_bundles[] = {
    "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"};

static int trust_set(struct pg_target *target)
{
    const char *found = target->ca_file[0] != '\0' ? target->ca_file : getenv("AWS_CA_BUNDLE");
    for (size_t i = 0; i < PX_COUNT(system_bundles) && !(found && *found); i++)
        if (access(system_bundles[i], R_OK) == 0) found = system_bundles[i];
    if (!found || !*found) return px_fault(PX_F_CONFIG, "no certificates to trust");
    if (strlen(found) >= sizeof target->ca_file)
        return px_fault(PX_F_CONFIG, "the certificates' path is too long");
    if (access(found, R_OK) != 0) return px_fault(PX_F_CONFIG, "certificates %s: %m", found);
    if (found != target->ca_file) memcpy(target->ca_file, found, strlen(found) + 1);
    return 0;
}

/* A user by a secret, or in the URL. */
static int check_user(const struct pg_target *target)
{
    bool secret = target->secret[0] != '\0';
    if (secret != (target->secrets[0] != '\0'))
        return px_fault(PX_F_CONFIG, "PostgreSQL's URL: secret and secrets go together");
    if (secret &&
        (target->iam || target->user[0] != '\0' || !secret_name_ok(px_str_c(target->secret))))
        return px_fault(PX_F_CONFIG, "PostgreSQL's URL: a user by a secret, and none beside it");
    return 0;
}

static int target_check(struct pg_target *target)
{
    bool user = target->user[0] != '\0' || target->secret[0] != '\0';
    PX_TRY(check_user(target));
    if (target->host[0] == '\0' || !user || target->database[0] == '\0')
        return px_fault(PX_F_CONFIG, "PostgreSQL's URL is postgresql://user@host/database");
    if (target->host[0] == '/') target->tls = false;
    if (!target->tls && target->iam)
        return px_fault(PX_F_CONFIG, "PostgreSQL's URL: iam needs sslmode=verify-full");
    if (target->iam && target->password[0] != '\0')
        return px_fault(PX_F_CONFIG, "PostgreSQL's URL: iam, or a password");
    if (!target->tls && !is_here(target->host))
        return px_fault(PX_F_CONFIG, "PostgreSQL's URL: sslmode=disable is for this machine alone");
    if (target->tls) return trust_set(target);
    target->ca_file[0] = '\0';
    return 0;
}

int pg_target_init(struct px_str url, struct pg_target *ret_target)
{
    struct pg_target target = {.tls = true};
    struct px_str rest = url, scheme, path, userinfo;
    (void)px_str_cut(&rest, ':', &scheme);
    if (!px_str_starts(rest, S("//")))
        return px_fault(PX_F_CONFIG, "PostgreSQL's URL is postgresql://user@host/database");
    rest = px_str_skip(rest, 2);
    (void)px_str_cut(&rest, '?', &path); /* rest: the parameters */
    struct px_str authority, database = path;
    (void)px_str_cut(&database, '/', &authority);
    struct px_str host = authority;
    if (px_str_cut(&host, '@', &userinfo))
        PX_TRY(user_set(userinfo, &target));
    else
        host = authority;
    PX_TRY(host_set(host, &target));
    PX_TRY(text_set(database, "the database", target.database, sizeof target.database));
    PX_TRY(parameters_set(rest, &target));
    PX_TRY(target_check(&target));
    *ret_target = target;
    return 0;
}
