/* columnar/schema_json.c - a schema as JSON text and back: what the catalog stores. */
#include "base/px_json.h"
#include "columnar/names.h"
#include "columnar/schema.h"

void schema_to_json(const struct schema *schema, struct px_buf *buf)
{
    px_buf_add_char(buf, '[');
    for (uint32_t i = 0; i < schema->count; i++) {
        if (i > 0) px_buf_add_char(buf, ',');
        px_buf_add_c(buf, "{\"name\":");
        px_buf_add_json_str(buf, schema->columns[i].name);
        px_buf_printf(buf, ",\"type\":\"%s\"}", col_type_name(schema->columns[i].type));
    }
    px_buf_add_char(buf, ']');
}

/* False when the column cannot stand where it does. */
static bool column_is_sound(const struct schema *schema, struct px_str name, enum col_type type)
{
    if (!name_is_valid(name) || type == COL_MIXED) return false;
    if (name_eq(name, S(COL_OTHER_NAME)) && type != COL_JSON) return false;
    return schema_find(schema, name) < 0 && schema->count < SCHEMA_COLUMNS_MAX;
}

static bool read_column(yyjson_val *item, struct px_str *ret_name, enum col_type *ret_type)
{
    *ret_name = px_json_str(item, "name");
    return col_type_parse(px_json_str(item, "type"), ret_type);
}

static int read_columns(yyjson_val *root, struct schema *schema)
{
    size_t i, count;
    yyjson_val *item;
    yyjson_arr_foreach(root, i, count, item)
    {
        struct px_str name;
        enum col_type type;
        if (!read_column(item, &name, &type)) return SCHEMA_INVALID;
        if (i == 0) { /* stands already */
            if (!px_str_eq(name, S(COL_TIME_NAME)) || type != COL_TIME) return SCHEMA_INVALID;
            continue;
        }
        if (!column_is_sound(schema, name, type)) return SCHEMA_INVALID;
        bool changed = false;
        PX_TRY(schema_merge(schema, name, type, &changed));
        const struct schema_column *last = &schema->columns[schema->count - 1];
        if (!changed || !name_eq(last->name, name)) return SCHEMA_INVALID;
    }
    return i > 0 ? 0 : SCHEMA_INVALID;
}

int schema_from_json(struct px_str json, struct px_arena *arena, struct schema *ret_schema)
{
    yyjson_val *root;
    int r = px_json_parse(json, arena, &root, NULL);
    if (r == PX_JSON_INVALID) return SCHEMA_INVALID;
    PX_TRY(r);
    struct schema schema;
    PX_TRY(schema_init(&schema, arena));
    r = read_columns(root, &schema);
    if (r != 0) return r;
    *ret_schema = schema;
    return 0;
}
