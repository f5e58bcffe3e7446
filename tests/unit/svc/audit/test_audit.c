/* The audit log: two entries for a call, behind each other whoever writes at once or is killed, and whatever is done to the
 * items afterwards is found, with its place. On SQLite by itself, on DynamoDB with PRISM_TEST_DYNAMODB. */
// link: px_svc_audit px_store px_aws
#include "store/tables_kit.h"

#include "svc/audit/verify.h"

#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#define CHAIN "here/acme"

static struct table_store *tables_of(struct test *t)
{
    static const char *const names[] = {AUDIT_TABLE, AUDIT_HEADS};
    struct table_store *store = NULL;
    tables_prepare(t, names, PX_COUNT(names));
    CHECK_OK(table_store_open(tables_url(t), NULL, &store));
    return store;
}

static int call_once(const struct audit *audit, const char *operation, bool conclude)
{
    struct audit_intent intent = {0};
    const struct audit_call call = {.tenant = S("acme"),
                                    .who = {.tenant = S("_system"),
                                            .key_id = S("0123456789abcdef"),
                                            .source = S("10.0.0.7"),
                                            .request_id = S("r-1")},
                                    .operation = px_str_c(operation),
                                    .target = S("acme"),
                                    .asked = S("{\"tier\":\"pooled\"}"),
                                    .before = S("{\"tier\":\"dedicated\"}")};
    const struct audit_outcome outcome = {.status = 200, .after = S("{\"tier\":\"pooled\"}")};
    PX_TRY(audit_intend(audit, &call, &intent));
    return conclude ? audit_conclude(audit, &intent, &outcome) : 0;
}

/* ---- what verify says ---- */

struct said {
    struct test *t;
    char text[4000]; /* "kind@seq kind@seq" */
};
static void on_problem(void *ctx, const struct audit_problem *problem)
{
    struct said *said = ctx;
    size_t len = strlen(said->text);
    (void)snprintf(said->text + len, sizeof said->text - len, "%s%s@%llu", len > 0 ? " " : "",
                   problem->kind, (unsigned long long)problem->seq);
}

static struct audit_report verify(struct test *t, struct table_store *tables, struct said *said)
{
    struct audit_report report;
    *said = (struct said){.t = t};
    const struct audit_check check = {.tables = tables, .on_problem = on_problem, .ctx = said};
    CHECK_OK(audit_verify(&check, &report));
    return report;
}

static void expect(struct test *t, struct table_store *tables, const char *problems)
{
    struct said said;
    struct audit_report report = verify(t, tables, &said);
    CHECK_STR(px_str_c(said.text), px_str_c(problems));
    CHECK_INT(report.problems > 0, *problems != '\0');
}

/* Four calls: entries 1 to 8. */
static struct table_store *written(struct test *t)
{
    struct table_store *tables = tables_of(t);
    const struct audit audit = {tables, &px_clock_system, S("here")};
    for (int i = 0; i < 4; i++) CHECK_OK(call_once(&audit, "tenant.change", true));
    expect(t, tables, "");
    return tables;
}

static struct table_key key_of(uint64_t seq, char sort[24])
{
    return (struct table_key){S(AUDIT_TABLE), S(CHAIN), audit_sort(seq, sort)};
}
static struct px_str text_of(struct test *t, struct table_store *tables, uint64_t seq)
{
    char sort[24];
    struct table_item item = {0};
    const struct table_key key = key_of(seq, sort);
    CHECK_OK(table_get(tables, &key, &t->arena, &item));
    return item.document;
}
static void take_out(struct table_store *tables, uint64_t seq)
{
    char sort[24];
    const struct table_key key = key_of(seq, sort);
    CHECK_OK(table_delete(tables, &key, TABLE_ANY, 0));
}
/* As somebody does who leaves no other trace: the item's version is what it was. */
static void replace(struct table_store *tables, uint64_t seq, struct px_str text)
{
    char sort[24];
    const struct table_put put = {
        .key = key_of(seq, sort), .document = text, .condition = TABLE_NEW};
    take_out(tables, seq);
    CHECK_OK(table_put(tables, &put, NULL, NULL, NULL));
}

