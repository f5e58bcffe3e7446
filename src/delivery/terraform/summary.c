/* delivery/terraform/summary.c - what a plan would change, in people's words. */
#include "delivery/terraform/summary.h"

#include <stdlib.h>

#include "base/px_json.h"
#include "delivery/terraform/drift.h"

#define VALUE_BYTES_MAX 60
#define ATTRIBUTES_MAX 6
#define MADE_SINGLE_MAX 20 /* more of them are told by type */

static bool loses(const struct change *change)
{
    return change->kind == CHANGE_DESTROY || change->kind == CHANGE_REPLACE;
}

/* ---- one resource ---- */

static const char *sign_of(enum change_kind kind)
{
    static const char *const signs[] = {"=", "<=", "+", "~", "-/+", "-", "x"};
    return signs[kind];
}

static void write_attribute(const struct changes *all, const struct change_attribute *a,
                            struct px_buf *buf)
{
    px_buf_printf(buf, "%.*s ", PX_FMT(a->name));
    if (a->secret) {
        px_buf_add_str(buf, S("(sensitive) changes"));
        return;
    }
    changes_show(all, a->before, NULL, VALUE_BYTES_MAX, buf);
    px_buf_add_str(buf, S(" -> "));
    if (a->unknown && (!a->after || yyjson_is_null(a->after)))
        px_buf_add_str(buf, S("known after apply"));
    else
        changes_show(all, a->after, NULL, VALUE_BYTES_MAX, buf);
}

/* What follows from a change by itself (an ARN that is known later) is not worth a line when something is changed on purpose. */
static bool worth(const struct change *change, const struct change_attribute *a)
{
    if (change->kind == CHANGE_REPLACE) return a->replaces;
    return !a->unknown || (a->after && !yyjson_is_null(a->after));
}

static int write_attributes(const struct changes *all, const struct change *change,
                            struct px_buf *buf)
{
    struct change_attribute *items;
    size_t count, written = 0, left = 0;
    if (change->kind != CHANGE_UPDATE && change->kind != CHANGE_REPLACE) return 0;
    PX_TRY(changes_attributes(all, change, &items, &count));
    for (size_t i = 0; i < count; i++) {
        if (!worth(change, &items[i])) continue;
        if (written >= ATTRIBUTES_MAX) {
            left++;
            continue;
        }
        px_buf_add_str(buf, written++ > 0                    ? S(", ")
                            : change->kind == CHANGE_REPLACE ? S(": for ")
                                                             : S(": "));
        write_attribute(all, &items[i], buf);
    }
    if (left > 0) px_buf_printf(buf, " and %zu more", left);
    return 0;
}

static int write_resource(const struct changes *all, const struct summary_options *options,
                          const struct change *change, struct px_buf *buf)
{
    struct word word = words_of(options->words, all->arena, change->type);
    px_buf_printf(buf, "  %s %.*s %.*s", sign_of(change->kind), PX_FMT(word.name),
                  PX_FMT(change->address));
    if (change->deposed.len > 0) px_buf_add_str(buf, S(" (left from a replacement)"));
    if (change->previous_address.len > 0 && !px_str_eq(change->previous_address, change->address))
        px_buf_printf(buf, " (was %.*s)", PX_FMT(change->previous_address));
    PX_TRY(write_attributes(all, change, buf));
    if (px_str_eq(change->reason, S("replace_because_tainted")))
        px_buf_add_str(buf, S(": it was not finished"));
    px_buf_add_char(buf, '\n');
    return 0;
}

/* ---- many of one kind ---- */

static int by_type(const void *a, const void *b)
{
    const struct change *const *x = a, *const *y = b;
    return px_str_cmp((*x)->type, (*y)->type);
}

/* "+ 31 iam role, 24 log group": a first apply makes hundreds. */
static int write_made_by_type(const struct changes *all, const struct summary_options *options,
                              struct px_buf *buf)
{
    size_t count = 0, same = 0;
    const struct change **made = px_arena_array(all->arena, const struct change *, all->count + 1);
    if (!made) return px_arena_fault(all->arena);
    for (size_t i = 0; i < all->count; i++)
        if (all->items[i].kind == CHANGE_CREATE) made[count++] = &all->items[i];
    if (count > 1) qsort(made, count, sizeof(struct change *), by_type);
    for (size_t i = 0; i < count; i++) {
        same++;
        if (i + 1 < count && px_str_eq(made[i]->type, made[i + 1]->type)) continue;
        struct word word = words_of(options->words, all->arena, made[i]->type);
        px_buf_printf(buf, "  + %zu x %.*s\n", same, PX_FMT(word.name));
        same = 0;
    }
    return 0;
}

static int write_resources(const struct changes *all, const struct summary_options *options,
                           struct px_buf *buf)
{
    bool many = all->counts[CHANGE_CREATE] > MADE_SINGLE_MAX;
    size_t lines = 0, left = 0;
    for (size_t i = 0; i < all->count; i++) {
        const struct change *change = &all->items[i];
        if (change->kind == CHANGE_READ || (many && change->kind == CHANGE_CREATE)) continue;
        if (lines++ >= SUMMARY_LINES_MAX)
            left++;
        else
            PX_TRY(write_resource(all, options, change, buf));
    }
    if (left > 0) px_buf_printf(buf, "  and %zu more\n", left);
    return many ? write_made_by_type(all, options, buf) : 0;
}

