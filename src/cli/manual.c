/* cli/manual.c - verbs and options as man(7). */
#include "cli/manual.h"

#include "cli/exit_codes.h"

/* Text in which roff sees nothing of its own: backslashes, hyphens, control characters at line starts. */
static void text(FILE *to, const char *words)
{
    if (*words == '.' || *words == '\'') (void)fputs("\\&", to);
    for (; *words; words++) {
        if (*words == '\\')
            (void)fputs("\\e", to);
        else if (*words == '-')
            (void)fputs("\\-", to);
        else
            (void)fputc(*words, to);
    }
}

static void print_options(FILE *to, const struct cli_option *options, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct cli_option *option = &options[i];
        (void)fputs(".TP\n\\fB", to);
        if (option->letter) (void)fprintf(to, "\\-%c\\fR, \\fB", option->letter);
        (void)fputs("\\-\\-", to);
        text(to, option->name);
        (void)fputs("\\fR", to);
        if (option->value) (void)fprintf(to, " \\fI%s\\fR", option->value);
        (void)fputc('\n', to);
        text(to, option->help);
        (void)fputs(".\n", to);
    }
}

static void print_verbs(FILE *to, const struct cli_verb *const *verbs, const char *prefix)
{
    for (; *verbs; verbs++) {
        const struct cli_verb *verb = *verbs;
        char path[96];
        (void)snprintf(path, sizeof path, "%s %s", prefix, verb->name);
        if (verb->verbs) {
            print_verbs(to, verb->verbs, path);
            continue;
        }
        (void)fprintf(to, ".SS \"%s%s%s\"\n", path, verb->arguments ? " " : "",
                      verb->arguments ? verb->arguments : "");
        (void)fprintf(to, "%c", verb->summary[0] - 'a' + 'A');
        text(to, verb->summary + 1);
        (void)fputs(".\n", to);
        if (verb->details) {
            (void)fputs(".PP\n", to);
            text(to, verb->details);
            (void)fputc('\n', to);
        }
        print_options(to, verb->options, verb->option_count);
    }
}

void manual_print(struct cli *cli)
{
    FILE *to = cli->out;
    (void)fputs(".TH PRISM 1 \"\" \"prism " PRISM_VERSION "\" \"Prism\"\n"
                ".SH NAME\nprism \\- telemetry in over OTLP and JSON, SQL answers out\n"
                ".SH SYNOPSIS\n.B prism\n[\\fIOPTION\\fR...] \\fIVERB\\fR [\\fIARGUMENT\\fR...]\n"
                ".SH OPTIONS OF EVERY VERB\n",
                to);
    print_options(to, cli_globals, cli_global_count);
    (void)fputs(".SH VERBS\n", to);
    print_verbs(to, cli->verbs, "prism");
    (void)fputs(".SH EXIT STATUS\n", to);
    for (size_t i = 0; i < PX_COUNT(exit_codes); i++) {
        (void)fprintf(to, ".TP\n.B %d\n", (int)i);
        text(to, exit_codes[i]);
        (void)fputs(".\n", to);
    }
    (void)fputs(".SH SEE ALSO\n.BR duckdb (1),\n.BR curl (1)\n", to);
}
