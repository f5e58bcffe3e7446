/* delivery/terraform/drift.c - how what is deployed differs from what should be. */
#include "delivery/terraform/drift.h"

#include <stdlib.h>

#include "base/px_json.h"

#define VALUE_BYTES_MAX 200
#define SHOWN_MAX 500 /* lines; the rest is counted */

struct finder {
    const struct changes *all;
    const struct words *words;
    const char *command;
    struct drift *drift;
    size_t cap;
};

const char *drift_by_name(enum drift_by by)
{
    static const char *const names[] = {"", "outside", "release", "unmanaged", "owned"};
    return names[by];
}

size_t drift_found(const struct drift *drift)
{
    return drift->counts[DRIFT_OUTSIDE] + drift->counts[DRIFT_RELEASE];
}

/* ---- findings ---- */

static int push(struct finder *f, struct drift_finding finding)
{
    struct drift *drift = f->drift;
    if (drift->count == f->cap) {
        size_t cap = f->cap > 0 ? 2 * f->cap : 64;
        void *items = px_arena_realloc(f->all->arena, drift->items, f->cap * sizeof finding,
                                       cap * sizeof finding);
        if (!items) return px_arena_fault(f->all->arena);
        drift->items = items;
        f->cap = cap;
    }
    drift->items[drift->count++] = finding;
    drift->counts[finding.by]++;
    if (finding.by <= DRIFT_RELEASE && finding.weight > drift->worst) drift->worst = finding.weight;
    return 0;
}

static int show(struct finder *f, yyjson_val *value, bool secret, struct px_str *ret_text)
{
    PX_AUTO(px_buf_deinit) struct px_buf buf = {0};
    px_buf_init(&buf, 16 * 1024);
    if (secret)
        px_buf_add_str(&buf, S("(sensitive)"));
    else
        changes_show(f->all, value, NULL, VALUE_BYTES_MAX, &buf);
    PX_TRY(px_buf_fault(&buf));
    *ret_text = px_arena_dup(f->all->arena, px_buf_str(&buf));
    return ret_text->ptr ? 0 : px_arena_fault(f->all->arena);
}

/* Descriptions and tags mislead people; nothing works otherwise for them. */
static enum words_weight weight_of(const struct word *word, enum drift_by by,
                                   struct px_str attribute)
{
    static const char *const light[] = {"tags", "tags_all", "description", "display_name"};
    for (size_t i = 0; i < PX_COUNT(light); i++)
        if (px_str_eq(attribute, px_str_c(light[i]))) return WORDS_LOW;
    if (by == DRIFT_UNMANAGED || by == DRIFT_OWNED) return WORDS_LOW;
    return by == DRIFT_RELEASE ? PX_MIN(word->weight, WORDS_MIDDLE) : word->weight;
}

static struct px_str todo_of(struct finder *f, const struct change *change, enum drift_by by,
                             const struct word *word)
{
    struct px_arena *arena = f->all->arena;
    bool lost = word->holds.len > 0 &&
                (change->kind == CHANGE_REPLACE || change->kind == CHANGE_DESTROY ||
                 (change->kind == CHANGE_CREATE && by == DRIFT_OUTSIDE));
    switch (by) {
    case DRIFT_OUTSIDE:
        if (change->kind == CHANGE_CREATE && lost)
            return px_arena_printf(
                arena, "it is gone: restore what it held before `%s` makes an empty one",
                f->command);
        if (lost)
            return px_arena_printf(arena, "do not apply as it is: %.*s; change it back by hand",
                                   PX_FMT(word->holds));
        return px_arena_printf(
            arena, "`%s` puts it back; if it is right, write it into infra/ first", f->command);
    case DRIFT_RELEASE:
        if (lost)
            return px_arena_printf(arena, "`%s` applies it once the plan is approved: %.*s",
                                   f->command, PX_FMT(word->holds));
        return px_arena_printf(arena, "`%s` applies it", f->command);
    case DRIFT_UNMANAGED: return S("no apply changes it; write it into infra/ if it matters");
    default: return S("nothing");
    }
}

static int add(struct finder *f, const struct change *change, const struct change_attribute *a,
               enum drift_by by, yyjson_val *should, yyjson_val *is)
{
    struct word word = words_of(f->words, f->all->arena, change->type);
    struct drift_finding finding = {.address = change->address,
                                    .type = change->type,
                                    .word = word.name,
                                    .attribute = a->name,
                                    .owner = words_owner(f->words, change->type, a->name),
                                    .by = by};
    if (finding.owner.len > 0) finding.by = DRIFT_OWNED;
    finding.weight = weight_of(&word, finding.by, a->name);
    /* what would be lost weighs most, whoever began */
    if (a->replaces && word.holds.len > 0 && finding.by != DRIFT_OWNED)
        finding.weight = WORDS_CRITICAL;
    finding.todo = todo_of(f, change, finding.by, &word);
    if (!finding.todo.ptr) return px_arena_fault(f->all->arena);
    PX_TRY(show(f, should, a->secret, &finding.should));
    PX_TRY(show(f, is, a->secret, &finding.is));
    return push(f, finding);
}

