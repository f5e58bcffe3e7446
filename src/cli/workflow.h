/* cli/workflow.h - what the verbs of `prism workflow` share. Each stands in its own file, workflow_<verb>.c; verb_workflow.c
 * is their table. */
#pragma once

#include "asl/definition.h"
#include "cli/cli.h"

extern const struct cli_verb workflow_validate, workflow_graph, workflow_run, workflow_start,
    workflow_list, workflow_show, workflow_stop, workflow_redrive, workflow_approve,
    workflow_reject;

/* How a definition is read; the values of the options WORKFLOW_SOURCE_OPTIONS. */
struct workflow_source {
    const char *type; /* "STANDARD", "EXPRESS"; NULL: STANDARD */
    struct cli_list set;
    bool template;
};
#define WORKFLOW_SOURCE_OPTIONS(values_type, field)                                                     \
    {"type",                                                                                            \
     't',                                                                                               \
     CLI_TEXT,                                                                                          \
     offsetof(values_type, field) + offsetof(struct workflow_source, type),                             \
     "TYPE",                                                                                            \
     "STANDARD or EXPRESS (default STANDARD)",                                                          \
     "STANDARD EXPRESS",                                                                                \
     0,                                                                                                 \
     0},                                                                                                \
        {"set",                                                                                         \
         's',                                                                                           \
         CLI_LIST,                                                                                      \
         offsetof(values_type, field) + offsetof(struct workflow_source, set),                          \
         "NAME=VALUE",                                                                                  \
         "put in for ${NAME} of a template; may be repeated",                                           \
         NULL,                                                                                          \
         0,                                                                                             \
         0},                                                                                            \
    {                                                                                                   \
        "template", 0, CLI_FLAG,                                                                        \
            offsetof(values_type, field) + offsetof(struct workflow_source, template), NULL,            \
            "the file is a template of platform/workflows; values that are not set are plausible ones", \
            NULL, 0, 0                                                                                  \
    }

/* A definition as the verbs see it. */
struct workflow_file {
    const char *name; /* of the file, for messages; "stdin" */
    struct px_str text;
    const struct asl_machine *machine; /* NULL: refused */
    struct asl_problems problems;
};
enum asl_machine_type workflow_type(const struct workflow_source *source);
/* Read and render where asked; neither parsed nor checked. An enum cli_exit, already said. */
PX_MUST_USE int workflow_text(struct cli *cli, const char *path,
                              const struct workflow_source *source, struct workflow_file *ret_file);
/* Read, render where asked, parse and check. An enum cli_exit, already said; a refused definition is CLI_OK without machine. */
PX_MUST_USE int workflow_open(struct cli *cli, const char *path,
                              const struct workflow_source *source, struct workflow_file *ret_file);
/* One line for each problem; warnings too. */
void workflow_print_problems(const struct workflow_file *file, FILE *to);
/* All of a file or of standard input ("-") into the command's arena. An enum cli_exit, already said. */
PX_MUST_USE int workflow_read(struct cli *cli, const char *path, size_t bytes_max,
                              struct px_str *ret_text);
