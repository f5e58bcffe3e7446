/* asl/graph_layout.c - layers, orders, places.
 *
 * The way of Sugiyama, Tagawa and Toda (1981): lines that lead back are turned round, so that there is no circle; the longest
 * way from the start gives each state its layer; lines that cross layers get a bend in each; each layer is put in the order
 * of its neighbours' middles, up and down a few times; then each layer's nodes move as near to their neighbours' middles as
 * their order and widths allow, which is a regression with an order (pool adjacent violators).
 *
 * Boxes nest: what is inside is laid out first and gives the node its size. Everything is bounded by the number of nodes. */
#include "asl/graph_layout.h"

#include <stdio.h>
#include <stdlib.h>

#include "asl/resource.h"

#define NODE_GAP 26.0
#define BEND_GAP 14.0
#define LAYER_GAP 38.0
#define BRANCH_GAP 8.0
#define NODE_HEIGHT 42.0
#define NODE_WIDTH_MIN 104.0
#define LETTER_WIDTH 7.2
#define KIND_SCALE 0.78 /* the smaller letters of the second line */
#define DOT 18.0
#define ORDER_SWEEPS 8
#define PLACE_SWEEPS 12
#define BEND_WEIGHT 4.0
#define NONE UINT32_MAX

struct layout {
    struct px_arena *arena;
    size_t nodes_left;
    int fault;
};
/* Neighbours in the layers above and below: of node n they are list[first[n]] .. list[first[n + 1] - 1]. */
struct neighbours {
    uint32_t *first, *list;
};

static void *take(struct layout *l, size_t count, size_t bytes)
{
    void *memory = px_arena_zalloc_array(l->arena, bytes, count);
    if (!memory) l->fault = px_arena_fault(l->arena);
    return memory;
}
#define take_array(l, type, count) ((type *)take((l), (count), sizeof(type)))

static int give(struct layout *l, size_t nodes)
{
    if (l->nodes_left < nodes) return ASL_GRAPH_TOO_LARGE;
    l->nodes_left -= nodes;
    return 0;
}

/* ---- nodes ---- */

struct px_str graph_cut(struct px_str text, bool *ret_cut)
{
    size_t count = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (((unsigned char)text.ptr[i] & 0xc0) == 0x80) continue;
        if (count++ < GRAPH_NAME_MAX) continue;
        *ret_cut = true;
        return px_str(text.ptr, i);
    }
    *ret_cut = false;
    return text;
}

struct px_str graph_kind(const struct asl_state *state, char buf[256])
{
    const struct asl_resource *called = &state->of.task.resource;
    if (state->type != ASL_TASK) return px_str_c(asl_state_type_name(state->type));
    int n = snprintf(buf, 256, "%.*s:%.*s%s", PX_FMT(called->service), PX_FMT(called->action),
                     asl_pattern_suffix(called->pattern));
    return px_str(buf, PX_MIN((size_t)PX_MAX(n, 0), 255));
}

/* Characters beyond Latin are taken as twice as wide. */
static double text_width(struct px_str text)
{
    bool cut;
    double width = 0;
    struct px_str shown = graph_cut(text, &cut);
    for (size_t i = 0; i < shown.len; i++) {
        unsigned char c = (unsigned char)shown.ptr[i];
        if ((c & 0xc0) != 0x80) width += c >= 0xe1 ? 2 * LETTER_WIDTH : LETTER_WIDTH;
    }
    return width + (cut ? LETTER_WIDTH : 0);
}

static int lay_box(struct layout *l, const struct asl_flow *flow, struct graph_box *box);

static int lay_boxes(struct layout *l, const struct asl_flow *const *flows, size_t count,
                     struct graph_node *node)
{
    double x = GRAPH_PADDING, height = 0;
    node->boxes = take_array(l, struct graph_box, count);
    if (!node->boxes) return l->fault;
    node->box_count = count;
    for (size_t i = 0; i < count; i++) {
        struct graph_box *box = &node->boxes[i];
        int r = lay_box(l, flows[i], box);
        if (r != 0) return r;
        box->x = x;
        box->y = GRAPH_HEADER;
        x += box->width + GRAPH_PADDING + (i + 1 < count ? BRANCH_GAP : 0);
        height = PX_MAX(height, box->height);
    }
    node->width = PX_MAX(node->width, x);
    node->height = GRAPH_HEADER + height + GRAPH_PADDING;
    double over = node->width - x; /* a long name: the boxes go to its middle */
    for (size_t i = 0; i < count; i++) node->boxes[i].x += over / 2;
    return 0;
}

