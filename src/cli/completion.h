/* cli/completion.h - completion scripts made from the verb tables. */
#pragma once

#include "cli/cli.h"

void completion_bash(struct cli *cli);
void completion_zsh(struct cli *cli);
void completion_fish(struct cli *cli);
