/* The tenant registry over the embedded table store. */
#include "support/support.h"

#include "svc/sharding/registry.h"

struct fixture {
    struct table_store *tables;
    struct registry registry;
};

static struct fixture open_registry(struct test *t)
{
    struct fixture f = {0};
    struct table_options options = {.clock = &t->clock};
    CHECK_OK(table_store_open(test_path(t, "tables.db"), &options, &f.tables));
    f.registry = (struct registry){f.tables, &t->clock};
    return f;
}

static yyjson_val *json(struct test *t, const char *text)
{
    yyjson_val *root = NULL;
    CHECK_OK(px_json_parse(px_str_c(text), &t->arena, &root, NULL));
    return root;
}

static struct tenant make(struct test *t, const struct fixture *f, const char *name)
{
    struct tenant tenant;
    const char *why = NULL;
    struct tenant_spec spec = {.name = px_str_c(name), .home_region = S("local")};
    CHECK_OK(registry_create(&f->registry, &spec, &t->arena, &tenant, &why));
    return tenant;
}

TEST(a_created_tenant_is_read_back_with_its_defaults)
{
    struct fixture f = open_registry(t);
    make(t, &f, "acme");
    struct tenant got;
    CHECK_OK(registry_get(&f.registry, S("acme"), &t->arena, &got));
    CHECK_STR(got.name, S("acme"));
    CHECK_STR(got.home_region, S("local"));
    CHECK_STR(got.shard, S("shard-0"));
    CHECK_STR(got.tier, S("pooled"));
    CHECK_STR(got.quotas_json, S("{}"));
    CHECK_INT(got.status, TENANT_ACTIVE);
    CHECK_INT(got.epoch, 1);
    CHECK_INT(got.created_ns, t->now_ns);
    table_store_close(&f.tables);
}

TEST(a_name_is_given_once_even_after_deletion)
{
    struct fixture f = open_registry(t);
    make(t, &f, "acme");
    struct tenant_spec spec = {.name = S("acme"), .home_region = S("local")};
    struct tenant tenant;
    const char *why = NULL;
    CHECK_INT(registry_create(&f.registry, &spec, &t->arena, &tenant, &why), REGISTRY_EXISTS);
    CHECK_OK(registry_delete(&f.registry, S("acme"), &t->arena, &tenant, &why));
    CHECK_INT(tenant.status, TENANT_DELETED);
    CHECK_INT(registry_create(&f.registry, &spec, &t->arena, &tenant, &why), REGISTRY_EXISTS);
    CHECK_OK(registry_delete(&f.registry, S("acme"), &t->arena, &tenant, &why)); /* again */
    table_store_close(&f.tables);
}

TEST(bad_specs_are_refused_with_a_reason)
{
    struct fixture f = open_registry(t);
    const struct {
        const char *name, *region, *tier, *quotas, *word;
    } bad[] = {
        {"", "local", "", "{}", "name"},
        {"Acme", "local", "", "{}", "name"},
        {"../etc", "local", "", "{}", "name"},
        {"acme", "", "", "{}", "home_region"},
        {"acme", "a/b", "", "{}", "home_region"},
        {"acme", "local", "gold", "{}", "tier"},
        {"acme", "local", "", "{\"datasets\":-1}", "datasets is a whole number"},
        {"acme", "local", "", "{\"requests_per_s\":1.5}",
         "requests_per_s is a whole number of requests per second"},
        {"acme", "local", "", "{\"rate\":1}", "no such quota; they are requests_per_s, "},
    };
    for (size_t i = 0; i < PX_COUNT(bad); i++) {
        struct tenant_spec spec = {
            .name = px_str_c(bad[i].name),
            .home_region = px_str_c(bad[i].region),
            .tier = px_str_c(bad[i].tier),
            .quotas = json(t, bad[i].quotas),
        };
        struct tenant tenant;
        const char *why = "";
        CHECK_INT(registry_create(&f.registry, &spec, &t->arena, &tenant, &why), REGISTRY_INVALID);
        CHECK(strstr(why, bad[i].word));
    }
    table_store_close(&f.tables);
}

TEST(quotas_are_merged_and_null_removes_one)
{
    struct fixture f = open_registry(t);
    make(t, &f, "acme");
    struct tenant tenant;
    const char *why = NULL;
    struct tenant_change change = {.quotas = json(t, "{\"datasets\":1,\"bytes_per_s\":2000}")};
    CHECK_OK(registry_change(&f.registry, S("acme"), &change, &t->arena, &tenant, &why));
    change.quotas = json(
        t, "{\"datasets\":null,\"gone\":null,\"bytes_per_s\":3000,\"requests_burst\":4}");
    CHECK_OK(registry_change(&f.registry, S("acme"), &change, &t->arena, &tenant, &why));
    CHECK_OK(registry_get(&f.registry, S("acme"), &t->arena, &tenant));
    CHECK_STR(tenant.quotas_json, S("{\"bytes_per_s\":3000,\"requests_burst\":4}"));
    table_store_close(&f.tables);
}