static int lay_node(struct layout *l, const struct asl_state *state, struct graph_node *node)
{
    node->kind = GRAPH_STATE;
    node->state = state;
    char kind[256];
    double kind_width = text_width(graph_kind(state, kind)) * KIND_SCALE;
    node->width = PX_MAX(NODE_WIDTH_MIN, PX_MAX(text_width(state->name), kind_width) + 28);
    node->height = NODE_HEIGHT;
    if (state->type == ASL_PARALLEL)
        return lay_boxes(l, state->of.parallel.branches, state->of.parallel.branch_count, node);
    if (state->type == ASL_MAP) return lay_boxes(l, &state->of.map.processor, 1, node);
    return 0;
}

static bool ends(const struct asl_state *state)
{
    return !state->next && state->type != ASL_CHOICE;
}

/* The start, the states in their order, and the end, unless nothing leads there. */
static int make_nodes(struct layout *l, struct graph_box *box)
{
    size_t states = box->flow->state_count;
    bool has_end = false;
    for (size_t i = 0; i < states; i++) has_end = has_end || ends(&box->flow->states[i]);
    int r = give(l, states + 2);
    if (r != 0) return r;
    box->nodes = take_array(l, struct graph_node, states + 2);
    if (!box->nodes) return l->fault;
    box->node_count = (uint32_t)states + 1 + has_end;
    box->nodes[0] = (struct graph_node){.kind = GRAPH_START, .width = DOT, .height = DOT};
    box->nodes[states + 1] = (struct graph_node){.kind = GRAPH_END, .width = DOT, .height = DOT};
    for (size_t i = 0; i < states; i++) {
        r = lay_node(l, &box->flow->states[i], &box->nodes[i + 1]);
        if (r != 0) return r;
    }
    return 0;
}

/* ---- edges ---- */

/* Several ways between the same two states are one line, or two when some are taken after an error. */
struct seen {
    uint32_t *plain, *caught; /* by node: the last state, plus 1, that had a line to it */
};
static bool is_new(const struct seen *seen, uint32_t from, uint32_t to, bool caught)
{
    uint32_t *last = caught ? &seen->caught[to] : &seen->plain[to];
    if (*last == from + 1) return false;
    *last = from + 1;
    return true;
}

static void add_edge(struct graph_box *box, uint32_t from, uint32_t to, bool caught)
{
    box->edges[box->edge_count++] = (struct graph_edge){
        .from = from, .to = to, .caught = caught, .loop = from == to};
}

static size_t count_ways(const struct asl_flow *flow)
{
    size_t count = 1;
    struct asl_edge edge;
    for (size_t i = 0; i < flow->state_count; i++) {
        count++; /* to the end */
        for (size_t k = 0; asl_state_edge(&flow->states[i], k, &edge); k++)
            count += edge.to != NULL;
    }
    return count;
}

static int make_edges(struct layout *l, struct graph_box *box)
{
    const struct asl_flow *flow = box->flow;
    struct seen seen = {take_array(l, uint32_t, box->node_count),
                        take_array(l, uint32_t, box->node_count)};
    struct asl_edge way;
    box->edges = take_array(l, struct graph_edge, count_ways(flow));
    if (!seen.plain || !seen.caught || !box->edges) return l->fault;
    if (flow->start) add_edge(box, 0, flow->start->index + 1, false);
    for (uint32_t i = 0; i < flow->state_count; i++) {
        const struct asl_state *state = &flow->states[i];
        for (size_t k = 0; asl_state_edge(state, k, &way); k++) {
            bool caught = way.kind == ASL_EDGE_CATCH;
            if (way.to && is_new(&seen, i + 1, way.to->index + 1, caught))
                add_edge(box, i + 1, way.to->index + 1, caught);
        }
        if (ends(state)) add_edge(box, i + 1, box->node_count - 1, false);
    }
    return 0;
}

