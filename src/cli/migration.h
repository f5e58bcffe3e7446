/* cli/migration.h - where a tenant's move stands, told from the history of its execution of tenant-migration. */
#pragma once

#include "base/px_json.h"

enum migration_phase {
    MIGRATION_COPYING, /* nobody waits yet */
    MIGRATION_FROZEN,  /* writers are told to repeat */
    MIGRATION_MOVED,   /* the new home serves; the old one is still to be cleaned */
    MIGRATION_BACK,    /* it is being given up */
    MIGRATION_ASKS,    /* a person has to decide */
};
struct migration_view {
    enum migration_phase phase;
    const char *step; /* for people; static */
    uint64_t next;    /* id of the first event that was not looked at yet */
    int64_t epoch, rounds;
    uint64_t segments, rows, bytes_copied;
    double frozen_at_s, thawed_at_s; /* of the history's clock; 0: not yet */
    double waited_s;                 /* the longest of the freezes before this one */
    char shard[64];                  /* there, as Place chose it; empty: not yet */
    char error[128], cause[1024];    /* of the failure that it gives up or asks for; cut to fit */
};
void migration_view_init(struct migration_view *view);
/* One event, as GetExecutionHistory gives it; arena holds outputs that are parsed. */
void migration_view_take(struct migration_view *view, yyjson_val *event, struct px_arena *arena);
/* How long writers were, or have been, told to repeat, at most at a stretch; now_s: of the same clock. */
double migration_waited_s(const struct migration_view *view, double now_s);
/* "copies, round 2, 1.4 MB copied, writers waited 0.312 s". Returns its length. */
size_t migration_line(const struct migration_view *view, double now_s, char *buf, size_t buf_bytes);