/* ---- tests ---- */

TEST(a_call_is_an_intent_and_its_outcome)
{
    PX_AUTO(table_store_close) struct table_store *tables = tables_of(t);
    const struct audit audit = {tables, &t->clock, S("here")};
    CHECK_OK(call_once(&audit, "tenant.change", true));
    CHECK_OK(call_once(&audit, "key.issue", false));
    struct audit_entry *e = NULL;
    struct px_str *texts = NULL;
    size_t count = 0;
    CHECK_OK(audit_read(tables, S(CHAIN), 0, 100, &t->arena, &e, &texts, &count));
    CHECK_INT(count, 3);
    CHECK_INT(e[0].event, AUDIT_INTENT);
    CHECK_STR(e[0].operation, S("tenant.change"));
    CHECK_STR(e[0].who.tenant, S("_system"));
    CHECK_STR(e[0].who.key_id, S("0123456789abcdef"));
    CHECK_STR(e[0].who.source, S("10.0.0.7"));
    CHECK_STR(e[0].who.request_id, S("r-1"));
    CHECK_STR(px_json_str(e[0].before, "tier"), S("dedicated"));
    CHECK_STR(px_json_str(e[0].asked, "tier"), S("pooled"));
    CHECK_STR(e[0].prev, S(AUDIT_NO_PREV));
    CHECK_INT(e[1].event, AUDIT_OUTCOME);
    CHECK_INT(e[1].of, 1);
    CHECK_INT(e[1].status, 200);
    CHECK_STR(px_json_str(e[1].after, "tier"), S("pooled"));
    char hash[DIGEST_HEX_BYTES];
    digest_of(texts[0], hash);
    CHECK_STR(e[1].prev, px_str_c(hash));
    CHECK_OK(audit_read(tables, S(CHAIN), 2, 1, &t->arena, &e, &texts, &count));
    CHECK_INT(count, 1);
    CHECK_INT(e[0].seq, 3);

    struct said said;
    struct audit_report report = verify(t, tables, &said);
    CHECK_STR(px_str_c(said.text), S(""));
    CHECK_INT(report.entries, 3);
    CHECK_INT(report.unfinished, 1); /* under way, or a crash ended it */
}

TEST(what_a_caller_sent_is_bounded_and_time_never_runs_back)
{
    PX_AUTO(table_store_close) struct table_store *tables = tables_of(t);
    const struct audit audit = {tables, &t->clock, S("here")};
    char *big = px_arena_alloc(&t->arena, 300000);
    int n = snprintf(big, 300000, "{\"x\":\"%0200000d\"}", 7);
    struct audit_intent intent;
    const struct audit_call call = {.tenant = S("acme"),
                                    .operation = S("dataset.drop"),
                                    .target = px_str(big, (size_t)n),
                                    .who = {.request_id = px_str(big, (size_t)n)},
                                    .asked = px_str(big, (size_t)n)};
    CHECK_OK(audit_intend(&audit, &call, &intent));
    test_advance(t, -3600 * PX_NS_PER_S);
    CHECK_OK(call_once(&audit, "tenant.change", true));
    struct audit_entry *e = NULL;
    struct px_str *texts = NULL;
    size_t count = 0;
    CHECK_OK(audit_read(tables, S(CHAIN), 0, 100, &t->arena, &e, &texts, &count));
    CHECK(texts[0].len < 8192);
    CHECK_INT(px_json_i64(e[0].asked, "omitted_bytes", 0), n);
    CHECK(e[1].at_ns >= e[0].at_ns);
}

