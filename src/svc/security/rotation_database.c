/* svc/security/rotation_database.c - users of PostgreSQL who sign in by password: secrets below "database/".
 *
 *   {"url":"postgresql://app@host/db","username":"app","password":"...","admin":"database-owner"}
 *
 * Two users take turns, "app" and "app_clone", as in Secrets Manager's strategy for alternating users: the password of whoever is in use
 * is never changed, so a client that has it signs in until the next rotation, and who is signed in notices nothing. The clone's
 * sessions are those of "app" (ALTER ROLE ... SET role), so rights and ownership are one user's. `admin` names a secret of the
 * same store with {"username","password"} of somebody who may make users.
 *
 *   source: docs.aws.amazon.com/secretsmanager/latest/userguide/rotating-secrets_strategies.html */
#include "base/px_id.h"
#include "base/px_json.h"
#include "store/meta_login.h"
#include "svc/security/rotation_kind.h"

#define ARENA_BYTES_MAX ((size_t)1 << 20)
#define PASSWORD_BYTES 32
#define CLONE S("_clone")

struct login_value {
    yyjson_val *root;
    struct px_str admin; /* name of a secret */
    struct meta_login login;
};

static int read_value(struct px_str text, struct px_arena *arena, struct login_value *ret_value)
{
    int r = px_json_parse(text, arena, &ret_value->root, NULL);
    if (r < 0) PX_TRY(r);
    yyjson_val *root = r == 0 ? ret_value->root : NULL;
    ret_value->admin = px_json_str(root, "admin");
    ret_value->login = (struct meta_login){.url = px_json_str(root, "url"),
                                           .user = px_json_str(root, "username"),
                                           .password = px_json_str(root, "password")};
    const struct meta_login *login = &ret_value->login;
    if (login->url.len > 0 && login->user.len > 0 && login->password.len > 0 &&
        secret_name_ok(ret_value->admin))
        return 0;
    return px_fault(PX_F_CONFIG,
                    "a user of the database is {\"url\",\"username\",\"password\",\"admin\"}");
}

/* Whose rights both have. */
static struct px_str base_of(struct px_str user)
{
    if (px_str_ends(user, CLONE)) user.len -= CLONE.len;
    return user;
}

static void write_next(const struct login_value *before, struct px_str user, struct px_buf *value)
{
    unsigned char raw[PASSWORD_BYTES];
    char hex[2 * PASSWORD_BYTES + 1];
    size_t i, n;
    yyjson_val *key, *val;
    px_random(raw, sizeof raw);
    px_hex(raw, sizeof raw, hex);
    px_buf_add_c(value, "{\"username\":");
    px_buf_add_json_str(value, user);
    px_buf_printf(value, ",\"password\":\"%s\"", hex);
    explicit_bzero(raw, sizeof raw);
    explicit_bzero(hex, sizeof hex);
    px_json_obj_foreach(before->root, i, n, key, val)
    {
        struct px_str name = px_json_val_str(key);
        if (px_str_eq(name, S("username")) || px_str_eq(name, S("password"))) continue;
        px_buf_add_char(value, ',');
        px_buf_add_json_str(value, name);
        px_buf_add_char(value, ':');
        px_buf_add_json(value, val);
    }
    px_buf_add_char(value, '}');
}

static int database_make(struct rotation *rotation, const struct rotation_values *values,
                         struct px_buf *value)
{
    PX_AUTO(px_arena_deinit_wiped) struct px_arena arena;
    px_arena_init(&arena, ARENA_BYTES_MAX);
    struct login_value before = {0};
    (void)rotation;
    PX_TRY(read_value(values->current, &arena, &before));
    struct px_str user = before.login.user, base = base_of(user);
    if (base.len == user.len)
        user = px_arena_printf(&arena, "%.*s%.*s", PX_FMT(base), PX_FMT(CLONE));
    else
        user = base;
    if (!user.ptr) return px_arena_fault(&arena);
    write_next(&before, user, value);
    return px_buf_fault(value);
}

/* Both values. Answers: ROTATION_OVERTAKEN: the pending user is the one in use, whose password must stay. */
static int read_both(const struct rotation_values *values, struct px_arena *arena,
                     struct login_value *pending)
{
    struct login_value current = {0};
    PX_TRY(read_value(values->pending, arena, pending));
    PX_TRY(read_value(values->current, arena, &current));
    bool turns = px_str_eq(base_of(pending->login.user), base_of(current.login.user)) &&
                 !px_str_eq(pending->login.user, current.login.user);
    return turns ? 0 : ROTATION_OVERTAKEN;
}

/* Answers: ROTATION_REFUSED. */
static int read_owner(struct rotation *rotation, const struct login_value *pending,
                      struct px_arena *arena, struct meta_login *owner)
{
    struct px_str text;
    yyjson_val *root = NULL;
    int r = secret_get(rotation->secrets, pending->admin, SECRET_CURRENT, arena, &text);
    if (r == SECRET_ABSENT) return ROTATION_REFUSED;
    PX_TRY(r);
    r = px_json_parse(text, arena, &root, NULL);
    if (r < 0) PX_TRY(r);
    if (r > 0) root = NULL;
    *owner = (struct meta_login){pending->login.url, px_json_str(root, "username"),
                                 px_json_str(root, "password")};
    return owner->user.len > 0 && owner->password.len > 0 ? 0 : ROTATION_REFUSED;
}

static int database_set(struct rotation *rotation, const struct rotation_values *values)
{
    PX_AUTO(px_arena_deinit_wiped) struct px_arena arena;
    px_arena_init(&arena, ARENA_BYTES_MAX);
    struct login_value pending = {0};
    struct meta_login owner = {0};
    int r = read_both(values, &arena, &pending);
    if (r == 0) r = read_owner(rotation, &pending, &arena, &owner);
    if (r != 0) return r;
    const struct meta_password password = {.user = pending.login.user,
                                           .password = pending.login.password,
                                           .acts_as = base_of(pending.login.user)};
    r = meta_password_set(&owner, &password);
    if (r == META_LOGIN_REFUSED) return ROTATION_REFUSED;
    PX_TRY(r);
    return 0;
}

static int database_test(struct rotation *rotation, const struct rotation_values *values)
{
    PX_AUTO(px_arena_deinit_wiped) struct px_arena arena;
    px_arena_init(&arena, ARENA_BYTES_MAX);
    struct login_value pending = {0};
    bool is_trial = px_secret_eq(values->pending, values->current); /* of a schedule */
    (void)rotation;
    int r = is_trial ? read_value(values->pending, &arena, &pending)
                     : read_both(values, &arena, &pending);
    if (r != 0) return r;
    r = meta_login_try(&pending.login);
    if (r == META_LOGIN_REFUSED) return ROTATION_REFUSED;
    PX_TRY(r);
    return 0;
}

const struct rotation_kind rotation_database = {
    .name = {"database/", 9}, .make = database_make, .set = database_set, .test = database_test};