static int add_whole(struct finder *f, const struct change *change, enum drift_by by,
                     const char *should, const char *is)
{
    struct word word = words_of(f->words, f->all->arena, change->type);
    struct drift_finding finding = {.address = change->address,
                                    .type = change->type,
                                    .word = word.name,
                                    .should = px_str_c(should),
                                    .is = px_str_c(is),
                                    .by = by,
                                    .weight = weight_of(&word, by, S(""))};
    bool lost = word.holds.len > 0 && (by == DRIFT_OUTSIDE || change->kind == CHANGE_DESTROY);
    if (lost && word.weight > finding.weight) finding.weight = word.weight;
    finding.todo = todo_of(f, change, by, &word);
    return finding.todo.ptr ? push(f, finding) : px_arena_fault(f->all->arena);
}

/* ---- from a plan ---- */

static int compare(const void *key, const void *item)
{
    const struct change *a = key, *b = item;
    int order = px_str_cmp(a->address, b->address);
    return order != 0 ? order : px_str_cmp(a->deposed, b->deposed);
}

static const struct change *same(const struct change *change, const struct change *list,
                                 size_t count)
{
    return count > 0 ? bsearch(change, list, count, sizeof *list, compare) : NULL;
}

static bool names(const struct change_attribute *items, size_t count, struct px_str name)
{
    for (size_t i = 0; i < count; i++)
        if (px_str_eq(items[i].name, name)) return true;
    return false;
}

/* tags_all follows from tags and the provider's own. */
static bool follows(const struct change_attribute *items, size_t count,
                    const struct change_attribute *a)
{
    return px_str_eq(a->name, S("tags_all")) && names(items, count, S("tags"));
}

static int attributes_of(struct finder *f, const struct change *change,
                         struct change_attribute **ret_items, size_t *ret_count)
{
    *ret_count = 0;
    return change ? changes_attributes(f->all, change, ret_items, ret_count) : 0;
}

static int look_at_update(struct finder *f, const struct change *change,
                          const struct change *outside)
{
    struct change_attribute *items = NULL, *moved = NULL;
    size_t count, moved_count;
    PX_TRY(attributes_of(f, change, &items, &count));
    PX_TRY(attributes_of(f, outside, &moved, &moved_count));
    for (size_t i = 0; i < count; i++) {
        const struct change_attribute *a = &items[i];
        bool later = a->unknown && (!a->after || yyjson_is_null(a->after));
        if ((later && !a->replaces) || follows(items, count, a)) continue;
        PX_TRY(add(f, change, a, names(moved, moved_count, a->name) ? DRIFT_OUTSIDE : DRIFT_RELEASE,
                   a->after, a->before));
    }
    return 0;
}

static int look_at_change(struct finder *f, const struct change *change)
{
    const struct change *outside = same(change, f->all->drift, f->all->drift_count);
    bool gone = outside && outside->kind == CHANGE_DESTROY;
    switch (change->kind) {
    case CHANGE_CREATE:
        return gone ? add_whole(f, change, DRIFT_OUTSIDE, "there", "gone")
                    : add_whole(f, change, DRIFT_RELEASE, "there", "not made yet");
    case CHANGE_DESTROY:
        return add_whole(f, change, DRIFT_RELEASE, "not there",
                         change->deposed.len > 0 ? "left from a replacement" : "there");
    case CHANGE_FORGET: return add_whole(f, change, DRIFT_RELEASE, "left to others", "managed");
    case CHANGE_UPDATE:
    case CHANGE_REPLACE:
        if (px_str_eq(change->reason, S("replace_because_tainted")))
            return add_whole(f, change, DRIFT_RELEASE, "finished", "not finished");
        return look_at_update(f, change, outside);
    default: return 0;
    }
}

/* What was changed outside and stays so. */
static int look_at_outside(struct finder *f, const struct change *outside)
{
    const struct change *change = same(outside, f->all->items, f->all->count);
    struct change_attribute *items = NULL, *back = NULL;
    size_t count, back_count;
    if (outside->kind != CHANGE_UPDATE) return 0;
    if (change && change->kind != CHANGE_UPDATE && change->kind != CHANGE_REPLACE) return 0;
    PX_TRY(attributes_of(f, outside, &items, &count));
    PX_TRY(attributes_of(f, change, &back, &back_count));
    for (size_t i = 0; i < count; i++) {
        if (names(back, back_count, items[i].name) || follows(items, count, &items[i])) continue;
        PX_TRY(add(f, outside, &items[i], DRIFT_UNMANAGED, items[i].before, items[i].after));
    }
    return 0;
}