TEST(a_changed_entry_is_found)
{
    PX_AUTO(table_store_close) struct table_store *tables = written(t);
    struct px_str text = text_of(t, tables, 4);
    char *forged = px_arena_cstr(&t->arena, text);
    char *status = strstr(forged, "200");
    CHECK(status != NULL);
    memcpy(status, "403", 3);
    replace(tables, 4, px_str_c(forged));
    expect(t, tables, "changed@4");
    replace(tables, 4, text);
    expect(t, tables, "");
}

TEST(a_changed_last_entry_is_found_by_the_head)
{
    PX_AUTO(table_store_close) struct table_store *tables = written(t);
    char *forged = px_arena_cstr(&t->arena, text_of(t, tables, 8));
    memcpy(strstr(forged, "200"), "403", 3);
    replace(tables, 8, px_str_c(forged));
    expect(t, tables, "changed@8");
}

TEST(a_removed_entry_is_found)
{
    PX_AUTO(table_store_close) struct table_store *tables = written(t);
    take_out(tables, 3);
    expect(t, tables, "removed@3 outcome@4");
    take_out(tables, 4);
    expect(t, tables, "removed@3");
    take_out(tables, 1);
    take_out(tables, 2);
    expect(t, tables, "removed@1");
}

TEST(entries_in_another_order_are_found)
{
    PX_AUTO(table_store_close) struct table_store *tables = written(t);
    struct px_str third = text_of(t, tables, 3), fifth = text_of(t, tables, 5);
    replace(tables, 3, fifth);
    replace(tables, 5, third);
    struct said said;
    (void)verify(t, tables, &said);
    CHECK(strstr(said.text, "moved@3") && strstr(said.text, "moved@5"));
}

TEST(an_entry_that_was_written_over_is_found)
{
    PX_AUTO(table_store_close) struct table_store *tables = written(t);
    char sort[24];
    const struct table_put put = {.key = key_of(6, sort), .document = text_of(t, tables, 6)};
    CHECK_OK(table_put(tables, &put, NULL, NULL, NULL));
    expect(t, tables, "rewritten@6");
}

/* A writer that did not see the head: it takes the next place, or one after that. */
TEST(a_forked_chain_is_found_and_takes_no_more_calls)
{
    PX_AUTO(table_store_close) struct table_store *tables = written(t);
    const struct audit audit = {tables, &px_clock_system, S("here")};
    PX_AUTO(px_buf_deinit) struct px_buf text;
    char sort[24];
    px_buf_init(&text, 1u << 16);
    struct audit_entry entry = {.chain = S(CHAIN),
                                .seq = 9,
                                .prev = S(AUDIT_NO_PREV),
                                .event = AUDIT_INTENT,
                                .operation = S("tenant.delete")};
    audit_entry_write(&text, &entry, &(struct audit_states){0});
    const struct table_put put = {.key = key_of(9, sort), .document = px_buf_str(&text)};
    CHECK_OK(table_put(tables, &put, NULL, NULL, NULL));
    expect(t, tables, "changed@8 head@9");
    CHECK_INT(call_once(&audit, "tenant.change", true), PX_F_CORRUPT);
}

TEST(a_cut_off_end_is_found)
{
    PX_AUTO(table_store_close) struct table_store *tables = written(t);
    take_out(tables, 8);
    expect(t, tables, "truncated@8");
    take_out(tables, 7);
    expect(t, tables, "truncated@7");
    for (uint64_t seq = 1; seq <= 6; seq++) take_out(tables, seq);
    expect(t, tables, "truncated@1");
    const struct audit audit = {tables, &px_clock_system, S("here")};
    CHECK_OK(call_once(&audit, "tenant.change", true)); /* going on hides nothing */
    expect(t, tables, "removed@1");
}

