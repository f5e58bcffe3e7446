/* What a machine holds once it is read, and how its problems are told. */
#include "asl/definition_kit.h"
#include "support/support_alloc.h"

static const struct asl_machine *accepted(struct test *t, const char *text)
{
    struct asl_problems problems = {0};
    const struct asl_machine *machine = parsed(t, text, ASL_STANDARD, &problems);
    if (!machine) show(&problems);
    CHECK(machine);
    return machine;
}

static const struct asl_state *state_of(const struct asl_machine *machine, const char *name)
{
    const struct asl_state *state = asl_flow_state(&machine->flow, px_str_c(name));
    CHECK(state);
    return state;
}

TEST(states_stand_in_their_order_and_are_found_by_name)
{
    const struct asl_machine *machine = accepted(
        t,
        "{'Comment':'c','TimeoutSeconds':9,'StartAt':'Z','States':{'Z':{'Type':'Pass','Next':'B'},"
        "'B':{'Type':'Pass','Next':'A'},'A':{'Type':'Succeed'}}}");
    CHECK_INT(machine->flow.state_count, 3);
    CHECK_STR(machine->flow.states[0].name, S("Z"));
    CHECK_STR(machine->flow.states[2].name, S("A"));
    CHECK(machine->flow.start == &machine->flow.states[0]);
    CHECK(state_of(machine, "Z")->next == state_of(machine, "B"));
    CHECK(state_of(machine, "B")->next == state_of(machine, "A"));
    CHECK(!state_of(machine, "A")->next);
    CHECK(!asl_flow_state(&machine->flow, S("C")));
    CHECK_INT(state_of(machine, "A")->index, 2);
    CHECK_INT(machine->timeout_s, 9);
    CHECK_STR(machine->comment, S("c"));
}

TEST(a_machine_outlives_its_text)
{
    char text[] = "{\"StartAt\":\"A\",\"States\":{\"A\":{\"Type\":\"Fail\",\"Error\":\"E\"}}}";
    const struct asl_machine *machine = NULL;
    struct asl_problems problems = {0};
    CHECK_OK(asl_machine_parse(px_str_c(text), ASL_EXPRESS, NULL, &t->arena, &machine, &problems));
    memset(text, 'x', sizeof text - 1);
    CHECK_INT(machine->type, ASL_EXPRESS);
    CHECK_STR(px_json_val_str(state_of(machine, "A")->of.fail.error.written), S("E"));
    CHECK(px_str_starts(machine->source, S("{\"StartAt\"")));
}

TEST(data_flow_has_its_defaults)
{
    const struct asl_machine *machine = accepted(
        t, "{'StartAt':'A','States':{'A':{'Type':'Pass','Next':'B','InputPath':null,"
           "'OutputPath':'$','ResultPath':'$.r','Result':[1]},'B':{'Type':'Pass','End':true,"
           "'Parameters':{'a.$':'$.b'}}}}");
    const struct asl_state *a = state_of(machine, "A"), *b = state_of(machine, "B");
    CHECK_INT(a->input_path.kind, ASL_PATH_NULL);
    CHECK_INT(a->output_path.kind, ASL_PATH_ROOT);
    CHECK_INT(a->result_path.kind, ASL_PATH_EXPR);
    CHECK_STR(asl_expr_source(a->result_path.expr), S("$.r"));
    CHECK(yyjson_is_arr(a->of.pass.result) && !a->of.pass.parameters);
    CHECK_INT(b->input_path.kind, ASL_PATH_ROOT);
    CHECK(!b->of.pass.result && b->of.pass.parameters);
}

