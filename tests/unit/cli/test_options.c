/* Parsing of arguments by the verbs' tables, and what is said about mistakes. */
#include "support/support.h"

#include "cli/options.h"
#include "cli/verbs.h"

struct values {
    bool flag;
    const char *text, *choice;
    int64_t number, bytes, time_ms;
    struct cli_list list;
};
static const struct cli_option table[] = {
    {"flag", 'f', CLI_FLAG, offsetof(struct values, flag), NULL, "a flag", NULL, 0, 0},
    {"text", 't', CLI_TEXT, offsetof(struct values, text), "TEXT", "a text", NULL, 0, 0},
    {"choice", 0, CLI_TEXT, offsetof(struct values, choice), "KIND", "a choice", "one two", 0, 0},
    {"number", 'n', CLI_NUMBER, offsetof(struct values, number), "N", "a number", NULL, 1, 10},
    {"bytes", 0, CLI_BYTES, offsetof(struct values, bytes), "SIZE", "a size", NULL, 0, 0},
    {"time", 0, CLI_TIME, offsetof(struct values, time_ms), "TIME", "a time", NULL, 0, 0},
    {"list", 'l', CLI_LIST, offsetof(struct values, list), "ITEM", "a list", NULL, 0, 0},
};
static const struct values defaults = {.number = 7};
static struct values got; /* by the verb's run */
static int got_args;
static char *got_arg;

static int run(struct cli *cli, const void *values, int arg_count, char **args)
{
    (void)cli;
    memcpy(&got, values, sizeof got);
    got_args = arg_count;
    got_arg = arg_count > 0 ? args[0] : NULL;
    return CLI_OK;
}

static const struct cli_verb probe = {.name = "probe",
                                      .arguments = "A [B]",
                                      .summary = "a verb for tests",
                                      CLI_OPTIONS(table),
                                      .values_bytes = sizeof(struct values),
                                      .defaults = &defaults,
                                      .args_min = 1,
                                      .args_max = 2,
                                      .run = run};
static const struct cli_verb *const inner[] = {&probe, NULL};
static const struct cli_verb group = {.name = "group", .summary = "a group", .verbs = inner};
static const struct cli_verb *const verbs[] = {&probe, &group, &verb_help, &verb_completion, NULL};

struct said {
    int exit;
    char *out, *err;
    struct cli cli;
};

/* Runs `prism ...`; words are split at spaces. */
static struct said prism(struct test *t, const char *line)
{
    char *argv[32] = {px_arena_cstr(&t->arena, S("prism"))};
    int argc = 1;
    struct px_str rest = px_str_c(line), word;
    while (rest.len > 0) {
        px_str_cut(&rest, ' ', &word);
        argv[argc++] = px_arena_cstr(&t->arena, word);
    }
    struct said said = {.cli = {.verbs = verbs, .clock = &t->clock, .data_dir = "d"}};
    char *out = NULL, *err = NULL;
    size_t out_bytes = 0, err_bytes = 0;
    px_arena_init(&said.cli.arena, 1u << 20);
    said.cli.out = open_memstream(&out, &out_bytes);
    said.cli.err = open_memstream(&err, &err_bytes);
    got = (struct values){0};
    got_args = -1;
    said.exit = verbs_run(&said.cli, argc, argv);
    (void)fclose(said.cli.out);
    (void)fclose(said.cli.err);
    said.out = px_arena_cstr(&t->arena, px_str_c(out));
    said.err = px_arena_cstr(&t->arena, px_str_c(err));
    free(out);
    free(err);
    px_arena_deinit(&said.cli.arena);
    return said;
}

TEST(options_fill_their_fields_and_defaults_stay)
{
    CHECK_INT(prism(t, "probe x").exit, CLI_OK);
    CHECK_INT(got.number, 7);
    CHECK_INT(got_args, 1);
    CHECK(!got.text);
    CHECK_INT(prism(t, "probe x -f --text hello --choice=two -n3 --bytes 4M --time 2m y").exit,
              CLI_OK);
    CHECK(got.flag);
    CHECK_STR(px_str_c(got.text), S("hello"));
    CHECK_STR(px_str_c(got.choice), S("two"));
    CHECK_INT(got.number, 3);
    CHECK_INT(got.bytes, 4000000);
    CHECK_INT(got.time_ms, 120000);
    CHECK_INT(got_args, 2);
}

TEST(a_list_grows_with_each_time_it_is_given)
{
    CHECK_INT(prism(t, "probe x").exit, CLI_OK);
    CHECK_INT(got.list.count, 0);
    CHECK_INT(prism(t, "probe x -l one --list two -lthree").exit, CLI_OK);
    CHECK_INT(got.list.count, 3);
    CHECK_STR(px_str_c(got.list.items[2]), S("three"));
    CHECK(!got.list.items[3]);
}

TEST(global_options_stand_before_or_behind_the_verb)
{
    struct said said = prism(t, "--data /d --port 99 probe x --json");
    CHECK_INT(said.exit, CLI_OK);
    CHECK_STR(px_str_c(said.cli.data_dir), S("/d"));
    CHECK_INT(said.cli.port, 99);
    CHECK(said.cli.json);
    said = prism(t, "probe --data /e x -P 77");
    CHECK_STR(px_str_c(said.cli.data_dir), S("/e"));
    CHECK_INT(said.cli.port, 77);
}