/* With the head gone back as well, only a tip that was noted down elsewhere tells. */
TEST(a_noted_tip_finds_what_was_cut_off_with_its_head)
{
    PX_AUTO(table_store_close) struct table_store *tables = written(t);
    const struct table_key head = {.table = S(AUDIT_HEADS), .partition = S(CHAIN)};
    struct table_item sixth = {0};
    struct audit_head tip;
    struct audit_report report;
    const struct audit audit = {tables, &px_clock_system, S("here")};
    CHECK_OK(table_get(tables, &head, &t->arena, &sixth));
    CHECK_OK(call_once(&audit, "tenant.delete", true));
    CHECK_OK(audit_head_read(tables, S(CHAIN), &tip));
    struct audit_check check = {.tables = tables, .tip = px_str_c(tip.hash)};
    CHECK_OK(audit_verify(&check, &report));
    CHECK(report.tip_found && report.problems == 0);
    take_out(tables, 9);
    take_out(tables, 10);
    const struct table_put back = {.key = head, .document = sixth.document};
    CHECK_OK(table_put(tables, &back, NULL, NULL, NULL));
    CHECK_OK(audit_verify(&check, &report));
    CHECK(!report.tip_found && report.problems == 0);
}

TEST(a_lost_or_spoilt_head_is_found_and_stops_calls)
{
    PX_AUTO(table_store_close) struct table_store *tables = written(t);
    const struct audit audit = {tables, &px_clock_system, S("here")};
    const struct table_key head = {.table = S(AUDIT_HEADS), .partition = S(CHAIN)};
    CHECK_OK(table_delete(tables, &head, TABLE_ANY, 0));
    expect(t, tables, "head@0");
    CHECK_INT(call_once(&audit, "tenant.change", true), PX_F_CORRUPT);
    const struct table_put put = {.key = head, .document = S("{\"seq\":-3}")};
    CHECK_OK(table_put(tables, &put, NULL, NULL, NULL));
    expect(t, tables, "head@0");
    CHECK_INT(call_once(&audit, "tenant.change", true), PX_F_CORRUPT);
}

TEST(what_is_no_entry_is_found)
{
    PX_AUTO(table_store_close) struct table_store *tables = written(t);
    const struct table_put put = {.key = {S(AUDIT_TABLE), S(CHAIN), S("zz")}, .document = S("{}")};
    CHECK_OK(table_put(tables, &put, NULL, NULL, NULL));
    expect(t, tables, "foreign@0");
    replace(tables, 2, S("{\"chain\":"));
    struct said said;
    (void)verify(t, tables, &said);
    CHECK(strstr(said.text, "unreadable@2"));
}

TEST(chains_stand_beside_each_other)
{
    PX_AUTO(table_store_close) struct table_store *tables = written(t);
    const struct audit there = {tables, &px_clock_system, S("there")};
    struct px_str *chains = NULL;
    size_t count = 0;
    CHECK_OK(call_once(&there, "tenant.change", true));
    CHECK_OK(audit_chains(tables, &t->arena, &chains, &count));
    CHECK_INT(count, 2);
    CHECK_STR(chains[0], S(CHAIN));
    CHECK_STR(chains[1], S("there/acme"));
    expect(t, tables, "");
}

/* ---- lines that were exported ---- */

static struct audit_report verify_lines(struct test *t, const struct px_str *texts, size_t count,
                                        struct said *said, struct px_str tip)
{
    PX_AUTO(audit_lines_free) struct audit_lines *lines = NULL;
    struct audit_report report;
    *said = (struct said){.t = t};
    const struct audit_check check = {.tip = tip, .on_problem = on_problem, .ctx = said};
    CHECK_OK(audit_lines_new(&check, &lines));
    for (size_t i = 0; i < count; i++) CHECK_OK(audit_lines_take(lines, texts[i]));
    CHECK_OK(audit_lines_end(lines, &report, NULL, NULL));
    return report;
}

static void expect_lines(struct test *t, const struct px_str *texts, size_t count,
                         const char *problems)
{
    struct said said;
    struct audit_report report = verify_lines(t, texts, count, &said, S(""));
    CHECK_STR(px_str_c(said.text), px_str_c(problems));
    CHECK_INT(report.entries, count);
}

