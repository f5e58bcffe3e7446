/* sql/cell_type.c - DuckDB's logical types as struct cell_type. */
#include "sql/cell.h"

/* The scalar types that cell.c writes, by SQL's spelling. */
static const char *scalar_name(duckdb_type id)
{
    switch (id) {
    case DUCKDB_TYPE_SQLNULL: return "NULL";
    case DUCKDB_TYPE_BOOLEAN: return "BOOLEAN";
    case DUCKDB_TYPE_TINYINT: return "TINYINT";
    case DUCKDB_TYPE_SMALLINT: return "SMALLINT";
    case DUCKDB_TYPE_INTEGER: return "INTEGER";
    case DUCKDB_TYPE_BIGINT: return "BIGINT";
    case DUCKDB_TYPE_UTINYINT: return "UTINYINT";
    case DUCKDB_TYPE_USMALLINT: return "USMALLINT";
    case DUCKDB_TYPE_UINTEGER: return "UINTEGER";
    case DUCKDB_TYPE_UBIGINT: return "UBIGINT";
    case DUCKDB_TYPE_HUGEINT: return "HUGEINT";
    case DUCKDB_TYPE_UHUGEINT: return "UHUGEINT";
    case DUCKDB_TYPE_FLOAT: return "FLOAT";
    case DUCKDB_TYPE_DOUBLE: return "DOUBLE";
    case DUCKDB_TYPE_TIMESTAMP: return "TIMESTAMP";
    case DUCKDB_TYPE_TIMESTAMP_S: return "TIMESTAMP_S";
    case DUCKDB_TYPE_TIMESTAMP_MS: return "TIMESTAMP_MS";
    case DUCKDB_TYPE_TIMESTAMP_NS: return "TIMESTAMP_NS";
    case DUCKDB_TYPE_TIMESTAMP_TZ: return "TIMESTAMP WITH TIME ZONE";
    case DUCKDB_TYPE_DATE: return "DATE";
    case DUCKDB_TYPE_TIME: return "TIME";
    case DUCKDB_TYPE_TIME_TZ: return "TIME WITH TIME ZONE";
    case DUCKDB_TYPE_INTERVAL: return "INTERVAL";
    case DUCKDB_TYPE_VARCHAR: return "VARCHAR";
    case DUCKDB_TYPE_BLOB: return "BLOB";
    case DUCKDB_TYPE_BIT: return "BIT";
    case DUCKDB_TYPE_UUID: return "UUID";
    default: return NULL;
    }
}

static void type_free(duckdb_logical_type *type)
{
    if (*type) duckdb_destroy_logical_type(type);
}

static int full(const struct px_arena *arena)
{
    return px_fault(px_arena_fault(arena), "result types");
}

/* Takes a text of DuckDB's. */
static int take_text(char *text, struct px_arena *arena, struct px_str *ret_text)
{
    *ret_text = px_arena_dup(arena, px_str_c(text));
    duckdb_free(text);
    return ret_text->ptr ? 0 : full(arena);
}

static int init_child(duckdb_logical_type logical, struct px_arena *arena,
                      struct cell_type *ret_type)
{
    PX_AUTO(type_free) duckdb_logical_type owned = logical;
    int r = cell_type_init(owned, arena, ret_type);
    return r < 0 ? px_fold(r, __FILE__, __LINE__) : r;
}

static int init_decimal(duckdb_logical_type logical, struct px_arena *arena, struct cell_type *type)
{
    type->scale = duckdb_decimal_scale(logical);
    type->storage = duckdb_decimal_internal_type(logical);
    type->name = px_arena_printf(arena, "DECIMAL(%u,%u)", duckdb_decimal_width(logical),
                                 type->scale);
    return type->name.ptr ? 0 : full(arena);
}

static int init_enum(duckdb_logical_type logical, struct px_arena *arena, struct cell_type *type)
{
    uint32_t count = duckdb_enum_dictionary_size(logical);
    struct px_str *labels = px_arena_array(arena, struct px_str, count + 1);
    if (!labels) return full(arena);
    for (uint32_t i = 0; i < count; i++)
        PX_TRY(take_text(duckdb_enum_dictionary_value(logical, i), arena, &labels[i]));
    type->labels = labels;
    type->storage = duckdb_enum_internal_type(logical);
    type->name = S("ENUM");
    return 0;
}

static int alloc_children(struct px_arena *arena, struct cell_type *type, uint32_t count)
{
    type->children = px_arena_array(arena, struct cell_type, count + 1);
    type->child_count = count;
    return type->children ? 0 : full(arena);
}