/* For each node its edges by where they begin, without loops: of node n they are list[first[n]] .. */
static int out_edges(struct layout *l, const struct graph_box *box, struct neighbours *out)
{
    out->first = take_array(l, uint32_t, box->node_count + 1);
    out->list = take_array(l, uint32_t, box->edge_count);
    uint32_t *next = take_array(l, uint32_t, box->node_count + 1);
    if (!out->first || !out->list || !next) return l->fault;
    for (uint32_t e = 0; e < box->edge_count; e++)
        if (!box->edges[e].loop) out->first[box->edges[e].from + 1]++;
    for (uint32_t n = 0; n < box->node_count; n++) out->first[n + 1] += out->first[n];
    memcpy(next, out->first, box->node_count * sizeof *next);
    for (uint32_t e = 0; e < box->edge_count; e++)
        if (!box->edges[e].loop) out->list[next[box->edges[e].from]++] = e;
    return 0;
}

/* ---- layers ---- */

/* Depth first from the start; a line to a node whose own lines are still being followed closes a circle. */
static int turn_back(struct layout *l, struct graph_box *box)
{
    enum { NEW, OPEN, DONE };
    struct neighbours out;
    int r = out_edges(l, box, &out);
    if (r != 0) return r;
    uint8_t *state = take_array(l, uint8_t, box->node_count);
    uint32_t *stack = take_array(l, uint32_t, box->node_count);
    uint32_t *at = take_array(l, uint32_t, box->node_count);
    if (!state || !stack || !at) return l->fault;
    for (uint32_t root = 0; root < box->node_count; root++) {
        size_t depth = 0;
        if (state[root] != NEW) continue;
        state[root] = OPEN;
        at[root] = out.first[root];
        stack[depth++] = root;
        while (depth > 0) {
            uint32_t node = stack[depth - 1];
            if (at[node] == out.first[node + 1]) {
                state[node] = DONE;
                depth--;
                continue;
            }
            struct graph_edge *edge = &box->edges[out.list[at[node]++]];
            if (state[edge->to] == OPEN) {
                edge->back = true;
            } else if (state[edge->to] == NEW) {
                state[edge->to] = OPEN;
                at[edge->to] = out.first[edge->to];
                stack[depth++] = edge->to;
            }
        }
    }
    for (uint32_t e = 0; e < box->edge_count; e++) {
        struct graph_edge *edge = &box->edges[e];
        if (!edge->back) continue;
        uint32_t from = edge->from;
        edge->from = edge->to;
        edge->to = from;
    }
    return 0;
}

/* The longest way from where nothing leads to. */
static int set_layers(struct layout *l, struct graph_box *box)
{
    struct neighbours out;
    int r = out_edges(l, box, &out);
    if (r != 0) return r;
    uint32_t *coming = take_array(l, uint32_t, box->node_count);
    uint32_t *queue = take_array(l, uint32_t, box->node_count);
    uint32_t head = 0, tail = 0;
    if (!coming || !queue) return l->fault;
    for (uint32_t e = 0; e < box->edge_count; e++)
        if (!box->edges[e].loop) coming[box->edges[e].to]++;
    for (uint32_t n = 0; n < box->node_count; n++)
        if (coming[n] == 0) queue[tail++] = n;
    while (head < tail) {
        uint32_t node = queue[head++];
        for (uint32_t i = out.first[node]; i < out.first[node + 1]; i++) {
            uint32_t to = box->edges[out.list[i]].to;
            box->nodes[to].layer = PX_MAX(box->nodes[to].layer, box->nodes[node].layer + 1);
            if (--coming[to] == 0) queue[tail++] = to;
        }
    }
    PX_ASSERT(tail == box->node_count); /* turn_back() left no circle */
    for (uint32_t n = 0; n < box->node_count; n++)
        box->layer_count = PX_MAX(box->layer_count, box->nodes[n].layer + 1);
    return 0;
}