TEST(fields_are_written_or_computed)
{
    const struct asl_machine *machine = accepted(
        t, "{'StartAt':'A','States':{'A':{'Type':'Wait','Seconds':1,'Next':'B'},'B':{'Type':'Wait',"
           "'TimestampPath':'$.t','Next':'C'},'C':{'Type':'Wait','QueryLanguage':'JSONata',"
           "'Seconds':'{%  $s %}','Next':'D'},'D':{'Type':'Fail'}}}");
    const struct asl_wait *a = &state_of(machine, "A")->of.wait,
                          *b = &state_of(machine, "B")->of.wait,
                          *c = &state_of(machine, "C")->of.wait;
    CHECK_INT(a->seconds.kind, ASL_FIELD_WRITTEN);
    CHECK_INT(a->timestamp.kind, ASL_FIELD_ABSENT);
    CHECK_INT(b->timestamp.kind, ASL_FIELD_COMPUTED);
    CHECK_STR(px_str_c(b->timestamp.name), S("TimestampPath"));
    CHECK_INT(c->seconds.kind, ASL_FIELD_COMPUTED);
    CHECK_STR(px_str_c(c->seconds.name), S("Seconds"));
    CHECK_STR(asl_expr_source(c->seconds.expr), S("$s"));
    CHECK_INT(state_of(machine, "D")->of.fail.error.kind, ASL_FIELD_ABSENT);
}

TEST(retriers_and_catchers)
{
    const struct asl_machine *machine = accepted(
        t, "{'StartAt':'A','States':{'A':{'Type':'Task','Resource':"
           "'arn:aws:lambda:us-east-1:1:function:f','End':true,'Retry':[{'ErrorEquals':['X','Y']},"
           "{'ErrorEquals':['States.ALL'],'IntervalSeconds':2,'MaxAttempts':0,'BackoffRate':1.5,"
           "'MaxDelaySeconds':9,'JitterStrategy':'FULL'}],'Catch':[{'ErrorEquals':['X'],'Next':'B',"
           "'ResultPath':null}]},'B':{'Type':'Succeed'}}}");
    const struct asl_state *a = state_of(machine, "A");
    CHECK_INT(a->retrier_count, 2);
    CHECK_INT(a->retriers[0].error_count, 2);
    CHECK_STR(a->retriers[0].errors[1], S("Y"));
    CHECK_INT(a->retriers[0].interval_s, 1);
    CHECK_INT(a->retriers[0].max_attempts, 3);
    CHECK(a->retriers[0].backoff_rate == 2.0 && !a->retriers[0].full_jitter);
    CHECK_INT(a->retriers[0].max_delay_s, 0);
    CHECK_INT(a->retriers[1].interval_s, 2);
    CHECK_INT(a->retriers[1].max_attempts, 0);
    CHECK(a->retriers[1].backoff_rate == 1.5 && a->retriers[1].full_jitter);
    CHECK_INT(a->retriers[1].max_delay_s, 9);
    CHECK_INT(a->catcher_count, 1);
    CHECK(a->catchers[0].next == state_of(machine, "B"));
    CHECK_INT(a->catchers[0].result_path.kind, ASL_PATH_NULL);
    CHECK_INT(a->of.task.resource.kind, ASL_RESOURCE_LAMBDA);
}

TEST(flows_know_where_they_stand)
{
    const struct asl_machine *machine = accepted(
        t,
        ONE("{'Type':'Parallel','End':true,'Branches':[" PASS_B ",{'StartAt':'M','States':{'M':"
            "{'Type':'Map','End':true,'ItemSelector':{'v.$':'$$.Map.Item.Value'},"
            "'ItemProcessor':{'ProcessorConfig':{'Mode':'DISTRIBUTED','ExecutionType':'EXPRESS'},"
            "'StartAt':'C','States':{'C':{'Type':'Succeed'}}},'Label':'l','MaxConcurrency':3}}}]}"));
    const struct asl_state *a = state_of(machine, "A");
    CHECK_INT(a->of.parallel.branch_count, 2);
    const struct asl_flow *second = a->of.parallel.branches[1];
    CHECK(second->owner == a);
    CHECK_INT(second->branch, 1);
    const struct asl_map *map = &second->start->of.map;
    CHECK(map->distributed && map->processor->owner == second->start);
    CHECK_INT(map->child_type, ASL_EXPRESS);
    CHECK(map->selector && !map->legacy_iterator);
    CHECK_STR(map->label, S("l"));
    CHECK_STR(map->processor->start->name, S("C"));
    CHECK_INT(map->max_concurrency.kind, ASL_FIELD_WRITTEN);
    CHECK(!machine->flow.owner);
}

