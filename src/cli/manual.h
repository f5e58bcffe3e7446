/* cli/manual.h - the manual page prism(1), made of the same tables as --help. */
#pragma once

#include "cli/cli.h"

/* In the man(7) macros, to cli->out. */
void manual_print(struct cli *cli);