TEST(what_follows_two_dashes_is_an_argument)
{
    CHECK_INT(prism(t, "probe -- --flag").exit, CLI_OK);
    CHECK_STR(px_str_c(got_arg), S("--flag"));
    CHECK(!got.flag);
    CHECK_INT(prism(t, "probe -").exit, CLI_OK);
    CHECK_STR(px_str_c(got_arg), S("-"));
}

TEST(mistakes_are_told_in_json_when_that_was_asked_for_anywhere)
{
    struct said said = prism(t, "probe x --nubmer 3 --json");
    CHECK_INT(said.exit, CLI_USAGE);
    CHECK(strstr(said.out, "{\"error\":\"there is no option '--nubmer'; did you mean --number?"));
    CHECK(strstr(said.err, "prism: there is no option"));
    CHECK_STR(px_str_c(prism(t, "probe x --nubmer 3").out), S(""));
}

TEST(help_on_a_verb_is_the_same_by_either_way)
{
    CHECK_STR(px_str_c(prism(t, "help group").out), px_str_c(prism(t, "group --help").out));
    CHECK_STR(px_str_c(prism(t, "help group probe").out),
              px_str_c(prism(t, "group probe --help").out));
}

TEST(a_verb_without_a_data_folder_is_refused_unless_it_needs_none)
{
    CHECK_INT(prism(t, "--data= probe x").exit, CLI_USAGE);
    CHECK_INT(prism(t, "--data= help probe").exit, CLI_OK);
}

TEST(a_verb_of_a_group_is_found)
{
    CHECK_INT(prism(t, "group probe x -n 2").exit, CLI_OK);
    CHECK_INT(got.number, 2);
    CHECK_INT(prism(t, "group").exit, CLI_USAGE);
    CHECK_INT(prism(t, "group --help").exit, CLI_OK);
}

TEST(mistakes_are_named_and_nothing_runs)
{
    const struct {
        const char *line, *said;
    } bad[] = {
        {"prob", "did you mean 'probe'"},
        {"group prbe", "did you mean 'probe'"},
        {"xyzzy", "no verb of prism"},
        {"probe", "something is missing: A [B]"},
        {"probe a b c", "what is 'c'?"},
        {"probe x --flagg", "did you mean --flag?"},
        {"probe x --wurst", "there is no option '--wurst'"},
        {"probe x -q", "there is no option '-q'"},
        {"probe x --text", "--text needs a value: TEXT"},
        {"probe x -n", "-n needs a value: N"},
        {"probe x --choice three", "--choice is one of one two, not 'three'"},
        {"probe x -n 11", "--number is from 1 to 10, not '11'"},
        {"probe x -n 1.5", "--number is a whole number, not '1.5'"},
        {"probe x --bytes lots", "--bytes is a size"},
        {"probe x --time soon", "--time is a time"},
        {"probe x --port 70000", "--port is from 1 to 65535"},
        {"--flag probe x", "there is no option '--flag'"},
        {"", "Usage: prism"},
    };
    for (size_t i = 0; i < PX_COUNT(bad); i++) {
        struct said said = prism(t, bad[i].line);
        if (said.exit != CLI_USAGE || !strstr(said.err, bad[i].said))
            TEST_FAIL("'%s' gave %d: %s", bad[i].line, said.exit, said.err);
        CHECK_INT(got_args, -1);
        CHECK(!strstr(said.err, "--usage"));
    }
}

TEST(help_shows_every_option_of_the_table)
{
    struct said said = prism(t, "probe --help");
    CHECK_INT(said.exit, CLI_OK);
    CHECK_INT(got_args, -1);
    for (size_t i = 0; i < PX_COUNT(table); i++) CHECK(strstr(said.out, table[i].name));
    CHECK(strstr(said.out, "--json"));
    CHECK(strstr(prism(t, "help probe").out, "a verb for tests"));
    CHECK(strstr(prism(t, "help group probe").out, "--choice"));
    CHECK(strstr(prism(t, "help exit-codes").out, "3  no region"));
    CHECK(strstr(prism(t, "--help").out, "probe"));
    CHECK_INT(prism(t, "help nothing").exit, CLI_USAGE);
}

TEST(completion_scripts_hold_verbs_options_and_choices)
{
    const char *const shells[] = {"bash", "zsh", "fish"};
    for (size_t i = 0; i < PX_COUNT(shells); i++) {
        char line[64];
        (void)snprintf(line, sizeof line, "completion %s", shells[i]);
        struct said said = prism(t, line);
        CHECK_INT(said.exit, CLI_OK);
        CHECK(strstr(said.out, "probe"));
        CHECK(strstr(said.out, "number"));
        CHECK(strstr(said.out, "one two"));
    }
    CHECK_INT(prism(t, "completion tcsh").exit, CLI_USAGE);
}

TEST(sizes_and_times_have_units)
{
    int64_t value = 0;
    CHECK(options_bytes("500", &value) && value == 500);
    CHECK(options_bytes("1.5M", &value) && value == 1500000);
    CHECK(options_bytes("64KiB", &value) && value == 65536);
    CHECK(options_bytes("2gb", &value) && value == 2000000000);
    CHECK(!options_bytes("", &value) && !options_bytes("M", &value) &&
          !options_bytes("-1", &value));
    CHECK(!options_bytes("1X", &value) && !options_bytes("1e300G", &value) &&
          !options_bytes("nan", &value));
    CHECK(options_time_ms("3", &value) && value == 3000);
    CHECK(options_time_ms("250ms", &value) && value == 250);
    CHECK(options_time_ms("1h", &value) && value == 3600000);
    CHECK(!options_time_ms("1y", &value));
}

TEST_MAIN
