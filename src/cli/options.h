/* cli/options.h - arguments of a verb through argp, driven by the verb's table of options. */
#pragma once

#include "cli/cli.h"

enum options_answer {
    OPTIONS_HELP = 1, /* --help was asked for; print it with options_help() */
    OPTIONS_WRONG,    /* said on stderr what */
};
/* Parse the arguments behind the verb's name into values (values_bytes of the verb, holding its
 * defaults) and into cli. ret_args gets what is left; argv is permuted.
 *   path  "prism key create", for messages */
PX_MUST_USE int options_parse(struct cli *cli, const struct cli_verb *verb, const char *path,
                              int argc, char **argv, void *values, int *ret_count,
                              char ***ret_args);
/* The global options in front of the verb; ret_verb is the index of the verb in argv, or argc.
 * Answers: OPTIONS_HELP, OPTIONS_WRONG. --version counts as the verb `version`. */
PX_MUST_USE int options_parse_front(struct cli *cli, int argc, char **argv, int *ret_verb,
                                    bool *ret_version);
void options_help(struct cli *cli, const struct cli_verb *verb, const char *path, FILE *to);

/* "4M" and "4MB" are 4,000,000; "4MiB" 4,194,304. */
PX_MUST_USE bool options_bytes(const char *text, int64_t *ret_bytes);
PX_MUST_USE bool options_time_ms(const char *text, int64_t *ret_ms);
