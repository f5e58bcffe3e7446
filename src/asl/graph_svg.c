/* asl/graph_svg.c - a laid-out machine as SVG.
 *
 * Colours are classes of one style sheet, with a second set for readers whose screens are dark. Text is a definition's and
 * so a stranger's: it goes through one function that leaves no markup of its own. */
#include "asl/graph_layout.h"

#define MARGIN 24.0
#define LEGEND_HEIGHT 30.0
#define LEGEND_STEP 100.0
#define LEGEND_WIDTH (LEGEND_STEP * ASL_MARKS)

/* What is coloured, in light and in dark. Written out twice rather than as variables of CSS, which readers other than browsers
 * do not know. */
#define COLOURS(X)                                                                                 \
    X(".bg", "fill:#ffffff", "fill:#12171e")                                                       \
    X("text", "fill:#1b2430", "fill:#e6ebf1")                                                      \
    X(".type", "fill:#5b6775", "fill:#9aa7b5")                                                     \
    X(".state", "fill:#f5f7fa;stroke:#b8c2ce", "fill:#1d2530;stroke:#46535f")                      \
    X(".holds", "fill:#fafbfc", "fill:#171d25")                                                    \
    X(".flow", "stroke:#b8c2ce", "stroke:#46535f")                                                 \
    X(".fails", "stroke:#b3261e", "stroke:#ff8a80")                                                \
    X(".succeeds", "stroke:#1a7f4b", "stroke:#57d496")                                             \
    X(".dot", "fill:#1b2430", "fill:#e6ebf1")                                                      \
    X(".ring", "stroke:#1b2430", "stroke:#e6ebf1")                                                 \
    X(".way", "stroke:#7a8696", "stroke:#75828f")                                                  \
    X(".tip", "fill:#7a8696", "fill:#75828f")                                                      \
    X(".caught-way", "stroke:#b3261e", "stroke:#ff8a80")                                           \
    X(".caught-tip", "fill:#b3261e", "fill:#ff8a80")                                               \
    X(".ok", "fill:#dff5e8;stroke:#1a7f4b", "fill:#12361f;stroke:#57d496")                         \
    X(".bad", "fill:#fbe4e2;stroke:#b3261e", "fill:#431715;stroke:#ff8a80")                        \
    X(".caught", "fill:#fff1d0;stroke:#9a6700", "fill:#3d2c08;stroke:#f2b84b")                     \
    X(".run", "fill:#e0edff;stroke:#1f6feb", "fill:#10294d;stroke:#79b0ff")
static const char style[] =
    "<style>\n"
    "text{font:13px system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif;"
    "text-anchor:middle}\n"
    ".type{font-size:10px}\n"
    ".legend{text-anchor:start;font-size:11px}\n"
    ".state{stroke-width:1.2}\n"
    ".ok,.bad,.caught,.run{stroke-width:2}\n"
    ".flow,.ring,.way{fill:none}\n"
    ".flow{stroke-dasharray:2 4}\n"
    ".ring{stroke-width:1.6}\n"
    ".way{stroke-width:1.4}\n"
    ".caught-way{stroke-dasharray:5 4}\n"
#define X(what, light, dark) what "{" light "}\n"
    COLOURS(X)
#undef X
        "@media (prefers-color-scheme:dark){\n"
#define X(what, light, dark) what "{" dark "}\n"
    COLOURS(X)
#undef X
        "}\n"
        "</style>\n";

static const struct {
    const char *class, *text;
} marks_shown[ASL_MARKS] = {
    [ASL_MARK_NONE] = {"", "not entered"},        [ASL_MARK_SUCCEEDED] = {" ok", "succeeded"},
    [ASL_MARK_CAUGHT] = {" caught", "recovered"}, [ASL_MARK_FAILED] = {" bad", "failed"},
    [ASL_MARK_RUNNING] = {" run", "running"},
};

struct canvas {
    struct px_buf *svg;
    const struct asl_marks *marks;
};

/* Characters that XML 1.0 has; markup as entities, the rest of control characters as U+FFFD. */
static void add_text(struct px_buf *svg, struct px_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c == '<')
            px_buf_add_c(svg, "&lt;");
        else if (c == '>')
            px_buf_add_c(svg, "&gt;");
        else if (c == '&')
            px_buf_add_c(svg, "&amp;");
        else if (c == '"')
            px_buf_add_c(svg, "&quot;");
        else if (c == '\t' || c == '\n' || c == '\r')
            px_buf_add_char(svg, ' ');
        else if (c < 0x20 || c == 0x7f)
            px_buf_add_c(svg, "\xef\xbf\xbd");
        else
            px_buf_add_char(svg, (char)c);
    }
}

/* ---- lines ---- */

