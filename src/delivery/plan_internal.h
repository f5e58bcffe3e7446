/* delivery/plan_internal.h - shared by the files that make up a plan. */
#pragma once

#include "delivery/plan.h"

struct plan_memo {
    struct px_str name;
    char kind; /* v ariable, l ocal, o utput, f or_each, a ttribute, e ach */
    bool busy;
    const struct value *value;
    struct plan_memo *next;
};
struct plan_slot {
    struct px_str key;
    struct plan_resource *resource;
};

/* plan_config.c */
PX_MUST_USE int plan_config_load(struct plan *plan, const char *source_dir);
/* plan_index.c */
PX_MUST_USE int plan_index(struct plan *plan);
/* "module.a[\"k\"].module.b" below the root, made when it is new; NULL: no such call. */
struct plan_module *plan_module_at(struct plan *plan, struct px_str address);
struct plan_module *plan_module_child(struct plan_module *parent, struct px_str name,
                                      const struct value *key);
/* The first part of an address, up to a dot outside of brackets; *rest gets what follows it. */
struct px_str plan_address_step(struct px_str *rest);
/* Split `name["key"]`; key stays NULL when there is none. */
bool plan_address_key(struct px_arena *arena, struct px_str step, struct px_str *ret_name,
                      const struct value **ret_key);
struct px_str plan_key_text(struct px_arena *arena, const struct value *key);
struct plan_resource *plan_slot_find(const struct plan_slot *slots, size_t mask, struct px_str key);
void plan_slot_put(struct plan_slot *slots, size_t mask, struct px_str key,
                   struct plan_resource *resource);
/* plan_fill.c */
const struct value *plan_memo_get(struct plan_memo *memos, char kind, struct px_str name,
                                  bool *ret_busy);
struct plan_memo *plan_memo_put(struct px_arena *arena, struct plan_memo **memos, char kind,
                                struct px_str name);