TEST(lines_of_an_export_are_followed_and_what_was_done_to_them_is_found)
{
    PX_AUTO(table_store_close) struct table_store *tables = written(t);
    const struct audit other = {tables, &px_clock_system, S("there")};
    struct audit_entry *e = NULL;
    struct px_str *texts = NULL, *more = NULL;
    size_t count = 0, also = 0;
    CHECK_OK(call_once(&other, "key.issue", false));
    CHECK_OK(audit_read(tables, S(CHAIN), 0, 100, &t->arena, &e, &texts, &count));
    CHECK_OK(audit_read(tables, S("there/acme"), 0, 100, &t->arena, &e, &more, &also));
    struct px_str lines[12];
    memcpy(lines, texts, 8 * sizeof *lines);
    lines[8] = more[0];
    expect_lines(t, lines, 9, "");
    struct said said;
    char tip[DIGEST_HEX_BYTES];
    digest_of(texts[7], tip);
    struct audit_report report = verify_lines(t, lines, 9, &said, px_str_c(tip));
    CHECK_INT(report.chains, 2);
    CHECK_INT(report.unfinished, 1);
    CHECK(report.tip_found);
    CHECK(!verify_lines(t, lines, 7, &said, px_str_c(tip)).tip_found); /* its end was cut off */

    char *forged = px_arena_cstr(&t->arena, texts[3]);
    memcpy(strstr(forged, "200"), "403", 3);
    lines[3] = px_str_c(forged);
    expect_lines(t, lines, 9, "changed@4");
    lines[3] = S("{\"chain\":");
    expect_lines(t, lines, 9, "unreadable@4 changed@4");
    memcpy(lines + 3, texts + 4, 4 * sizeof *lines);
    expect_lines(t, lines, 7, "removed@4");
    memcpy(lines, texts, 8 * sizeof *lines);
    lines[4] = texts[5];
    lines[5] = texts[4];
    expect_lines(t, lines, 8, "removed@5 outcome@6 moved@5");
    lines[4] = more[0];
    expect_lines(t, lines, 5, "");
    lines[5] = texts[4];
    expect_lines(t, lines, 6, "moved@0 removed@1");
    expect_lines(t, texts + 1, 7, "removed@1 outcome@2");
    lines[0] = S("");
    lines[1] = S("no entry");
    expect_lines(t, lines, 2, "unreadable@1 unreadable@2");
    expect_lines(t, lines, 0, "");
}

/* ---- at once, and killed ---- */

enum { WRITERS = 6, CALLS = 20 };

static int write_calls(struct test *t, int i)
{
    struct table_store *tables = NULL;
    (void)i;
    if (table_store_open(tables_url(t), NULL, &tables) != 0) return 1;
    const struct audit audit = {tables, &px_clock_system, S("here")};
    for (int k = 0; k < CALLS; k++)
        if (call_once(&audit, "tenant.change", true) != 0) return 2;
    table_store_close(&tables);
    return 0;
}

TEST(writers_at_once_never_fork_a_chain)
{
    int status[WRITERS] = {0};
    {
        PX_AUTO(table_store_close) struct table_store *tables = tables_of(t);
    }
    in_children(t, WRITERS, write_calls, status);
    for (int i = 0; i < WRITERS; i++) CHECK_INT(status[i], 0);
    PX_AUTO(table_store_close) struct table_store *tables = NULL;
    CHECK_OK(table_store_open(tables_url(t), NULL, &tables));
    struct said said;
    struct audit_report report = verify(t, tables, &said);
    CHECK_STR(px_str_c(said.text), S(""));
    CHECK_INT(report.entries, 2 * WRITERS * CALLS);
    CHECK_INT(report.unfinished, 0);
}

