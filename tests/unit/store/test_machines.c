/* Versions and aliases of machines in the journal: what is read back, what keeps a definition, what cannot be, journals of before. */
#include "support/support.h"

#include "store/lite.h"
#include "store/machines.h"

static struct execution_store *store_open(struct test *t)
{
    struct execution_store *store = NULL;
    CHECK_OK(execution_store_open(test_path(t, "workflows.db"), &store));
    return store;
}

static struct machine_record record_of(struct machine_version *versions, size_t count,
                                       struct machine_alias *aliases, size_t alias_count)
{
    return (struct machine_record){.machine = S("prism-m"),
                                   .definition = 2,
                                   .revision = S("r2"),
                                   .shipped = 1,
                                   .next = 3,
                                   .updated_ms = 7,
                                   .versions = versions,
                                   .version_count = count,
                                   .aliases = aliases,
                                   .alias_count = alias_count};
}

TEST(what_is_written_is_read_back_and_replaces_what_was)
{
    PX_AUTO(execution_store_close) struct execution_store *store = store_open(t);
    struct machine_version versions[] = {
        {1, 1, S(""), S("built"), 5},
        {2, 2, S("r2"), S(""), 6},
    };
    struct machine_alias aliases[] = {
        {S("live"), S("all"), {{1, 90}, {2, 10}}, 2, 3, 4},
        {S("canary"), S(""), {{2, 100}}, 1, 8, 9},
    };
    struct machine_record record = record_of(versions, 2, aliases, 2), got;
    CHECK_INT(machine_read(store, S("prism-m"), &t->arena, &got), EXECUTION_ABSENT);
    CHECK_OK(machine_write(store, &record));
    CHECK_OK(machine_read(store, S("prism-m"), &t->arena, &got));
    CHECK(got.definition == 2 && got.shipped == 1 && got.next == 3 && got.updated_ms == 7);
    CHECK_STR(got.revision, S("r2"));
    CHECK_INT(got.version_count, 2);
    CHECK(machine_version_find(&got, 2)->created_ms == 6);
    CHECK_STR(got.versions[0].description, S("built"));
    const struct machine_alias *live = machine_alias_find(&got, S("live"));
    CHECK(live && live->route_count == 2 && live->routes[0].weight == 90 &&
          live->routes[1].version == 2);
    CHECK(!machine_alias_find(&got, S("other")) && !machine_version_find(&got, 3));
    record.alias_count = 1;
    aliases[0] = (struct machine_alias){S("live"), S(""), {{2, 100}}, 1, 3, 10};
    record.versions = &versions[1];
    record.version_count = 1;
    CHECK_OK(machine_write(store, &record));
    CHECK_OK(machine_read(store, S("prism-m"), &t->arena, &got));
    CHECK(got.version_count == 1 && got.alias_count == 1 && got.aliases[0].route_count == 1);
}

TEST(what_does_not_fit_together_is_seen)
{
    struct machine_version versions[] = {{1, 1, S(""), S(""), 0}, {2, 2, S(""), S(""), 0}};
    struct machine_alias alias = {S("live"), S(""), {{1, 60}, {2, 40}}, 2, 0, 0};
    struct machine_record record = record_of(versions, 2, &alias, 1);
    CHECK(machine_record_ok(&record));
    alias.routes[1].weight = 39;
    CHECK(!machine_record_ok(&record));
    alias.routes[1] = (struct machine_route){1, 40}; /* the same twice */
    CHECK(!machine_record_ok(&record));
    alias.routes[1] = (struct machine_route){3, 40}; /* there is none */
    CHECK(!machine_record_ok(&record));
    alias.route_count = 0;
    CHECK(!machine_record_ok(&record));
    record.alias_count = 0;
    record.next = 2; /* would be given twice */
    CHECK(!machine_record_ok(&record));
    record.next = 3;
    versions[0].number = 2;
    CHECK(!machine_record_ok(&record));
}

