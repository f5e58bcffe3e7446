/* cli/status.h - the state of several regions, for `prism status` and `prism region list`. */
#pragma once

#include "base/px_json.h"
#include "cli/cli.h"

PX_MUST_USE int status_print_fleet(struct cli *cli, yyjson_val *status);