TEST(readers_and_writers)
{
    const struct asl_machine *machine = accepted(
        t,
        ONE("{'Type':'Map','End':true,'ItemProcessor':{'ProcessorConfig':{'Mode':'DISTRIBUTED',"
            "'ExecutionType':'STANDARD'},'StartAt':'B','States':{'B':{'Type':'Succeed'}}},"
            "'ItemReader':{'Resource':'arn:aws:states:::s3:getObject','Parameters':{'Bucket':'b',"
            "'Key':'k'},'ReaderConfig':{'InputType':'CSV','CSVHeaderLocation':'GIVEN','CSVHeaders':"
            "['x','y'],'CSVDelimiter':'TAB','MaxItems':5}},'ResultWriter':{'Resource':"
            "'arn:aws:states:::s3:putObject','Parameters':{'Bucket':'b'},'WriterConfig':"
            "{'Transformation':'COMPACT','OutputType':'JSONL'}},'ItemBatcher':"
            "{'MaxItemsPerBatch':2,'BatchInput':{'a':1}}}"));
    const struct asl_map *map = &state_of(machine, "A")->of.map;
    CHECK_INT(map->reader->input_type, ASL_INPUT_CSV);
    CHECK(map->reader->csv_header_given && map->reader->csv_delimiter == '\t');
    CHECK_INT(map->reader->csv_header_count, 2);
    CHECK_STR(map->reader->resource.action, S("getObject"));
    CHECK_INT(map->writer->transformation, ASL_TRANSFORM_COMPACT);
    CHECK(map->writer->json_lines && map->writer->payload);
    CHECK(map->batches && map->batch_input);
    CHECK_INT(map->items_per_batch.kind, ASL_FIELD_WRITTEN);
    CHECK_INT(map->bytes_per_batch.kind, ASL_FIELD_ABSENT);
}

TEST(choices_lead_on)
{
    const struct asl_machine *machine = accepted(
        t,
        "{'StartAt':'A','States':{'A':{'Type':'Choice','Choices':[{'Variable':'$.a','IsNull':true,"
        "'Next':'B'}],'Default':'C'},'B':{'Type':'Succeed'},'C':{'Type':'Fail'}}}");
    const struct asl_state *a = state_of(machine, "A");
    struct asl_edge edge;
    CHECK_INT(a->of.choice.rule_count, 1);
    CHECK(a->of.choice.rules[0].rule && a->of.choice.rules[0].next == state_of(machine, "B"));
    CHECK(a->of.choice.otherwise == state_of(machine, "C"));
    CHECK(asl_state_edge(a, 1, &edge) && edge.kind == ASL_EDGE_RULE && edge.to->index == 1);
    CHECK(asl_state_edge(a, 2, &edge) && edge.kind == ASL_EDGE_DEFAULT && edge.to->index == 2);
    CHECK(!asl_state_edge(a, 3, &edge));
}

/* ---- problems ---- */

