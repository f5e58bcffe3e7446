/* region/connect.c - from a task call to its connector and back; docs: connect.h. */
#include "region/connect.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/px_id.h"
#include "region/workflows_internal.h"

#define CALL_BYTES_MAX (64u << 20)
#define OUTPUT_BYTES_MAX (64u << 20)               /* a file for a distributed Map */
#define NOTE_NS (INT64_C(7) * 86400 * PX_NS_PER_S) /* a region is not down for longer */
#define NOTE_TABLE "workflow_notes"
#define PUTS_MAX 8
#define NOTE_BYTES_MAX (250u * 1024u) /* of an item's 256 KiB */

const struct connector *connector_find(struct px_str service, struct px_str action)
{
    static const struct connector *const tables[] = {
        connect_lambda, connect_dynamodb, connect_messages, connect_s3,
        connect_rows,   connect_states,   connect_efs,      connect_apigateway,
    };
    for (size_t t = 0; t < PX_COUNT(tables); t++)
        for (const struct connector *c = tables[t]; c->service; c++)
            if (px_str_eq(px_str_c(c->service), service) && px_str_eq(px_str_c(c->action), action))
                return c;
    return NULL;
}

/* ---- outcomes ---- */

void connection_succeed(struct connection *c)
{
    if (c->outcome != CONNECTION_OPEN) return;
    int fault = px_buf_fault(&c->output);
    c->outcome = CONNECTION_SUCCEEDED;
    if (fault == 0) return;
    c->outcome = CONNECTION_OPEN;
    connection_fault(c, ASL_E_RUNTIME, fault);
}

void connection_fail(struct connection *c, const char *error, const char *fmt, ...)
{
    char text[4096];
    va_list args;
    if (c->outcome != CONNECTION_OPEN) return;
    va_start(args, fmt);
    int len = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    c->outcome = CONNECTION_FAILED;
    c->error = px_str_c(error);
    c->cause = px_arena_dup(&c->arena,
                            px_str(text, PX_MIN((size_t)PX_MAX(len, 0), sizeof text - 1)));
}

void connection_fault(struct connection *c, const char *error, int fault)
{
    char why[512];
    connection_fail(c, error, "%s", px_fault_text(fault, why, sizeof why));
}

void connection_add_metadata(struct connection *c)
{
    char id[37];
    px_uuid7(px_wall_ns(c->workflows->options.clock), id);
    px_buf_printf(&c->output,
                  ",\"SdkHttpMetadata\":{\"HttpStatusCode\":200},\"SdkResponseMetadata\":"
                  "{\"RequestId\":\"%s\"}",
                  id);
}

static void connection_free(struct connection *c)
{
    *c->link = c->next;
    if (c->next) c->next->link = c->link;
    px_buf_deinit(&c->output);
    px_buf_deinit(&c->event);
    px_arena_deinit(&c->arena);
    free(c);
}

/* A token that nobody waits for any more is no fault: the task timed out, or its execution ended. */
static int tell_engine(struct connection *c)
{
    struct asl_engine *engine = c->workflows->engine;
    struct px_str output = px_buf_str(&c->output);
    const struct asl_failure failure = {c->error, c->cause};
    if (c->outcome == CONNECTION_FAILED) return asl_engine_task_failed(engine, c->token, &failure);
    if (c->pattern == ASL_TASK_TOKEN || c->pattern == ASL_SYNC || c->pattern == ASL_SYNC2)
        return asl_engine_task_submitted(engine, c->token, output);
    int r = asl_engine_task_succeeded(engine, c->token, output);
    if (r != ASL_ENGINE_INVALID) return r;
    const struct asl_failure nonsense = {S(ASL_E_TASK_FAILED),
                                         S("The service's answer is no JSON.")};
    return asl_engine_task_failed(engine, c->token, &nonsense);
}

void connection_end(struct connection *c)
{
    struct workflows *w = c->workflows;
    PX_ASSERT(c->outcome != CONNECTION_OPEN);
    if (!w->closed) {
        int r = tell_engine(c);
        if (r < 0) px_log_fault(w->options.log, r, "the end of a workflow's task");
        if (c->outcome == CONNECTION_SUCCEEDED && c->event.len)
            workflow_event(w, px_buf_str(&c->event));
        workflows_wake(w);
    }
    connection_free(c);
}

/* ---- stores ---- */

const char *connection_path(struct connection *c, const char *name)
{
    return data_dir_sub(c->workflows->options.data, &c->arena, name);
}

/* Opened by the thread that works, and only used there. */
struct table_store *connection_tables(struct connection *c, const char *error)
{
    struct workflows *w = c->workflows;
    if (w->tables) return w->tables;
    const char *path = connection_path(c, "tables.db");
    int r = path ? table_store_open(px_str_c(path), NULL, &w->tables) : px_arena_fault(&c->arena);
    if (r == 0) return w->tables;
    connection_fault(c, error, r);
    return NULL;
}

int connection_put(struct connection *c, struct table_store *store, const struct table_put *puts,
                   size_t count)
{
    struct table_put all[PUTS_MAX + 1];
    PX_ASSERT(count <= PUTS_MAX);
    PX_TRY(px_buf_fault(&c->output));
    for (size_t i = 0; i < count; i++) all[i] = puts[i];
    if (c->durable && c->output.len <= NOTE_BYTES_MAX)
        all[count++] = (struct table_put){
            .key = {S(NOTE_TABLE), c->token, S("")},
            .document = px_buf_str(&c->output),
            .expires_ns = px_wall_ns(c->workflows->options.clock) + NOTE_NS,
        };
    return table_put_all(store, all, count, NULL);
}

