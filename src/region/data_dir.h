/* region/data_dir.h - the data folder: one region at a time, what it remembers, where its stores are.
 *
 *   prism.json     format, region name, port        region.lock   held (flock) while a region runs
 *   region.sock    control socket                   admin.key, tenant.key   0600, for the command
 *   tables.db meta.db secrets/ hot/ segments/ analytics/   the stores
 *   async/ dead-letter/ logs/ tmp/                  events accepted, events given up, logs, scratch
 *   tls/                                            authority and certificate of this folder (certificates.h)
 *   replicas/<region>/                              copies of another region's objects (copies.h) */
#pragma once

#include "base/px_arena.h"
#include "base/px_clock.h"
#include "http/tls_memory.h"

#define DATA_DIR_FORMAT 1

struct data_dir {
    struct px_str path; /* absolute; all views in arena */
    struct px_str region_name;
    uint16_t port; /* remembered; 0: none yet */
    /* Where AWS, or an emulator of it, holds the stores, and what their names begin with; both empty when
     * they are in this folder. Credentials are never written down. */
    struct px_str aws_endpoint, aws_prefix;
    struct tls_memory tls; /* what the gateway speaks */
    bool tls_changed;      /* other than is remembered */
    int lock_fd;
    bool created;
    bool moved; /* to another endpoint than is remembered */
};
enum data_dir_answer { DATA_DIR_BUSY = 1 };
/* What the caller asks for; NULL: as remembered. A new folder then gets region "local", stores in the
 * folder, and, with an endpoint, the prefix "prism-<region>". */
struct data_dir_wish {
    const char *region_name, *aws_endpoint, *aws_prefix;
    struct tls_wish tls;
};
/* Make the folder when absent, take its lock, read prism.json. PX_F_CONFIG: a folder of a later format; one
 * that is not empty and not Prism's; stores that are elsewhere than asked for, since those that the
 * folder knows would be out of sight (another endpoint alone is fine: emulators move).
 * Answers: DATA_DIR_BUSY: a region runs on it. */
PX_MUST_USE int data_dir_open(const char *path, const struct data_dir_wish *wish,
                              struct px_arena *arena, const struct px_clock *clock,
                              struct data_dir *ret_dir);
void data_dir_close(struct data_dir *dir);
/* Write prism.json when something to remember changed. */
PX_MUST_USE int data_dir_remember(struct data_dir *dir, uint16_t port,
                                  const struct px_clock *clock);
/* <path>/<name>, NUL-terminated, in arena; NULL when memory is out. */
const char *data_dir_sub(const struct data_dir *dir, struct px_arena *arena, const char *name);
