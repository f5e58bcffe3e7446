/* cli/options.c - one argp parser for all verbs: the tables say what there is, this says what a value
 * of each kind looks like. */
#include "cli/options.h"

#include <argp.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

#include "base/px_words.h"

#define KEY_BASE 0x200 /* options without a letter, by their index */
#define KEY_GLOBAL 0x400
#define KEY_HELP 0x600
#define OPTIONS_MAX 48
#define OUT_OF_BOUNDS "within its bounds"

const struct cli_option cli_globals[] = {
    {"data", 'D', CLI_TEXT, offsetof(struct cli, data_dir), "DIR",
     "data folder (PRISM_DATA; default ~/.local/share/prism)", NULL, 0, 0},
    {"port", 'P', CLI_NUMBER, offsetof(struct cli, port), "N",
     "port of the region (PRISM_PORT; default the one remembered in the data folder, else 4318)",
     NULL, 1, 65535},
    {"region", 'R', CLI_TEXT, offsetof(struct cli, region), "NAME",
     "one of several regions on the data folder; up: the name of a new one (default local)", NULL,
     0, 0},
    {"key", 'K', CLI_TEXT, offsetof(struct cli, key), "KEY",
     "API key (PRISM_KEY; default the data folder's own)", NULL, 0, 0},
    {"json", 'j', CLI_FLAG, offsetof(struct cli, json), NULL, "answer in JSON", NULL, 0, 0},
};
const size_t cli_global_count = PX_COUNT(cli_globals);

/* ---- values ---- */

struct unit {
    const char *name;
    int64_t factor;
};

static bool with_unit(const char *text, const struct unit *units, size_t count, int64_t *ret_value)
{
    char *end;
    errno = 0;
    double number = strtod(text, &end);
    if (end == text || errno != 0 || !(number >= 0)) return false;
    for (size_t i = 0; i < count; i++) {
        if (strcasecmp(end, units[i].name) != 0) continue;
        double value = number * (double)units[i].factor;
        if (value > 9e15) return false; /* beyond, a double counts no longer by ones */
        *ret_value = (int64_t)value;
        return true;
    }
    return false;
}

bool options_bytes(const char *text, int64_t *ret_bytes)
{
    static const struct unit units[] = {
        {"", 1},           {"B", 1},           {"K", 1000},      {"kB", 1000},
        {"KiB", 1 << 10},  {"M", 1000000},     {"MB", 1000000},  {"MiB", 1 << 20},
        {"G", 1000000000}, {"GB", 1000000000}, {"GiB", 1 << 30},
    };
    return with_unit(text, units, PX_COUNT(units), ret_bytes);
}

bool options_time_ms(const char *text, int64_t *ret_ms)
{
    static const struct unit units[] = {
        {"", 1000}, {"s", 1000}, {"ms", 1}, {"m", 60000}, {"h", 3600000}, {"d", 86400000},
    };
    return with_unit(text, units, PX_COUNT(units), ret_ms);
}

static bool is_choice(const char *choices, const char *text)
{
    struct px_str rest = px_str_c(choices), word;
    while (rest.len > 0) {
        px_str_cut(&rest, ' ', &word);
        if (px_str_eq(word, px_str_c(text))) return true;
    }
    return false;
}

static bool number(const char *text, int64_t *ret_value)
{
    return px_str_to_i64(px_str_c(text), ret_value);
}

/* NULL, or what the value should have been. */
static const char *set_number(const struct cli_option *option, const char *text, int64_t *field)
{
    int64_t value;
    bool bounded = option->max != 0;
    bool good = option->kind == CLI_BYTES  ? options_bytes(text, &value)
                : option->kind == CLI_TIME ? options_time_ms(text, &value)
                                           : number(text, &value);
    if (!good)
        return option->kind == CLI_BYTES  ? "a size such as 500K, 4M or 1GiB"
               : option->kind == CLI_TIME ? "a time such as 500ms, 30s, 5m or 2h"
                                          : "a whole number";
    if (value < 0 || (bounded && (value < option->min || value > option->max)))
        return OUT_OF_BOUNDS;
    *field = value;
    return NULL;
}

static const char *add_value(const char *text, struct cli_list *list)
{
    if (list->count == CLI_LIST_MAX) return "given fewer times";
    list->items[list->count++] = text;
    return NULL;
}

static const char *set_value(const struct cli_option *option, const char *text, void *values)
{
    void *field = (char *)values + option->offset;
    switch (option->kind) {
    case CLI_FLAG: *(bool *)field = true; return NULL;
    case CLI_TEXT:
        if (option->choices && !is_choice(option->choices, text)) return option->choices;
        *(const char **)field = text;
        return NULL;
    case CLI_LIST: return add_value(text, field);
    default: return set_number(option, text, field);
    }
}

