/* tools/apidoc.c - docs/api.md from platform/api.openapi.json.
 *
 *   apidoc CONTRACT.json > docs/api.md          write it
 *   apidoc CONTRACT.json docs/api.md            exit 1 when that file is not what would be written */
#include <stdio.h>
#include <stdlib.h>

#include "base/px_file.h"
#include "base/px_json.h"

#define DOC_BYTES_MAX (4 << 20)

static yyjson_val *root;

/* Follow a {"$ref":"#/components/..."}; anything else is itself. */
static yyjson_val *deref(yyjson_val *val)
{
    struct px_str ref = px_json_str(val, "$ref"), part;
    if (!px_str_starts(ref, S("#/"))) return val;
    struct px_str rest = px_str_skip(ref, 2);
    yyjson_val *at = root;
    while (rest.len) {
        (void)px_str_cut(&rest, '/', &part);
        at = yyjson_obj_getn(at, part.ptr, part.len);
    }
    return at;
}

static struct px_str ref_name(yyjson_val *val)
{
    struct px_str ref = px_json_str(val, "$ref");
    const char *slash = ref.len ? memrchr(ref.ptr, '/', ref.len) : NULL;
    return slash ? px_str_skip(ref, (size_t)(slash - ref.ptr) + 1) : (struct px_str){0};
}

/* string, integer, array of Dataset, one of "a", "b" ... */
static void write_type(struct px_buf *out, yyjson_val *schema)
{
    struct px_str name = ref_name(schema);
    yyjson_val *values = px_json_arr(schema, "enum"), *one;
    size_t idx, max;
    if (name.len) {
        px_buf_printf(out, "[%.*s](#%.*s)", PX_FMT(name), PX_FMT(name));
    } else if (px_str_eq(px_json_str(schema, "type"), S("array"))) {
        px_buf_add_c(out, "array of ");
        write_type(out, px_json_obj(schema, "items"));
    } else if (values) {
        px_json_arr_foreach(values, idx, max, one)
        {
            px_buf_printf(out, "%s`%s`", idx ? ", " : "", yyjson_get_str(one));
        }
    } else {
        struct px_str type = px_json_str(schema, "type");
        px_buf_add_str(out, type.len ? type : S("any"));
    }
}

/* Table cells must not hold line ends or bars. */
static void write_cell(struct px_buf *out, struct px_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '|')
            px_buf_add_c(out, "\\|");
        else
            px_buf_add_char(out, text.ptr[i] == '\n' ? ' ' : text.ptr[i]);
    }
}

static void write_parameters(struct px_buf *out, yyjson_val *parameters)
{
    size_t idx, max;
    yyjson_val *item;
    if (yyjson_arr_size(parameters) == 0) return;
    px_buf_add_c(out, "| parameter | in | type | meaning |\n|---|---|---|---|\n");
    px_json_arr_foreach(parameters, idx, max, item)
    {
        yyjson_val *p = deref(item);
        px_buf_printf(out, "| `%.*s`%s | %.*s | ", PX_FMT(px_json_str(p, "name")),
                      px_json_bool(p, "required", false) ? " (required)" : "",
                      PX_FMT(px_json_str(p, "in")));
        write_type(out, px_json_obj(p, "schema"));
        px_buf_add_c(out, " | ");
        write_cell(out, px_json_str(p, "description"));
        px_buf_add_c(out, " |\n");
    }
    px_buf_add_c(out, "\n");
}

static void write_example(struct px_buf *out, yyjson_val *media)
{
    yyjson_val *example = yyjson_obj_get(media, "example");
    if (!example) return;
    px_buf_add_c(out, "\n```json\n");
    if (yyjson_is_str(example))
        px_buf_add_str(out, px_str_trim(px_json_val_str(example)));
    else
        px_buf_add_json(out, example);
    px_buf_add_c(out, "\n```\n");
}

static void write_content(struct px_buf *out, const char *what, yyjson_val *content)
{
    size_t idx, max;
    yyjson_val *type, *media;
    px_json_obj_foreach(content, idx, max, type, media)
    {
        px_buf_printf(out, "%s `%s`: ", what, yyjson_get_str(type));
        write_type(out, px_json_obj(media, "schema"));
        px_buf_add_c(out, "\n");
        write_example(out, media);
        px_buf_add_c(out, "\n");
    }
}

static void write_answers(struct px_buf *out, yyjson_val *responses)
{
    size_t idx, max;
    yyjson_val *status, *item;
    px_buf_add_c(out, "| status | meaning |\n|---|---|\n");
    px_json_obj_foreach(responses, idx, max, status, item)
    {
        px_buf_printf(out, "| %s | ", yyjson_get_str(status));
        write_cell(out, px_json_str(deref(item), "description"));
        px_buf_add_c(out, " |\n");
    }
    px_buf_add_c(out, "\n");
    write_content(out, "Answer", px_json_obj(px_json_obj(responses, "200"), "content"));
    write_content(out, "Answer", px_json_obj(px_json_obj(responses, "201"), "content"));
}