static int add_bends(struct layout *l, struct graph_box *box)
{
    size_t bends = 0;
    for (uint32_t e = 0; e < box->edge_count; e++) {
        struct graph_edge *edge = &box->edges[e];
        if (edge->loop) continue;
        edge->bend = (uint32_t)(box->node_count + bends);
        edge->bend_count = box->nodes[edge->to].layer - box->nodes[edge->from].layer - 1;
        bends += edge->bend_count;
        if (bends > l->nodes_left) return ASL_GRAPH_TOO_LARGE;
    }
    int r = give(l, bends);
    if (r != 0) return r;
    struct graph_node *nodes = take_array(l, struct graph_node, box->node_count + bends);
    if (!nodes) return l->fault;
    memcpy(nodes, box->nodes, box->node_count * sizeof *nodes);
    for (uint32_t e = 0; e < box->edge_count; e++) {
        const struct graph_edge *edge = &box->edges[e];
        for (uint32_t b = 0; b < edge->bend_count; b++)
            nodes[edge->bend + b] = (struct graph_node){
                .kind = GRAPH_BEND, .layer = nodes[edge->from].layer + 1 + b, .width = 2};
    }
    box->nodes = nodes;
    box->node_count += (uint32_t)bends;
    return 0;
}

/* ---- order ---- */

/* The steps of an edge from layer to layer: node i of it, NONE behind the last. */
static uint32_t step_of(const struct graph_edge *edge, uint32_t i)
{
    if (i == 0) return edge->from;
    if (i <= edge->bend_count) return edge->bend + i - 1;
    return i == edge->bend_count + 1 ? edge->to : NONE;
}

static int neighbours_of(struct layout *l, const struct graph_box *box, bool above,
                         struct neighbours *ret)
{
    size_t count = 0;
    for (uint32_t e = 0; e < box->edge_count; e++)
        if (!box->edges[e].loop) count += box->edges[e].bend_count + 1;
    ret->first = take_array(l, uint32_t, box->node_count + 1);
    ret->list = take_array(l, uint32_t, count);
    uint32_t *next = take_array(l, uint32_t, box->node_count + 1);
    if (!ret->first || !ret->list || !next) return l->fault;
    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t e = 0; e < box->edge_count; e++) {
            const struct graph_edge *edge = &box->edges[e];
            for (uint32_t i = 0; !edge->loop && step_of(edge, i + 1) != NONE; i++) {
                uint32_t upper = step_of(edge, i), lower = step_of(edge, i + 1);
                uint32_t of = above ? lower : upper;
                if (pass == 0)
                    ret->first[of + 1]++;
                else
                    ret->list[next[of]++] = above ? upper : lower;
            }
        }
        if (pass == 1) break;
        for (uint32_t n = 0; n < box->node_count; n++) ret->first[n + 1] += ret->first[n];
        memcpy(next, ret->first, box->node_count * sizeof *next);
    }
    return 0;
}

static int fill_layers(struct layout *l, struct graph_box *box)
{
    box->layers = take_array(l, struct graph_layer, box->layer_count);
    box->by_layer = take_array(l, uint32_t, box->node_count);
    if (!box->layers || !box->by_layer) return l->fault;
    for (uint32_t n = 0; n < box->node_count; n++) box->layers[box->nodes[n].layer].count++;
    for (uint32_t i = 1; i < box->layer_count; i++)
        box->layers[i].first = box->layers[i - 1].first + box->layers[i - 1].count;
    for (uint32_t i = 0; i < box->layer_count; i++) box->layers[i].count = 0;
    for (uint32_t n = 0; n < box->node_count; n++) {
        struct graph_layer *layer = &box->layers[box->nodes[n].layer];
        box->nodes[n].order = layer->count;
        box->by_layer[layer->first + layer->count++] = n;
    }
    return 0;
}

