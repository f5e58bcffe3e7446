/* delivery/order.c - what comes after what in every apply.
 *
 * The graph is Terraform's own: nodes are resources, variables, local values and outputs as written
 * (not their instances); an edge is a reference or a depends_on. Of an output only what its value and
 * its depends_on name counts, so an order that a module promises by an output is seen. */
#include <stdlib.h>

#include "delivery/plan_internal.h"
#include "delivery/rule.h"

struct node {
    const struct plan_config *config;
    char kind; /* r esource, d ata, v ariable, l ocal, o utput, m odule (all of it) */
    struct px_str type, name;
};
struct walk {
    struct px_arena *arena;
    struct node *nodes; /* seen; those from `next` on are still to be followed */
    size_t count, cap, next;
    const struct plan_config *goal_config;
    struct px_str goal_type, goal_name;
    bool names_only; /* do not go on through resources */
    bool found;
};

static bool same(const struct node *a, const struct node *b)
{
    return a->config == b->config && a->kind == b->kind && px_str_eq(a->name, b->name) &&
           px_str_eq(a->type, b->type);
}

static void reach(struct walk *w, struct node node)
{
    if (!node.config || w->found) return;
    bool goal = node.kind == 'r' && node.config == w->goal_config &&
                px_str_eq(node.type, w->goal_type) && px_str_eq(node.name, w->goal_name);
    if (goal) w->found = true;
    for (size_t i = 0; i < w->count; i++)
        if (same(&w->nodes[i], &node)) return;
    if (w->count == w->cap) {
        size_t cap = w->cap > 0 ? w->cap * 2 : 64;
        void *grown = px_arena_realloc(w->arena, w->nodes, w->cap * sizeof node, cap * sizeof node);
        if (!grown) return;
        w->nodes = grown;
        w->cap = cap;
    }
    w->nodes[w->count++] = node;
}

static void reach_module(struct walk *w, const struct plan_config *config)
{
    reach(w, (struct node){.config = config, .kind = 'm'});
}

/* `chain` is a.b.c from its root on; steps[0] is the name behind the root. */
static void reach_name(struct walk *w, const struct plan_config *config, struct px_str root,
                       const struct px_str steps[], size_t count)
{
    struct node node = {.config = config, .name = count > 0 ? steps[0] : S("")};
    if (px_str_eq(root, S("each")) || px_str_eq(root, S("path")) || px_str_eq(root, S("count")) ||
        px_str_eq(root, S("self")) || px_str_eq(root, S("terraform")) || count == 0)
        return;
    if (px_str_eq(root, S("var"))) {
        node.kind = 'v';
    } else if (px_str_eq(root, S("local"))) {
        node.kind = 'l';
    } else if (px_str_eq(root, S("module"))) {
        node.config = plan_config_child(config, steps[0]);
        node.kind = count > 1 ? 'o' : 'm';
        node.name = count > 1 ? steps[1] : S("");
    } else if (px_str_eq(root, S("data"))) {
        node.kind = 'd';
        node.type = steps[0];
        node.name = count > 1 ? steps[1] : S("");
    } else {
        node.kind = 'r';
        node.type = root;
        bool itself = w->names_only && config == w->goal_config && px_str_eq(root, w->goal_type) &&
                      count > 1 && px_str_eq(steps[1], w->goal_name);
        if (itself) w->found = true;
    }
    reach(w, node);
}

static void reach_expr(struct walk *w, const struct plan_config *config, const struct hcl_expr *e,
                       unsigned depth);

/* The chain of names of a reference; indexes and splats are passed over, but looked into. */
static void reach_chain(struct walk *w, const struct plan_config *config, const struct hcl_expr *e,
                        unsigned depth)
{
    struct px_str steps[8];
    size_t count = 0;
    const struct hcl_expr *at = e;
    while (at->kind == HCL_ATTR || at->kind == HCL_INDEX || at->kind == HCL_SPLAT) {
        if (at->kind == HCL_ATTR) {
            if (count == PX_COUNT(steps)) { /* the last steps say least */
                memmove(steps, steps + 1, (count - 1) * sizeof *steps);
                count--;
            }
            steps[count++] = at->name;
        } else {
            reach_expr(w, config, at->b, depth + 1);
        }
        at = at->a;
    }
    if (at->kind != HCL_NAME) {
        reach_expr(w, config, at, depth + 1);
        return;
    }
    for (size_t i = 0; i < count / 2; i++) {
        struct px_str swap = steps[i];
        steps[i] = steps[count - 1 - i];
        steps[count - 1 - i] = swap;
    }
    reach_name(w, config, at->name, steps, count);
}

static void reach_expr(struct walk *w, const struct plan_config *config, const struct hcl_expr *e,
                       unsigned depth)
{
    if (!e || depth > 400) return;
    if (e->kind == HCL_ATTR || e->kind == HCL_INDEX || e->kind == HCL_SPLAT) {
        reach_chain(w, config, e, depth);
        return;
    }
    reach_expr(w, config, e->a, depth + 1);
    reach_expr(w, config, e->b, depth + 1);
    reach_expr(w, config, e->c, depth + 1);
    for (const struct hcl_expr *item = e->first; item; item = item->next)
        reach_expr(w, config, item, depth + 1);
}