static void write_operation(struct px_buf *out, const char *path, const char *method,
                            yyjson_val *operation)
{
    px_buf_add_c(out, "### ");
    for (const char *c = method; *c; c++) px_buf_add_char(out, (char)(*c - ('a' - 'A')));
    px_buf_printf(out, " %s\n\n%.*s. %.*s\n\n", path, PX_FMT(px_json_str(operation, "summary")),
                  PX_FMT(px_json_str(operation, "description")));
    if (yyjson_arr_size(px_json_arr(operation, "security")) == 0)
        px_buf_add_c(out, "No key needed.\n\n");
    write_parameters(out, px_json_arr(operation, "parameters"));
    write_content(out, "Body", px_json_obj(px_json_obj(operation, "requestBody"), "content"));
    write_answers(out, px_json_obj(operation, "responses"));
}

static void write_schema(struct px_buf *out, const char *name, yyjson_val *schema)
{
    size_t idx, max;
    yyjson_val *key, *val, *part;
    px_buf_printf(out, "### %s\n\n", name);
    if (px_json_str(schema, "description").len)
        px_buf_printf(out, "%.*s\n\n", PX_FMT(px_json_str(schema, "description")));
    yyjson_val *all = px_json_arr(schema, "allOf");
    px_json_arr_foreach(all, idx, max, part)
    {
        if (ref_name(part).len) {
            px_buf_add_c(out, "All of ");
            write_type(out, part);
            px_buf_add_c(out, ", and:\n\n");
        } else {
            schema = part;
        }
    }
    px_buf_add_c(out, "| field | type | meaning |\n|---|---|---|\n");
    yyjson_val *properties = px_json_obj(schema, "properties");
    px_json_obj_foreach(properties, idx, max, key, val)
    {
        px_buf_printf(out, "| `%s` | ", yyjson_get_str(key));
        write_type(out, val);
        px_buf_add_c(out, " | ");
        write_cell(out, px_json_str(val, "description"));
        px_buf_add_c(out, " |\n");
    }
    px_buf_add_c(out, "\n");
}

static void write_document(struct px_buf *out)
{
    size_t idx, max, j, m;
    yyjson_val *path, *item, *method, *operation, *name, *schema;
    px_buf_printf(
        out,
        "<!-- Made from platform/api.openapi.json by tools/apidoc.c (make docs); do not edit. -->\n"
        "# The regional API\n\n%.*s\n\n"
        "Send `Authorization: Bearer <key>`. Errors are [Problem](#Problem) documents.\n\n"
        "Each path answers `OPTIONS` to browsers, so that pages of other origins may call it (CORS).\n\n"
        "## Routes\n\n",
        PX_FMT(px_json_str(px_json_obj(root, "info"), "description")));
    yyjson_val *paths = px_json_obj(root, "paths");
    px_json_obj_foreach(paths, idx, max, path, item)
    {
        px_json_obj_foreach(item, j, m, method, operation)
        {
            if (strcmp(yyjson_get_str(method), "options") == 0) continue; /* browsers' own */
            write_operation(out, yyjson_get_str(path), yyjson_get_str(method), operation);
        }
    }
    px_buf_add_c(out, "## Documents\n\n");
    yyjson_val *schemas = px_json_at(root, "components.schemas");
    px_json_obj_foreach(schemas, idx, max, name, schema)
    {
        write_schema(out, yyjson_get_str(name), schema);
    }
}

int main(int argc, char **argv)
{
    struct px_arena arena;
    struct px_buf out, old;
    char text[512];
    if (argc < 2 || argc > 3) {
        fprintf(stderr, "usage: apidoc CONTRACT.json [docs/api.md]\n");
        return 2;
    }
    px_arena_init(&arena, 64 << 20);
    px_buf_init(&out, DOC_BYTES_MAX);
    px_buf_init(&old, DOC_BYTES_MAX);
    int r = px_json_load(argv[1], DOC_BYTES_MAX, &arena, &root);
    if (r != 0) {
        fprintf(stderr, "apidoc: %s\n", px_fault_text(r, text, sizeof(text)));
        return 1;
    }
    write_document(&out);
    int status = px_buf_fault(&out) ? 1 : 0;
    if (argc == 2)
        fwrite(out.ptr, 1, out.len, stdout);
    else if (px_file_read(argv[2], &old) != 0 || !px_str_eq(px_buf_str(&old), px_buf_str(&out))) {
        fprintf(stderr, "apidoc: %s is not up to date; run make docs\n", argv[2]);
        status = 1;
    }
    px_buf_deinit(&out);
    px_buf_deinit(&old);
    px_arena_deinit(&arena);
    return status;
}
