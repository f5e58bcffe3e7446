/* svc/query/views.c - see views.h. */
#include "svc/query/views.h"

#include <stdlib.h>

#define VIEWS_KEPT_MAX 64
#define BYTES_KEPT_MAX ((size_t)1 << 20)

struct view {
    size_t name_len, sql_len, shape_len;
    char text[]; /* name, sql, shape */
};
struct views {
    struct view **items;
    size_t count, cap, bytes;
};

int views_new(struct views **ret_views)
{
    struct views *views = calloc(1, sizeof(*views));
    if (!views) return px_fault(PX_F_OOM, "views");
    *ret_views = views;
    return 0;
}

void views_free(struct views **views)
{
    struct views *v = *views;
    if (!v) return;
    for (size_t i = 0; i < v->count; i++) free(v->items[i]);
    free(v->items);
    free(v);
    *views = NULL;
}

/* ---- what is noted of one ---- */

static struct px_str name_of(const struct view *view) { return px_str(view->text, view->name_len); }

static bool is_same(const struct view *view, struct px_str sql, struct px_str shape)
{
    return px_str_eq(px_str(view->text + view->name_len, view->sql_len), sql) &&
           px_str_eq(px_str(view->text + view->name_len + view->sql_len, view->shape_len), shape);
}

static size_t bytes_of(const struct view *view)
{
    return view->name_len + view->sql_len + view->shape_len;
}

static struct view *view_make(struct px_str name, struct px_str sql, struct px_str shape)
{
    struct view *view = malloc(sizeof(*view) + name.len + sql.len + shape.len);
    if (!view) return NULL;
    *view = (struct view){name.len, sql.len, shape.len};
    char *at = view->text;
    const struct px_str parts[] = {name, sql, shape};
    for (size_t i = 0; i < PX_COUNT(parts); i++) {
        if (parts[i].len > 0) memcpy(at, parts[i].ptr, parts[i].len);
        at += parts[i].len;
    }
    return view;
}

static size_t find(const struct views *views, struct px_str name)
{
    size_t i = 0;
    while (i < views->count && !px_str_eq(name_of(views->items[i]), name)) i++;
    return i;
}

static void forget(struct views *views, size_t i)
{
    views->bytes -= bytes_of(views->items[i]);
    free(views->items[i]);
    views->items[i] = views->items[--views->count];
}

static int make_room(struct views *views)
{
    if (views->count < views->cap) return 0;
    size_t cap = views->cap ? views->cap * 2 : 16;
    struct view **grown = realloc(views->items, cap * sizeof(struct view *));
    if (!grown) return px_fault(PX_F_OOM, "views");
    views->items = grown;
    views->cap = cap;
    return 0;
}

/* ---- changes ---- */

/* After a fault in between the view may be either; its caller then gives up the engine. */
int views_put(struct views *views, struct sql_engine *engine, struct px_str name, struct px_str sql,
              struct px_str shape)
{
    size_t i = find(views, name);
    if (i < views->count && is_same(views->items[i], sql, shape)) return 0;
    PX_TRY(make_room(views));
    PX_AUTO(px_free_mem) struct view *view = view_make(name, sql, shape);
    if (!view) return px_fault(PX_F_OOM, "view");
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): PX_AUTO frees it */
    PX_TRY(sql_exec(engine, "%.*s", PX_FMT(sql)));
    if (i < views->count) forget(views, i);
    views->bytes += bytes_of(view);
    views->items[views->count++] = PX_TAKE(view);
    return 0;
}

static int drop_at(struct views *views, struct sql_engine *engine, size_t i)
{
    PX_AUTO(px_buf_deinit) struct px_buf sql;
    px_buf_init(&sql, 4096);
    px_buf_add_c(&sql, "DROP VIEW ");
    sql_add_identifier(&sql, name_of(views->items[i]));
    PX_TRY(px_buf_fault(&sql));
    PX_TRY(sql_exec(engine, "%.*s", PX_FMT(px_buf_str(&sql))));
    forget(views, i);
    return 0;
}

int views_drop(struct views *views, struct sql_engine *engine, struct px_str name)
{
    size_t i = find(views, name);
    if (i < views->count) PX_TRY(drop_at(views, engine, i));
    return 0;
}

int views_drop_all(struct views *views, struct sql_engine *engine)
{
    while (views->count > 0) PX_TRY(drop_at(views, engine, views->count - 1));
    return 0;
}

int views_tidy(struct views *views, struct sql_engine *engine)
{
    if (views->count > VIEWS_KEPT_MAX || views->bytes > BYTES_KEPT_MAX)
        PX_TRY(views_drop_all(views, engine));
    return 0;
}
