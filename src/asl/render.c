/* asl/render.c - one pass: text up to the next marker, then what the marker stands for.
 *
 * Source: Terraform documentation, "Strings and Templates". */
#include "asl/render.h"

#include "base/px_buf.h"

#define RENDERED_BYTES_MAX (4u << 20)

static const struct asl_value_of_name *find(const struct asl_value_of_name *values, size_t count,
                                            struct px_str name)
{
    for (size_t i = count; i > 0; i--) /* the last one given wins */
        if (px_str_eq(values[i - 1].name, name)) return &values[i - 1];
    return NULL;
}

static bool is_name(struct px_str name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!letter && !(i > 0 && ((c >= '0' && c <= '9') || c == '-'))) return false;
    }
    return name.len > 0;
}

struct marker {
    size_t at;      /* in the text; its length when there is none */
    bool escaped;   /* "$${" or "%%{" */
    char character; /* '$' or '%' */
};
static struct marker next_marker(struct px_str text, size_t from)
{
    for (size_t i = from; i + 1 < text.len; i++) {
        char c = text.ptr[i];
        if (c != '$' && c != '%') continue;
        if (text.ptr[i + 1] == '{') return (struct marker){i, false, c};
        bool escape = i + 2 < text.len && text.ptr[i + 1] == c && text.ptr[i + 2] == '{';
        if (escape) return (struct marker){i, true, c};
    }
    return (struct marker){.at = text.len};
}

/* The value of "${name}" at `at`; *ret_end is behind it. */
static int add_value(struct px_str text, size_t at, const struct asl_value_of_name *values,
                     size_t count, struct px_buf *out, size_t *ret_end, struct px_where *where)
{
    const char *close = memchr(text.ptr + at, '}', text.len - at);
    if (!close) {
        px_where_set(where, at, NULL, "a '}' that ends '${'");
        return ASL_INVALID;
    }
    size_t end = (size_t)(close - text.ptr);
    struct px_str name = px_str_trim(px_str(text.ptr + at + 2, end - at - 2));
    const struct asl_value_of_name *value = find(values, count, name);
    if (!is_name(name)) {
        px_where_set(where, at, NULL, "a name in '${...}'");
        return ASL_INVALID;
    }
    if (!value) {
        px_where_set(where, at, NULL, "a value for '%.*s'", PX_FMT(name));
        return ASL_INVALID;
    }
    px_buf_add_str(out, value->value);
    *ret_end = end + 1;
    return 0;
}

int asl_render(struct px_str template, const struct asl_value_of_name *values, size_t count,
               struct px_arena *arena, struct px_str *ret_text, struct px_where *ret_where)
{
    PX_AUTO(px_buf_deinit) struct px_buf out;
    px_buf_init(&out, RENDERED_BYTES_MAX);
    for (size_t at = 0; at < template.len;) {
        struct marker marker = next_marker(template, at);
        px_buf_add(&out, template.ptr + at, marker.at - at);
        at = marker.at;
        if (at == template.len) break;
        if (marker.escaped) {
            px_buf_add(&out, template.ptr + at + 1, 2);
            at += 3;
        } else if (marker.character == '%') {
            px_where_set(ret_where, at, NULL, "no directive: '%%{' is written '%%%%{'");
            return ASL_INVALID;
        } else {
            int r = add_value(template, at, values, count, &out, &at, ret_where);
            if (r != 0) return r;
        }
    }
    if (px_buf_fault(&out) != 0) return px_fold(px_buf_fault(&out), __FILE__, __LINE__);
    struct px_str text = px_arena_dup(arena, px_buf_str(&out));
    if (!text.ptr) return px_fold(px_arena_fault(arena), __FILE__, __LINE__);
    *ret_text = text;
    return 0;
}