TEST(problems_have_lines_and_come_in_the_order_of_the_text)
{
    static const char text[] = "{\n"
                               "  'StartAt': 'A',\n"
                               "  'States': {\n"
                               "    'A': {'Type': 'Pass', 'Next': 'C'},\n"
                               "    'B': {'Type': 'Wait', 'Seconds': -1,\n"
                               "          'Next': 'D'},\n"
                               "    'C': {'Type': 'Succeed', 'Foo': 1}\n"
                               "  }\n"
                               "}\n";
    struct asl_problems problems = {0};
    CHECK(!parsed(t, text, ASL_STANDARD, &problems));
    CHECK_INT(problems.count, 4);
    CHECK_STR(problems.list[0].place, S("/States/B"));
    CHECK_INT(problems.list[0].line, 5);
    CHECK_INT(problems.list[0].column, 5);
    CHECK_STR(problems.list[1].place, S("/States/B/Seconds"));
    CHECK_INT(problems.list[1].line, 5);
    CHECK_INT(problems.list[1].column, 27);
    CHECK_STR(problems.list[2].place, S("/States/B/Next"));
    CHECK_INT(problems.list[2].line, 6);
    CHECK_STR(problems.list[3].place, S("/States/C"));
    CHECK_INT(problems.list[3].line, 7);
}

TEST(lines_hold_behind_escapes)
{
    struct asl_problems problems = {0};
    CHECK(!parsed(t,
                  "{'Comment':'\\u00e4\\n\\\\',\n'StartAt':'A',\n'States':{'A':{'Type':'Succeed',"
                  "\n 'Bad':1}}}",
                  ASL_STANDARD, &problems));
    CHECK_INT(problems.count, 1);
    CHECK_INT(problems.list[0].line, 4);
    CHECK_INT(problems.list[0].column, 2);
}

TEST(json_is_refused_where_it_ends_to_be_json)
{
    struct asl_problems problems = {0};
    CHECK(!parsed(t, "{\n 'StartAt': 'A',\n 'States' }", ASL_STANDARD, &problems));
    CHECK_INT(problems.count, 1);
    CHECK_STR(px_str_c(problems.list[0].code), S("INVALID_JSON_DESCRIPTION"));
    CHECK_INT(problems.list[0].line, 3);
    CHECK_INT(problems.list[0].column, 11);
}

TEST(warnings_do_not_refuse)
{
    static const struct {
        const char *text, *code, *place;
    } cases[] = {
        {ONE("{'Type':'Pass','End':true,'Parameters':{'a':'$.b'}}"), "NO_DOLLAR",
         "/States/A/Parameters/a"},
        {ONE("{'Type':'Pass','End':true,'Parameters':{'a':['States.UUID()']}}"), "", ""},
        {ONE("{'Type':'Fail','Error':'$.e'}"), "NO_PATH", "/States/A/Error"},
        {ONE("{'Type':'Pass','End':true,'Result':{'a.$':'$.b'}}"), "PASS_RESULT_IS_STATIC",
         "/States/A/Result/a.$"},
        {ONE("{'Type':'Parallel','End':true,'Branches':[" PASS_B "],'Retry':[{'ErrorEquals':"
             "['States.Nonsense']}]}"),
         "UNKNOWN_ERROR_NAME", "/States/A/Retry[0]/ErrorEquals"},
        {ONE("{'Type':'Parallel','End':true,'Branches':[" PASS_B "],'Retry':[{'ErrorEquals':"
             "['States.Http.StatusCode.503','X']}]}"),
         "", ""},
        {ONE("{'Type':'Map','Label':'l','End':true,'ItemProcessor':" PASS_B "}"),
         "FIELD_HAS_NO_EFFECT", "/States/A/Label"},
    };
    for (size_t i = 0; i < PX_COUNT(cases); i++) {
        struct asl_problems problems = {0};
        CHECK(parsed(t, cases[i].text, ASL_STANDARD, &problems));
        CHECK_INT(problems.count, cases[i].code[0] ? 1 : 0);
        if (problems.count == 0) continue;
        CHECK(problems.list[0].warning);
        CHECK_STR(px_str_c(problems.list[0].code), px_str_c(cases[i].code));
        CHECK_STR(problems.list[0].place, px_str_c(cases[i].place));
    }
}

