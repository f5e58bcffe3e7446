/* workflows.json and its definitions, as a local region loads them. */
#include "support/support.h"

#include "asl/jsonata.h"
#include "region/connect.h"
#include "region/workflow_catalogue.h"

static const char *const shards[] = {"shard-0", "shard-1", NULL};

static int load(struct test *t, const char *dir, struct asl_jsonata *jsonata,
                struct workflow_catalogue *ret_catalogue)
{
    const struct workflow_catalogue_options options = {.platform_dir = dir,
                                                       .region = S("eu-test-1"),
                                                       .prefix = S("prism"),
                                                       .environment = S("test"),
                                                       .shards = shards};
    struct workflow_catalogue catalogue;
    PX_TRY(workflow_catalogue_load(&options, &t->arena, &catalogue));
    for (size_t i = 0; i < catalogue.count; i++) {
        CHECK(catalogue.machines[i].program == NULL); /* until it is used */
        int r = workflow_machine_compile(&catalogue.machines[i], jsonata);
        if (r != 0) workflow_catalogue_deinit(&catalogue);
        PX_TRY(r);
    }
    *ret_catalogue = catalogue;
    return 0;
}

TEST(the_committed_machines_are_accepted_and_all_that_they_call_is_there)
{
    PX_AUTO(asl_jsonata_free) struct asl_jsonata *jsonata = NULL;
    struct workflow_catalogue c;
    CHECK_OK(asl_jsonata_new(&(struct asl_jsonata_options){0}, &jsonata));
    CHECK_OK(load(t, PX_SOURCE_DIR "/platform", jsonata, &c));
    CHECK(c.count >= 3);
    const struct workflow_machine *m = workflow_machine_find(&c, S("data-lifecycle"));
    CHECK(m && m == workflow_machine_find(&c, m->arn) &&
          m == workflow_machine_find(&c, m->full_name));
    CHECK_STR(m->full_name, S("prism-data-lifecycle"));
    CHECK_STR(m->arn, S("arn:aws:states:eu-test-1:000000000000:stateMachine:prism-data-lifecycle"));
    CHECK_INT(m->type, ASL_STANDARD);
    CHECK_INT(m->schedules[0].rate_s, 3600);
    CHECK(workflow_may(m, "invoke", S("storage")) && !workflow_may(m, "invoke", S("keys")));
    CHECK(!workflow_may(NULL, "invoke", S("storage")));
    CHECK_INT(workflow_machine_find(&c, S("tenant-onboarding"))->type, ASL_EXPRESS);
    CHECK(!workflow_machine_find(&c, S("nothing")));
    struct px_str qualifier;
    CHECK(m == workflow_machine_qualified(&c, m->arn, &qualifier) && qualifier.len == 0);
    CHECK(m == workflow_machine_qualified(
                   &c, px_arena_printf(&t->arena, "%.*s:live", PX_FMT(m->arn)), &qualifier));
    CHECK_STR(qualifier, S("live"));
    CHECK(m == workflow_machine_qualified(&c, S("data-lifecycle:3"), &qualifier));
    CHECK_STR(qualifier, S("3"));
    CHECK(!workflow_machine_qualified(&c, S("nothing:3"), &qualifier));
    CHECK(!workflow_machine_qualified(&c, S("data-lifecycle:"), &qualifier));
    CHECK(!workflow_machine_qualified(&c, S(""), &qualifier));
    /* every "Resource" of every definition has a connector */
    for (size_t i = 0; i < c.count; i++) {
        struct px_str text = c.machines[i].text, mark = S("\"arn:aws:states:::");
        for (const char *at = text.ptr;
             (at = memmem(at, text.len - (size_t)(at - text.ptr), mark.ptr, mark.len));) {
            at += mark.len;
            const char *end = memchr(at, '"', text.len - (size_t)(at - text.ptr));
            struct px_str name = px_str(at, (size_t)(end - at)), action = name;
            const char *dot = memchr(name.ptr, '.', name.len);
            if (dot) action.len = name.len = (size_t)(dot - name.ptr);
            const char *colon = memrchr(name.ptr, ':', name.len);
            struct px_str service = px_str(name.ptr, (size_t)(colon - name.ptr));
            if (!connector_find(service, px_str_skip(action, service.len + 1)))
                TEST_FAIL("%.*s has no connector", PX_FMT(name));
        }
    }
    workflow_catalogue_deinit(&c);
}

