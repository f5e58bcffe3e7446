/* lambda/log_file.h - the log of a function on disk: appended, and once it is large set aside as one
 * old file. What cannot be written is dropped and counted: a full disk must not stop a function. */
#pragma once

#include "base/px.h"

struct log_file {
    const char *path; /* borrowed; NULL: nothing is written */
    int fd;
    uint64_t bytes, bytes_max;
    uint64_t dropped_bytes;
};
PX_MUST_USE int log_file_open(struct log_file *log, const char *path, uint64_t bytes_max);
void log_file_append(struct log_file *log, struct px_str lines);
void log_file_close(struct log_file *log);
