/* region/workflows_machines.c - which definition a start runs on: versions of machines and their aliases.
 *
 * A machine that nobody changed has version 1, what the platform says, and alias `live` on it; nothing is written down for it, and it
 * follows the next platform. The first change keeps what it is in the journal (store/machines.h), and from then on the machine runs what
 * was published; another platform's definition is then what the next publication makes a version of.
 *
 * The loop reads the record in memory. Changes are made in the reading thread, one after another, from what the journal has, and come
 * back as a new record as a whole. */
#include <stdio.h>
#include <stdlib.h>

#include "base/px_id.h"
#include "region/workflows_internal.h"

#define FIGURES_MAX                                                                                \
    16u /* pairs of version and alias of one machine with figures: 100 KB each; what nobody used for longest goes */
#define RECORD_BYTES_MAX ((size_t)4 << 20) /* a thousand versions, a hundred aliases */

static struct machine_holder *holder_of(const struct workflows *w,
                                        const struct workflow_machine *machine)
{
    return &w->holders[machine - w->catalogue.machines];
}

void machine_kept_free(struct machine_kept **kept)
{
    if (!*kept) return;
    px_arena_deinit(&(*kept)->arena);
    free(*kept);
    *kept = NULL;
}

static int kept_new(struct machine_kept **ret_kept)
{
    struct machine_kept *kept = calloc(1, sizeof *kept);
    if (!kept) return px_fault(PX_F_OOM, "a machine's versions");
    px_arena_init(&kept->arena, RECORD_BYTES_MAX);
    *ret_kept = kept;
    return 0;
}

/* ---- in the thread ---- */

/* What a machine has that nobody changed. */
static int untouched(const struct workflow_machine *machine, uint64_t definition,
                     struct px_arena *arena, struct machine_record *ret_record)
{
    struct machine_version *version = px_arena_new(arena, struct machine_version);
    struct machine_alias *live = px_arena_new(arena, struct machine_alias);
    if (!version || !live) return px_arena_fault(arena);
    *version = (struct machine_version){
        .number = 1, .definition = definition, .revision = S(""), .description = S("")};
    *live = (struct machine_alias){
        .name = S(WORKFLOW_LIVE), .description = S(""), .routes = {{1, 100}}, .route_count = 1};
    *ret_record = (struct machine_record){.machine = machine->full_name,
                                          .definition = definition,
                                          .revision = S(""),
                                          .shipped = definition,
                                          .next = 2,
                                          .versions = version,
                                          .version_count = 1,
                                          .aliases = live,
                                          .alias_count = 1};
    return 0;
}

int machine_kept_read(struct execution_store *store, const struct workflow_machine *machine,
                      struct machine_kept **ret_kept)
{
    PX_AUTO(machine_kept_free) struct machine_kept *kept = NULL;
    uint64_t definition = 0;
    PX_TRY(kept_new(&kept));
    int r = machine_read(store, machine->full_name, &kept->arena, &kept->record);
    if (r == EXECUTION_ABSENT) {
        PX_TRY(execution_define(store, machine->full_name, machine->text, &definition));
        r = untouched(machine, definition, &kept->arena, &kept->record);
    }
    PX_TRY(r);
    *ret_kept = PX_TAKE(kept);
    return 0;
}

/* ---- at the start ---- */

/* The platform has another definition than it had: it is the current one now, as an update would have made it. */
static int take_shipped(struct workflows *w, const struct workflow_machine *machine,
                        struct machine_kept *kept)
{
    struct px_str text = {0};
    struct machine_record *record = &kept->record;
    char revision[37];
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    px_arena_init(&arena, RECORD_BYTES_MAX);
    int r = execution_definition(w->writer, record->shipped, &arena, &text);
    PX_TRY(r < 0 ? r : 0);
    if (r == 0 && px_str_eq(text, machine->text)) return 0;
    PX_TRY(execution_define(w->writer, machine->full_name, machine->text, &record->shipped));
    record->definition = record->shipped;
    record->updated_ms = px_wall_ns(w->options.clock) / PX_NS_PER_MS;
    px_uuid7(px_wall_ns(w->options.clock), revision);
    record->revision = px_arena_dup(&kept->arena, px_str_c(revision));
    if (!record->revision.ptr) return px_arena_fault(&kept->arena);
    PX_TRY(machine_write(w->writer, record));
    px_log(w->options.log, PX_WARN,
           "workflow %.*s runs what was published; the platform's definition is new: prism rollout "
           "start %.*s --machine",
           PX_FMT(machine->name), PX_FMT(machine->name));
    return 0;
}

int machines_load(struct workflows *w)
{
    w->holders = px_arena_array(&w->arena, struct machine_holder, w->catalogue.count);
    if (!w->holders) return px_arena_fault(&w->arena);
    for (size_t i = 0; i < w->catalogue.count; i++) {
        const struct workflow_machine *machine = &w->catalogue.machines[i];
        PX_AUTO(machine_kept_free) struct machine_kept *kept = NULL;
        PX_TRY(kept_new(&kept));
        int r = machine_read(w->writer, machine->full_name, &kept->arena, &kept->record);
        if (r == EXECUTION_ABSENT) continue;
        PX_TRY(r);
        PX_TRY(take_shipped(w, machine, kept));
        w->holders[i].kept = PX_TAKE(kept);
    }
    return 0;
}

void machines_free(struct workflows *w)
{
    for (size_t i = 0; w->holders && i < w->catalogue.count; i++) {
        machine_kept_free(&w->holders[i].kept);
        for (struct machine_figures *f = w->holders[i].figures, *next; f; f = next) {
            next = f->next;
            figures_free(&f->figures);
            free(f);
        }
    }
}

/* ---- in the loop ---- */

