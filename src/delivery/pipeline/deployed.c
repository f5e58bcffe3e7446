/* delivery/pipeline/deployed.c - see deployed.h. */
#include "delivery/pipeline/deployed.h"

#include <stdio.h>

#include "base/px_json.h"
#include "store/objects.h"

#define RECORD_BYTES_MAX (32u << 20)
#define KEY_BYTES 256

struct deployed_shelf deployed_shelf_of(const struct action_context *ctx)
{
    return (struct deployed_shelf){ctx->host->shelf_get, ctx->host->shelf_put, ctx->host->ctx};
}

/* ---- objects ---- */

static int key_of(const struct deployed_unit *unit, const char *name, char key[KEY_BYTES])
{
    int n = snprintf(key, KEY_BYTES, "deployed/%.*s/%.*s/%s.json", PX_FMT(unit->environment),
                     PX_FMT(unit->name), name);
    return n > 0 && n < KEY_BYTES ? 0 : px_fault(PX_F_LIMIT, "a name of %d bytes", n);
}

struct px_str deployed_sources_key(struct px_str sha256, char key[128])
{
    (void)snprintf(key, 128, "deployed/sources/%.*s.json", PX_FMT(sha256));
    return px_str_c(key);
}

/* Answers: OBJECT_ABSENT. */
static int read_json(const struct deployed_shelf *shelf, const char *key, struct px_arena *arena,
                     yyjson_val **ret_root)
{
    PX_AUTO(px_buf_deinit) struct px_buf text;
    px_buf_init(&text, RECORD_BYTES_MAX);
    int r = shelf->get(shelf->ctx, px_str_c(key), &text);
    if (r == OBJECT_TOO_LARGE) return px_fault(PX_F_CORRUPT, "%s is too large", key);
    if (r != 0) return r;
    r = px_json_parse(px_buf_str(&text), arena, ret_root, NULL);
    return r > 0 ? px_fault(PX_F_CORRUPT, "%s is no JSON", key) : r;
}

static int put(const struct deployed_shelf *shelf, const char *key, const struct px_buf *text)
{
    PX_TRY(px_buf_fault(text));
    PX_TRY(shelf->put(shelf->ctx, px_str_c(key), px_buf_str(text)));
    return 0;
}

/* ---- heads ---- */

void deployed_add_run(struct deployed_head *head, uint32_t run)
{
    if (head->run_count > 0 && head->runs[head->run_count - 1] >= run) return;
    if (head->run_count == DEPLOYED_RUNS_MAX) {
        memmove(head->runs, head->runs + 1, (DEPLOYED_RUNS_MAX - 1) * sizeof head->runs[0]);
        head->run_count--;
    }
    head->runs[head->run_count++] = run;
}

int deployed_head_read(const struct deployed_shelf *shelf, const struct deployed_unit *unit,
                       struct px_arena *arena, struct deployed_head *ret_head)
{
    yyjson_val *root = NULL, *run;
    size_t i, max;
    char key[KEY_BYTES];
    *ret_head = (struct deployed_head){.record = 0};
    PX_TRY(key_of(unit, "head", key));
    int r = read_json(shelf, key, arena, &root);
    if (r == OBJECT_ABSENT) return 0;
    PX_TRY(r);
    ret_head->record = (uint32_t)px_json_i64(root, "record", 0);
    ret_head->begun = (uint32_t)px_json_i64(root, "begun", 0);
    ret_head->begun_release = px_json_str(root, "begun_release");
    ret_head->floor = px_json_i64(root, "floor", 0);
    px_json_arr_foreach(px_json_arr(root, "runs"), i, max, run)
        deployed_add_run(ret_head, (uint32_t)yyjson_get_uint(run));
    return 0;
}

int deployed_head_write(const struct deployed_shelf *shelf, const struct deployed_unit *unit,
                        const struct deployed_head *head)
{
    PX_AUTO(px_buf_deinit) struct px_buf text;
    char key[KEY_BYTES];
    px_buf_init(&text, 1u << 16);
    PX_TRY(key_of(unit, "head", key));
    px_buf_printf(&text, "{\"record\":%u,\"begun\":%u,\"begun_release\":", head->record,
                  head->begun);
    px_buf_add_json_str(&text, head->begun_release);
    px_buf_printf(&text, ",\"floor\":%lld,\"runs\":[", (long long)head->floor);
    for (size_t i = 0; i < head->run_count; i++)
        px_buf_printf(&text, "%s%u", i > 0 ? "," : "", head->runs[i]);
    px_buf_add_c(&text, "]}\n");
    return put(shelf, key, &text);
}