static void move_to(struct px_buf *svg, double x, double y)
{
    px_buf_printf(svg, "M%.1f %.1f", x, y);
}
static void line_to(struct px_buf *svg, double x, double y)
{
    px_buf_printf(svg, "L%.1f %.1f", x, y);
}
static void curve_to(struct px_buf *svg, double from_x, double from_y, double x, double y)
{
    double middle = (from_y + y) / 2;
    px_buf_printf(svg, "C%.1f %.1f %.1f %.1f %.1f %.1f", from_x, middle, x, middle, x, y);
}

static void add_tip(struct px_buf *svg, double x, double y, bool down, bool caught)
{
    double back = down ? y - 7 : y + 7;
    px_buf_printf(svg, "<path class=\"%s\" d=\"M%.1f %.1fL%.1f %.1fL%.1f %.1fZ\"/>\n",
                  caught ? "caught-tip" : "tip", x, y, x - 4, back, x + 4, back);
}

static void add_loop(const struct canvas *canvas, const struct graph_node *node, double x, double y,
                     bool caught)
{
    double right = x + node->x + node->width / 2, middle = y + node->y + node->height / 2;
    px_buf_printf(canvas->svg, "<path class=\"way%s\" d=\"M%.1f %.1fc18 -14 18 22 0 14\"/>\n",
                  caught ? " caught-way" : "", right, middle - 7);
    px_buf_printf(canvas->svg, "<path class=\"%s\" d=\"M%.1f %.1fl7 -4l0 8Z\"/>\n",
                  caught ? "caught-tip" : "tip", right, middle + 7);
}

/* Straight through a layer, curved between layers: no line crosses a box that stands beside it. */
static void add_edge(const struct canvas *canvas, const struct graph_box *box,
                     const struct graph_edge *edge, double x, double y)
{
    const struct graph_node *from = &box->nodes[edge->from], *to = &box->nodes[edge->to];
    struct px_buf *svg = canvas->svg;
    if (edge->loop) {
        add_loop(canvas, from, x, y, edge->caught);
        return;
    }
    const struct graph_layer *layer = &box->layers[from->layer];
    double at_x = x + edge->from_x, at_y = y + layer->top + layer->height;
    px_buf_printf(svg, "<path class=\"way%s\" d=\"", edge->caught ? " caught-way" : "");
    move_to(svg, at_x, y + from->y + from->height);
    line_to(svg, at_x, at_y);
    for (uint32_t b = 0; b < edge->bend_count; b++) {
        const struct graph_node *bend = &box->nodes[edge->bend + b];
        layer = &box->layers[bend->layer];
        curve_to(svg, at_x, at_y, x + bend->x, y + layer->top);
        at_x = x + bend->x;
        at_y = y + layer->top + layer->height;
        line_to(svg, at_x, at_y);
    }
    layer = &box->layers[to->layer];
    curve_to(svg, at_x, at_y, x + edge->to_x, y + layer->top);
    line_to(svg, x + edge->to_x, y + to->y);
    px_buf_add_c(svg, "\"/>\n");
    if (edge->back)
        add_tip(svg, x + edge->from_x, y + from->y + from->height, false, edge->caught);
    else
        add_tip(svg, x + edge->to_x, y + to->y, true, edge->caught);
}

/* ---- states ---- */

static const char *kind_class(const struct asl_state *state)
{
    if (state->type == ASL_PARALLEL || state->type == ASL_MAP) return " holds";
    if (state->type == ASL_FAIL) return " fails";
    return state->type == ASL_SUCCEED ? " succeeds" : "";
}

static void add_title(struct px_buf *svg, const struct asl_state *state)
{
    px_buf_add_c(svg, "<title>");
    add_text(svg, state->name);
    px_buf_printf(svg, " (%s)", asl_state_type_name(state->type));
    if (state->type == ASL_TASK) {
        px_buf_add_c(svg, " ");
        add_text(svg, state->of.task.resource.arn);
    }
    px_buf_add_c(svg, "</title>\n");
}

static void add_shape(struct px_buf *svg, const struct graph_node *node, const char *class,
                      double left, double top)
{
    double w = node->width, h = node->height, cut = 12;
    if (node->state->type == ASL_CHOICE)
        px_buf_printf(svg,
                      "<path class=\"state%s\" d=\"M%.1f %.1fh%.1fl%.1f %.1fl%.1f %.1fh%.1fl%.1f "
                      "%.1fZ\"/>\n",
                      class, left + cut, top, w - 2 * cut, cut, h / 2, -cut, h / 2, 2 * cut - w,
                      -cut, -h / 2);
    else
        px_buf_printf(svg,
                      "<rect class=\"state%s%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" "
                      "height=\"%.1f\" rx=\"8\"/>\n",
                      kind_class(node->state), class, left, top, w, h);
}

static void add_cut(struct px_buf *svg, struct px_str text)
{
    bool cut;
    add_text(svg, graph_cut(text, &cut));
    if (cut) px_buf_add_c(svg, "\xe2\x80\xa6");
}

