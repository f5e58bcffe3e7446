/* cli/output.h - a result into the file that an option names. */
#pragma once

#include "cli/cli.h"

/* Whole or not there. Devices and pipes (/dev/null, /dev/stdout) are written as they are, never replaced; links stay. An enum
 * cli_exit, already said. */
int output_write(struct cli *cli, const char *path, struct px_str bytes);