/* Neither what a version runs nor what the machine is nor what the platform had goes with the executions that are too old. */
TEST(definitions_that_a_machine_needs_stay)
{
    PX_AUTO(execution_store_close) struct execution_store *store = store_open(t);
    struct px_str text;
    uint64_t definitions[4];
    size_t removed;
    for (size_t i = 0; i < PX_COUNT(definitions); i++)
        CHECK_OK(execution_define(store, S("prism-m"), px_arena_printf(&t->arena, "{\"n\":%zu}", i),
                                  &definitions[i]));
    struct machine_version version = {1, definitions[0], S(""), S(""), 0};
    struct machine_record record = record_of(&version, 1, NULL, 0);
    record.definition = record.shipped = definitions[1];
    CHECK_OK(machine_write(store, &record));
    CHECK_OK(execution_expire(store, INT64_MAX, 10, &removed));
    CHECK_OK(execution_definition(store, definitions[0], &t->arena, &text));
    CHECK_OK(execution_definition(store, definitions[1], &t->arena, &text));
    CHECK_INT(execution_definition(store, definitions[2], &t->arena, &text), EXECUTION_ABSENT);
    CHECK_OK(execution_definition(store, definitions[3], &t->arena, &text)); /* the newest */
}

/* Lists by version and alias, in a journal that a release without versions began. */
TEST(executions_of_a_version_are_listed_also_in_a_journal_of_before)
{
    static const char before[] =
        "CREATE TABLE executions ("
        " number INTEGER PRIMARY KEY, machine TEXT NOT NULL, definition INTEGER NOT NULL,"
        " name TEXT NOT NULL, arn TEXT NOT NULL, status INTEGER NOT NULL,"
        " start_ms INTEGER NOT NULL, stop_ms INTEGER NOT NULL, input TEXT NOT NULL,"
        " output TEXT, error TEXT, cause TEXT,"
        " parent INTEGER NOT NULL, parent_frame INTEGER NOT NULL, parent_run INTEGER NOT NULL,"
        " parent_index INTEGER NOT NULL, waiter TEXT NOT NULL, waiter_execution INTEGER NOT NULL,"
        " redrive_count INTEGER NOT NULL, event_count INTEGER NOT NULL);"
        "INSERT INTO executions VALUES (1, 'm', 1, 'old', 'arn', 1, 1, 2, '{}', '{}', NULL, NULL,"
        " 0, 0, 0, 0, '', 0, 0, 0);";
    struct lite lite;
    CHECK_OK(lite_open(test_path(t, "workflows.db"), &(struct lite_options){0}, &lite));
    CHECK_OK(lite_run_script(&lite, before));
    lite_close(&lite);
    PX_AUTO(execution_store_close) struct execution_store *store = store_open(t);
    PX_AUTO(execution_batch_deinit) struct execution_batch batch;
    execution_batch_init(&batch, 1u << 20);
    for (uint64_t i = 2; i <= 4; i++) {
        const struct execution_turn turn = {
            .row = {.number = i,
                    .machine = S("m"),
                    .definition = 1,
                    .version = i == 4 ? 0 : (uint32_t)i,
                    .alias = i == 2 ? S("live") : S(""),
                    .name = px_arena_printf(&t->arena, "n%llu", (unsigned long long)i),
                    .arn = S("arn"),
                    .input = S("{}")},
            .first = true};
        CHECK_OK(execution_batch_add(&batch, &turn));
    }
    CHECK_OK(execution_commit(store, &batch));
    struct execution_row *rows;
    size_t count;
    struct execution_filter filter = {.status = EXECUTION_ANY_STATUS, .max = 10};
    CHECK_OK(execution_list(store, &filter, true, &t->arena, &rows, &count));
    CHECK_INT(count, 4);
    CHECK(rows[3].version == 0 && rows[3].alias.len == 0);
    filter.version = 3;
    CHECK_OK(execution_list(store, &filter, true, &t->arena, &rows, &count));
    CHECK(count == 1 && rows[0].number == 3);
    filter.version = 0;
    filter.alias = S("live");
    CHECK_OK(execution_list(store, &filter, true, &t->arena, &rows, &count));
    CHECK(count == 1 && rows[0].number == 2 && rows[0].version == 2);
}

TEST_MAIN