/* ---- what is lost ---- */

static void write_loss(const struct changes *all, const struct change *change, struct word word,
                       struct px_buf *buf)
{
    (void)all;
    px_buf_printf(buf, "%.*s is %s: %.*s", PX_FMT(change->address), change_kind_word(change->kind),
                  PX_FMT(word.holds));
}

static int write_losses(const struct changes *all, const struct summary_options *options,
                        struct px_buf *buf)
{
    size_t lines = 0;
    for (size_t i = 0; i < all->count; i++) {
        struct word word = words_of(options->words, all->arena, all->items[i].type);
        if (!loses(&all->items[i]) || word.holds.len == 0) continue;
        if (lines++ >= SUMMARY_LINES_MAX) continue;
        px_buf_add_str(buf, S("  ! "));
        write_loss(all, &all->items[i], word, buf);
        px_buf_add_char(buf, '\n');
    }
    return 0;
}

int summary_warnings(const struct changes *all, const struct words *words, struct px_buf *buf)
{
    size_t written = 0;
    px_buf_add_char(buf, '[');
    for (size_t i = 0; i < all->count; i++) {
        PX_AUTO(px_buf_deinit) struct px_buf text = {0};
        struct word word = words_of(words, all->arena, all->items[i].type);
        if (!loses(&all->items[i]) || word.holds.len == 0) continue;
        if (written >= SUMMARY_LINES_MAX) break;
        px_buf_init(&text, 64 * 1024);
        write_loss(all, &all->items[i], word, &text);
        PX_TRY(px_buf_fault(&text));
        if (written++ > 0) px_buf_add_char(buf, ',');
        px_buf_add_json_str(buf, px_buf_str(&text));
    }
    px_buf_add_char(buf, ']');
    return 0;
}

/* ---- the rest ---- */

/* Only what the plan puts back: a refresh also finds what AWS filled in by itself. */
static int write_drift(const struct changes *all, const struct summary_options *options,
                       struct px_buf *buf)
{
    struct drift drift;
    PX_TRY(drift_find(all, options->words, "prism pipeline run", &drift));
    if (drift.counts[DRIFT_OUTSIDE] > 0)
        px_buf_printf(
            buf,
            "  drift: %zu of these were changed outside since the last apply; `prism drift` "
            "says which\n",
            drift.counts[DRIFT_OUTSIDE]);
    return 0;
}

static void write_cost(const struct cost *cost, struct px_buf *buf)
{
    px_buf_printf(
        buf,
        "  cost: about %+.2f %.*s a month for %zu resources that are paid for being there "
        "(prices of %.*s as noted down on %.*s; an estimate)\n",
        cost->after_month - cost->before_month, PX_FMT(cost->currency), cost->counted,
        PX_FMT(cost->region), PX_FMT(cost->date));
    px_buf_add_str(buf, S("        not counted: requests, bytes, storage, capacity by load"));
    for (size_t i = 0; i < cost->open_count; i++)
        px_buf_printf(buf, "%s%.*s", i == 0 ? "; without a price here: " : ", ",
                      PX_FMT(cost->open[i]));
    px_buf_add_str(buf, cost->open_more ? S(" and more\n") : S("\n"));
}

void summary_cost(const struct cost *cost, struct px_buf *buf)
{
    px_buf_printf(buf, "{\"before\":%.2f,\"after\":%.2f,\"difference\":%.2f,\"currency\":",
                  cost->before_month, cost->after_month, cost->after_month - cost->before_month);
    px_buf_add_json_str(buf, cost->currency);
    px_buf_add_str(buf, S(",\"date\":"));
    px_buf_add_json_str(buf, cost->date);
    px_buf_add_str(buf, S(",\"region\":"));
    px_buf_add_json_str(buf, cost->region);
    px_buf_printf(buf, ",\"counted\":%zu,\"not_counted\":[", cost->counted);
    for (size_t i = 0; i < cost->open_count; i++) {
        if (i > 0) px_buf_add_char(buf, ',');
        px_buf_add_json_str(buf, cost->open[i]);
    }
    px_buf_add_str(buf, S("]}"));
}

int summary_write(const struct changes *all, const struct summary_options *options,
                  struct px_buf *buf)
{
    px_buf_printf(buf, "%s: ", options->stack);
    if (!changes_any(all))
        px_buf_add_str(buf, S("no changes\n"));
    else
        px_buf_printf(buf, "%zu made, %zu changed in place, %zu replaced, %zu destroyed%s\n",
                      all->counts[CHANGE_CREATE], all->counts[CHANGE_UPDATE],
                      all->counts[CHANGE_REPLACE], all->counts[CHANGE_DESTROY],
                      all->count == 0 ? "; outputs alone change" : "");
    PX_TRY(write_resources(all, options, buf));
    PX_TRY(write_losses(all, options, buf));
    PX_TRY(write_drift(all, options, buf));
    if (options->cost && changes_any(all)) write_cost(options->cost, buf);
    return px_buf_fault(buf) ? px_fault(px_buf_fault(buf), "the summary of a plan") : 0;
}
