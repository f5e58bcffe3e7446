/* A drawing: each state once, lines that lead where the machine does, nothing of a stranger's text as markup. */
#include "asl/definition_kit.h"

#include "asl/graph_layout.h"

static const struct asl_machine *machine_of(struct test *t, const char *text)
{
    struct asl_problems problems = {0};
    const struct asl_machine *machine = parsed(t, text, ASL_STANDARD, &problems);
    if (!machine) show(&problems);
    CHECK(machine);
    return machine;
}

static struct px_str drawn(struct test *t, const struct asl_machine *machine,
                           const struct asl_marks *marks)
{
    struct px_buf svg;
    px_buf_init(&svg, 4u << 20);
    CHECK_OK(asl_graph_svg(machine, marks, &t->arena, &svg));
    struct px_str text = px_arena_dup(&t->arena, px_buf_str(&svg));
    px_buf_deinit(&svg);
    return text;
}

static size_t count_of(struct px_str text, const char *what)
{
    size_t count = 0, len = strlen(what);
    for (size_t i = 0; i + len <= text.len; i++) count += memcmp(text.ptr + i, what, len) == 0;
    return count;
}

static const char diamond[] =
    "{'StartAt':'A','States':{'A':{'Type':'Choice','Choices':[{'Variable':'$.a','IsNull':true,"
    "'Next':'B'}],'Default':'C'},'B':{'Type':'Pass','Next':'D'},'C':{'Type':'Wait','Seconds':1,"
    "'Next':'A'},'D':{'Type':'Succeed'}}}";

static const struct graph_node *node_of(const struct graph_box *box, const char *name)
{
    for (uint32_t i = 0; i < box->node_count; i++) {
        const struct graph_node *node = &box->nodes[i];
        if (node->state && px_str_eq(node->state->name, px_str_c(name))) return node;
    }
    return NULL;
}

TEST(states_stand_in_layers)
{
    struct graph_box box;
    CHECK_OK(graph_layout(&machine_of(t, diamond)->flow, &t->arena, &box));
    const struct graph_node *a = node_of(&box, "A"), *b = node_of(&box, "B"),
                            *c = node_of(&box, "C"), *d = node_of(&box, "D");
    CHECK_INT(a->layer, 1);
    CHECK_INT(b->layer, 2);
    CHECK_INT(c->layer, 2);
    CHECK_INT(d->layer, 3);
    CHECK(b->y == c->y && a->y < b->y && b->y < d->y);
    CHECK(b->x + b->width / 2 < c->x - c->width / 2 || c->x + c->width / 2 < b->x - b->width / 2);
}

TEST(nothing_overlaps_and_all_is_inside)
{
    struct graph_box box;
    const struct asl_machine *machine = machine_of(
        t, ONE("{'Type':'Parallel','End':true,'Branches':[" PASS_B ",{'StartAt':'C','States':{'C':"
               "{'Type':'Parallel','End':true,'Branches':[{'StartAt':'D','States':{'D':{'Type':"
               "'Succeed'}}},{'StartAt':'E','States':{'E':{'Type':'Succeed'}}}]}}}]}"));
    CHECK_OK(graph_layout(&machine->flow, &t->arena, &box));
    const struct graph_node *a = node_of(&box, "A");
    CHECK_INT(a->box_count, 2);
    CHECK(a->boxes[0].x + a->boxes[0].width < a->boxes[1].x);
    CHECK(a->boxes[1].x + a->boxes[1].width < a->width);
    CHECK(a->boxes[1].y + a->boxes[1].height < a->height);
    CHECK(a->x - a->width / 2 >= 0 && a->x + a->width / 2 <= box.width + 0.001);
    CHECK(a->y + a->height <= box.height + 0.001);
}

TEST(each_state_is_drawn_once_and_every_way)
{
    struct px_str svg = drawn(t, machine_of(t, diamond), NULL);
    CHECK(px_str_starts(svg, S("<svg xmlns=")) && px_str_ends(svg, S("</svg>\n")));
    CHECK_INT(count_of(svg, "<title>A (Choice)</title>"), 1);
    CHECK_INT(count_of(svg, "<title>C (Wait)</title>"), 1);
    /* start-A, A-B, A-C, B-D, C-A back, D-end */
    CHECK_INT(count_of(svg, "<path class=\"way\""), 6);
    CHECK_INT(count_of(svg, "<path class=\"tip\""), 6);
    CHECK_INT(count_of(svg, "class=\"ring\""), 1);
    CHECK_INT(count_of(svg, "prefers-color-scheme:dark"), 1);
}