/* ---- argp ---- */

struct parse {
    struct cli *cli;
    const struct cli_verb *verb; /* NULL: the options in front of it */
    void *values;
    char **args;
    int arg_count;
    int verb_at;
    bool help, version, wrong;
    const char *path;
};

static const struct cli_option *option_of(const struct parse *parse, int key, void **ret_values)
{
    for (size_t i = 0; parse->verb && i < parse->verb->option_count; i++) {
        const struct cli_option *option = &parse->verb->options[i];
        if (key != (option->letter ? option->letter : KEY_BASE + (int)i)) continue;
        *ret_values = parse->values;
        return option;
    }
    for (size_t i = 0; i < cli_global_count; i++) {
        if (key != cli_globals[i].letter && key != KEY_GLOBAL + (int)i) continue;
        *ret_values = parse->cli;
        return &cli_globals[i];
    }
    return NULL;
}

/* Said by us, not by argp, which would recommend an option --usage. */
static error_t complain(struct parse *parse, const char *fmt, ...)
{
    char text[512];
    if (parse->wrong) return EINVAL;
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    (void)cli_fail(parse->cli, CLI_USAGE, "%s\nTry '%s --help'.", text, parse->path);
    parse->wrong = true;
    return EINVAL;
}

static error_t wrong_value(struct parse *parse, const struct cli_option *option, const char *text,
                           const char *wanted)
{
    if (strcmp(wanted, OUT_OF_BOUNDS) == 0)
        return complain(parse, "--%s is from %lld to %lld, not '%s'", option->name,
                        (long long)option->min, (long long)option->max, text);
    return complain(parse, "--%s is %s%s, not '%s'", option->name, option->choices ? "one of " : "",
                    wanted, text);
}

/* The one option that a long name or its unambiguous beginning means; NULL: none. */
static const struct argp_option *by_long_name(const struct argp_option *table, struct px_str name)
{
    const struct argp_option *found = NULL;
    for (const struct argp_option *o = table; o->name || o->doc; o++) {
        if (!o->name || !px_str_starts(px_str_c(o->name), name)) continue;
        if (strlen(o->name) == name.len) return o;
        if (found) return NULL;
        found = o;
    }
    return found;
}

static const struct argp_option *by_letter(const struct argp_option *table, char letter)
{
    for (const struct argp_option *o = table; o->name || o->doc; o++)
        if (o->name && o->key == letter) return o;
    return NULL;
}

static void unknown_option(struct parse *parse, const struct argp_option *table, struct px_str name,
                           const char *text)
{
    const char *names[OPTIONS_MAX];
    size_t count = 0;
    for (const struct argp_option *o = table; o->name || o->doc; o++)
        if (o->name) names[count++] = o->name;
    const char *meant = px_words_nearest(name, names, count);
    (void)complain(parse, "there is no option '%s'%s%s%s", text, meant ? "; did you mean --" : "",
                   meant ? meant : "", meant ? "?" : "");
}

/* argp says only that an option is unknown or lacks its value: look for the first such. */
static void wrong_option(struct parse *parse, const struct argp_option *table, char **argv)
{
    for (size_t i = 1; argv[i] && strcmp(argv[i], "--") != 0; i++) {
        bool is_long = argv[i][0] == '-' && argv[i][1] == '-';
        if (argv[i][0] != '-' || argv[i][1] == '\0') continue;
        struct px_str rest = px_str_c(argv[i] + (is_long ? 2 : 1)), name;
        bool has_value = px_str_cut(&rest, '=', &name);
        const struct argp_option *o = is_long ? by_long_name(table, name)
                                              : by_letter(table, argv[i][1]);
        if (!o) {
            unknown_option(parse, table, name, argv[i]);
            return;
        }
        if (!o->arg || has_value || (!is_long && argv[i][2])) continue;
        if (argv[i + 1] && ++i) continue;
        (void)complain(parse, "%s needs a value: %s", argv[i], o->arg);
        return;
    }
    (void)complain(parse, "the options cannot be understood");
}

static error_t on_argument(struct parse *parse, char *text, struct argp_state *state)
{
    if (!parse->verb) { /* the verb: everything from here on is its own */
        parse->verb_at = state->next - 1;
        state->next = state->argc;
        return 0;
    }
    parse->args[parse->arg_count++] = text;
    return 0;
}

static error_t on_end(struct parse *parse)
{
    if (!parse->verb || parse->help) return 0;
    if (parse->arg_count < parse->verb->args_min)
        return complain(parse, "something is missing: %s", parse->verb->arguments);
    if (parse->verb->args_max >= 0 && parse->arg_count > parse->verb->args_max)
        return complain(parse, "what is '%s'?", parse->args[parse->verb->args_max]);
    return 0;
}

