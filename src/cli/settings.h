/* cli/settings.h - where the data folder is, what it remembers, and where Prism's own files are. */
#pragma once

#include "cli/cli.h"

#define CLI_PORT_DEFAULT 4318 /* OTLP/HTTP's */

/* PRISM_DATA, PRISM_PORT, PRISM_KEY and the defaults into cli; options come after and win.
 * Answers: an enum cli_exit, already said. */
PX_MUST_USE int settings_from_environment(struct cli *cli);
/* Whether the data folder is that of several regions (fleet/fleet.h). */
bool settings_is_fleet(struct cli *cli);
/* --region NAME: from now on the data folder is that region's own, and so is the port.
 * Answers: an enum cli_exit, already said. */
PX_MUST_USE int settings_of_region(struct cli *cli);
/* The port to talk to: given, remembered in <data>/prism.json or fleet.json, or the default. */
int64_t settings_port(struct cli *cli);
/* <data>/<name>, in the command's arena. */
const char *settings_path(struct cli *cli, const char *name);
/* The key to use: given, else the content of <data>/<file> ("tenant.key", "admin.key").
 * Answers: an enum cli_exit, already said. */
PX_MUST_USE int settings_key(struct cli *cli, const char *file, struct px_str *ret_key);
/* The port and the operators' key of the region that has this data folder, without making it the command's.
 * Answers: an enum cli_exit, already said. */
int settings_reach(struct cli *cli, const char *data_dir, int64_t *ret_port,
                   struct px_str *ret_key);
/* fn/ and platform/ beside the program, or where an installed program has them. NULL when absent. */
const char *settings_functions_dir(struct cli *cli);
const char *settings_platform_dir(struct cli *cli);
/* What the build rendered of environment `local` (config/local.h). NULL when absent. */
const char *settings_built(struct cli *cli);
/* The edge router's sources, likewise. */
const char *settings_edge_dir(struct cli *cli);
/* This program's own file; NULL: unknown. */
const char *settings_program(struct cli *cli);
/* The i-th folder where what `prism package` packs may be: of this build, of one beside it, of an installation.
 * NULL behind the last. */
const char *settings_packable_dir(struct cli *cli, size_t i);