static void add_label(struct px_buf *svg, const struct graph_node *node, double middle, double top)
{
    const struct asl_state *state = node->state;
    bool holds = node->box_count > 0;
    char kind[256];
    px_buf_printf(svg, "<text x=\"%.1f\" y=\"%.1f\">", middle, top + (holds ? 17 : 18));
    add_cut(svg, state->name);
    if (holds)
        px_buf_printf(svg, "<tspan class=\"type\" dx=\"6\">%s%s</tspan></text>\n",
                      asl_state_type_name(state->type),
                      state->type == ASL_MAP && state->of.map.distributed ? ", distributed" : "");
    if (holds) return;
    px_buf_printf(svg, "</text>\n<text class=\"type\" x=\"%.1f\" y=\"%.1f\">", middle, top + 33);
    add_cut(svg, graph_kind(state, kind));
    px_buf_add_c(svg, "</text>\n");
}

static void add_box(const struct canvas *canvas, const struct graph_box *box, double x, double y);

static void add_node(const struct canvas *canvas, const struct graph_node *node, double x, double y)
{
    struct px_buf *svg = canvas->svg;
    double left = x + node->x - node->width / 2, top = y + node->y;
    if (node->kind == GRAPH_BEND) return;
    if (node->kind != GRAPH_STATE) {
        double radius = node->width / 2;
        px_buf_printf(svg, "<circle class=\"%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\"/>\n",
                      node->kind == GRAPH_END ? "ring" : "dot", x + node->x, top + radius,
                      node->kind == GRAPH_END ? radius - 1 : radius - 3);
        if (node->kind == GRAPH_END)
            px_buf_printf(svg, "<circle class=\"dot\" cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\"/>\n",
                          x + node->x, top + radius, radius - 5);
        return;
    }
    px_buf_add_c(svg, "<g>\n");
    add_title(svg, node->state);
    add_shape(svg, node, marks_shown[asl_mark_of(canvas->marks, node->state)].class, left, top);
    add_label(svg, node, x + node->x, top);
    px_buf_add_c(svg, "</g>\n");
    for (size_t i = 0; i < node->box_count; i++) {
        const struct graph_box *inner = &node->boxes[i];
        if (node->box_count > 1)
            px_buf_printf(svg,
                          "<rect class=\"flow\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" "
                          "height=\"%.1f\" rx=\"6\"/>\n",
                          left + inner->x - 6, top + inner->y - 2, inner->width + 12,
                          node->height - GRAPH_HEADER - GRAPH_PADDING + 10);
        add_box(canvas, inner, left + inner->x, top + inner->y);
    }
}

static void add_box(const struct canvas *canvas, const struct graph_box *box, double x, double y)
{
    for (uint32_t e = 0; e < box->edge_count; e++) add_edge(canvas, box, &box->edges[e], x, y);
    for (uint32_t n = 0; n < box->node_count; n++) add_node(canvas, &box->nodes[n], x, y);
}

static void add_legend(const struct canvas *canvas, double y)
{
    double x = MARGIN;
    for (size_t i = 0; i < PX_COUNT(marks_shown); i++) {
        px_buf_printf(canvas->svg,
                      "<rect class=\"state%s\" x=\"%.1f\" y=\"%.1f\" width=\"14\" height=\"14\" "
                      "rx=\"4\"/><text class=\"legend\" x=\"%.1f\" y=\"%.1f\">%s</text>\n",
                      marks_shown[i].class, x, y, x + 20, y + 11, marks_shown[i].text);
        x += LEGEND_STEP;
    }
}

int asl_graph_svg(const struct asl_machine *machine, const struct asl_marks *marks,
                  struct px_arena *arena, struct px_buf *svg)
{
    struct graph_box box;
    struct canvas canvas = {svg, marks};
    int r = graph_layout(&machine->flow, arena, &box);
    if (r != 0) return r;
    double legend = marks ? LEGEND_HEIGHT : 0;
    double width = PX_MAX(box.width + 2 * MARGIN, marks ? LEGEND_WIDTH + MARGIN : 0);
    double height = box.height + 2 * MARGIN + legend;
    px_buf_printf(svg,
                  "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" "
                  "viewBox=\"0 0 %.0f %.0f\" role=\"img\">\n<title>",
                  width, height, width, height);
    if (machine->comment.len > 0)
        add_text(svg, machine->comment);
    else
        px_buf_add_c(svg, "State machine");
    px_buf_add_c(svg, "</title>\n");
    px_buf_add_c(svg, style);
    px_buf_add_c(svg, "<rect class=\"bg\" width=\"100%\" height=\"100%\"/>\n");
    add_box(&canvas, &box, (width - box.width) / 2, MARGIN);
    if (marks) add_legend(&canvas, height - LEGEND_HEIGHT);
    px_buf_add_c(svg, "</svg>\n");
    return px_buf_fault(svg) == 0 ? 0 : px_fold(px_buf_fault(svg), __FILE__, __LINE__);
}