/* ---- records ---- */

int deployed_record_read(const struct deployed_shelf *shelf, const struct deployed_unit *unit,
                         uint32_t run, struct px_arena *arena, struct deployed_record *ret_record)
{
    yyjson_val *root = NULL;
    char key[KEY_BYTES], name[16];
    (void)snprintf(name, sizeof name, "%06u", run);
    PX_TRY(key_of(unit, name, key));
    int r = read_json(shelf, key, arena, &root);
    if (r > 0) return px_fault(PX_F_CORRUPT, "%s is not in the store", key);
    PX_TRY(r);
    *ret_record = (struct deployed_record){
        .run = run,
        .before = (uint32_t)px_json_i64(root, "before", 0),
        .step = px_json_str(root, "step"),
        .stack = px_json_str(root, "stack"),
        .release = {.id = px_json_str(root, "release"),
                    .place = px_json_str(root, "place"),
                    .document = px_json_obj(root, "document")},
        .plan = px_json_str(root, "plan"),
        .sources = px_json_str(root, "sources"),
        .variables = px_json_arr(root, "variables"),
        .withheld = px_json_arr(root, "withheld"),
    };
    return 0;
}

static void add_text(struct px_buf *buf, const char *name, struct px_str text)
{
    px_buf_printf(buf, ",\"%s\":", name);
    px_buf_add_json_str(buf, text);
}

static void add_json(struct px_buf *buf, const char *name, yyjson_val *val)
{
    if (!val) return;
    px_buf_printf(buf, ",\"%s\":", name);
    px_buf_add_json(buf, val);
}

int deployed_record_write(const struct deployed_shelf *shelf, const struct deployed_unit *unit,
                          const struct deployed_record *record)
{
    PX_AUTO(px_buf_deinit) struct px_buf text;
    char key[KEY_BYTES], name[16];
    px_buf_init(&text, RECORD_BYTES_MAX);
    (void)snprintf(name, sizeof name, "%06u", record->run);
    PX_TRY(key_of(unit, name, key));
    px_buf_printf(&text, "{\"run\":%u,\"before\":%u", record->run, record->before);
    add_text(&text, "step", record->step);
    add_text(&text, "stack", record->stack);
    add_text(&text, "release", record->release.id);
    add_text(&text, "place", record->release.place);
    add_json(&text, "document", record->release.document);
    add_text(&text, "plan", record->plan);
    add_text(&text, "sources", record->sources);
    add_json(&text, "variables", record->variables);
    add_json(&text, "withheld", record->withheld);
    px_buf_add_c(&text, "}\n");
    return put(shelf, key, &text);
}

int deployed_find(const struct deployed_shelf *shelf, const struct deployed_unit *unit,
                  const struct deployed_head *head, struct px_str release, struct px_arena *arena,
                  struct deployed_record *ret_record)
{
    for (size_t i = head->run_count; i-- > 0;) {
        struct deployed_record record;
        PX_TRY(deployed_record_read(shelf, unit, head->runs[i], arena, &record));
        if (release.len < 4 || !px_str_starts(record.release.id, release)) continue;
        *ret_record = record;
        return 0;
    }
    return OBJECT_ABSENT;
}

int deployed_before(const struct deployed_shelf *shelf, const struct deployed_unit *unit,
                    const struct deployed_head *head, uint32_t run, struct px_arena *arena,
                    uint32_t *ret_run)
{
    struct deployed_record record;
    *ret_run = head->record;
    if (head->record != run || run == 0) return 0;
    PX_TRY(deployed_record_read(shelf, unit, run, arena, &record));
    *ret_run = record.before;
    return 0;
}

struct px_str deployed_rollout_key(const struct deployed_unit *unit, uint32_t run, char key[256])
{
    (void)snprintf(key, KEY_BYTES, "deployed/%.*s/%.*s/rollout-%06u.json",
                   PX_FMT(unit->environment), PX_FMT(unit->name), run);
    return px_str_c(key);
}
