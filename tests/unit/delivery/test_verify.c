/* Plans together, filters, and what is written. */
#include "delivery/fixture.h"

static struct verify run(struct fixture *f, const struct verify_options *options,
                         struct plan **plans, size_t count)
{
    struct verify v;
    CHECK_OK(verify_run(&f->arena, options, plans, count, &v));
    return v;
}

static struct verify broken(struct fixture *f, const char *const *only)
{
    yyjson_val *patch = NULL;
    CHECK_OK(px_json_parse(S("{\"resources\":{\"aws_sqs_queue.q\":{\"kms_master_key_id\":null}}}"),
                           &f->arena, &patch, NULL));
    struct plan **plans = px_arena_array(&f->arena, struct plan *, 1);
    plans[0] = fixture_open_plan(f, "keys", patch);
    struct verify_options *options = px_arena_new(&f->arena, struct verify_options);
    *options = (struct verify_options){.platform_dir = fixture_platform(f), .only = only};
    return run(f, options, plans, 1);
}

static const char *const queues[] = {"PV-ENC-05", NULL};

TEST(a_finding_names_resource_and_fix)
{
    struct fixture f;
    fixture_open(&f, t);
    struct verify v = broken(&f, queues);
    CHECK_INT(v.finding_count, 1);
    CHECK_STR(v.findings->address, S("aws_sqs_queue.q"));
    CHECK(v.findings->message.len > 0 && v.findings->fix.len > 0 && v.findings->plan == v.plans[0]);
    fixture_close(&f);
}

TEST(rules_of_another_stack_do_not_apply)
{
    struct fixture f;
    fixture_open(&f, t);
    struct plan *plans[] = {fixture_open_plan(&f, "global", NULL)};
    struct verify_options options = {.platform_dir = fixture_platform(&f)};
    struct verify v = run(&f, &options, plans, 1);
    for (size_t i = 0; verify_rule_at(i); i++) {
        bool global = verify_rule_at(i)->stacks & VERIFY_GLOBAL;
        CHECK_INT(v.tallies[i].applied, global);
        if (!global) CHECK_INT(v.tallies[i].findings, 0);
    }
    fixture_close(&f);
}

/* A rule of a region must not be silent because all of what it is about is gone. */
TEST(an_empty_region_breaks_every_family)
{
    static const char *const families[] = {
        "PV-NET-02", "PV-NET-06", "PV-NET-07", "PV-NET-10", "PV-NET-14", "PV-ENC-02", "PV-ENC-03",
        "PV-ENC-07", "PV-FN-01",  "PV-STO-02", "PV-STO-07", "PV-STO-09", "PV-DB-01",  "PV-DB-09",
        "PV-API-01", "PV-API-06", "PV-WF-01",  "PV-WF-02",  "PV-OBS-02", "PV-OBS-03", "PV-OBS-05",
        "PV-OBS-07", "PV-OBS-08", "PV-OBS-10", "PV-SEC-05"};
    struct fixture f;
    yyjson_val *patch = NULL;
    fixture_open(&f, t);
    CHECK_OK(px_json_parse(S("{\"resources\":null}"), &f.arena, &patch, NULL));
    struct plan *plans[] = {fixture_open_plan(&f, "functions", patch)};
    struct verify_options options = {.platform_dir = fixture_platform(&f)};
    struct verify v = run(&f, &options, plans, 1);
    for (size_t k = 0; k < PX_COUNT(families); k++)
        for (size_t i = 0; verify_rule_at(i); i++)
            if (strcmp(verify_rule_at(i)->id, families[k]) == 0 && v.tallies[i].findings == 0)
                TEST_FAIL("%s is silent", families[k]);
    fixture_close(&f);
}

TEST(filters_take_ids_and_beginnings)
{
    static const char *const only[] = {"PV-ENC-", "PV-NET-01", NULL}, *const except[] = {
                                                                          "PV-ENC-05", NULL};
    struct verify_options options = {.only = only, .except = except};
    size_t count = 0;
    for (size_t i = 0; verify_rule_at(i); i++)
        count += verify_is_wanted(&options, verify_rule_at(i));
    CHECK_INT(count, 19);
    struct fixture f;
    fixture_open(&f, t);
    struct verify v = broken(&f, only + 1);
    CHECK_INT(v.finding_count, 0);
    fixture_close(&f);
}