static void reach_body(struct walk *w, const struct plan_config *config,
                       const struct hcl_body *body)
{
    for (const struct hcl_attr *attr = body->attrs; attr; attr = attr->next)
        reach_expr(w, config, attr->expr, 0);
    for (const struct hcl_block *block = body->blocks; block; block = block->next)
        if (!px_str_eq(block->type, S("lifecycle"))) reach_body(w, config, &block->body);
}

/* What holds for all of a module: depends_on and for_each of its call, and of those around it. */
static void reach_callers(struct walk *w, const struct plan_config *config)
{
    static const char *const names[] = {"depends_on", "for_each", "count"};
    for (; config->parent; config = config->parent) {
        struct hcl_block *call = hcl_block_of(&config->parent->body, S("module"), config->name,
                                              S(""));
        for (size_t i = 0; call && i < PX_COUNT(names); i++)
            reach_expr(w, config->parent, hcl_attr_of(&call->body, px_str_c(names[i])), 0);
    }
}

static void follow_variable(struct walk *w, const struct node *node)
{
    const struct plan_config *parent = node->config->parent;
    struct hcl_block *call = parent ? hcl_block_of(&parent->body, S("module"), node->config->name,
                                                   S(""))
                                    : NULL;
    if (call) reach_expr(w, parent, hcl_attr_of(&call->body, node->name), 0);
}

static void follow_local(struct walk *w, const struct node *node)
{
    const struct hcl_block *block = node->config->body.blocks;
    for (; block; block = block->next)
        if (px_str_eq(block->type, S("locals")))
            reach_expr(w, node->config, hcl_attr_of(&block->body, node->name), 0);
}

static void follow_all(struct walk *w, const struct plan_config *config)
{
    for (const struct hcl_block *block = config->body.blocks; block; block = block->next) {
        struct node node = {.config = config, .type = block->label, .name = block->name};
        bool is_data = px_str_eq(block->type, S("data"));
        node.kind = is_data ? 'd' : 'r';
        if (is_data || px_str_eq(block->type, S("resource"))) reach(w, node);
    }
    for (const struct plan_config *child = config->children; child; child = child->next)
        reach_module(w, child);
}

static void follow(struct walk *w, struct node node)
{
    const struct hcl_body *body = &node.config->body;
    struct hcl_block *block = NULL;
    if (w->names_only && (node.kind == 'r' || node.kind == 'd' || node.kind == 'm')) return;
    switch (node.kind) {
    case 'v': follow_variable(w, &node); return;
    case 'l': follow_local(w, &node); return;
    case 'm': follow_all(w, node.config); return;
    case 'o': block = hcl_block_of(body, S("output"), node.name, S("")); break;
    case 'd': block = hcl_block_of(body, S("data"), node.type, node.name); break;
    default: block = hcl_block_of(body, S("resource"), node.type, node.name); break;
    }
    if (!block) return;
    reach_body(w, node.config, &block->body);
    if (node.kind != 'o') reach_callers(w, node.config);
}

bool rule_comes_after(struct plan *plan, const struct plan_resource *from,
                      const struct plan_resource *to)
{
    if (!from->module || !to->module) return false;
    struct walk w = {.arena = plan->arena,
                     .goal_config = to->module->config,
                     .goal_type = to->type,
                     .goal_name = to->name};
    struct node start = {from->module->config, from->is_data ? 'd' : 'r', from->type, from->name};
    follow(&w, start);
    while (w.next < w.count && !w.found) follow(&w, w.nodes[w.next++]);
    return w.found;
}

/* All names that an expression comes to, but not through resources. */
static struct walk names_of(struct plan *plan, const struct plan_config *config,
                            const struct hcl_expr *e)
{
    struct walk w = {.arena = plan->arena, .names_only = true};
    reach_expr(&w, config, e, 0);
    return w;
}

bool rule_made_of(struct plan *plan, const struct plan_resource *from, const char *attr,
                  const struct plan_resource *to, const char *source)
{
    if (!from->block || !to->block || !from->module || !to->module) return true;
    const struct hcl_expr *e = hcl_attr_of(&from->block->body, px_str_c(attr)),
                          *origin = hcl_attr_of(&to->block->body, px_str_c(source));
    struct walk goals = names_of(plan, to->module->config, origin);
    if (goals.count == 0) return true; /* a constant: nobody can tell */
    struct walk w = {.arena = plan->arena,
                     .names_only = true,
                     .goal_config = to->module->config,
                     .goal_type = to->type,
                     .goal_name = px_str_c(source)};
    reach_expr(&w, from->module->config, e, 0);
    while (w.next < w.count && !w.found) follow(&w, w.nodes[w.next++]);
    for (size_t g = 0; g < goals.count && !w.found; g++)
        for (size_t i = 0; i < w.count; i++)
            if (same(&w.nodes[i], &goals.nodes[g])) w.found = true;
    return w.found;
}