void machine_install(struct workflows *w, const struct workflow_machine *machine,
                     struct machine_kept **kept)
{
    struct machine_holder *holder = holder_of(w, machine);
    machine_kept_free(&holder->kept);
    holder->kept = PX_TAKE(*kept);
}

bool machine_is_kept(const struct workflows *w, const struct workflow_machine *machine)
{
    return holder_of(w, machine)->kept != NULL;
}

int machine_record_now(const struct workflows *w, const struct workflow_machine *machine,
                       struct px_arena *arena, struct machine_record *ret_record)
{
    const struct machine_holder *holder = holder_of(w, machine);
    if (!holder->kept) return untouched(machine, 0, arena, ret_record);
    *ret_record = holder->kept->record;
    return 0;
}

/* Each start draws anew. Source: Step Functions API reference, CreateStateMachineAlias. */
static uint32_t draw(const struct machine_alias *alias)
{
    const struct machine_route *routes = alias->routes;
    if (alias->route_count == 1) return routes[0].version;
    return px_random_u64() % 100 < routes[0].weight ? routes[0].version : routes[1].version;
}

int machine_choose(const struct workflows *w, const struct workflow_machine *machine,
                   struct px_str qualifier, struct px_arena *arena,
                   struct machine_choice *ret_choice)
{
    struct machine_record record;
    uint64_t number = 0;
    PX_TRY(machine_record_now(w, machine, arena, &record));
    if (!qualifier.len) {
        *ret_choice = (struct machine_choice){.definition = record.definition, .alias = S("")};
        return 0;
    }
    const struct machine_alias *alias = machine_alias_find(&record, qualifier);
    if (alias)
        number = draw(alias);
    else if (!px_str_to_u64(qualifier, &number) || number > UINT32_MAX)
        return MACHINE_ABSENT;
    const struct machine_version *version = machine_version_find(&record, (uint32_t)number);
    struct px_str name = px_arena_dup(arena, alias ? qualifier : S(""));
    if (!version) return MACHINE_ABSENT;
    if (!name.ptr) return px_arena_fault(arena);
    *ret_choice = (struct machine_choice){
        .version = version->number, .alias = name, .definition = version->definition};
    return 0;
}

/* ---- figures ---- */

static bool is_of(const struct machine_figures *f, uint32_t version, struct px_str alias)
{
    return f->version == version && px_str_eq(px_str_c(f->alias), alias);
}

/* Taken out of the list; NULL: there is none of the pair, and room for it. */
static struct machine_figures *take_figures(struct machine_holder *holder, uint32_t version,
                                            struct px_str alias)
{
    struct machine_figures **link = &holder->figures, *f;
    while (*link && !is_of(*link, version, alias) && (*link)->next) link = &(*link)->next;
    f = *link; /* its own, or what was used longest ago */
    if (!f || (!is_of(f, version, alias) && holder->figures_count < FIGURES_MAX)) return NULL;
    *link = f->next;
    holder->figures_count--;
    if (!is_of(f, version, alias)) figures_free(&f->figures);
    return f;
}

/* The newest used comes first. NULL: without memory nothing is counted. */
static struct figures *figures_of(struct machine_holder *holder, uint32_t version,
                                  struct px_str alias)
{
    struct px_str key = px_str(alias.ptr, PX_MIN(alias.len, MACHINE_ALIAS_BYTES - 1));
    struct machine_figures *f = take_figures(holder, version, key);
    if (!f) f = calloc(1, sizeof *f);
    if (!f || (!f->figures && figures_new(&f->figures) != 0)) {
        free(f);
        return NULL;
    }
    f->version = version;
    (void)snprintf(f->alias, sizeof f->alias, "%.*s", PX_FMT(key));
    f->next = holder->figures;
    holder->figures = f;
    holder->figures_count++;
    return f->figures;
}

static void add(struct workflows *w, const struct workflow_machine *machine, uint32_t version,
                struct px_str alias, const struct figures_event *event)
{
    struct figures *figures = figures_of(holder_of(w, machine), version, alias);
    if (figures) figures_add(figures, px_wall_ns(w->options.clock), event);
}

void machine_count(struct workflows *w, const struct run *run,
                   const struct asl_execution_info *info, bool ended)
{
    if (!run->machine || info->parent) return;
    const struct figures_event event = {
        .started = !ended,
        .error = ended && info->status == ASL_FAILED_STATUS,
        .timed_out = ended && info->status == ASL_TIMED_OUT,
        .aborted = ended && info->status == ASL_ABORTED,
        .duration_ms = ended ? (double)(info->stop_ms - info->start_ms) : -1,
    };
    add(w, run->machine, run->version, run->alias, &event);
}

void machine_count_refused(struct workflows *w, const struct workflow_machine *machine,
                           uint32_t version, struct px_str alias)
{
    const struct figures_event event = {.throttled = true, .duration_ms = -1};
    add(w, machine, version, alias, &event);
}

bool workflows_figures(const struct workflows *w, const struct workflows_subject *subject,
                       int64_t from_s, int64_t to_s, struct figures_sum *ret_sum)
{
    const struct workflow_machine *machine = workflow_machine_find(&w->catalogue, subject->machine);
    int64_t now_s = px_wall_ns(w->options.clock) / PX_NS_PER_S;
    if (!machine) return false;
    for (const struct machine_figures *f = holder_of(w, machine)->figures; f; f = f->next)
        if ((subject->version == 0 || f->version == subject->version) &&
            (subject->alias.len == 0 || px_str_eq(px_str_c(f->alias), subject->alias)))
            figures_sum(f->figures, now_s, from_s, to_s, ret_sum);
    return true;
}

const struct workflow_machine *workflows_machine_at(const struct workflows *w, size_t at)
{
    return at < w->catalogue.count ? &w->catalogue.machines[at] : NULL;
}