static error_t on_key(int key, char *text, struct argp_state *state)
{
    struct parse *parse = state->input;
    if (key == ARGP_KEY_ARG) return on_argument(parse, text, state);
    if (key == ARGP_KEY_END) return on_end(parse);
    if (key == KEY_HELP || key == 'h') {
        parse->help = true;
        return 0;
    }
    if (key == 'V') {
        parse->version = true;
        return 0;
    }
    void *values = NULL;
    const struct cli_option *option = option_of(parse, key, &values);
    if (!option) return ARGP_ERR_UNKNOWN;
    const char *wanted = set_value(option, text, values);
    return wanted ? wrong_value(parse, option, text, wanted) : 0;
}

static void add_option(struct argp_option *to, const struct cli_option *option, int key, int group)
{
    *to = (struct argp_option){
        option->name, option->letter ? option->letter : key, option->value, 0, option->help, group};
}

/* The tables of a verb as argp wants them. */
static void fill_options(const struct cli_verb *verb, struct argp_option table[OPTIONS_MAX])
{
    size_t n = 0;
    PX_ASSERT((verb ? verb->option_count : 0) + cli_global_count + 5 < OPTIONS_MAX);
    for (size_t i = 0; verb && i < verb->option_count; i++)
        add_option(&table[n++], &verb->options[i], KEY_BASE + (int)i, 1);
    table[n++] = (struct argp_option){NULL, 0, NULL, 0, "Everywhere:", 2};
    for (size_t i = 0; i < cli_global_count; i++)
        add_option(&table[n++], &cli_globals[i], KEY_GLOBAL + (int)i, 2);
    table[n++] = (struct argp_option){"help", 'h', NULL, 0, "show this", 2};
    if (!verb) table[n++] = (struct argp_option){"version", 'V', NULL, 0, "show the version", 2};
    table[n] = (struct argp_option){0};
}

static int run_argp(struct parse *parse, const char *path, unsigned flags, int argc, char **argv)
{
    struct argp_option table[OPTIONS_MAX];
    fill_options(parse->verb, table);
    struct argp argp = {.options = table,
                        .parser = on_key,
                        .args_doc = parse->verb ? parse->verb->arguments : "VERB ..."};
    char *name = argv[0];
    argv[0] = px_arena_cstr(&parse->cli->arena, px_str_c(path));
    parse->path = path;
    error_t error = argp_parse(&argp, argc, argv,
                               flags | ARGP_NO_EXIT | ARGP_NO_HELP | ARGP_NO_ERRS, NULL, parse);
    argv[0] = name;
    if (parse->help && !parse->wrong) return OPTIONS_HELP;
    if (!error) return 0;
    if (!parse->wrong) wrong_option(parse, table, argv);
    return OPTIONS_WRONG;
}

int options_parse(struct cli *cli, const struct cli_verb *verb, const char *path, int argc,
                  char **argv, void *values, int *ret_count, char ***ret_args)
{
    struct parse parse = {.cli = cli, .verb = verb, .values = values};
    parse.args = px_arena_array(&cli->arena, char *, (size_t)argc + 1);
    if (!parse.args) return px_arena_fault(&cli->arena);
    int r = run_argp(&parse, path, 0, argc, argv);
    if (r != 0) return r;
    *ret_count = parse.arg_count;
    *ret_args = parse.args;
    return 0;
}

int options_parse_front(struct cli *cli, int argc, char **argv, int *ret_verb, bool *ret_version)
{
    struct parse parse = {.cli = cli, .verb_at = argc};
    int r = run_argp(&parse, "prism", ARGP_IN_ORDER, argc, argv);
    *ret_version = parse.version;
    *ret_verb = parse.verb_at;
    return r;
}

/* ---- help ---- */

void options_help(struct cli *cli, const struct cli_verb *verb, const char *path, FILE *to)
{
    struct argp_option table[OPTIONS_MAX];
    fill_options(verb, table);
    struct px_str doc = px_arena_printf(&cli->arena, "%s.%s%s", verb->summary,
                                        verb->details ? "\v" : "",
                                        verb->details ? verb->details : "");
    struct argp argp = {
        .options = table, .parser = on_key, .args_doc = verb->arguments, .doc = doc.ptr};
    char *name = px_arena_cstr(&cli->arena, px_str_c(path));
    if (!doc.ptr || !name) return;
    argp_help(&argp, to, ARGP_HELP_SHORT_USAGE | ARGP_HELP_LONG | ARGP_HELP_DOC, name);
}
