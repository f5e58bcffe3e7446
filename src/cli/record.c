/* cli/record.c - records as lines. */
#include "cli/record.h"

#include "cli/glyph.h"

#define LINE_BYTES_MAX (64u << 20)

void record_lines_init(struct record_lines *lines, int (*on_line)(void *ctx, struct px_str line),
                       void *ctx)
{
    *lines = (struct record_lines){.on_line = on_line, .ctx = ctx};
    px_buf_init(&lines->partial, LINE_BYTES_MAX);
}

void record_lines_deinit(struct record_lines *lines) { px_buf_deinit(&lines->partial); }

static int flush_partial(struct record_lines *lines, struct px_str rest_of_line)
{
    px_buf_add_str(&lines->partial, rest_of_line);
    int r = px_buf_fault(&lines->partial);
    if (r == 0) r = lines->on_line(lines->ctx, px_buf_str(&lines->partial));
    px_buf_clear(&lines->partial);
    return r;
}

int record_lines_feed(struct record_lines *lines, struct px_str piece)
{
    struct px_str line;
    for (;;) {
        const char *end = piece.len > 0 ? memchr(piece.ptr, '\n', piece.len) : NULL;
        if (!end) break;
        line = px_str(piece.ptr, (size_t)(end - piece.ptr));
        piece = px_str_skip(piece, line.len + 1);
        int r = lines->partial.len > 0 ? flush_partial(lines, line)
                                       : lines->on_line(lines->ctx, line);
        if (r != 0) return r;
    }
    px_buf_add_str(&lines->partial, piece);
    return px_buf_fault(&lines->partial);
}

int record_lines_end(struct record_lines *lines)
{
    return lines->partial.len > 0 ? flush_partial(lines, (struct px_str){0}) : 0;
}

/* ---- one line ---- */

static const char *const time_names[] = {"time", "timestamp", "@timestamp", NULL};
static const char *const severity_names[] = {"severity_text", "severity", "level", NULL};
static const char *const message_names[] = {"body", "message",     "msg", "log",
                                            "name", "metric_name", NULL};

static const char *first_of(yyjson_val *record, const char *const *names)
{
    for (; *names; names++) {
        yyjson_val *val = yyjson_obj_get(record, *names);
        if (val && !yyjson_is_null(val)) return *names;
    }
    return NULL;
}

static void add_value(struct px_buf *line, yyjson_val *val)
{
    if (yyjson_is_str(val))
        px_buf_add_str(line, px_json_val_str(val));
    else
        px_buf_add_json(line, val);
}

static void add_rest(struct px_buf *line, yyjson_val *record, const char *const shown[3])
{
    size_t i, n;
    yyjson_val *key, *val;
    px_json_obj_foreach(record, i, n, key, val)
    {
        const char *name = yyjson_get_str(key);
        bool told = false;
        for (size_t k = 0; k < 3; k++) told |= shown[k] && strcmp(shown[k], name) == 0;
        if (told || yyjson_is_null(val)) continue;
        if (line->len > 0) px_buf_add_char(line, ' ');
        px_buf_add_str(line, px_json_val_str(key));
        px_buf_add_char(line, '=');
        bool spaced = yyjson_is_str(val) && memchr(yyjson_get_str(val), ' ', yyjson_get_len(val));
        if (spaced)
            px_buf_add_json_str(line, px_json_val_str(val));
        else
            add_value(line, val);
    }
}

static void add_record(struct px_buf *line, yyjson_val *record)
{
    const char *const shown[3] = {first_of(record, time_names), first_of(record, severity_names),
                                  first_of(record, message_names)};
    for (size_t i = 0; i < PX_COUNT(shown); i++) {
        if (!shown[i]) continue;
        if (line->len > 0) px_buf_add_char(line, ' ');
        add_value(line, yyjson_obj_get(record, shown[i]));
    }
    add_rest(line, record, shown);
}

void record_print(struct cli *cli, struct px_str json)
{
    struct px_arena arena;
    PX_AUTO(px_buf_deinit) struct px_buf line, shown;
    yyjson_val *record = NULL;
    px_arena_init(&arena, 8 * (size_t)LINE_BYTES_MAX);
    px_buf_init(&line, LINE_BYTES_MAX);
    px_buf_init(&shown, GLYPH_BYTES * (size_t)LINE_BYTES_MAX);
    if (px_json_parse(json, &arena, &record, NULL) == 0 && yyjson_is_obj(record))
        add_record(&line, record);
    else
        px_buf_add_str(&line, json);
    glyph_add(&shown, px_buf_str(&line), false);
    px_buf_add_char(&shown, '\n');
    (void)fwrite(shown.ptr, 1, shown.len, cli->out);
    px_arena_deinit(&arena);
}
