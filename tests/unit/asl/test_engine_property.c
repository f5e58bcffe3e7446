/* Machines that nobody wrote: each is run as it is, and again with crashes before and behind effects; both end the same.
 *
 * What is random is the machine, not its end: paths find what they look for, loops there are none, and all errors are one, since
 * which of two branches fails first may depend on the order of answers. */
#include "engine_kit.h"

#define SEEDS 1000
#define CRASHES_A_SEED 3
#define DEPTH_MAX 2
#define STATES_MAX 3

struct maker {
    struct px_buf text;
    uint64_t dice;
    unsigned names;
    bool distributed; /* one in a machine is enough */
};

static void make_flow(struct maker *m, unsigned depth);

static void add_result(struct maker *m, unsigned name)
{
    px_buf_printf(&m->text, ",\"ResultPath\":\"$.r%u\"", name % 4);
}

static void add_retry(struct maker *m, unsigned caught_by)
{
    if (roll_die(&m->dice, 2))
        px_buf_printf(&m->text,
                      ",\"Retry\":[{\"ErrorEquals\":[\"States.ALL\"],\"MaxAttempts\":%d,"
                      "\"IntervalSeconds\":%d,\"BackoffRate\":1.5}]",
                      (int)roll_die(&m->dice, 3), 1 + (int)roll_die(&m->dice, 3));
    if (caught_by && roll_die(&m->dice, 3))
        px_buf_printf(&m->text,
                      ",\"Catch\":[{\"ErrorEquals\":[\"States.ALL\"],\"ResultPath\":"
                      "\"$.error\",\"Next\":\"S%u\"}]",
                      caught_by);
}

static void make_task(struct maker *m, unsigned name, unsigned last)
{
    bool fails = roll_die(&m->dice, 3) == 0;
    px_buf_printf(
        &m->text,
        "\"Type\":\"Task\",\"Resource\":\"arn:aws:lambda:eu-west-1:000000000000:function:%s\","
        "\"Parameters\":{\"n.$\":\"$.n\"}",
        fails ? "fail" : "one");
    add_result(m, name);
    add_retry(m, name < last ? last : 0);
}

static void make_pass(struct maker *m, unsigned name)
{
    px_buf_add_c(&m->text, "\"Type\":\"Pass\"");
    if (roll_die(&m->dice, 2))
        px_buf_add_c(&m->text,
                     ",\"Parameters\":{\"n.$\":\"$.n\",\"x.$\":\"States.MathAdd($.n, 1)\"}");
    add_result(m, name);
}

static void make_wait(struct maker *m)
{
    px_buf_printf(&m->text, "\"Type\":\"Wait\",\"Seconds\":%d", (int)roll_die(&m->dice, 4));
}

static void make_parallel(struct maker *m, unsigned name, unsigned last, unsigned depth)
{
    unsigned branches = 1 + (unsigned)roll_die(&m->dice, 3);
    px_buf_add_c(&m->text, "\"Type\":\"Parallel\",\"Branches\":[");
    for (unsigned i = 0; i < branches; i++) {
        px_buf_add_c(&m->text, i ? ",{" : "{");
        make_flow(m, depth + 1);
        px_buf_add_char(&m->text, '}');
    }
    px_buf_add_char(&m->text, ']');
    if (roll_die(&m->dice, 2))
        px_buf_add_c(&m->text, ",\"ResultSelector\":{\"count.$\":\"States.ArrayLength($)\"}");
    add_result(m, name);
    add_retry(m, name < last ? last : 0);
}

static void make_map(struct maker *m, unsigned name, unsigned last, unsigned depth)
{
    bool distributed = depth == 0 && !m->distributed && roll_die(&m->dice, 2);
    m->distributed = m->distributed || distributed;
    px_buf_printf(
        &m->text,
        "\"Type\":\"Map\",\"ItemsPath\":\"$.list\",\"MaxConcurrency\":%d,\"ItemSelector\":{\"n.$\":"
        "\"$$.Map.Item.Value\",\"i.$\":\"$$.Map.Item.Index\",\"list\":[7,8]},",
        (int)roll_die(&m->dice, 3));
    if (distributed && roll_die(&m->dice, 2))
        px_buf_add_c(&m->text, "\"ToleratedFailurePercentage\":100,");
    if (distributed && roll_die(&m->dice, 3) == 0)
        px_buf_add_c(&m->text, "\"ItemBatcher\":{\"MaxItemsPerBatch\":2},");
    bool batched = distributed && px_str_ends(px_buf_str(&m->text), S("Batch\":2},"));
    px_buf_printf(
        &m->text, "\"ItemProcessor\":{%s",
        distributed
            ? "\"ProcessorConfig\":{\"Mode\":\"DISTRIBUTED\",\"ExecutionType\":\"STANDARD\"},"
            : "");
    if (batched)
        px_buf_add_c(&m->text,
                     "\"StartAt\":\"Batch\",\"States\":{\"Batch\":{\"Type\":\"Task\"," FUNCTION(
                         "one") ",\"End\":true}}");
    else
        make_flow(m, depth + 1);
    px_buf_add_char(&m->text, '}');
    add_result(m, name);
    add_retry(m, name < last ? last : 0);
}