/* Each call's effect is a byte in a file, written between its two entries. */
static void work_until_killed(struct test *t)
{
    struct table_store *tables = NULL;
    if (table_store_open(tables_url(t), NULL, &tables) != 0) _exit(1);
    const struct audit audit = {tables, &px_clock_system, S("here")};
    FILE *effects = fopen(test_path(t, "effects").ptr, "a");
    if (!effects) _exit(1);
    for (;;) {
        struct audit_intent intent;
        const struct audit_call call = {
            .tenant = S("acme"), .operation = S("tenant.change"), .target = S("acme")};
        const struct audit_outcome outcome = {.status = 200};
        if (audit_intend(&audit, &call, &intent) != 0) _exit(2);
        if (fputc('x', effects) == EOF || fflush(effects) != 0) _exit(3);
        if (audit_conclude(&audit, &intent, &outcome) != 0) _exit(4);
    }
}

TEST(a_kill_at_any_moment_leaves_no_effect_without_an_intent)
{
    enum { KILLS = 30 };
    unsigned seed = 7;
    if (on_dynamodb()) return; /* a fork cannot take the runtime's threads along */
    for (int i = 0; i < KILLS; i++) {
        int status = 0;
        pid_t pid = fork();
        if (pid == 0) work_until_killed(t);
        const struct timespec pause = {.tv_nsec = 1000000 + rand_r(&seed) % 30000000};
        (void)nanosleep(&pause, NULL);
        CHECK_INT(kill(pid, SIGKILL), 0);
        CHECK_INT(waitpid(pid, &status, 0), pid);
        CHECK(WIFSIGNALED(status));
    }
    PX_AUTO(table_store_close) struct table_store *tables = tables_of(t);
    const struct audit audit = {tables, &px_clock_system, S("here")};
    CHECK_OK(call_once(&audit, "tenant.change", true));
    struct said said;
    struct audit_report report = verify(t, tables, &said);
    CHECK_STR(px_str_c(said.text), S(""));
    CHECK(report.unfinished <= KILLS);
    uint64_t intents = (report.entries + report.unfinished) / 2 - 1, effects = 0;
    FILE *file = fopen(test_path(t, "effects").ptr, "r");
    while (file && fgetc(file) != EOF) effects++;
    if (file) (void)fclose(file);
    CHECK(effects <= intents && effects + report.unfinished >= intents);
}

TEST(what_is_no_entry_is_not_read)
{
    static const char *const wrong[] = {
        "",
        "[]",
        "{\"chain\":\"a/b\"}",
        "{\"chain\":\"a/b\",\"seq\":0,\"at\":\"2026-01-01T00:00:00Z\",\"prev\":\"" AUDIT_NO_PREV
        "\",\"event\":\"intent\",\"operation\":\"x\",\"who\":{}}",
        "{\"chain\":\"a/b\",\"seq\":1,\"at\":\"now\",\"prev\":\"" AUDIT_NO_PREV
        "\",\"event\":\"intent\",\"operation\":\"x\",\"who\":{}}",
        "{\"chain\":\"a/b\",\"seq\":1,\"at\":\"2026-01-01T00:00:00Z\",\"prev\":\"ABC\",\"event\":"
        "\"intent\",\"operation\":\"x\",\"who\":{}}",
        "{\"chain\":\"a/b\",\"seq\":1,\"at\":\"2026-01-01T00:00:00Z\",\"prev\":\"" AUDIT_NO_PREV
        "\",\"event\":\"other\"}",
        "{\"chain\":\"a/b\",\"seq\":1,\"at\":\"2026-01-01T00:00:00Z\",\"prev\":\"" AUDIT_NO_PREV
        "\",\"event\":\"outcome\",\"of\":1,\"status\":200}",
    };
    struct audit_entry entry;
    for (size_t i = 0; i < PX_COUNT(wrong); i++)
        CHECK_INT(audit_entry_read(px_str_c(wrong[i]), &t->arena, &entry), PX_F_CORRUPT);
}

TEST_MAIN