TEST(names_of_this_deployment_are_told_from_others)
{
    const struct workflow_catalogue c = {.prefix = S("prism")};
    CHECK_STR(workflow_own_name(&c, S("prism-breakers")), S("breakers"));
    CHECK(!workflow_own_name(&c, S("prism")).ptr && !workflow_own_name(&c, S("prism-")).ptr &&
          !workflow_own_name(&c, S("prismatic-x")).ptr && !workflow_own_name(&c, S("")).ptr);
}

TEST(rates_are_read_as_eventbridge_writes_them)
{
    static const struct {
        const char *text;
        uint32_t seconds;
    } cases[] = {{"rate(1 minute)", 60},
                 {"rate(5 minutes)", 300},
                 {"rate(1 hour)", 3600},
                 {"rate(2 hours)", 7200},
                 {"rate(1 day)", 86400},
                 {"rate(7 days)", 604800},
                 {"rate(1 minutes)", 0},
                 {"rate(2 hour)", 0},
                 {"rate(0 minutes)", 0},
                 {"rate(-1 minutes)", 0},
                 {"rate(1minute)", 0},
                 {"cron(0 * * * ? *)", 0},
                 {"rate(99999999 days)", 0},
                 {"rate()", 0},
                 {"", 0}};
    for (size_t i = 0; i < PX_COUNT(cases); i++) {
        uint32_t seconds = 0;
        bool good = workflow_rate_parse(px_str_c(cases[i].text), &seconds);
        CHECK_INT(good, cases[i].seconds > 0);
        CHECK_INT(seconds, cases[i].seconds);
    }
}

static void write_text(struct test *t, const char *name, const char *text)
{
    CHECK_OK(px_file_write_atomic(test_path(t, "%s", name).ptr, px_str_c(text), 0600));
}

#define MACHINE(fields) "{\"machines\":{\"m\":{\"type\":\"STANDARD\"" fields "}}}"
TEST(what_is_wrong_is_refused_with_its_place)
{
    static const struct {
        const char *catalogue, *definition, *said;
    } cases[] = {
        {"{\"machines\":{\"m\":{\"type\":\"LOOSE\"}}}", "{}", "type is STANDARD or EXPRESS"},
        {MACHINE(",\"schedules\":{\"s\":{\"expression\":\"cron(0 * * * ? *)\"}}"), "{}",
         "rate(...)"},
        {MACHINE(""), NULL, "does not exist"},
        {MACHINE(""), "{\"StartAt\":\"A\",\"States\":{}}", "m.asl.json"},
        {MACHINE(""), "${nothing}", "m.asl.json: at byte"},
        {"{\"tables\":{\"t\":{}}}", "{}", "tables.t needs a key"},
    };
    CHECK_OK(px_dir_make(test_path(t, "workflows").ptr));
    for (size_t i = 0; i < PX_COUNT(cases); i++) {
        struct workflow_catalogue c;
        char text[1024];
        write_text(t, "workflows.json", cases[i].catalogue);
        (void)unlink(test_path(t, "workflows/m.asl.json").ptr);
        if (cases[i].definition) write_text(t, "workflows/m.asl.json", cases[i].definition);
        int r = load(t, t->dir, NULL, &c);
        CHECK_INT(r, PX_F_CONFIG);
        (void)px_fault_text(r, text, sizeof text);
        if (!strstr(text, cases[i].said)) TEST_FAIL("%s does not say: %s", text, cases[i].said);
    }
}

TEST(a_platform_without_workflows_has_none)
{
    struct workflow_catalogue c;
    CHECK_OK(load(t, t->dir, NULL, &c));
    CHECK_INT(c.count, 0);
}

TEST_MAIN
