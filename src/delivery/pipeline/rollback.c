/* delivery/pipeline/rollback.c - an environment, or regions of it, back to a release that it had.
 *
 * It is a run as any other: a pipeline is written for it out of platform/pipeline.json's own steps, and driven by the engine, with its
 * lock, journal, gates and resumption. Each region goes back in turn, the last one delivered first, the stack that they share at the
 * end: aliases first, for the versions of before still stand; then Terraform with the release's record (deployed.h); then the version
 * that this has made gets the calls. What the new steps are made of is looked at as a whole before anything is touched. */
#include "delivery/pipeline/rollback.h"

#include "base/px_json.h"

static int shelf_get(void *ctx, struct px_str key, struct px_buf *buf)
{
    return object_get(ctx, key, buf);
}

static int shelf_put(void *ctx, struct px_str key, struct px_str bytes)
{
    return object_put(ctx, key, bytes);
}

static int make_run(struct rollback *back, struct px_buf *text)
{
    struct pipeline *p = back->pipeline;
    struct definition written;
    int r = rollback_find(back);
    if (r == 0) r = rollback_check(back);
    if (r != 0) return r;
    px_buf_clear(text);
    PX_TRY(rollback_write(back, text));
    px_buf_clear(&p->said);
    r = definition_read(px_buf_str(text), "the rollback", p->options->actions, back->arena,
                        &p->said, &written);
    return r == DEFINITION_INVALID ? PIPELINE_INVALID : r;
}

/* Others may have changed what stands there while their end was waited for, so it is looked at after that. */
static int begin(struct rollback *back, struct px_buf *text)
{
    struct pipeline *p = back->pipeline;
    for (;;) {
        int r = pipeline_load(p, 0);
        if (r == 0) r = engine_wait_for_turn(p);
        if (r == 0) r = make_run(back, text);
        if (r != 0) return r;
        r = engine_begin(p, px_buf_str(text), back->definition, &back->release);
        if (r != JOURNAL_TAKEN) return r;
    }
}

int pipeline_rollback(struct pipeline *p, const struct pipeline_way_back *way)
{
    PX_AUTO(px_arena_deinit) struct px_arena arena;
    PX_AUTO(px_buf_deinit) struct px_buf file, text;
    struct definition definition;
    struct rollback back = {.pipeline = p,
                            .way = way,
                            .arena = &arena,
                            .shelf = {shelf_get, shelf_put, p->store},
                            .definition = &definition};
    px_arena_init(&arena, ENGINE_ARENA_BYTES);
    px_buf_init(&file, DEFINITION_BYTES_MAX);
    px_buf_init(&text, DEFINITION_BYTES_MAX);
    int r = engine_read_definition(p, &file, &arena, &definition);
    if (r != 0) return r;
    PX_TRY(px_json_parse(px_buf_str(&file), &arena, &back.file, NULL));
    p->asked = way->plan_only ? "prism rollback --plan-only" : "prism rollback";
    p->emergency = way->emergency;
    r = begin(&back, &text);
    p->asked = NULL;
    p->emergency = px_str(NULL, 0);
    if (r == 0) r = engine_take(p);
    return r == 0 ? engine_drive(p) : r;
}