/* A rule to the last state, if this is not it. */
static void make_choice(struct maker *m, unsigned name, unsigned last)
{
    px_buf_printf(
        &m->text,
        "\"Type\":\"Choice\",\"Choices\":[{\"Variable\":\"$.n\",\"NumericGreaterThan\":%d,\"Next\":\"S%u\"}],"
        "\"Default\":\"S%u\"",
        (int)roll_die(&m->dice, 10), last, name + 1);
}

static void make_state(struct maker *m, unsigned name, unsigned last, unsigned depth)
{
    unsigned kinds = depth < DEPTH_MAX ? 6 : 4, kind = (unsigned)roll_die(&m->dice, kinds);
    bool ends = name == last, moves = true;
    px_buf_printf(&m->text, "\"S%u\":{", name);
    if (kind == 3 && ends && roll_die(&m->dice, 3) == 0) {
        px_buf_add_c(&m->text, "\"Type\":\"Fail\",\"Error\":\"Broken\",\"Cause\":\"as ever\"");
        moves = false;
    } else if (kind == 3 && !ends) {
        make_choice(m, name, last);
        moves = false;
    } else {
        switch (kind) {
        case 1: make_pass(m, name); break;
        case 2: make_wait(m); break;
        case 4: make_parallel(m, name, last, depth); break;
        case 5: make_map(m, name, last, depth); break;
        default: make_task(m, name, last); break;
        }
    }
    if (moves && !ends) px_buf_printf(&m->text, ",\"Next\":\"S%u\"", name + 1);
    px_buf_add_c(&m->text, moves && ends ? ",\"End\":true}" : "}");
}

/* The members of a flow: each state leads to the next, or to the last one. */
static void make_flow(struct maker *m, unsigned depth)
{
    unsigned count = 1 + (unsigned)roll_die(&m->dice, STATES_MAX), first = m->names + 1;
    m->names += count;
    px_buf_printf(&m->text, "\"StartAt\":\"S%u\",\"States\":{", first);
    for (unsigned i = 0; i < count; i++) {
        if (i) px_buf_add_char(&m->text, ',');
        make_state(m, first + i, first + count - 1, depth);
    }
    px_buf_add_char(&m->text, '}');
}

static const char *make_machine(struct test *t, uint64_t seed)
{
    struct maker m = {.dice = seed * 2 + 1};
    px_buf_init(&m.text, 1u << 20);
    for (int i = 0; i < 8; i++) (void)roll_die(&m.dice, 2);
    px_buf_add_char(&m.text, '{');
    make_flow(&m, 0);
    px_buf_add_char(&m.text, '}');
    CHECK_OK(px_buf_fault(&m.text));
    const char *text = px_arena_cstr(&t->arena, px_buf_str(&m.text));
    px_buf_deinit(&m.text);
    CHECK(text != NULL);
    return text;
}

static void check_same(const char *what, const char *definition, const char *a, const char *b)
{
    if (strcmp(a ? a : "", b ? b : "") == 0) return;
    print_error("%s: '%s' without crashes, '%s' with them, of\n%s\n", what, a, b, definition);
    fail();
}

/* What broke it works now; seed 0: without crashes. */
static void redrive_mended(struct world *w, uint64_t seed)
{
    set_text(&w->kept[0].output, (struct px_str){0});
    redrive(w);
    run_all(w);
    w->mended = true;
    if (seed == 0)
        run_to_end(w);
    else
        crash_to_end(w, seed);
}

TEST(a_machine_that_crashes_ends_as_one_that_does_not)
{
    static const char input[] = "{\"n\":5,\"list\":[1,2,9]}";
    static struct world plain, crashed;
    size_t failed = 0, children = 0;
    char *ends[CRASHES_A_SEED] = {0};
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        const char *definition = make_machine(t, seed);
        world_open(t, &plain, definition);
        start(&plain, input);
        run_to_end(&plain);
        failed += plain.status == ASL_FAILED_STATUS;
        children += plain.kept_count - 1;
        for (uint64_t i = 0; i < CRASHES_A_SEED; i++) {
            world_open(t, &crashed, definition);
            start(&crashed, input);
            crash_to_end(&crashed, seed * CRASHES_A_SEED + i);
            CHECK_INT(crashed.kept[0].status, plain.kept[0].status);
            check_same("output", definition, plain.kept[0].output, crashed.kept[0].output);
            check_same("error", definition, plain.kept[0].error, crashed.kept[0].error);
            check_same("cause", definition, plain.kept[0].cause, crashed.kept[0].cause);
            if (crashed.kept[0].status == ASL_FAILED_STATUS) redrive_mended(&crashed, seed + i);
            set_text(&ends[i], px_str_c(crashed.kept[0].output));
            world_close(&crashed);
        }
        if (plain.status == ASL_FAILED_STATUS) { /* what broke it breaks it again */
            char error[sizeof plain.error];
            memcpy(error, plain.error, sizeof error);
            redrive(&plain);
            run_to_end(&plain);
            CHECK_INT(plain.status, ASL_FAILED_STATUS);
            check_same("error after a redrive", definition, error, plain.error);
            redrive_mended(&plain, 0);
            for (size_t i = 0; i < CRASHES_A_SEED; i++)
                check_same("output after it was mended", definition, plain.kept[0].output, ends[i]);
        }
        world_close(&plain);
        px_arena_reset(&t->arena);
    }
    CHECK(failed > SEEDS / 10 && failed < SEEDS / 2); /* the machines are worth it */
    CHECK(children > SEEDS / 4);
    for (size_t i = 0; i < CRASHES_A_SEED; i++) free(ends[i]);
}

TEST_MAIN
