/* asl/graph_layout.h - where the states of a flow stand in a drawing. graph_svg.c draws it. */
#pragma once

#include "asl/graph.h"

enum graph_node_kind { GRAPH_STATE, GRAPH_START, GRAPH_END, GRAPH_BEND };
struct graph_box;
struct graph_node {
    enum graph_node_kind kind;
    const struct asl_state *state; /* of a state */
    struct graph_box *boxes;       /* of a Parallel or Map: side by side */
    size_t box_count;
    uint32_t layer, order; /* order within the layer */
    double x, y;           /* centre and top, in the box */
    double width, height;
};
/* A line in the direction of the layers; `back` when it leads the other way. */
struct graph_edge {
    uint32_t from, to;
    uint32_t bend, bend_count; /* nodes in between, one after the other */
    bool caught, back, loop;   /* loop: from a state to itself; it has no bends */
    double from_x, to_x;       /* where it leaves and arrives */
};
struct graph_layer {
    double top, height;
    uint32_t first, count; /* in graph_box.by_layer */
};
struct graph_box {
    const struct asl_flow *flow;
    struct graph_node *nodes;
    struct graph_edge *edges;
    struct graph_layer *layers;
    uint32_t *by_layer; /* nodes, layer after layer, from left to right */
    uint32_t node_count, edge_count, layer_count;
    double x, y, width, height; /* in the node that holds it */
};

#define GRAPH_HEADER 26.0
#define GRAPH_PADDING 14.0

/* Lay out a flow and all below it. Answers: ASL_GRAPH_TOO_LARGE. */
PX_MUST_USE int graph_layout(const struct asl_flow *flow, struct px_arena *arena,
                             struct graph_box *ret_box);
/* Text as it is drawn: at most this many characters. */
#define GRAPH_NAME_MAX 40
struct px_str graph_cut(struct px_str text, bool *ret_cut);
/* What stands below a state's name: its type, or what a Task calls. */
struct px_str graph_kind(const struct asl_state *state, char buf[256]);
