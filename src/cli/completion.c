/* cli/completion.c - the scripts know verbs, options, choices and files; names of datasets are asked of
 * the running region when somebody presses Tab. */
#include "cli/completion.h"

#define NAMES "grep -o '\"name\":\"[^\"]*\"' | cut -d'\"' -f4"
#define FUNCTIONS                                                                                  \
    "ingest query authorizer keys audit tenants workflows bridge catalog schema storage"

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
    const char *choices = option->choices;
    if (!option->value) return;
    (void)fprintf(cli->out, "        '%s --%s'", path, option->name);
    if (option->letter) (void)fprintf(cli->out, "|'%s -%c'", path, option->letter);
    if (choices)
        (void)fprintf(cli->out, ") choices='%s' ;;\n", choices);
    else if (strcmp(option->value, "DATASET") == 0)
        (void)fputs(") choices=$(__prism_datasets) ;;\n", cli->out);
    else
        (void)fprintf(cli->out, ") %s ;;\n", is_file(option) ? "files=1" : ":");
}

static void bash_option_values(struct cli *cli, const struct cli_verb *verb, const char *path)
{
    for (size_t i = 0; i < verb->option_count; i++) bash_values(cli, path, &verb->options[i]);
}

static void bash_arguments(struct cli *cli, const struct cli_verb *verb, const char *path)
{
    const char *what = verb->complete ? verb->complete : "";
    (void)fprintf(cli->out, "        '%s') choices='", path);
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
        (void)fputs("; choices=\"$choices $(__prism_datasets)\"", cli->out);
    (void)fputs(" ;;\n", cli->out);
}

static void bash_groups(struct cli *cli)
{
    (void)fputs("        '') choices='", cli->out);
    print_names(cli, cli->verbs);
    print_options(cli, cli_globals, cli_global_count);
    (void)fputs(" --help --version' ;;\n", cli->out);
    for (size_t i = 0; cli->verbs[i]; i++) {
        if (!cli->verbs[i]->verbs) continue;
        (void)fprintf(cli->out, "        '%s') choices='", cli->verbs[i]->name);
        print_names(cli, cli->verbs[i]->verbs);
        (void)fputs("' ;;\n", cli->out);
    }
}

/* What was typed: $verb is the verb's path, $given the options of every verb, $prev the option whose
 * value is wanted; bash makes --format=csv three words. */
static const char bash_head[] =
    "__prism_datasets() { \"${COMP_WORDS[0]}\" \"${given[@]}\" datasets --json 2>/dev/null | " NAMES
    "; }\n"
    "__prism() {\n"
    "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
    "    local verb='' choices='' files='' i word skip=''\n"
    "    local -a given\n"
    "    given=()\n"
    "    if [ \"$cur\" = '=' ]; then cur=''; elif [ \"$prev\" = '=' ]; then "
    "prev=${COMP_WORDS[COMP_CWORD-2]}; fi\n"
    "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
    "        word=${COMP_WORDS[i]}\n"
    "        if [ -n \"$skip\" ]; then\n"
    "            if [ \"$word\" != '=' ]; then given+=(\"$skip\" \"$word\"); skip=''; fi\n"
    "            continue\n"
    "        fi\n"
    "        case $word in\n"
    "        --data|--port|--key|-D|-P|-K) skip=$word ;;\n"
    "        -*) ;;\n"
    "        *) case $verb in\n"
    "           '') verb=$word ;;\n"
    "           ";
static const char bash_head_end[] = ") verb=\"$verb $word\" ;;\n"
                                    "           esac ;;\n"
                                    "        esac\n"
                                    "    done\n"
                                    "    COMPREPLY=()\n"
                                    "    case $prev in\n"
                                    "    --data|-D) files=-d ;;\n"
                                    "    --port|--key|-P|-K) return ;;\n"
                                    "    *) case \"$verb $prev\" in\n";
static const char bash_tail[] =
    "        esac ;;\n"
    "        esac ;;\n"
    "    esac\n"
    "    local IFS=$' \\t\\n'\n"
    "    for word in $(compgen -W \"$choices\" -- \"$cur\"); do\n"
    "        case $cur$word in -*) [ \"${cur#-}\" != \"$cur\" ] || continue ;; esac\n"
    "        COMPREPLY+=(\"$word\")\n"
    "    done\n"
    "    if [ -z \"$files\" ]; then return; fi\n"
    "    if [ \"$files\" = 1 ]; then files=-f; fi\n"
    "    IFS=$'\\n'\n"
    "    compopt -o filenames 2>/dev/null\n"
    "    COMPREPLY+=($(compgen $files -- \"$cur\"))\n"
    "}\n";

static void bash_function(struct cli *cli)
{
    const char *bar = "";
    (void)fputs(bash_head, cli->out);
    for (size_t i = 0; cli->verbs[i]; i++) {
        if (!cli->verbs[i]->verbs) continue;
        (void)fprintf(cli->out, "%s%s", bar, cli->verbs[i]->name);
        bar = "|";
    }
    (void)fputs(bash_head_end, cli->out);
    for_each(cli, cli->verbs, "", bash_option_values);
    (void)fputs("        *) case $verb in\n", cli->out);
    bash_groups(cli);
    for_each(cli, cli->verbs, "", bash_arguments);
    (void)fputs(bash_tail, cli->out);
}

void completion_bash(struct cli *cli)
{
    (void)fputs("# bash completion of prism; made by: prism completion bash\n", cli->out);
    bash_function(cli);
    (void)fputs("complete -F __prism prism\n", cli->out);
}

/* As the file _prism in $fpath it is the body of a function that completes now; sourced, it only
 * says who does. */
void completion_zsh(struct cli *cli)
{
    (void)fputs("#compdef prism\n"
                "# zsh completion of prism; made by: prism completion zsh\n"
                "autoload -U +X bashcompinit && bashcompinit\n",
                cli->out);
    bash_function(cli);
    (void)fputs("complete -F __prism prism\n"
                "if (( ${+compstate} )); then _bash_complete -F __prism; fi\n",
                cli->out);
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
    bool path = option->value && (is_file(option) || strcmp(option->value, "DIR") == 0);
    if (option->value) (void)fputs(path ? " -r -F" : " -x", cli->out);
    if (option->choices) (void)fprintf(cli->out, " -a '%s'", option->choices);
    if (option->value && strcmp(option->value, "DATASET") == 0)
        (void)fputs(" -a '(__prism_datasets)'", cli->out);
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
    if (!verb->complete) return;
    if (strcmp(verb->complete, "file") == 0)
        (void)fprintf(cli->out, "complete -c prism -F %s\n", condition);
    else if (strcmp(verb->complete, "dataset") == 0)
        (void)fprintf(cli->out, "complete -c prism -f %s -a '(__prism_datasets)'\n", condition);
    else if (strcmp(verb->complete, "function") == 0)
        (void)fprintf(cli->out, "complete -c prism -f %s -a '" FUNCTIONS "'\n", condition);
    else if (strcmp(verb->complete, "verb") != 0)
        (void)fprintf(cli->out, "complete -c prism -f %s -a '%s'\n", condition, verb->complete);
}

void completion_fish(struct cli *cli)
{
    (void)fputs("# fish completion of prism; made by: prism completion fish\n"
                "complete -c prism -f\n"
                "function __prism_datasets\n"
                "    prism datasets --json 2>/dev/null | " NAMES "\nend\n",
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