TEST(without_platform_rules_that_compare_say_so)
{
    struct fixture f;
    static const char *const only[] = {"PV-NET-10", "PV-FN-01", "PV-OBS-02", NULL};
    fixture_open(&f, t);
    struct plan *plans[] = {fixture_open_plan(&f, "network", NULL)};
    struct verify_options options = {.only = only};
    CHECK_INT(run(&f, &options, plans, 1).finding_count, 3);
    fixture_close(&f);
}

TEST(json_and_sarif_are_whole)
{
    struct fixture f;
    yyjson_val *root = NULL, *result;
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    px_buf_init(&buf, 4u << 20);
    fixture_open(&f, t);
    struct verify v = broken(&f, queues);
    verify_write_json(&v, &buf);
    CHECK_OK(px_json_parse(px_buf_str(&buf), &f.arena, &root, NULL));
    result = yyjson_arr_get(px_json_arr(root, "findings"), 0);
    CHECK_STR(px_json_str(result, "rule"), S("PV-ENC-05"));
    CHECK_STR(px_json_str(result, "address"), S("aws_sqs_queue.q"));
    CHECK_INT(yyjson_arr_size(px_json_arr(root, "rules")), 1);
    px_buf_clear(&buf);
    verify_write_sarif(&v, "1.2.3", &buf);
    CHECK_OK(px_json_parse(px_buf_str(&buf), &f.arena, &root, NULL));
    CHECK_STR(px_json_str(root, "version"), S("2.1.0"));
    yyjson_val *sarif_run = yyjson_arr_get(px_json_arr(root, "runs"), 0);
    yyjson_val *rules = px_json_at(sarif_run, "tool.driver.rules");
    CHECK_INT(yyjson_arr_size(rules), verify_rule_count());
    result = yyjson_arr_get(px_json_arr(sarif_run, "results"), 0);
    CHECK_STR(
        px_json_str(yyjson_arr_get(rules, (size_t)px_json_i64(result, "ruleIndex", -1)), "id"),
        px_json_str(result, "ruleId"));
    yyjson_val *place = yyjson_arr_get(px_json_arr(result, "locations"), 0);
    CHECK_STR(px_json_str(yyjson_arr_get(px_json_arr(place, "logicalLocations"), 0),
                          "fullyQualifiedName"),
              S("aws_sqs_queue.q"));
    fixture_close(&f);
}

TEST(text_names_everything_and_list_quotes_the_seed)
{
    struct fixture f;
    char *text = NULL;
    size_t bytes = 0;
    fixture_open(&f, t);
    struct verify v = broken(&f, queues);
    FILE *to = open_memstream(&text, &bytes);
    verify_write_text(&v, true, to);
    (void)fclose(to);
    CHECK(strstr(text, "PV-ENC-05: error: aws_sqs_queue.q: ") && strstr(text, "fix: ") &&
          strstr(text, "seed: ") && strstr(text, "1 finding; 1 rules on 1 plan"));
    free(text);
    to = open_memstream(&text, &bytes);
    verify_list(v.options, to);
    (void)fclose(to);
    CHECK(strstr(text, "PV-ENC-05 (error): Queues") && strstr(text, "proves: "));
    free(text);
    fixture_close(&f);
}

/* Every allocation that fails ends the run with a fault, never with a wrong answer. */
TEST(a_full_arena_is_a_fault)
{
    struct fixture f;
    fixture_open(&f, t);
    struct px_str text = fixture_plan(&f, "functions", NULL);
    const char *platform = fixture_platform(&f);
    size_t faults = 0;
    for (size_t limit = 1000; limit < 6000000; limit += limit / 7) {
        struct px_arena arena;
        struct plan *plan = NULL;
        struct verify v;
        struct verify_options options = {.platform_dir = platform};
        px_arena_init(&arena, limit);
        int r = plan_open(text, "p", NULL, &arena, &plan, NULL);
        if (r == 0) r = verify_run(&arena, &options, &plan, 1, &v);
        CHECK(r == 0 || r == PX_F_LIMIT);
        faults += r != 0;
        px_arena_deinit(&arena);
    }
    CHECK(faults > 10);
    fixture_close(&f);
}

TEST_MAIN
