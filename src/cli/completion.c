/* cli/completion.c - the scripts know verbs, options, choices and files; names of datasets are asked of
 * the running region when somebody presses Tab. */
#include "cli/completion.h"

#define DATASETS                                                                                   \
    "prism datasets --json 2>/dev/null | grep -o '\"name\":\"[^\"]*\"' | cut -d'\"' -f4"
#define FUNCTIONS "ingest query authorizer keys tenants catalog storage"

typedef void each_verb(struct cli *cli, const struct cli_verb *verb, const char *path);

/* Every verb with a run function; path is "key create". */
static void for_each(struct cli *cli, const struct cli_verb *const *verbs, const char *prefix,
                     each_verb *fn)
{
    for (; *verbs; verbs++) {
        char path[96];
        (void)snprintf(path, sizeof path, "%s%s%s", prefix, prefix[0] ? " " : "", (*verbs)->name);
        if ((*verbs)->verbs)
            for_each(cli, (*verbs)->verbs, path, fn);
        else
            fn(cli, *verbs, path);
    }
}

static void print_names(struct cli *cli, const struct cli_verb *const *verbs)
{
    for (size_t i = 0; verbs[i]; i++)
        (void)fprintf(cli->out, "%s%s", i > 0 ? " " : "", verbs[i]->name);
}

static void print_options(struct cli *cli, const struct cli_option *options, size_t count)
{
    for (size_t i = 0; i < count; i++) (void)fprintf(cli->out, " --%s", options[i].name);
}

/* ---- bash ---- */

static bool is_file(const struct cli_option *option)
{
    return option->value && strcmp(option->value, "FILE") == 0;
}

static void bash_values(struct cli *cli, const char *path, const struct cli_option *option)
{
    const char *words = option->choices;
    bool dataset = option->value && strcmp(option->value, "DATASET") == 0;
    if (!option->value) return;
    (void)fprintf(cli->out, "        '%s --%s') ", path, option->name);
    if (words)
        (void)fprintf(cli->out, "COMPREPLY=($(compgen -W '%s' -- \"$cur\"))", words);
    else if (dataset)
        (void)fprintf(cli->out, "COMPREPLY=($(compgen -W \"$(_prism_datasets)\" -- \"$cur\"))");
    else if (is_file(option))
        (void)fprintf(cli->out, "COMPREPLY=($(compgen -f -- \"$cur\"))");
    else
        (void)fprintf(cli->out, "COMPREPLY=()");
    (void)fprintf(cli->out, "; return ;;\n");
}

static void bash_option_values(struct cli *cli, const struct cli_verb *verb, const char *path)
{
    for (size_t i = 0; i < verb->option_count; i++) bash_values(cli, path, &verb->options[i]);
}

static void bash_arguments(struct cli *cli, const struct cli_verb *verb, const char *path)
{
    const char *what = verb->complete ? verb->complete : "";
    (void)fprintf(cli->out, "        '%s') words='", path);
    if (strcmp(what, "function") == 0)
        (void)fputs(FUNCTIONS, cli->out);
    else if (strcmp(what, "verb") == 0)
        print_names(cli, cli->verbs);
    else if (strcmp(what, "file") != 0 && strcmp(what, "dataset") != 0)
        (void)fputs(what, cli->out);
    print_options(cli, verb->options, verb->option_count);
    print_options(cli, cli_globals, cli_global_count);
    (void)fputs(" --help'", cli->out);
    if (strcmp(what, "file") == 0) (void)fputs("; files=1", cli->out);
    if (strcmp(what, "dataset") == 0)
        (void)fputs("; words=\"$words $(_prism_datasets)\"", cli->out);
    (void)fputs(" ;;\n", cli->out);
}

static void bash_groups(struct cli *cli)
{
    (void)fputs("        '') words='", cli->out);
    print_names(cli, cli->verbs);
    print_options(cli, cli_globals, cli_global_count);
    (void)fputs(" --help --version' ;;\n", cli->out);
    for (size_t i = 0; cli->verbs[i]; i++) {
        if (!cli->verbs[i]->verbs) continue;
        (void)fprintf(cli->out, "        '%s') words='", cli->verbs[i]->name);
        print_names(cli, cli->verbs[i]->verbs);
        (void)fputs("' ;;\n", cli->out);
    }
}

