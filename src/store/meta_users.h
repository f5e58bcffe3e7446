/* store/meta_users.h - who may sign in to a PostgreSQL and what they may do there: one user for each function, without a
 * password where RDS signs in by IAM, and without any right to change tables. SQLite has no users; there all of it is
 * nothing. */
#pragma once

#include "store/meta.h"

#define META_USER_BYTES 64 /* PostgreSQL's limit, with a NUL */
struct meta_user {
    char name[META_USER_BYTES]; /* lower-case letters, digits and _, begins with a letter */
    bool writes;                /* else it reads only */
};
/* "name=read,name=read-write" as the catalogue of functions has the words. At most `max`.
 * Faults: PX_F_CONFIG, PX_F_LIMIT. */
PX_MUST_USE int meta_users_parse(struct px_str text, struct meta_user *users, size_t max,
                                 size_t *ret_count);
/* How many are not there, or cannot read every table, or cannot sign in by IAM though RDS is here. */
PX_MUST_USE int meta_users_missing(struct meta *meta, const struct meta_user *users, size_t count,
                                   size_t *ret_missing);
/* Make them and give them exactly their rights, in one transaction; again as often as one likes. Tables of
 * migrations (migrate_ledger.h) they read; in that of functions they write. */
PX_MUST_USE int meta_users_ensure(struct meta *meta, const struct meta_user *users, size_t count);
