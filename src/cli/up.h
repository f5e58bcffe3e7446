/* cli/up.h - what the parts of `prism up` share: the verb itself, several regions (up_fleet.c), what is found out before the start
 * (up_settings.c) and the background (up_detached.c). Inside cli only. */
#pragma once

#include "base/px_json.h"
#include "cli/cli.h"
#include "cli/guide.h"
#include "http/tls_memory.h"

#define UP_WORD_BYTES_MAX 8192 /* what the child says */

struct up_values {
    bool detach;
    bool tls, no_tls;
    const char *host, *aws_endpoint, *aws_prefix, *regions, *environment;
    const char *tls_certificate, *tls_key, *tls_names, *tls_clients;
    int64_t lag_ms, tls_port;
};
struct up {
    yyjson_val *settings; /* of functions; NULL: the catalogue says all */
    struct px_str keep;   /* for the next start, so that it evaluates no templates */
    struct cli *cli;
    const struct up_values *values;
    bool several;        /* regions, behind the edge router */
    const char *why;     /* they do not start */
    struct tls_wish tls; /* with whole paths */
    int word_fd;         /* where the detached child says what came of it; -1 in the foreground */
};
/* verb_up.c: one region or several, until they end; the answers of region_run() and fleet_run(). */
PX_MUST_USE int up_run(struct up *up);
PX_MUST_USE int up_report(struct up *up, int answer);
/* To who waits for the child, or printed. */
void up_tell_ready(struct up *up, const struct guide *guide);

/* up_settings.c; exits of the command. */
PX_MUST_USE int up_settle_tls(struct up *up);
/* Before anything is touched but the data folder; of several regions, which find their own, only that there are no faults. */
PX_MUST_USE int up_find_settings(struct up *up);

/* up_fleet.c: an exit; an answer of fleet_run(). */
PX_MUST_USE int up_check_fleet(struct up *up);
PX_MUST_USE int up_run_fleet(struct up *up);

/* up_detached.c: the child's word, and the parent's part. */
void up_say_ready(struct up *up, const struct guide *guide);
void up_say_failed(struct up *up, int answer);
PX_MUST_USE int up_run_detached(struct up *up);