TEST(problems_are_bounded)
{
    struct asl_problems problems = {0};
    PX_AUTO(px_buf_deinit) struct px_buf text;
    px_buf_init(&text, 1u << 20);
    px_buf_add_c(&text, "{'StartAt':'A','States':{'A':{'Type':'Succeed'");
    for (int i = 0; i < 5000; i++) px_buf_printf(&text, ",'f%d':1", i);
    px_buf_add_c(&text, "}}}");
    px_buf_add_char(&text, '\0');
    CHECK(!parsed(t, text.ptr, ASL_STANDARD, &problems));
    CHECK_INT(problems.count, 1000);
}

TEST(size_and_depth_are_bounded)
{
    struct asl_problems problems = {0};
    PX_AUTO(px_buf_deinit) struct px_buf text;
    px_buf_init(&text, 4u << 20);
    px_buf_add_c(&text, "{'Comment':'");
    while (text.len < (1u << 20)) px_buf_add_c(&text, "0123456789abcdef");
    px_buf_add_c(&text, "'}");
    px_buf_add_char(&text, '\0');
    CHECK(!parsed(t, text.ptr, ASL_STANDARD, &problems));
    CHECK(px_str_starts(problems.list[0].message, S("The definition is larger")));
    px_buf_clear(&text);
    for (int i = 0; i < 300; i++) px_buf_add_char(&text, '[');
    for (int i = 0; i < 300; i++) px_buf_add_char(&text, ']');
    px_buf_add_char(&text, '\0');
    CHECK(!parsed(t, text.ptr, ASL_STANDARD, &problems));
    CHECK_STR(px_str_c(problems.list[0].code), S("TOO_DEEPLY_NESTED"));
}

/* A megabyte of states, each found by its name: no step may be quadratic in their number. */
TEST(a_definition_as_large_as_may_be)
{
    struct asl_problems problems = {0};
    PX_AUTO(px_buf_deinit) struct px_buf text;
    px_buf_init(&text, 1u << 20);
    px_buf_add_c(&text, "{'StartAt':'0','States':{");
    int count = 25000;
    for (int i = 0; i < count - 1; i++)
        px_buf_printf(&text, "'%d':{'Type':'Pass','Next':'%d'},", i, i + 1);
    px_buf_printf(&text, "'%d':{'Type':'Succeed'}}}", count - 1);
    px_buf_add_char(&text, '\0');
    const struct asl_machine *machine = parsed(t, text.ptr, ASL_STANDARD, &problems);
    CHECK(machine);
    CHECK_INT(machine->flow.state_count, count);
}

/* ---- memory ---- */

static int parse_whole(struct px_str text)
{
    struct px_arena arena;
    const struct asl_machine *machine = NULL;
    struct asl_problems problems = {0};
    px_arena_init(&arena, 16u << 20);
    int r = asl_machine_parse(text, ASL_STANDARD, NULL, &arena, &machine, &problems);
    px_arena_deinit(&arena);
    return r;
}

TEST(memory_that_runs_out_is_a_fault)
{
    struct px_str text = quoted(
        t,
        "{'StartAt':'A','States':{'A':{'Type':'Choice','Choices':[{'Variable':'$.a','IsNull':true,"
        "'Next':'B'}],'Default':'B'},'B':{'Type':'Pass','Parameters':{'x':'$.y'},'End':true}}}");
    SWEEP_ALLOCATIONS(parse_whole(text), (void)0);
}

TEST(an_arena_that_is_full_is_a_fault)
{
    for (size_t limit = 64; limit < 20000; limit += 509) {
        struct px_arena arena;
        const struct asl_machine *machine = NULL;
        struct asl_problems problems = {0};
        px_arena_init(&arena, limit);
        struct px_str text = quoted(t,
                                    ONE("{'Type':'Pass','Parameters':{'a.$':'$.b'},'End':true}"));
        int r = asl_machine_parse(text, ASL_STANDARD, NULL, &arena, &machine, &problems);
        CHECK(r == 0 || r == PX_F_LIMIT);
        px_arena_deinit(&arena);
    }
}

TEST_MAIN
