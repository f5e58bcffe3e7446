/* svc/security/rotation.c - the steps; docs: rotation.h, docs/design/secrets.md.
 *
 * States of a version: none -> pending (createSecret) -> current (finishSecret) -> previous -> history. The version that an event names
 * being current means that the rotation has ended; each step then does nothing. */
#include "svc/security/rotation.h"

#include <stdlib.h>

#include "base/px_id.h"
#include "svc/security/peppers.h"
#include "svc/security/rotation_kind.h"
#include "svc/security/token_keys.h"

#define ARENA_BYTES_MAX ((size_t)4 << 20)
#define VALUE_BYTES_MAX 65536u
#define VALUE_BYTES_USUAL 16384u
#define SCHEME "secretsmanager://"

const char *const rotation_step_names[ROTATION_STEPS] = {
    [ROTATION_CREATE] = "createSecret",
    [ROTATION_SET] = "setSecret",
    [ROTATION_TEST] = "testSecret",
    [ROTATION_FINISH] = "finishSecret",
};

static const struct rotation_kind *const kinds[] = {&rotation_pepper, &rotation_token,
                                                    &rotation_database};

const char *rotation_answer_text(int answer)
{
    static const char *const texts[] = {
        [ROTATION_ABSENT] = "there is no such secret",
        [ROTATION_UNKNOWN] = "nothing here knows how to rotate a secret of that name",
        [ROTATION_ELSEWHERE] = "it is one for all regions and rotates in the primary one",
        [ROTATION_NO_VERSION] = "no version of that id is pending: createSecret comes first",
        [ROTATION_OTHER] = "another rotation of it is pending",
        [ROTATION_OVERTAKEN] = "the current value was changed meanwhile: begin anew",
        [ROTATION_REFUSED] = "the database refused the new password, or who may set it",
    };
    PX_ASSERT(answer > 0 && (size_t)answer < PX_COUNT(texts));
    return texts[answer];
}

/* ---- kinds by name ---- */

static bool name_fits(const struct rotation_kind *kind, struct px_str name)
{
    if (px_str_ends(kind->name, S("/"))) return px_str_starts(name, kind->name);
    size_t at = name.len;
    while (at > 0 && name.ptr[at - 1] != '/') at--;
    return px_str_eq(px_str_skip(name, at), kind->name);
}

static const struct rotation_kind *kind_of(struct px_str name)
{
    for (size_t i = 0; i < PX_COUNT(kinds); i++)
        if (name_fits(kinds[i], name)) return kinds[i];
    return NULL;
}

bool rotation_knows(struct px_str name) { return kind_of(name) != NULL; }

/* "arn:<partition>:secretsmanager:<region>:<account>:secret:<prefix>/<name>-<6 of AWS's>", as events have it. */
static bool name_of(const struct rotation *rotation, struct px_str secret, struct px_str *ret_name)
{
    struct px_str part, name = secret, prefix = rotation->options.secrets_url;
    if (px_str_starts(secret, S("arn:"))) {
        for (int i = 0; i < 6; i++)
            if (!px_str_cut(&name, ':', &part)) return false;
        if (!px_str_eq(part, S("secret")) || name.len < 8 || name.ptr[name.len - 7] != '-')
            return false;
        name.len -= 7;
        prefix = px_str_skip(prefix, sizeof SCHEME - 1);
        while (px_str_ends(prefix, S("/"))) prefix.len--;
        if (!px_str_starts(name, prefix)) return false;
        name = px_str_skip(name, prefix.len);
        if (prefix.len > 0 && !px_str_starts(name, S("/"))) return false;
        if (prefix.len > 0) name = px_str_skip(name, 1);
    }
    *ret_name = name;
    return secret_name_ok(name);
}

/* ---- opening ---- */

int rotation_open(const struct rotation_options *options, struct rotation **ret_rotation)
{
    if (options->secrets_url.len == 0) return px_fault(PX_F_CONFIG, "PRISM_SECRETS_URL is not set");
    PX_AUTO(rotation_close) struct rotation *rotation = calloc(1, sizeof *rotation);
    if (!rotation) return px_fault(PX_F_OOM, "a rotation");
    rotation->options = *options;
    if (!options->clock) rotation->options.clock = &px_clock_system;
    const struct secret_options secrets = {.clock = rotation->options.clock,
                                           .cloud = options->cloud};
    PX_TRY(secret_store_open(options->secrets_url, &secrets, &rotation->secrets));
    *ret_rotation = PX_TAKE(rotation);
    return 0;
}

void rotation_close(struct rotation **rotation)
{
    if (!*rotation) return;
    secret_store_close(&(*rotation)->secrets);
    table_store_close(&(*rotation)->tables);
    free(*rotation);
    *rotation = NULL;
}

int rotation_tables(struct rotation *rotation, struct table_store **ret_tables)
{
    const struct rotation_options *options = &rotation->options;
    if (!rotation->tables) {
        const struct table_options how = {.clock = options->clock, .cloud = options->cloud};
        if (options->tables_url.len == 0)
            return px_fault(PX_F_CONFIG, "PRISM_TABLES_URL is not set");
        PX_TRY(table_store_open(options->tables_url, &how, &rotation->tables));
    }
    *ret_tables = rotation->tables;
    return 0;
}

