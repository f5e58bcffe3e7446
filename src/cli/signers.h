/* cli/signers.h - a word about environments that take any release. */
#pragma once

#include "cli/cli.h"

/* Warns on stderr of environments of a pipeline's file without `signers`: nobody looks who made a release that goes there. Says nothing of a
 * file that cannot be read: whoever reads it for good does.
 *   only  one environment; empty: all */
void signers_warn(struct cli *cli, const char *file, struct px_str only);