void completion_bash(struct cli *cli)
{
    (void)fputs("# bash completion of prism; made by: prism completion bash\n"
                "_prism_datasets() { " DATASETS "; }\n"
                "_prism() {\n"
                "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
                "    local path= words= files= i word skip=\n"
                "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
                "        word=${COMP_WORDS[i]}\n"
                "        if [ -n \"$skip\" ]; then skip=; continue; fi\n"
                "        case $word in\n"
                "        --data|--port|--key|-D|-P|-K) skip=1 ;;\n"
                "        -*) ;;\n"
                "        *) case $path in\n"
                "           '') path=$word ;;\n"
                "           tenant|key) path=\"$path $word\" ;;\n"
                "           esac ;;\n"
                "        esac\n"
                "    done\n"
                "    COMPREPLY=()\n"
                "    case $prev in\n"
                "    --data|-D) COMPREPLY=($(compgen -d -- \"$cur\")); return ;;\n"
                "    --port|--key|-P|-K) return ;;\n"
                "    esac\n"
                "    case \"$path $prev\" in\n",
                cli->out);
    for_each(cli, cli->verbs, "", bash_option_values);
    (void)fputs("    esac\n    case $path in\n", cli->out);
    bash_groups(cli);
    for_each(cli, cli->verbs, "", bash_arguments);
    (void)fputs("    esac\n"
                "    COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
                "    if [ -n \"$files\" ]; then COMPREPLY+=($(compgen -f -- \"$cur\")); fi\n"
                "}\n"
                "complete -o filenames -F _prism prism\n",
                cli->out);
}

void completion_zsh(struct cli *cli)
{
    (void)fputs("#compdef prism\n"
                "# zsh completion of prism; made by: prism completion zsh\n"
                "autoload -U +X bashcompinit && bashcompinit\n",
                cli->out);
    completion_bash(cli);
}

/* ---- fish ---- */

/* Text between single quotes. */
static void quoted(struct cli *cli, const char *text)
{
    (void)fputc('\'', cli->out);
    for (; *text; text++) {
        if (*text == '\'' || *text == '\\') (void)fputc('\\', cli->out);
        (void)fputc(*text, cli->out);
    }
    (void)fputc('\'', cli->out);
}

static void fish_option(struct cli *cli, const struct cli_option *option, const char *condition)
{
    (void)fprintf(cli->out, "complete -c prism %s -l %s", condition, option->name);
    if (option->letter) (void)fprintf(cli->out, " -s %c", option->letter);
    if (option->value) (void)fputs(" -r", cli->out);
    if (option->value && !is_file(option) && strcmp(option->value, "DIR") != 0)
        (void)fputs(" -f", cli->out);
    if (option->choices) (void)fprintf(cli->out, " -a '%s'", option->choices);
    (void)fputs(" -d ", cli->out);
    quoted(cli, option->help);
    (void)fputc('\n', cli->out);
}

static void fish_verb(struct cli *cli, const struct cli_verb *verb, const char *path)
{
    struct px_str rest = px_str_c(path), head, tail;
    char condition[160];
    bool nested = px_str_cut(&rest, ' ', &head);
    tail = rest;
    if (nested) {
        (void)snprintf(condition, sizeof condition, "-n '__fish_seen_subcommand_from %.*s'",
                       PX_FMT(head));
        (void)fprintf(cli->out, "complete -c prism -f %s -a %.*s -d ", condition, PX_FMT(tail));
        quoted(cli, verb->summary);
        (void)fputc('\n', cli->out);
        (void)snprintf(
            condition, sizeof condition,
            "-n '__fish_seen_subcommand_from %.*s; and __fish_seen_subcommand_from %.*s'",
            PX_FMT(head), PX_FMT(tail));
    } else {
        (void)snprintf(condition, sizeof condition, "-n '__fish_seen_subcommand_from %s'", path);
    }
    for (size_t i = 0; i < verb->option_count; i++) fish_option(cli, &verb->options[i], condition);
    if (!verb->complete || strcmp(verb->complete, "file") == 0) return;
    if (strcmp(verb->complete, "dataset") == 0)
        (void)fprintf(cli->out, "complete -c prism -f %s -a '(__prism_datasets)'\n", condition);
    else if (strcmp(verb->complete, "function") == 0)
        (void)fprintf(cli->out, "complete -c prism -f %s -a '" FUNCTIONS "'\n", condition);
    else if (strcmp(verb->complete, "verb") != 0)
        (void)fprintf(cli->out, "complete -c prism -f %s -a '%s'\n", condition, verb->complete);
}

void completion_fish(struct cli *cli)
{
    (void)fputs("# fish completion of prism; made by: prism completion fish\n"
                "function __prism_datasets\n    " DATASETS "\nend\n",
                cli->out);
    for (size_t i = 0; cli->verbs[i]; i++) {
        (void)fprintf(cli->out, "complete -c prism -f -n __fish_use_subcommand -a %s -d ",
                      cli->verbs[i]->name);
        quoted(cli, cli->verbs[i]->summary);
        (void)fputc('\n', cli->out);
    }
    for (size_t i = 0; i < cli_global_count; i++) fish_option(cli, &cli_globals[i], "");
    for_each(cli, cli->verbs, "", fish_verb);
}
