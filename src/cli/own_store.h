/* cli/own_store.h - where the region that the data folder belongs to keeps a store, for verbs that open it themselves: it need not
 * run. As region/homes.h has it. */
#pragma once

#include "cli/cli.h"

/* file: in the data folder, such as "secrets"; scheme: of the store on AWS, such as "secretsmanager"; option: what names another
 * store, for the message when no region was ever started. Sets AWS_ENDPOINT_URL and AWS_REGION where the region's stores are on AWS.
 * Answers: an enum cli_exit, already said. */
PX_MUST_USE int own_store_url(struct cli *cli, const char *file, const char *scheme,
                              const char *option, struct px_str *ret_url);
