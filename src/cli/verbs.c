/* cli/verbs.c - from argv to a verb. */
#include "cli/verbs.h"

#include "base/px_words.h"
#include "cli/options.h"
#include "cli/settings.h"

#define VERBS_MAX 32
#define PATH_MAX_BYTES 128

static size_t names_of(const struct cli_verb *const *verbs, const char *names[VERBS_MAX])
{
    size_t count = 0;
    for (; verbs[count] && count < VERBS_MAX; count++) names[count] = verbs[count]->name;
    return count;
}

static const struct cli_verb *by_name(const struct cli_verb *const *verbs, const char *name)
{
    for (; *verbs; verbs++)
        if (strcmp((*verbs)->name, name) == 0) return *verbs;
    return NULL;
}

const struct cli_verb *verbs_find(struct cli *cli, const char *const *words, size_t count)
{
    const struct cli_verb *const *verbs = cli->verbs;
    const struct cli_verb *verb = NULL;
    for (size_t i = 0; i < count; i++) {
        verb = verbs ? by_name(verbs, words[i]) : NULL;
        if (!verb) return NULL;
        verbs = verb->verbs;
    }
    return verb;
}

static int unknown(struct cli *cli, const struct cli_verb *const *verbs, const char *path,
                   const char *name)
{
    const char *names[VERBS_MAX];
    const char *meant = px_words_nearest(px_str_c(name), names, names_of(verbs, names));
    if (meant)
        return cli_fail(cli, CLI_USAGE, "'%s' is no verb of %s; did you mean '%s'?", name, path,
                        meant);
    return cli_fail(cli, CLI_USAGE, "'%s' is no verb of %s; see %s --help", name, path, path);
}

static void print_verbs(const struct cli_verb *const *verbs, FILE *to)
{
    for (; *verbs; verbs++) (void)fprintf(to, "  %-12s %s\n", (*verbs)->name, (*verbs)->summary);
}

void verbs_help(struct cli *cli, FILE *to)
{
    (void)fprintf(to, "Usage: prism [OPTION...] VERB [ARGUMENT...]\n"
                      "Prism: telemetry in over OTLP and JSON, SQL answers out.\n\nVerbs:\n");
    print_verbs(cli->verbs, to);
    (void)fprintf(to, "\nOptions of every verb:\n");
    for (size_t i = 0; i < cli_global_count; i++) {
        char name[40];
        const struct cli_option *option = &cli_globals[i];
        (void)snprintf(name, sizeof name, "--%s%s%s", option->name, option->value ? " " : "",
                       option->value ? option->value : "");
        (void)fprintf(to, "  -%c, %-12s %s\n", option->letter, name, option->help);
    }
    (void)fprintf(
        to, "\n'prism VERB --help' tells more of a verb, 'prism help exit-codes' what the exit "
            "codes mean.\n");
}

void verbs_group_help(const struct cli_verb *group, const char *path, FILE *to)
{
    (void)fprintf(to, "Usage: %s VERB [ARGUMENT...]\n%s.\n\nVerbs:\n", path, group->summary);
    print_verbs(group->verbs, to);
    (void)fprintf(to, "\n'%s VERB --help' tells more.\n", path);
}

static int run_group(struct cli *cli, const struct cli_verb *group, const char *path, int argc,
                     char **argv, const struct cli_verb **ret_verb)
{
    bool help = argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0);
    if (help) {
        verbs_group_help(group, path, cli->out);
        return CLI_OK;
    }
    if (argc < 2 || argv[1][0] == '-') {
        verbs_group_help(group, path, cli->err);
        return CLI_USAGE;
    }
    *ret_verb = by_name(group->verbs, argv[1]);
    return *ret_verb ? CLI_OK : unknown(cli, group->verbs, path, argv[1]);
}

static int run_verb(struct cli *cli, const struct cli_verb *verb, const char *path, int argc,
                    char **argv)
{
    void *values = px_arena_zalloc(&cli->arena, verb->values_bytes + 1);
    if (!values) return cli_fault(cli, PX_F_OOM, "%s", path);
    if (verb->defaults) memcpy(values, verb->defaults, verb->values_bytes);
    int count = 0;
    char **args = NULL;
    int r = options_parse(cli, verb, path, argc, argv, values, &count, &args);
    if (r == OPTIONS_HELP) {
        options_help(cli, verb, path, cli->out);
        return CLI_OK;
    }
    if (r == OPTIONS_WRONG) return CLI_USAGE;
    if (r != 0) return cli_fault(cli, r, "%s", path);
    if (!verb->without_data && !(cli->data_dir && cli->data_dir[0]))
        return cli_fail(cli, CLI_USAGE,
                        "no data folder: give --data DIR, or set PRISM_DATA or HOME");
    if (cli->region && !verb->without_data && verb != &verb_up) {
        r = settings_of_region(cli);
        if (r != CLI_OK) return r;
    }
    return verb->run(cli, values, count, args);
}

/* Known before the rest is understood, so that a mistake in it is told as asked. */
static bool wants_json(char **argv)
{
    for (size_t i = 1; argv[i] && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--json") == 0 || strcmp(argv[i], "-j") == 0) return true;
    return false;
}

int verbs_run(struct cli *cli, int argc, char **argv)
{
    cli->json = wants_json(argv);
    int at = argc;
    bool version = false;
    char path[PATH_MAX_BYTES] = "prism";
    int r = options_parse_front(cli, argc, argv, &at, &version);
    if (r < 0) return cli_fault(cli, r, "arguments");
    if (r == OPTIONS_WRONG) return CLI_USAGE;
    if (r == OPTIONS_HELP) {
        verbs_help(cli, cli->out);
        return CLI_OK;
    }
    if (version) return verb_version.run(cli, NULL, 0, NULL);
    if (at >= argc) {
        verbs_help(cli, cli->err);
        return CLI_USAGE;
    }
    const struct cli_verb *verb = by_name(cli->verbs, argv[at]);
    if (!verb) return unknown(cli, cli->verbs, path, argv[at]);
    for (;;) {
        size_t used = strlen(path);
        (void)snprintf(path + used, sizeof path - used, " %s", verb->name);
        argc -= at;
        argv += at;
        at = 1;
        if (!verb->verbs) return run_verb(cli, verb, path, argc, argv);
        const struct cli_verb *next = NULL;
        r = run_group(cli, verb, path, argc, argv, &next);
        if (!next) return r;
        verb = next;
    }
}
