/* config/source.c - see source.h. */
#include "config/source.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/px_file.h"
#include "config/jsonnet.h"

/* ---- files ---- */

struct reader {
    struct px_str root; /* of what may be imported, with a slash; empty: nothing */
    uint64_t steps_max;
    struct px_arena *arena;
    struct px_str *files;
    size_t file_count;
};

static const char *from_here(const char *real)
{
    char here[PATH_MAX];
    if (!getcwd(here, sizeof here)) return real;
    size_t n = strlen(here);
    bool below = n > 1 && strncmp(real, here, n) == 0 && real[n] == '/';
    return below ? real + n + 1 : real;
}

struct px_str config_shown_path(struct px_arena *arena, const char *real)
{
    return px_arena_dup(arena, px_str_c(from_here(real)));
}

/* NUL-terminated, from malloc; NULL with a reason that is a literal. */
static char *read_text(const char *real, const char **ret_why)
{
    PX_AUTO(px_buf_deinit) struct px_buf text;
    px_buf_init(&text, CONFIG_FILE_BYTES_MAX + 1);
    int r = px_file_read(real, &text);
    *ret_why = NULL;
    if (r == PX_FILE_ABSENT) *ret_why = "there is no such file";
    if (r == PX_FILE_TOO_LARGE) *ret_why = "it is larger than 1 MiB";
    if (r < 0) *ret_why = "it cannot be read";
    if (!*ret_why && text.len > 0 && memchr(text.ptr, '\0', text.len))
        *ret_why = "it holds a NUL byte";
    if (*ret_why) return NULL;
    px_buf_add_char(&text, '\0');
    return px_buf_fault(&text) == 0 ? PX_TAKE(text.ptr) : NULL;
}

static const char *resolve(const struct reader *reader, const char *from, const char *name,
                           char real[PATH_MAX])
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof path, "%s%s", name[0] == '/' ? "" : from, name);
    if (reader->root.len == 0) return "nothing is imported here";
    if (n < 0 || (size_t)n >= sizeof path) return "its path is too long";
    if (!realpath(path, real))
        return errno == ENOENT ? "there is no such file" : "it cannot be reached";
    if (!px_str_starts(px_str_c(real), reader->root))
        return "it lies outside of the platform's folder";
    return NULL;
}

static const char *note_file(struct reader *reader, const char *real)
{
    if (reader->file_count == CONFIG_FILES_MAX) return "more than 64 files are imported";
    reader->files[reader->file_count] = px_arena_dup(reader->arena, px_str_c(real));
    return reader->files[reader->file_count++].ptr ? NULL : "memory is out";
}

static int import(void *ctx, const char *from, const char *name, char **ret_file, char **ret_text)
{
    struct reader *reader = ctx;
    char real[PATH_MAX] = "";
    const char *why = resolve(reader, from, name, real);
    if (!why) why = note_file(reader, real);
    if (!why) *ret_text = read_text(real, &why);
    if (why) {
        *ret_text = strdup(why);
        return -1;
    }
    *ret_file = strdup(from_here(real));
    return 0;
}

static int evaluate(const char *file, const char *text, struct reader *reader,
                    struct px_arena *arena, struct config_tree *ret_tree)
{
    const struct jsonnet_bounds bounds = {.steps_max = reader->steps_max,
                                          .bytes_max = reader->steps_max * CONFIG_BYTES_PER_STEP,
                                          .frames_max = CONFIG_FRAMES_MAX,
                                          .depth_max = CONFIG_DEPTH_MAX,
                                          .output_bytes_max = CONFIG_OUTPUT_BYTES_MAX};
    PX_AUTO(px_free_mem) char *json = NULL;
    size_t bytes = 0;
    reader->arena = arena;
    reader->files = px_arena_array(arena, struct px_str, CONFIG_FILES_MAX);
    if (!reader->files) return px_arena_fault(arena);
    yyjson_val *whole = NULL;
    struct px_where where = {0};
    if (jsonnet_evaluate(file, text, &bounds, import, reader, &json, &bytes) != 0)
        return px_fault(PX_F_OOM, "%s", file);
    int r = px_json_parse(px_str(json, bytes), arena, &whole, &where);
    if (r == PX_JSON_INVALID)
        return px_fault(PX_F_BUG, "%s: %s at %zu", file, where.expected, where.offset);
    PX_TRY(r);
    *ret_tree = (struct config_tree){.root = yyjson_obj_get(whole, "root"),
                                     .files = yyjson_obj_get(whole, "files"),
                                     .faults = yyjson_obj_get(whole, "faults"),
                                     .read = reader->files,
                                     .read_count = reader->file_count};
    return 0;
}