TEST(status_changes_but_not_to_deleted_and_not_of_the_operator)
{
    struct fixture f = open_registry(t);
    make(t, &f, "acme");
    make(t, &f, TENANT_SYSTEM);
    struct tenant tenant;
    const char *why = NULL;
    struct tenant_change change = {.status = S("suspended")};
    CHECK_OK(registry_change(&f.registry, S("acme"), &change, &t->arena, &tenant, &why));
    CHECK_INT(tenant.status, TENANT_SUSPENDED);
    CHECK_INT(registry_change(&f.registry, S(TENANT_SYSTEM), &change, &t->arena, &tenant, &why),
              REGISTRY_INVALID);
    CHECK_INT(registry_delete(&f.registry, S(TENANT_SYSTEM), &t->arena, &tenant, &why),
              REGISTRY_INVALID);
    change.status = S("deleted");
    CHECK_INT(registry_change(&f.registry, S("acme"), &change, &t->arena, &tenant, &why),
              REGISTRY_INVALID);
    change.status = S("active");
    CHECK_OK(registry_change(&f.registry, S("acme"), &change, &t->arena, &tenant, &why));
    CHECK_INT(tenant.status, TENANT_ACTIVE);
    table_store_close(&f.tables);
}

TEST(a_deleted_or_unknown_tenant_cannot_be_changed)
{
    struct fixture f = open_registry(t);
    make(t, &f, "acme");
    struct tenant tenant;
    const char *why = NULL;
    struct tenant_change change = {.tier = S("dedicated")};
    CHECK_OK(registry_delete(&f.registry, S("acme"), &t->arena, &tenant, &why));
    CHECK_INT(registry_change(&f.registry, S("acme"), &change, &t->arena, &tenant, &why),
              REGISTRY_ABSENT);
    CHECK_INT(registry_change(&f.registry, S("nobody"), &change, &t->arena, &tenant, &why),
              REGISTRY_ABSENT);
    CHECK_INT(registry_get(&f.registry, S("no/body"), &t->arena, &tenant), REGISTRY_ABSENT);
    table_store_close(&f.tables);
}

TEST(a_list_goes_on_behind_a_name_and_leaves_deleted_ones_out)
{
    struct fixture f = open_registry(t);
    const char *const names[] = {"a", "b", "c", "d", "e"};
    for (size_t i = 0; i < PX_COUNT(names); i++) make(t, &f, names[i]);
    struct tenant tenant, *list = NULL;
    const char *why = NULL;
    size_t count = 0;
    CHECK_OK(registry_delete(&f.registry, S("b"), &t->arena, &tenant, &why));
    CHECK_OK(registry_list(&f.registry, S(""), 2, false, &t->arena, &list, &count));
    CHECK_INT(count, 2);
    CHECK_STR(list[0].name, S("a"));
    CHECK_STR(list[1].name, S("c"));
    CHECK_OK(registry_list(&f.registry, S("c"), 10, false, &t->arena, &list, &count));
    CHECK_INT(count, 2);
    CHECK_STR(list[1].name, S("e"));
    CHECK_OK(registry_list(&f.registry, S(""), 10, true, &t->arena, &list, &count));
    CHECK_INT(count, 5);
    table_store_close(&f.tables);
}

TEST(a_change_on_an_old_version_is_not_written_over_a_newer_one)
{
    struct fixture f = open_registry(t);
    struct tenant tenant = make(t, &f, "acme");
    PX_AUTO(px_buf_deinit) struct px_buf doc;
    px_buf_init(&doc, 4096);
    tenant_write(&tenant, &doc);
    struct table_put put = {.key = {.table = S("tenants"), .partition = S("acme")},
                            .document = px_buf_str(&doc),
                            .condition = TABLE_VERSION,
                            .version = tenant.version};
    const char *why = NULL;
    struct tenant_change change = {.tier = S("dedicated")};
    CHECK_OK(registry_change(&f.registry, S("acme"), &change, &t->arena, &tenant, &why));
    CHECK_INT(table_put(f.tables, &put, &t->arena, NULL, NULL), TABLE_CONDITION_FAILED);
    table_store_close(&f.tables);
}

TEST(a_damaged_item_is_a_fault_not_a_tenant)
{
    struct fixture f = open_registry(t);
    make(t, &f, "acme");
    const char *const damaged[] = {"{", "[]", "{\"name\":\"acme\"}",
                                   "{\"name\":\"other\",\"tier\":\"pooled\",\"status\":\"active\","
                                   "\"epoch\":1,\"quotas\":{},\"created\":\"2026-01-01\"}"};
    for (size_t i = 0; i < PX_COUNT(damaged); i++) {
        struct table_put put = {.key = {.table = S("tenants"), .partition = S("acme")},
                                .document = px_str_c(damaged[i]),
                                .condition = TABLE_ANY};
        CHECK_OK(table_put(f.tables, &put, &t->arena, NULL, NULL));
        struct tenant tenant;
        CHECK_INT(registry_get(&f.registry, S("acme"), &t->arena, &tenant), PX_F_CORRUPT);
    }
    table_store_close(&f.tables);
}