struct wish {
    double at;
    uint32_t node, order;
};
static int by_wish(const void *left, const void *right)
{
    const struct wish *a = left, *b = right;
    if (a->at != b->at) return a->at < b->at ? -1 : 1;
    return a->order < b->order ? -1 : a->order > b->order;
}

static void order_layer(struct graph_box *box, const struct graph_layer *layer,
                        const struct neighbours *beside, struct wish *wishes)
{
    for (uint32_t i = 0; i < layer->count; i++) {
        uint32_t node = box->by_layer[layer->first + i];
        uint32_t first = beside->first[node], end = beside->first[node + 1];
        double sum = 0;
        for (uint32_t k = first; k < end; k++) sum += box->nodes[beside->list[k]].order;
        wishes[i] = (struct wish){end > first ? sum / (end - first) : i, node, i};
    }
    if (layer->count > 1) qsort(wishes, layer->count, sizeof *wishes, by_wish);
    for (uint32_t i = 0; i < layer->count; i++) {
        box->by_layer[layer->first + i] = wishes[i].node;
        box->nodes[wishes[i].node].order = i;
    }
}

/* ---- places ---- */

static double gap_between(const struct graph_node *left, const struct graph_node *right)
{
    bool bend = left->kind == GRAPH_BEND || right->kind == GRAPH_BEND;
    return left->width / 2 + right->width / 2 + (bend ? BEND_GAP : NODE_GAP);
}

/* Nodes that have been pushed together: as one they stand where their wishes balance. */
struct pool {
    double sum, weight;
    uint32_t count;
};

/* Move a layer's nodes to the middles of their neighbours, as near as order and widths allow. */
static void place_layer(struct graph_box *box, const struct graph_layer *layer,
                        const struct neighbours *beside, struct pool *pools)
{
    uint32_t *list = box->by_layer + layer->first;
    uint32_t count = 0;
    double offset = 0;
    for (uint32_t i = 0; i < layer->count; i++) {
        struct graph_node *node = &box->nodes[list[i]];
        uint32_t first = beside->first[list[i]], end = beside->first[list[i] + 1];
        double sum = 0, weight = node->kind == GRAPH_BEND ? BEND_WEIGHT : 1;
        for (uint32_t k = first; k < end; k++) sum += box->nodes[beside->list[k]].x;
        double wish = end > first ? sum / (end - first) : node->x;
        if (i > 0) offset += gap_between(&box->nodes[list[i - 1]], node);
        pools[count++] = (struct pool){(wish - offset) * weight, weight, 1};
        while (count > 1 && pools[count - 2].sum * pools[count - 1].weight >
                                pools[count - 1].sum * pools[count - 2].weight) {
            pools[count - 2].sum += pools[count - 1].sum;
            pools[count - 2].weight += pools[count - 1].weight;
            pools[count - 2].count += pools[count - 1].count;
            count--;
        }
    }
    uint32_t i = 0;
    offset = 0;
    for (uint32_t p = 0; p < count; p++) {
        for (uint32_t k = 0; k < pools[p].count; k++, i++) {
            if (i > 0) offset += gap_between(&box->nodes[list[i - 1]], &box->nodes[list[i]]);
            box->nodes[list[i]].x = pools[p].sum / pools[p].weight + offset;
        }
    }
}

static void spread(struct graph_box *box)
{
    for (uint32_t i = 0; i < box->layer_count; i++) {
        const uint32_t *list = box->by_layer + box->layers[i].first;
        for (uint32_t k = 1; k < box->layers[i].count; k++)
            box->nodes[list[k]].x = box->nodes[list[k - 1]].x +
                                    gap_between(&box->nodes[list[k - 1]], &box->nodes[list[k]]);
    }
}