TEST(ways_after_errors_are_dashed_and_ways_to_the_same_state_are_one)
{
    struct px_str svg = drawn(
        t,
        machine_of(t,
                   "{'StartAt':'A','States':{'A':{'Type':'Task','Next':'A2','Resource':"
                   "'arn:aws:lambda:us-east-1:1:function:f','Catch':[{'ErrorEquals':['X'],'Next':"
                   "'B'},{'ErrorEquals':['Y'],'Next':'B'},{'ErrorEquals':['Z'],'Next':'A'}]},"
                   "'A2':{'Type':'Pass','Next':'B'},'B':{'Type':'Succeed'}}}"),
        NULL);
    CHECK_INT(count_of(svg, "class=\"way caught-way\""), 2); /* to B, and to itself */
    CHECK_INT(count_of(svg, "class=\"caught-tip\""), 2);
    CHECK_INT(count_of(svg, ">lambda:function<"), 1);
}

TEST(text_of_strangers_is_no_markup)
{
    struct px_str svg = drawn(
        t,
        machine_of(t, "{'Comment':'</title><script>\\u0001','StartAt':'<b>&','States':{"
                      "'<b>&':{'Type':'Succeed'}}}"),
        NULL);
    CHECK_INT(count_of(svg, "<script>"), 0);
    CHECK_INT(count_of(svg, "\x01"), 0);
    CHECK_INT(count_of(svg, "&lt;b&gt;&amp;"), 2);
}

TEST(a_long_name_is_cut_and_whole_in_its_title)
{
    struct px_str svg = drawn(
        t,
        machine_of(t, "{'StartAt':'ä234567890ä234567890ä234567890ä234567890ä','States':{"
                      "'ä234567890ä234567890ä234567890ä234567890ä':{'Type':'Succeed'}}}"),
        NULL);
    CHECK_INT(count_of(svg, ">ä234567890ä234567890ä234567890ä234567890…<"), 1);
    CHECK_INT(count_of(svg, ">ä234567890ä234567890ä234567890ä234567890ä (Succeed)<"), 1);
}

TEST(a_machine_that_is_too_large_is_an_answer)
{
    PX_AUTO(px_buf_deinit) struct px_buf text, svg;
    px_buf_init(&text, 1u << 20);
    px_buf_init(&svg, 1u << 20);
    px_buf_add_c(&text, "{'StartAt':'0','States':{");
    for (int i = 0; i < 400;
         i++) /* every state ends the machine after an error: a bend in each layer */
        px_buf_printf(&text,
                      "'%d':{'Type':'Parallel','Next':'%d','Branches':[{'StartAt':'b%d','States':{"
                      "'b%d':{'Type':'Succeed'}}}],'Catch':[{'ErrorEquals':['X'],'Next':'400'}]},",
                      i, i + 1, i, i);
    px_buf_add_c(&text, "'400':{'Type':'Succeed'}}}");
    px_buf_add_char(&text, '\0');
    const struct asl_machine *machine = machine_of(t, text.ptr);
    CHECK_INT(asl_graph_svg(machine, NULL, &t->arena, &svg), ASL_GRAPH_TOO_LARGE);
}

/* ---- executions ---- */

static const char history[] =
    "{'events':[{'id':1,'type':'ExecutionStarted','previousEventId':0},"
    "{'id':2,'type':'ChoiceStateEntered','previousEventId':0,'stateEnteredEventDetails':{'name':'A'}},"
    "{'id':3,'type':'ChoiceStateExited','previousEventId':2,'stateExitedEventDetails':{'name':'A'}},"
    "{'id':4,'type':'PassStateEntered','previousEventId':3,'stateEnteredEventDetails':{'name':'B'}},"
    "{'id':5,'type':'LambdaFunctionFailed','previousEventId':4},"
    "{'id':6,'type':'PassStateExited','previousEventId':5,'stateExitedEventDetails':{'name':'B'}},"
    "{'id':7,'type':'SucceedStateEntered','previousEventId':6,'stateEnteredEventDetails':{'name':"
    "'D'}},"
    "{'id':8,'type':'PassStateEntered','previousEventId':6,'stateEnteredEventDetails':{'name':'?'}}]}";

static const struct asl_marks *marks_of(struct test *t, const struct asl_machine *machine,
                                        const char *text)
{
    yyjson_val *root = NULL;
    const struct asl_marks *marks = NULL;
    CHECK_OK(px_json_parse(quoted(t, text), &t->arena, &root, NULL));
    CHECK_OK(asl_marks_read(root, machine, &t->arena, &marks));
    return marks;
}