/* ---- moves ---- */

static struct registry in_region(const struct fixture *f, const char *region)
{
    struct registry registry = f->registry;
    registry.home.region = px_str_c(region);
    return registry;
}

static struct tenant begin(struct test *t, const struct registry *registry, const char *to)
{
    struct tenant tenant;
    const char *why;
    CHECK_OK(
        registry_move_begin(registry, S("acme"), px_str_c(to), S(""), &t->arena, &tenant, &why));
    return tenant;
}

TEST(a_move_changes_home_and_epoch_at_once_and_a_repeat_finds_it_done)
{
    struct fixture f = open_registry(t);
    const struct registry local = in_region(&f, "local"), west = in_region(&f, "west");
    struct tenant tenant;
    const char *why;
    make(t, &f, "acme");
    tenant = begin(t, &local, "west");
    CHECK_INT(tenant.moving_epoch, 2);
    CHECK_INT(tenant.epoch, 1);
    CHECK_STR(tenant.home_region, S("local"));
    CHECK_INT(begin(t, &local, "west").version, tenant.version); /* the same move */
    CHECK_INT(registry_move_begin(&local, S("acme"), S("north"), S(""), &t->arena, &tenant, &why),
              REGISTRY_CONFLICT);
    CHECK(why);
    CHECK_INT(registry_move_commit(&local, S("acme"), 3, &t->arena, &tenant, &why),
              REGISTRY_CONFLICT);
    CHECK_INT(registry_move_commit(&west, S("acme"), 2, &t->arena, &tenant, &why),
              REGISTRY_ELSEWHERE);
    for (int i = 0; i < 2; i++) {
        CHECK_OK(registry_move_commit(&local, S("acme"), 2, &t->arena, &tenant, &why));
        CHECK_STR(tenant.home_region, S("west"));
        CHECK_INT(tenant.epoch, 2);
        CHECK_INT(tenant.moving_epoch, 0);
    }
    CHECK_INT(registry_move_abort(&local, S("acme"), 2, &t->arena, &tenant, &why),
              REGISTRY_CONFLICT); /* too late */
    CHECK(why);
    CHECK_INT(registry_move_begin(&local, S("acme"), S("north"), S(""), &t->arena, &tenant, &why),
              REGISTRY_ELSEWHERE);
    CHECK_INT(begin(t, &west, "local").moving_epoch, 3);
    table_store_close(&f.tables);
}

TEST(a_move_that_was_given_up_cannot_be_committed_and_its_epoch_is_used_up)
{
    struct fixture f = open_registry(t);
    const struct registry local = in_region(&f, "local");
    struct tenant tenant;
    const char *why;
    make(t, &f, "acme");
    CHECK_INT(registry_move_abort(&local, S("acme"), 2, &t->arena, &tenant, &why),
              REGISTRY_INVALID); /* none was begun */
    begin(t, &local, "west");
    for (int i = 0; i < 2; i++) {
        CHECK_OK(registry_move_abort(&local, S("acme"), 2, &t->arena, &tenant, &why));
        CHECK_STR(tenant.home_region, S("local"));
        CHECK_INT(tenant.epoch, 2);
    }
    CHECK_INT(registry_move_commit(&local, S("acme"), 2, &t->arena, &tenant, &why),
              REGISTRY_CONFLICT);
    CHECK_INT(begin(t, &local, "north").moving_epoch, 3);
    CHECK_OK(
        registry_move_abort(&local, S("acme"), 2, &t->arena, &tenant, &why)); /* a late repeat */
    CHECK_INT(tenant.moving_epoch, 3); /* leaves the next one alone */
    table_store_close(&f.tables);
}

TEST(who_cannot_move_is_told_why)
{
    struct fixture f = open_registry(t);
    const struct registry local = in_region(&f, "local");
    struct tenant tenant;
    const char *why;
    make(t, &f, "acme");
    CHECK_INT(registry_move_begin(&local, S("nobody"), S("west"), S(""), &t->arena, &tenant, &why),
              REGISTRY_ABSENT);
    CHECK_INT(registry_move_begin(&local, S("acme"), S("local"), S(""), &t->arena, &tenant, &why),
              REGISTRY_INVALID);
    CHECK_INT(registry_move_begin(&local, S("acme"), S("a b"), S(""), &t->arena, &tenant, &why),
              REGISTRY_INVALID);
    begin(t, &local, "west");
    CHECK_OK(registry_delete(&local, S("acme"), &t->arena, &tenant, &why));
    CHECK_INT(registry_move_commit(&local, S("acme"), 2, &t->arena, &tenant, &why),
              REGISTRY_ABSENT);
    table_store_close(&f.tables);
}

TEST_MAIN