/* ---- one step ---- */

struct step {
    struct rotation *rotation;
    const struct rotation_kind *kind;
    struct px_str id;
    struct px_arena *arena; /* overwritten in the end */
    struct rotation_values values;
};

static void buf_wipe(struct px_buf *buf)
{
    secret_wipe(px_str(buf->ptr, buf->cap));
    px_buf_deinit(buf);
}

static int read_value(const struct step *step, enum secret_version stage, struct px_str *ret_value)
{
    int r = secret_get(step->rotation->secrets, step->values.name, stage, step->arena, ret_value);
    if (r != SECRET_ABSENT) PX_TRY(r);
    return 0;
}

/* Two that make one at once: the first one's counts, and both go on with it. */
static int step_create(struct step *step)
{
    if (step->values.pending.len > 0) return 0;
    PX_AUTO(buf_wipe) struct px_buf value;
    px_buf_init(&value, VALUE_BYTES_MAX);
    (void)px_buf_reserve(&value, VALUE_BYTES_USUAL); /* growing would leave copies behind */
    int r = step->kind->make(step->rotation, &step->values, &value);
    PX_TRY(r);
    PX_TRY(px_buf_fault(&value));
    r = secret_put_pending(step->rotation->secrets, step->values.name, step->id,
                           px_buf_str(&value));
    if (r == SECRET_ABSENT) return ROTATION_ABSENT;
    if (r != SECRET_TAKEN) PX_TRY(r);
    if (r == 0) return 0;
    struct secret_info info;
    PX_TRY(secret_describe(step->rotation->secrets, step->values.name, SECRET_STAGES, step->arena,
                           &info));
    const struct secret_state *pending = secret_at(&info, SECRET_PENDING);
    return pending && px_str_eq(pending->id, step->id) ? 0 : ROTATION_OTHER;
}

static int step_set(struct step *step)
{
    return step->kind->set ? step->kind->set(step->rotation, &step->values) : 0;
}

static int step_test(struct step *step) { return step->kind->test(step->rotation, &step->values); }

/* Looks once more: minutes may have passed since it was tested. */
static int step_finish(struct step *step)
{
    int r = step_test(step);
    if (r != 0) return r;
    r = secret_promote(step->rotation->secrets, step->values.name, step->id);
    if (r == SECRET_ABSENT) return ROTATION_NO_VERSION;
    PX_TRY(r);
    return 0;
}

static int (*const steps[ROTATION_STEPS])(struct step *step) = {[ROTATION_CREATE] = step_create,
                                                                [ROTATION_SET] = step_set,
                                                                [ROTATION_TEST] = step_test,
                                                                [ROTATION_FINISH] = step_finish};

/* Answers: ROTATION_ABSENT. ret_ended: the version that the event names is the current one. */
static int look(const struct step *step, struct secret_info *ret_info, bool *ret_ended)
{
    int r = secret_describe(step->rotation->secrets, step->values.name, SECRET_STAGES, step->arena,
                            ret_info);
    if (r == SECRET_ABSENT) return ROTATION_ABSENT;
    PX_TRY(r);
    const struct secret_state *current = secret_at(ret_info, SECRET_CURRENT);
    *ret_ended = current && px_str_eq(current->id, step->id);
    return 0;
}

static int run_step(struct step *step, enum rotation_step which)
{
    struct secret_info info;
    bool ended = false;
    int r = look(step, &info, &ended);
    if (r != 0 || ended) return r;
    const struct secret_state *pending = secret_at(&info, SECRET_PENDING);
    if (pending == secret_at(&info, SECRET_CURRENT)) pending = NULL; /* that one has ended */
    if (pending && !px_str_eq(pending->id, step->id)) return ROTATION_OTHER;
    PX_TRY(read_value(step, SECRET_CURRENT, &step->values.current));
    PX_TRY(read_value(step, SECRET_PREVIOUS, &step->values.previous));
    if (pending) PX_TRY(read_value(step, SECRET_PENDING, &step->values.pending));
    /* Secrets Manager tries a new schedule by testSecret alone, on a version that is the current value or has none. */
    if (pending && which == ROTATION_TEST && step->values.pending.len == 0)
        step->values.pending = step->values.current;
    if (which != ROTATION_CREATE && step->values.pending.len == 0) return ROTATION_NO_VERSION;
    return steps[which](step);
}

/* What another one did in the middle of it makes a refusal of what is done already. */
static int run_beside_others(struct step *step, enum rotation_step which)
{
    struct secret_info info;
    bool ended = false;
    int r = run_step(step, which);
    if (r < 0) PX_TRY(r);
    if (r == 0 || r == ROTATION_ABSENT) return r;
    int again = look(step, &info, &ended);
    if (again < 0) PX_TRY(again);
    return ended ? 0 : r;
}

