/* cli/signers.h - a word about environments that take any release, or whose signed code nobody signs. */
#pragma once

#include "cli/cli.h"

/* Warns on stderr of environments of a pipeline's file without `signers`: nobody looks who made a release that goes there. Says nothing of a
 * file that cannot be read: whoever reads it for good does.
 *   only  one environment; empty: all */
void signers_warn(struct cli *cli, const char *file, struct px_str only);
/* Warns on stderr when a pipeline's file plans regions of an environment without a step `sign` before. For environments with code_signing: their
 * regions would not be planned. Says nothing of a file that cannot be read, or that delivers nothing there. */
void signing_warn(struct cli *cli, const char *file, struct px_str environment);