static void set_bounds(struct graph_box *box)
{
    double left = 0, right = 0, top = 0;
    for (uint32_t n = 0; n < box->node_count; n++) {
        const struct graph_node *node = &box->nodes[n];
        left = n == 0 ? node->x - node->width / 2 : PX_MIN(left, node->x - node->width / 2);
        right = n == 0 ? node->x + node->width / 2 : PX_MAX(right, node->x + node->width / 2);
    }
    for (uint32_t i = 0; i < box->layer_count; i++) {
        struct graph_layer *layer = &box->layers[i];
        for (uint32_t k = 0; k < layer->count; k++)
            layer->height = PX_MAX(layer->height,
                                   box->nodes[box->by_layer[layer->first + k]].height);
        layer->top = top;
        top += layer->height + LAYER_GAP;
    }
    for (uint32_t n = 0; n < box->node_count; n++) {
        struct graph_node *node = &box->nodes[n];
        const struct graph_layer *layer = &box->layers[node->layer];
        node->x -= left;
        node->y = layer->top + (layer->height - node->height) / 2;
    }
    box->width = right - left;
    box->height = top - LAYER_GAP;
}

/* Lines leave a node beside each other, in the order of where they lead; of two to the same node the one after an error is on the
 * right. */
static double port(const struct graph_box *box, const struct neighbours *beside, uint32_t node,
                   uint32_t other, bool caught)
{
    uint32_t first = beside->first[node], end = beside->first[node + 1], rank = 0, same = 0;
    const struct graph_node *at = &box->nodes[node];
    for (uint32_t k = first; k < end; k++) {
        uint32_t order = box->nodes[beside->list[k]].order;
        rank += order < box->nodes[other].order;
        same += order == box->nodes[other].order;
    }
    double slot = rank + (same > 1 && caught ? 1.5 : 0.5);
    double middle = slot / (double)(end - first) - 0.5;
    return at->x + (at->kind == GRAPH_STATE ? at->width * 0.55 * middle : 0);
}

static void set_ports(struct graph_box *box, const struct neighbours *above,
                      const struct neighbours *below)
{
    for (uint32_t e = 0; e < box->edge_count; e++) {
        struct graph_edge *edge = &box->edges[e];
        if (edge->loop) continue;
        edge->from_x = port(box, below, edge->from, step_of(edge, 1), edge->caught);
        edge->to_x = port(box, above, edge->to, step_of(edge, edge->bend_count), edge->caught);
    }
}

static int place(struct layout *l, struct graph_box *box)
{
    struct neighbours above, below;
    int r = neighbours_of(l, box, true, &above);
    if (r == 0) r = neighbours_of(l, box, false, &below);
    if (r == 0) r = fill_layers(l, box);
    if (r != 0) return r;
    struct wish *wishes = take_array(l, struct wish, box->node_count);
    struct pool *pools = take_array(l, struct pool, box->node_count);
    if (!wishes || !pools) return l->fault;
    for (int sweep = 0; sweep < ORDER_SWEEPS; sweep++)
        for (uint32_t i = 0; i < box->layer_count; i++) {
            bool down = sweep % 2 == 0;
            const struct graph_layer *layer = &box->layers[down ? i : box->layer_count - 1 - i];
            order_layer(box, layer, down ? &above : &below, wishes);
        }
    spread(box);
    for (int sweep = 0; sweep < PLACE_SWEEPS; sweep++)
        for (uint32_t i = 0; i < box->layer_count; i++) {
            bool down = sweep % 2 == 0;
            const struct graph_layer *layer = &box->layers[down ? i : box->layer_count - 1 - i];
            place_layer(box, layer, down ? &above : &below, pools);
        }
    set_bounds(box);
    set_ports(box, &above, &below);
    return 0;
}

/* ---- all ---- */

static int lay_box(struct layout *l, const struct asl_flow *flow, struct graph_box *box)
{
    box->flow = flow;
    int r = make_nodes(l, box);
    if (r == 0) r = make_edges(l, box);
    if (r == 0) r = turn_back(l, box);
    if (r == 0) r = set_layers(l, box);
    if (r == 0) r = add_bends(l, box);
    if (r == 0) r = place(l, box);
    return r;
}

int graph_layout(const struct asl_flow *flow, struct px_arena *arena, struct graph_box *ret_box)
{
    struct layout l = {.arena = arena, .nodes_left = ASL_GRAPH_NODES_MAX};
    struct graph_box box = {0};
    int r = lay_box(&l, flow, &box);
    if (r == 0) *ret_box = box;
    return r;
}