static int init_sequence(duckdb_logical_type logical, struct px_arena *arena,
                         struct cell_type *type)
{
    bool array = type->id == DUCKDB_TYPE_ARRAY;
    PX_TRY(alloc_children(arena, type, 1));
    int r = init_child(array ? duckdb_array_type_child_type(logical)
                             : duckdb_list_type_child_type(logical),
                       arena, &type->children[0]);
    struct px_str child = type->children[0].name;
    if (array) {
        type->array_size = duckdb_array_type_array_size(logical);
        type->name = px_arena_printf(arena, "%.*s[%llu]", PX_FMT(child),
                                     (unsigned long long)type->array_size);
    } else {
        type->name = px_arena_printf(arena, "%.*s[]", PX_FMT(child));
    }
    return r == 0 && !type->name.ptr ? full(arena) : r;
}

static int init_map(duckdb_logical_type logical, struct px_arena *arena, struct cell_type *type)
{
    PX_TRY(alloc_children(arena, type, 2));
    int r = init_child(duckdb_map_type_key_type(logical), arena, &type->children[0]);
    if (r == 0) r = init_child(duckdb_map_type_value_type(logical), arena, &type->children[1]);
    type->name = px_arena_printf(arena, "MAP(%.*s, %.*s)", PX_FMT(type->children[0].name),
                                 PX_FMT(type->children[1].name));
    return r == 0 && !type->name.ptr ? full(arena) : r;
}

/* STRUCT and UNION: named members. */
static int init_members(duckdb_logical_type logical, struct px_arena *arena, struct cell_type *type)
{
    bool is_union = type->id == DUCKDB_TYPE_UNION;
    idx_t count = is_union ? duckdb_union_type_member_count(logical)
                           : duckdb_struct_type_child_count(logical);
    PX_TRY(alloc_children(arena, type, (uint32_t)count));
    struct px_str *labels = px_arena_array(arena, struct px_str, count + 1);
    if (!labels) return full(arena);
    type->labels = labels;
    type->name = is_union ? S("UNION(") : S("STRUCT(");
    for (idx_t i = 0; i < count; i++) {
        PX_TRY(take_text(is_union ? duckdb_union_type_member_name(logical, i)
                                  : duckdb_struct_type_child_name(logical, i),
                         arena, &labels[i]));
        int r = init_child(is_union ? duckdb_union_type_member_type(logical, i)
                                    : duckdb_struct_type_child_type(logical, i),
                           arena, &type->children[i]);
        if (r != 0) return r;
        type->name = px_arena_printf(arena, "%.*s%s%.*s %.*s%s", PX_FMT(type->name), i ? ", " : "",
                                     PX_FMT(labels[i]), PX_FMT(type->children[i].name),
                                     i + 1 == count ? ")" : "");
        if (!type->name.ptr) return full(arena);
    }
    return 0;
}

static int init_scalar(duckdb_logical_type logical, struct px_arena *arena, struct cell_type *type)
{
    const char *name = scalar_name(type->id);
    if (!name) {
        type->name = px_arena_printf(arena, "number %d", (int)type->id);
        return CELL_UNSUPPORTED;
    }
    type->name = px_str_c(name);
    if (type->id != DUCKDB_TYPE_VARCHAR) return 0;
    char *alias = duckdb_logical_type_get_alias(logical);
    if (alias && strcmp(alias, "JSON") == 0) {
        type->is_json = true;
        type->name = S("JSON");
    }
    duckdb_free(alias);
    return 0;
}

int cell_type_init(duckdb_logical_type logical, struct px_arena *arena, struct cell_type *ret_type)
{
    *ret_type = (struct cell_type){.id = duckdb_get_type_id(logical)};
    switch (ret_type->id) {
    case DUCKDB_TYPE_DECIMAL: return init_decimal(logical, arena, ret_type);
    case DUCKDB_TYPE_ENUM: return init_enum(logical, arena, ret_type);
    case DUCKDB_TYPE_LIST:
    case DUCKDB_TYPE_ARRAY: return init_sequence(logical, arena, ret_type);
    case DUCKDB_TYPE_MAP: return init_map(logical, arena, ret_type);
    case DUCKDB_TYPE_STRUCT:
    case DUCKDB_TYPE_UNION: return init_members(logical, arena, ret_type);
    default: return init_scalar(logical, arena, ret_type);
    }
}
