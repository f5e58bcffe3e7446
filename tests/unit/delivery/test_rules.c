/* Every rule of prism verify: silent on a stack that keeps it, loud on each change of rules.json that
 * breaks it. */
#include "delivery/fixture.h"

struct outcome {
    size_t findings, looked_at;
    bool applied, explained;
};

static struct outcome run(struct fixture *f, const char *id, yyjson_val *entry, yyjson_val *patch)
{
    struct plan *plans[4];
    size_t count = 0, i, n;
    yyjson_val *other;
    plans[count++] = fixture_open_plan(f, px_json_str(entry, "in").ptr, patch);
    px_json_arr_foreach(px_json_arr(entry, "with"), i, n, other)
    {
        plans[count++] = fixture_open_plan(f, yyjson_get_str(other), NULL);
    }
    const char *except[] = {"none", NULL};
    const char *only[] = {id, "PV-IAM-01", "PV-IAM-02", NULL}; /* they mark what PV-IAM-09 counts */
    struct px_str wildcards = test_path(f->t, "wildcards.json");
    struct verify_options options = {.platform_dir = f->t->dir, .only = only, .except = except};
    options.wildcards = wildcards.ptr;
    struct verify v;
    CHECK_OK(verify_run(&f->arena, &options, plans, count, &v));
    struct outcome out = {.explained = true};
    for (size_t r = 0; verify_rule_at(r); r++) {
        if (strcmp(verify_rule_at(r)->id, id) != 0) continue;
        out.applied = v.tallies[r].applied;
        out.looked_at = v.tallies[r].looked_at;
        out.findings = v.tallies[r].findings;
    }
    for (struct verify_finding *it = v.findings; it; it = it->next) {
        if (strcmp(it->rule->id, id) == 0) {
            out.explained = out.explained && it->message.len > 0 && it->fix.len > 0;
            if (!patch)
                print_error("%s: %.*s: %.*s\n", id, PX_FMT(it->address), PX_FMT(it->message));
        }
    }
    return out;
}

static void check_rule(struct fixture *f, const struct verify_rule *rule)
{
    yyjson_val *entry = px_json_obj(px_json_obj(f->root, "rules"), rule->id);
    yyjson_val *breaks = px_json_arr(entry, "breaks"), *patch;
    size_t i, n;
    if (!entry) TEST_FAIL("rules.json has nothing for %s", rule->id);
    struct outcome clean = run(f, rule->id, entry, NULL);
    bool silent = px_json_bool(entry, "clean_looks_at_nothing", false);
    if (!clean.applied || (clean.looked_at == 0 && !silent))
        TEST_FAIL("%s looks at nothing", rule->id);
    if (clean.findings != 0) TEST_FAIL("%s finds %zu things", rule->id, clean.findings);
    if (yyjson_arr_size(breaks) == 0) TEST_FAIL("%s is never broken", rule->id);
    px_json_arr_foreach(breaks, i, n, patch)
    {
        struct outcome broken = run(f, rule->id, entry, patch);
        if (broken.findings == 0) TEST_FAIL("%s does not notice break %zu", rule->id, i);
        if (!broken.explained) TEST_FAIL("%s says too little of break %zu", rule->id, i);
    }
}

TEST(every_rule_is_silent_until_it_is_broken)
{
    struct fixture f;
    fixture_open(&f, t);
    (void)fixture_platform(&f);
    for (size_t i = 0; verify_rule_at(i); i++) {
        check_rule(&f, verify_rule_at(i));
        px_arena_deinit(&f.arena);
        fixture_open(&f, t);
    }
    fixture_close(&f);
}

TEST(every_entry_is_of_a_rule)
{
    struct fixture f;
    size_t i, n;
    yyjson_val *key, *value;
    fixture_open(&f, t);
    yyjson_obj_foreach(px_json_obj(f.root, "rules"), i, n, key, value)
    {
        bool known = false;
        for (size_t r = 0; verify_rule_at(r); r++)
            known = known || strcmp(verify_rule_at(r)->id, yyjson_get_str(key)) == 0;
        if (!known) TEST_FAIL("%s is no rule", yyjson_get_str(key));
        CHECK(value);
    }
    fixture_close(&f);
}

/* "PV-NET-07": its family up to the number, and the number. */
static uint64_t number_of(const char *id, struct px_str *ret_family)
{
    uint64_t number = 0;
    struct px_str text = px_str_c(id);
    CHECK(px_str_starts(text, S("PV-")) && text.len > 6 && text.ptr[text.len - 3] == '-');
    CHECK(px_str_to_u64(px_str_skip(text, text.len - 2), &number));
    *ret_family = px_str(text.ptr, text.len - 2);
    return number;
}

/* Ids stand in suppressions, reports and other tests: in order, without a gap, told once. */
TEST(ids_are_in_order_and_texts_are_whole)
{
    struct px_str before = {0}, family;
    uint64_t last = 0;
    for (size_t i = 0; verify_rule_at(i); i++) {
        const struct verify_rule *rule = verify_rule_at(i);
        uint64_t number = number_of(rule->id, &family);
        CHECK_INT(number, px_str_eq(family, before) ? last + 1 : 1);
        CHECK(rule->title[0] && rule->proves[0] && rule->check && rule->stacks != 0);
        CHECK(px_str_ends(px_str_c(rule->seed), S(".")) && strlen(rule->title) < 90);
        before = family;
        last = number;
    }
    CHECK(verify_rule_count() >= 70);
}

TEST(the_design_page_lists_them_all)
{
    PX_AUTO(px_buf_deinit) struct px_buf page;
    px_buf_init(&page, 1u << 20);
    CHECK_OK(px_file_read(PX_SOURCE_DIR "/docs/design/verify.md", &page));
    px_buf_add_char(&page, '\0');
    for (size_t i = 0; verify_rule_at(i); i++) {
        struct px_str line = px_arena_printf(&t->arena, "| %s | %s |", verify_rule_at(i)->id,
                                             verify_rule_at(i)->title);
        if (!strstr(page.ptr, line.ptr)) TEST_FAIL("docs/design/verify.md lacks %s", line.ptr);
    }
}

/* The requirements stand beside the repository where it was made; elsewhere there is nothing to compare. */
TEST(seeds_are_quoted_word_for_word)
{
    PX_AUTO(px_buf_deinit) struct px_buf seed;
    px_buf_init(&seed, 1u << 20);
    int r = px_file_read(PX_SOURCE_DIR "/../shared/seed/infrastructure-architecture.txt", &seed);
    if (r == PX_FILE_ABSENT) return;
    CHECK_OK(r);
    px_buf_add_char(&seed, '\0');
    for (size_t i = 0; verify_rule_at(i); i++)
        if (!strstr(seed.ptr, verify_rule_at(i)->seed))
            TEST_FAIL("%s quotes what the requirements do not say", verify_rule_at(i)->id);
}

TEST_MAIN
