/* svc/ingest/process.h - who holds a claim, told well enough to know that it is gone.
 *
 * A process is named by the machine's boot, its PID namespace, its PID and its start time, so a PID
 * that was given out again, another container and another machine are all told apart. */
#pragma once

#include "base/px.h"

#define PROCESS_NAME_BYTES 128

/* This process's name, NUL-terminated, without characters that JSON escapes; empty when /proc does not
 * tell. */
void process_name(char name[PROCESS_NAME_BYTES]);
/* True only when the process named certainly runs no more: it ran under this boot and in this PID
 * namespace, and no living process has its PID and start time. */
bool process_is_gone(struct px_str name);