static int by_place(const void *a, const void *b)
{
    const struct drift_finding *x = a, *y = b;
    int order = (int)y->weight - (int)x->weight; /* what counts for nothing weighs least */
    if (order == 0) order = px_str_cmp(x->address, y->address);
    return order != 0 ? order : px_str_cmp(x->attribute, y->attribute);
}

int drift_find(const struct changes *changes, const struct words *words, const char *command,
               struct drift *ret_drift)
{
    struct drift drift = {0};
    struct finder f = {.all = changes, .words = words, .command = command, .drift = &drift};
    drift.absent = changes->managed > 0 && changes->counts[CHANGE_CREATE] == changes->managed &&
                   changes->drift_count == 0;
    for (size_t i = 0; i < changes->count; i++) PX_TRY(look_at_change(&f, &changes->items[i]));
    for (size_t i = 0; i < changes->drift_count; i++)
        PX_TRY(look_at_outside(&f, &changes->drift[i]));
    if (drift.count > 1) qsort(drift.items, drift.count, sizeof *drift.items, by_place);
    *ret_drift = drift;
    return 0;
}

/* ---- writing ---- */

static const char *sentence(enum drift_by by)
{
    switch (by) {
    case DRIFT_OUTSIDE: return "changed outside";
    case DRIFT_RELEASE: return "not applied yet";
    case DRIFT_UNMANAGED: return "changed outside, and not managed";
    default: return "moved by its owner";
    }
}

static void write_finding(const struct drift_finding *d, struct px_buf *buf)
{
    px_buf_printf(buf, "  %s: %.*s %.*s", words_weight_name(d->weight), PX_FMT(d->word),
                  PX_FMT(d->address));
    if (d->attribute.len > 0) px_buf_printf(buf, " %.*s", PX_FMT(d->attribute));
    px_buf_printf(buf, ": should be %.*s, is %.*s (%s", PX_FMT(d->should), PX_FMT(d->is),
                  sentence(d->by));
    if (d->by == DRIFT_OWNED) px_buf_printf(buf, ": %.*s", PX_FMT(d->owner));
    px_buf_add_str(buf, S(")\n"));
    if (d->by != DRIFT_OWNED) px_buf_printf(buf, "      %.*s\n", PX_FMT(d->todo));
}

void drift_write_text(const struct drift *drift, struct px_str label, bool all, struct px_buf *buf)
{
    size_t lines = 0, left = 0;
    if (drift->absent) {
        px_buf_printf(buf, "%.*s: nothing of it is deployed\n", PX_FMT(label));
        return;
    }
    px_buf_printf(buf, "%.*s: ", PX_FMT(label));
    if (drift_found(drift) == 0)
        px_buf_add_str(buf, S("no drift"));
    else
        px_buf_printf(buf, "%zu changed outside, %zu not applied yet", drift->counts[DRIFT_OUTSIDE],
                      drift->counts[DRIFT_RELEASE]);
    if (all && drift->counts[DRIFT_UNMANAGED] > 0)
        px_buf_printf(buf, "; %zu changed outside that nothing manages",
                      drift->counts[DRIFT_UNMANAGED]);
    if (all && drift->counts[DRIFT_OWNED] > 0)
        px_buf_printf(buf, "; %zu moved by their owners", drift->counts[DRIFT_OWNED]);
    px_buf_add_char(buf, '\n');
    for (size_t i = 0; i < drift->count; i++) {
        if (drift->items[i].by > DRIFT_RELEASE && !all) continue;
        if (lines++ >= SHOWN_MAX)
            left++;
        else
            write_finding(&drift->items[i], buf);
    }
    if (left > 0) px_buf_printf(buf, "  and %zu more; --json has all\n", left);
}

static void write_member(struct px_buf *buf, const char *name, struct px_str text)
{
    px_buf_printf(buf, ",\"%s\":", name);
    px_buf_add_json_str(buf, text);
}

void drift_write_json(const struct drift *drift, struct px_buf *buf)
{
    px_buf_add_char(buf, '[');
    for (size_t i = 0; i < drift->count; i++) {
        const struct drift_finding *d = &drift->items[i];
        px_buf_add_str(buf, i > 0 ? S(",{\"address\":") : S("{\"address\":"));
        px_buf_add_json_str(buf, d->address);
        write_member(buf, "type", d->type);
        write_member(buf, "resource", d->word);
        if (d->attribute.len > 0) write_member(buf, "attribute", d->attribute);
        write_member(buf, "should", d->should);
        write_member(buf, "is", d->is);
        write_member(buf, "by", px_str_c(drift_by_name(d->by)));
        write_member(buf, "weight", px_str_c(words_weight_name(d->weight)));
        if (d->owner.len > 0) write_member(buf, "owner", d->owner);
        write_member(buf, "todo", d->todo);
        px_buf_add_char(buf, '}');
    }
    px_buf_add_char(buf, ']');
}