/* True: it was done before the crash, and the outcome is set. */
static bool was_done(struct connection *c)
{
    struct table_item item;
    struct table_store *store = connection_tables(c, ASL_E_TASK_FAILED);
    if (!store) return true;
    const struct table_key key = {S(NOTE_TABLE), c->token, S("")};
    int r = table_get(store, &key, &c->arena, &item);
    if (r == TABLE_ABSENT) return false;
    if (r != 0) {
        connection_fault(c, ASL_E_TASK_FAILED, r);
        return true;
    }
    px_buf_add_str(&c->output, item.document);
    connection_succeed(c);
    return true;
}

static void on_run(struct worker_job *job)
{
    struct connection *c = (struct connection *)job;
    if (c->connector->notes && c->again && c->durable && was_done(c)) return;
    c->connector->work(c);
    PX_ASSERT(c->outcome != CONNECTION_OPEN);
}

static void on_done(struct worker_job *job)
{
    struct connection *c = (struct connection *)job;
    if (c->outcome == CONNECTION_OPEN) /* not run: the region is closing */
        connection_fail(c, ASL_E_TASK_FAILED, "The region is closing.");
    connection_end(c);
}

/* ---- calls ---- */

static int connection_new(struct workflows *w, const struct asl_task_call *call,
                          struct connection **ret_connection)
{
    const struct asl_execution_info *info = asl_execution_info(call->execution);
    struct connection *c = calloc(1, sizeof *c);
    if (!c) return px_fault(PX_F_OOM, "a task's call");
    c->workflows = w;
    c->catalogue = &w->catalogue;
    c->link = &w->connections;
    c->next = w->connections;
    if (c->next) c->next->link = &c->next;
    w->connections = c;
    px_arena_init(&c->arena, CALL_BYTES_MAX);
    px_buf_init(&c->output, OUTPUT_BYTES_MAX);
    px_buf_init(&c->event, 1u << 20);
    c->rows = call->rows;
    c->rows_max = call->rows_max;
    c->connector = connector_find(call->resource->service,
                                  c->rows ? S(CONNECT_ROWS) : call->resource->action);
    c->machine = workflow_machine_find(&w->catalogue, workflows_machine_name(info));
    c->execution = info->number;
    c->pattern = call->resource->pattern;
    const struct asl_item_reader *reader = call->state->type == ASL_MAP ? call->state->of.map.reader
                                                                        : NULL;
    c->reader = reader &&
                (call->resource == &reader->resource || call->resource == &reader->object_resource);
    c->durable = info->program->machine->type == ASL_STANDARD;
    c->again = call->again;
    c->token = px_arena_dup(&c->arena, call->token);
    c->execution_arn = px_arena_dup(&c->arena, info->arn);
    c->resource = px_arena_dup(&c->arena, call->resource->arn);
    c->payload_text = px_arena_dup(&c->arena, call->payload);
    if (!c->token.ptr || !c->execution_arn.ptr || !c->resource.ptr || !c->payload_text.ptr ||
        px_json_parse(c->payload_text, &c->arena, &c->payload, NULL) != 0) {
        connection_free(c);
        return px_fault(PX_F_OOM, "a task's call");
    }
    *ret_connection = c;
    return 0;
}

void connect_task(struct workflows *w, const struct asl_task_call *call)
{
    struct connection *c = NULL;
    bool express = asl_execution_info(call->execution)->program->machine->type == ASL_EXPRESS;
    if (w->closed || (w->draining && !express)) return; /* after the restart it is called again */
    int r = connection_new(w, call, &c);
    if (r != 0) {
        char why[512];
        const struct asl_failure failure = {S(ASL_E_TASK_FAILED),
                                            px_str_c(px_fault_text(r, why, sizeof why))};
        (void)!asl_engine_task_failed(w->engine, call->token, &failure);
        return;
    }
    if (!c->connector) {
        connection_fail(c, ASL_E_TASK_FAILED, "The resource %.*s is not there in a local region.",
                        PX_FMT(call->resource->arn));
        connection_end(c);
    } else if (c->connector->begin) {
        c->connector->begin(c);
    } else {
        c->job.run = on_run;
        c->job.done = on_done;
        worker_add(&w->working, &c->job);
    }
}

void connect_cancel(struct workflows *w, struct px_str token)
{
    for (struct connection *c = w->connections; c; c = c->next) {
        if (!px_str_eq(c->token, token) || c->cancelled) continue;
        c->cancelled = true;
        if (c->connector && c->connector->cancel) c->connector->cancel(c);
        return;
    }
    struct run *run = run_of_task(w, token); /* .sync: what was started ends with it */
    if (run)
        (void)!asl_engine_stop(w->engine, run->number,
                               &(struct asl_failure){{0}, S("The task that waited for it ended.")});
}

void connect_close(struct workflows *w)
{
    for (struct connection *c = w->connections, *next; c; c = next) {
        next = c->next;
        connection_free(c);
    }
    table_store_close(&w->tables);
    for (size_t i = 0; i < PX_COUNT(w->objects); i++) object_store_close(&w->objects[i]);
}
