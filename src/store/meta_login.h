/* store/meta_login.h - passwords of PostgreSQL's users, for a rotation of them. Passwords and what the server keeps of them (SCRAM) go to
 * it as parameters, so its log of statements has neither. */
#pragma once

#include "base/px.h"

struct cloud_shared; /* aws/shared.h */
#define META_LOGIN_MS 10000

struct meta_login {
    struct px_str
        url; /* postgresql://user@host/database (pg_url.h); user and password are those below */
    struct px_str user, password;
};
enum meta_login_answer { META_LOGIN_REFUSED = 1 };
/* Sign in, ask for nothing. Answers: META_LOGIN_REFUSED: no such user, or another password. */
PX_MUST_USE int meta_login_try(const struct meta_login *login);

struct meta_password {
    struct px_str user, password;
    struct px_str
        acts_as; /* whose rights it has: its sessions are that user's; empty, or itself: its own */
};
/* Signed in as `owner`, who may make users: the user gets the password, and is made when it is not there; again as often as one likes.
 * Answers: META_LOGIN_REFUSED, of the owner. Faults: those of meta_open(). */
PX_MUST_USE int meta_password_set(const struct meta_login *owner,
                                  const struct meta_password *password);