TEST(an_execution_colours_its_states)
{
    const struct asl_machine *machine = machine_of(t, diamond);
    const struct asl_marks *marks = marks_of(t, machine, history);
    CHECK_INT(asl_mark_of(marks, asl_flow_state(&machine->flow, S("A"))), ASL_MARK_SUCCEEDED);
    CHECK_INT(asl_mark_of(marks, asl_flow_state(&machine->flow, S("B"))), ASL_MARK_CAUGHT);
    CHECK_INT(asl_mark_of(marks, asl_flow_state(&machine->flow, S("C"))), ASL_MARK_NONE);
    CHECK_INT(asl_mark_of(marks, asl_flow_state(&machine->flow, S("D"))), ASL_MARK_RUNNING);
    struct px_str svg = drawn(t, machine, marks);
    CHECK_INT(count_of(svg, "class=\"state ok\""), 2); /* A, the legend */
    CHECK_INT(count_of(svg, ">recovered<"), 1);
}

TEST(an_execution_that_ended_leaves_no_state_running)
{
    const struct asl_machine *machine = machine_of(t, diamond);
    const struct asl_marks *marks = marks_of(
        t, machine,
        "[{'id':1,'type':'ExecutionStarted'},{'id':2,'type':'PassStateEntered',"
        "'previousEventId':1,'stateEnteredEventDetails':{'name':'B'}},"
        "{'id':3,'type':'ExecutionFailed','previousEventId':2}]");
    CHECK_INT(asl_mark_of(marks, asl_flow_state(&machine->flow, S("B"))), ASL_MARK_FAILED);
}

TEST(what_holds_flows_is_left_behind_what_it_holds)
{
    const struct asl_machine *machine = machine_of(
        t, "{'StartAt':'A','States':{'A':{'Type':'Parallel','Next':'C','Branches':[" PASS_B
           "],'Catch':[{'ErrorEquals':['X'],'Next':'C'}]},'C':{'Type':'Succeed'}}}");
    const struct asl_state *a = asl_flow_state(&machine->flow, S("A"));
    const struct asl_state *b = a->of.parallel.branches[0]->start;
#define ENTERED(id, previous, name)                                                                \
    "{'id':" id ",'previousEventId':" previous                                                     \
    ",'type':'PassStateEntered','stateEnteredEventDetails':{'name':'" name "'}},"
#define EXITED(id, previous, name)                                                                 \
    "{'id':" id ",'previousEventId':" previous                                                     \
    ",'type':'PassStateExited','stateExitedEventDetails':{'name':'" name "'}},"
#define EVENT(id, previous, type) "{'id':" id ",'previousEventId':" previous ",'type':'" type "'},"
    const struct asl_marks *fine = marks_of(
        t, machine,
        "[" ENTERED("1", "0", "A") EVENT("2", "1", "ParallelStateStarted") ENTERED("3", "2", "B")
            EXITED("4", "3", "B") EVENT("5", "4", "ParallelStateSucceeded") EXITED("6", "5", "A")
                ENTERED("7", "6", "C") EXITED("8", "7", "C") "{}]");
    CHECK_INT(asl_mark_of(fine, a), ASL_MARK_SUCCEEDED);
    CHECK_INT(asl_mark_of(fine, b), ASL_MARK_SUCCEEDED);
    const struct asl_marks *caught = marks_of(
        t, machine,
        "[" ENTERED("1", "0", "A") EVENT("2", "1", "ParallelStateStarted") ENTERED("3", "2", "B")
            EVENT("4", "3", "TaskFailed") EVENT("5", "4", "ParallelStateFailed")
                EXITED("6", "5", "A") EVENT("7", "6", "ExecutionSucceeded") "{}]");
    CHECK_INT(asl_mark_of(caught, a), ASL_MARK_CAUGHT);
    CHECK_INT(asl_mark_of(caught, b), ASL_MARK_FAILED);
}

TEST(what_is_no_history_is_refused)
{
    yyjson_val *root = NULL;
    const struct asl_marks *marks = NULL;
    const struct asl_machine *machine = machine_of(t, diamond);
    CHECK_OK(px_json_parse(S("{\"a\":1}"), &t->arena, &root, NULL));
    CHECK_INT(asl_marks_read(root, machine, &t->arena, &marks), ASL_INVALID);
}

TEST_MAIN
