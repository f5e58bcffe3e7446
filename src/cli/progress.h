/* cli/progress.h - one line that is rewritten: bar, share, rate, time left. */
#pragma once

#include <stdio.h>

#include "base/px.h"

struct progress {
    FILE *to;       /* NULL: nothing is shown */
    uint64_t total; /* bytes; 0: not known, then there is no bar */
    bool shown;
};
void progress_init(struct progress *progress, FILE *to, uint64_t total);
void progress_show(struct progress *progress, uint64_t bytes, uint64_t records, double seconds);
void progress_clear(struct progress *progress);
/* The line without its cursor movement; returns its length. */
size_t progress_line(const struct progress *progress, uint64_t bytes, uint64_t records,
                     double seconds, char *buf, size_t buf_bytes);