int config_evaluate(const char *platform_dir, const char *path, struct px_arena *arena,
                    struct config_tree *ret_tree)
{
    char root[PATH_MAX], real[PATH_MAX];
    const char *why = NULL;
    if (!realpath(platform_dir, root)) return px_fault_errno("%s", platform_dir);
    if (!realpath(path, real)) return px_fault(PX_F_CONFIG, "%s: %m", path);
    PX_AUTO(px_free_mem) char *text = read_text(real, &why);
    if (why) return px_fault(PX_F_CONFIG, "%s: %s", path, why);
    if (!text) return px_fault(PX_F_OOM, "%s", path);
    struct px_str below = px_arena_printf(arena, "%s/", root);
    if (!below.ptr) return px_arena_fault(arena);
    struct reader reader = {.root = below, .steps_max = CONFIG_STEPS_MAX};
    return evaluate(from_here(real), text, &reader, arena, ret_tree);
}

int config_evaluate_text(const char *text, uint64_t steps_max, struct px_arena *arena,
                         struct config_tree *ret_tree)
{
    struct reader reader = {.steps_max = steps_max};
    return evaluate("text", text, &reader, arena, ret_tree);
}

/* ---- nodes ---- */

static const struct {
    const char *type, *name;
} kinds[] = {[CONFIG_NULL] = {"null", "null"},         [CONFIG_BOOL] = {"boolean", "true or false"},
             [CONFIG_NUMBER] = {"number", "a number"}, [CONFIG_TEXT] = {"string", "a text"},
             [CONFIG_LIST] = {"array", "a list"},      [CONFIG_MAP] = {"object", "an object"},
             [CONFIG_WRONG] = {"fault", "wrong"}};

enum config_kind config_kind_of(yyjson_val *node)
{
    struct px_str type = px_json_str(node, "t");
    for (size_t i = 0; i < PX_COUNT(kinds); i++)
        if (px_str_eq(type, px_str_c(kinds[i].type))) return (enum config_kind)i;
    return CONFIG_NULL;
}

const char *config_kind_name(enum config_kind kind) { return kinds[kind].name; }

yyjson_val *config_field(yyjson_val *node, struct px_str name)
{
    yyjson_val *fields = config_fields(node);
    return fields ? yyjson_obj_getn(fields, name.ptr ? name.ptr : "", name.len) : NULL;
}

yyjson_val *config_at(yyjson_val *node, const char *path)
{
    struct px_str rest = px_str_c(path), name;
    while (node && rest.len > 0) {
        (void)px_str_cut(&rest, '.', &name);
        node = config_field(node, name);
    }
    return node;
}

struct px_str config_text(yyjson_val *node) { return px_json_val_str(config_value(node)); }

double config_number(yyjson_val *node, double otherwise)
{
    yyjson_val *value = config_value(node);
    return yyjson_is_num(value) ? yyjson_get_num(value) : otherwise;
}

bool config_truth(yyjson_val *node, bool otherwise)
{
    yyjson_val *value = config_value(node);
    return yyjson_is_bool(value) ? yyjson_get_bool(value) : otherwise;
}

struct config_place config_place_at(const struct config_tree *tree, yyjson_val *place)
{
    if (!place) return (struct config_place){0};
    return (struct config_place){
        .file = px_json_val_str(
            yyjson_arr_get(tree->files, (size_t)yyjson_get_uint(yyjson_arr_get(place, 0)))),
        .line = (uint32_t)yyjson_get_uint(yyjson_arr_get(place, 1)),
        .column = (uint32_t)yyjson_get_uint(yyjson_arr_get(place, 2))};
}

struct config_place config_place_of(const struct config_tree *tree, yyjson_val *node)
{
    yyjson_val *from = yyjson_obj_get(node, "from");
    return config_place_at(tree, from ? from : yyjson_obj_get(node, "at"));
}

void config_write_json(struct px_buf *to, yyjson_val *node)
{
    size_t i, n;
    yyjson_val *key, *part;
    if (config_fields(node)) {
        px_buf_add_char(to, '{');
        yyjson_obj_foreach(config_fields(node), i, n, key, part)
        {
            if (i > 0) px_buf_add_char(to, ',');
            px_buf_add_json_str(to, px_json_val_str(key));
            px_buf_add_char(to, ':');
            config_write_json(to, part);
        }
        px_buf_add_char(to, '}');
    } else if (config_items(node)) {
        px_buf_add_char(to, '[');
        yyjson_arr_foreach(config_items(node), i, n, part)
        {
            if (i > 0) px_buf_add_char(to, ',');
            config_write_json(to, part);
        }
        px_buf_add_char(to, ']');
    } else if (config_value(node)) {
        px_buf_add_json(to, config_value(node));
    } else {
        px_buf_add_c(to, "null");
    }
}
