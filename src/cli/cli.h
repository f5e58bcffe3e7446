/* cli/cli.h - the `prism` command: what every verb gets and gives back.
 *
 * A verb is one table entry (struct cli_verb) in its own file verb_<name>.c; main.c lists them. One
 * table of options per verb serves parsing, --help and shell completion. */
#pragma once

#include <stdio.h>

#include "base/px_arena.h"
#include "base/px_clock.h"

/* Exit codes, documented by `prism help exit-codes`. */
enum cli_exit {
    CLI_OK = 0,
    CLI_FAILED = 1,           /* it could not be done: a file, the machine, a timeout */
    CLI_USAGE = 2,            /* wrong arguments; nothing was tried */
    CLI_NOT_RUNNING = 3,      /* no region runs on the data folder */
    CLI_EXECUTION_FAILED = 3, /* workflow: the execution failed */
    CLI_REFUSED = 4,          /* refused, all or in part (4xx); findings; a wrong definition */
    CLI_REGION_ERROR = 5,     /* the region failed (5xx), or its function did */
    CLI_ASKS = 6,             /* an execution waits for a person's decision */
};

struct cli_verb;
struct cli {
    FILE *out, *err;
    const char *data_dir; /* --data, PRISM_DATA or the default; NULL only for verbs without_data */
    int64_t port;         /* --port or PRISM_PORT; 0: as remembered in the data folder */
    const char
        *region;     /* --region: one of several on the data folder; NULL: all, or the only one */
    const char *key; /* --key or PRISM_KEY; NULL: the data folder's own */
    bool json;
    bool out_is_tty, err_is_tty;
    const struct px_clock *clock;
    struct px_arena arena;               /* as long as the command */
    const struct cli_verb *const *verbs; /* NULL-ended */
};

/* ---- options ---- */

enum cli_kind {
    CLI_FLAG,   /* bool */
    CLI_TEXT,   /* const char * */
    CLI_NUMBER, /* int64_t, from min to max */
    CLI_BYTES,  /* int64_t; 4M, 512K, 1G and plain numbers */
    CLI_TIME,   /* int64_t milliseconds; 500ms, 30s, 5m, 2h, a plain number is seconds */
    CLI_LIST,   /* struct cli_list; the option may be repeated */
};
#define CLI_LIST_MAX 64
struct cli_list {
    const char *items[CLI_LIST_MAX + 1]; /* NULL-ended */
    size_t count;
};
struct cli_option {
    const char *name;
    int letter; /* 0: none */
    enum cli_kind kind;
    size_t offset;     /* of its field in the verb's values */
    const char *value; /* name of the value in --help, e.g. "FILE" completes to files */
    const char *help;
    const char *choices; /* CLI_TEXT: "table json csv"; NULL: any */
    int64_t min, max;    /* 0, 0: any that is not negative */
};
/* Options of every verb; their values are fields of struct cli. */
extern const struct cli_option cli_globals[];
extern const size_t cli_global_count;

struct cli_verb {
    const char *name;
    const char *arguments; /* "FILE|- --dataset D"; shown behind the name */
    const char *summary;   /* one line, lower case, no full stop */
    const char *details;   /* paragraphs for --help; may be NULL */
    const char *complete;  /* what its arguments are: "file", "dataset", "function", or words */
    const struct cli_option *options;
    size_t option_count;
    size_t values_bytes;  /* of the struct that the options fill */
    const void *defaults; /* of that struct; NULL: zeros */
    int args_min, args_max;
    bool without_data; /* it needs no data folder */
    /* An enum cli_exit. args are those left after the options. */
    int (*run)(struct cli *cli, const void *values, int arg_count, char **args);
    const struct cli_verb *const *verbs; /* instead of run: `prism key create`; NULL-ended */
};
#define CLI_OPTIONS(table) .options = (table), .option_count = PX_COUNT(table)

/* ---- what verbs say ---- */

/* "prism: ..." on stderr; with --json {"error":...} on stdout as well. Returns `exit`. */
int cli_fail(struct cli *cli, enum cli_exit exit, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* A fault with its text; the exit code follows from the fault. */
int cli_fault(struct cli *cli, int fault, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Bytes as people read them, "1.4 MB"; into buf, returns buf. */
const char *cli_bytes(uint64_t bytes, char buf[24]);
/* 1234567 as "1,234,567". */
const char *cli_count(uint64_t n, char buf[32]);