int rotation_step(struct rotation *rotation, const struct rotation_request *request)
{
    PX_AUTO(px_arena_deinit_wiped) struct px_arena arena;
    px_arena_init(&arena, ARENA_BYTES_MAX);
    struct step step = {.rotation = rotation, .id = request->id, .arena = &arena};
    if (!name_of(rotation, request->secret, &step.values.name)) return ROTATION_ABSENT;
    step.kind = kind_of(step.values.name);
    if (!step.kind) return ROTATION_UNKNOWN;
    if (step.kind->shared && rotation->options.primary.len > 0) return ROTATION_ELSEWHERE;
    return run_beside_others(&step, request->step);
}

/* ---- what is due ---- */

struct due {
    struct rotation *rotation;
    int64_t max_age_ns;
    const struct px_log *log;
    struct rotation_report *report;
    struct px_arena *arena;
};

/* Answers: those of rotation_step(). */
static int run_all(const struct due *due, struct px_str name, struct px_str id)
{
    for (int step = 0; step < ROTATION_STEPS; step++) {
        const struct rotation_request request = {(enum rotation_step)step, name, id};
        int r = rotation_step(due->rotation, &request);
        if (r != 0) return r;
        px_log(due->log, PX_INFO, "secret %.*s: %s done", PX_FMT(name), rotation_step_names[step]);
    }
    return 0;
}

static int make_first(const struct due *due, const struct rotation_kind *kind)
{
    PX_AUTO(buf_wipe) struct px_buf value;
    px_buf_init(&value, VALUE_BYTES_MAX);
    (void)px_buf_reserve(&value, VALUE_BYTES_USUAL); /* growing would leave copies behind */
    const struct rotation_values none = {.name = kind->name};
    PX_TRY(kind->make(due->rotation, &none, &value));
    int r = secret_create(due->rotation->secrets, kind->name, px_buf_str(&value));
    if (r == SECRET_TAKEN) return 0; /* another made it just now */
    PX_TRY(r);
    due->report->made++;
    return 0;
}

static int make_missing(const struct due *due, const struct px_str *names, size_t count)
{
    for (size_t k = 0; k < PX_COUNT(kinds); k++) {
        bool found = !kinds[k]->made_here;
        for (size_t i = 0; i < count; i++) found = found || kind_of(names[i]) == kinds[k];
        if (!found) PX_TRY(make_first(due, kinds[k]));
    }
    return 0;
}

/* What a rotation that cannot go on had pending is dropped, so that the next one begins anew. */
static int drive(const struct due *due, struct px_str name, struct px_str pending_id)
{
    char id[37];
    px_uuid7(px_wall_ns(due->rotation->options.clock), id);
    int r = run_all(due, name, pending_id.len > 0 ? pending_id : px_str_c(id));
    if (r != ROTATION_OVERTAKEN || pending_id.len == 0) return r;
    r = secret_abandon(due->rotation->secrets, name, pending_id);
    if (r != SECRET_ABSENT) PX_TRY(r);
    return run_all(due, name, px_str_c(id));
}

static int look_at(const struct due *due, struct px_str name)
{
    struct secret_info info = {0};
    const struct rotation_kind *kind = kind_of(name);
    if (!kind || (kind->shared && due->rotation->options.primary.len > 0)) return 0;
    int r = secret_describe(due->rotation->secrets, name, SECRET_HISTORY, due->arena, &info);
    if (r == SECRET_ABSENT) return 0;
    PX_TRY(r);
    const struct secret_state *current = secret_at(&info, SECRET_CURRENT);
    const struct secret_state *pending = secret_at(&info, SECRET_PENDING);
    if (pending == current) pending = NULL;
    int64_t since_ns = PX_MAX(info.rotated_ns, current ? current->created_ns : 0);
    due->report->secrets++;
    if (!pending && px_wall_ns(due->rotation->options.clock) - since_ns < due->max_age_ns) return 0;
    r = drive(due, name, pending ? pending->id : (struct px_str){0});
    if (r == 0 && pending) due->report->ended++;
    if (r == 0 && !pending) due->report->rotated++;
    return r;
}

int rotation_due(struct rotation *rotation, int64_t max_age_ns, const struct px_log *log,
                 struct rotation_report *ret_report)
{
    PX_AUTO(px_arena_deinit_wiped) struct px_arena arena;
    px_arena_init(&arena, ARENA_BYTES_MAX);
    struct px_str *names = NULL;
    size_t count = 0;
    *ret_report = (struct rotation_report){0};
    const struct due due = {rotation, max_age_ns, log, ret_report, &arena};
    PX_TRY(secret_list(rotation->secrets, &arena, &names, &count));
    PX_TRY(make_missing(&due, names, count));
    for (size_t i = 0; i < count; i++) {
        int r = look_at(&due, names[i]);
        if (r == 0) continue;
        ret_report->failed++;
        if (r < 0)
            px_log_fault(log, r, "secret %.*s: not rotated", PX_FMT(names[i]));
        else
            px_log(log, PX_WARN, "secret %.*s: not rotated: %s", PX_FMT(names[i]),
                   rotation_answer_text(r));
    }
    return 0;
}
