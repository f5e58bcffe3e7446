/* columnar/schema.c - see schema.h; docs/design/schema.md has the rules with examples.
 *
 * One column of the ceiling is kept free for `_other`, so that adding it never fails. */
#include "columnar/schema.h"

#include "columnar/names.h"

#define COLUMNS_AT_START 16

static struct px_str name_at(const void *schema, uint32_t column)
{
    return ((const struct schema *)schema)->columns[column].name;
}

static struct name_index index_of(const struct schema *schema)
{
    return (struct name_index){schema->slots, schema->slot_count, name_at, schema};
}

static int widen(struct schema *schema)
{
    uint32_t cap = schema->cap ? schema->cap * 2 : COLUMNS_AT_START;
    size_t bytes = sizeof *schema->columns;
    struct schema_column *columns = px_arena_realloc(schema->arena, schema->columns,
                                                     schema->cap * bytes, cap * bytes);
    if (!columns) return px_arena_fault(schema->arena);
    uint32_t slot_count = name_index_slots_for(cap);
    uint32_t *slots = px_arena_array(schema->arena, uint32_t, slot_count);
    if (!slots) return px_arena_fault(schema->arena);
    schema->columns = columns;
    schema->cap = cap;
    schema->slots = slots;
    schema->slot_count = slot_count;
    struct name_index index = index_of(schema);
    for (uint32_t i = 0; i < schema->count; i++) *name_index_slot(&index, columns[i].name) = i + 1;
    return 0;
}

static int append(struct schema *schema, struct px_str name, enum col_type type)
{
    if (schema->count == schema->cap) PX_TRY(widen(schema));
    struct px_str own = px_arena_dup(schema->arena, name);
    if (!own.ptr) return px_arena_fault(schema->arena);
    struct name_index index = index_of(schema);
    uint32_t *slot = name_index_slot(&index, own);
    PX_ASSERT(*slot == 0);
    schema->columns[schema->count] = (struct schema_column){own, type};
    *slot = ++schema->count;
    return 0;
}

int schema_init(struct schema *schema, struct px_arena *arena)
{
    *schema = (struct schema){.arena = arena};
    PX_TRY(append(schema, S(COL_TIME_NAME), COL_TIME));
    return 0;
}

int schema_find(const struct schema *schema, struct px_str name)
{
    struct name_index index = index_of(schema);
    return (int)*name_index_slot(&index, name) - 1;
}

static bool has_room(const struct schema *schema)
{
    bool other_is_there = schema_find(schema, S(COL_OTHER_NAME)) >= 0;
    return schema->count < SCHEMA_COLUMNS_MAX - (other_is_there ? 0u : 1u);
}

int schema_add_other(struct schema *schema, bool *ret_changed)
{
    if (schema_find(schema, S(COL_OTHER_NAME)) >= 0) return 0;
    PX_TRY(append(schema, S(COL_OTHER_NAME), COL_JSON));
    *ret_changed = true;
    return 0;
}

/* Whether every value of a type has a place in a column of another without loss. */
static bool always_converts(enum col_type from, enum col_type to)
{
    if (from == to || to == COL_STRING || to == COL_JSON) return true;
    return from == COL_INT && to == COL_DOUBLE; /* but for big ones, see schema_merge_frame() */
}

int schema_merge(struct schema *schema, struct px_str name, enum col_type type, bool *ret_changed)
{
    PX_ASSERT(name_is_valid(name));
    if (name_eq(name, S(COL_OTHER_NAME))) return schema_add_other(schema, ret_changed);
    int at = schema_find(schema, name);
    if (at < 0) {
        if (!has_room(schema)) return schema_add_other(schema, ret_changed);
        PX_TRY(append(schema, name, type == COL_MIXED ? COL_STRING : type));
        *ret_changed = true;
        return 0;
    }
    struct schema_column *column = &schema->columns[at];
    if (column->type == COL_INT && type == COL_DOUBLE) {
        column->type = COL_DOUBLE;
        *ret_changed = true;
        return schema_add_other(schema, ret_changed); /* an older INT may be too big */
    }
    return always_converts(type, column->type) ? 0 : schema_add_other(schema, ret_changed);
}
