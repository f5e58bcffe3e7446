/* region/workflows_interventions.c - GET /workflows/interventions: the messages of queues whose task waits for an answer. Read in the
 * thread of the tables; which of them still wait is the engine's to say, in the loop. */
#include <stdlib.h>

#include "region/workflows_internal.h"

#define MESSAGES_MAX 10000
#define REPLY_BYTES_MAX (64u << 20)

struct listing {
    struct worker_job job;
    struct workflows *workflows;
    struct http_request *request;
    struct px_arena arena;
    struct table_item **items; /* by queue */
    size_t *counts;
    int result;
    char error[512];
};

static int read_queues(struct listing *l)
{
    struct workflows *w = l->workflows;
    size_t queues = w->catalogue.queue_count;
    if (!w->tables) {
        const char *path = data_dir_sub(w->options.data, &l->arena, "tables.db");
        if (!path) return px_arena_fault(&l->arena);
        PX_TRY(table_store_open(px_str_c(path), NULL, &w->tables));
    }
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): an array of pointers */
    l->items = px_arena_array(&l->arena, struct table_item *, queues);
    l->counts = px_arena_array(&l->arena, size_t, queues);
    if (!l->items || !l->counts) return px_arena_fault(&l->arena);
    for (size_t i = 0; i < queues; i++) {
        struct px_str partition = px_arena_printf(&l->arena, "queue/%.*s",
                                                  PX_FMT(w->catalogue.queues[i].name));
        const struct table_query query = {.key = {S("workflow_messages"), partition, S("")},
                                          .max = MESSAGES_MAX};
        if (!partition.ptr) return px_arena_fault(&l->arena);
        PX_TRY(table_query(w->tables, &query, &l->arena, &l->items[i], &l->counts[i]));
    }
    return 0;
}

static void on_run(struct worker_job *job)
{
    struct listing *l = (struct listing *)job;
    l->result = read_queues(l);
    if (l->result != 0) (void)px_fault_text(l->result, l->error, sizeof l->error);
}

static void add_text(struct px_buf *buf, const char *name, struct px_str text)
{
    px_buf_printf(buf, ",\"%s\":", name);
    px_buf_add_json_str(buf, text);
}

static void add_message(struct listing *l, size_t queue, yyjson_val *message, struct px_buf *buf)
{
    yyjson_val *body = NULL;
    char when[40];
    int64_t created_ns = px_json_i64(message, "created_ms", 0) * PX_NS_PER_MS;
    struct px_str text = px_json_str(message, "body");
    px_buf_printf(buf, "%s{\"created\":\"%.*s\"", buf->ptr[buf->len - 1] == '[' ? "" : ",",
                  PX_FMT(px_time_format(created_ns, 3, when)));
    add_text(buf, "id", px_json_str(message, "id"));
    add_text(buf, "queue", l->workflows->catalogue.queues[queue].name);
    add_text(buf, "machine", px_json_str(message, "machine"));
    add_text(buf, "executionArn", px_json_str(message, "execution"));
    add_text(buf, "taskToken", px_json_str(message, "token"));
    px_buf_add_c(buf, ",\"message\":");
    if (px_json_parse(text, &l->arena, &body, NULL) == 0)
        px_buf_add_json(buf, body);
    else
        px_buf_add_json_str(buf, text);
    px_buf_add_char(buf, '}');
}

static void write_waiting(struct listing *l, struct px_buf *buf)
{
    px_buf_add_c(buf, "{\"interventions\":[");
    for (size_t q = 0; q < l->workflows->catalogue.queue_count; q++) {
        for (size_t i = 0; i < l->counts[q]; i++) {
            yyjson_val *message = NULL;
            if (px_json_parse(l->items[q][i].document, &l->arena, &message, NULL) != 0) continue;
            struct px_str token = px_json_str(message, "token");
            if (token.len && asl_engine_task_resource(l->workflows->engine, token))
                add_message(l, q, message, buf);
        }
    }
    px_buf_add_c(buf, "]}");
}

static void on_done(struct worker_job *job)
{
    struct listing *l = (struct listing *)job;
    const struct http_header header = {S("Content-Type"), S("application/json")};
    PX_AUTO(px_buf_deinit) struct px_buf reply;
    px_buf_init(&reply, REPLY_BYTES_MAX);
    bool read = l->result == 0 && l->counts && !l->workflows->closed;
    if (l->result != 0) px_log(l->workflows->options.log, PX_ERROR, "interventions: %s", l->error);
    if (read) write_waiting(l, &reply);
    bool good = read && px_buf_fault(&reply) == 0;
    http_reply(l->request, good ? 200 : 503, &header, 1,
               good ? px_buf_str(&reply) : S("{\"message\":\"the messages cannot be read\"}"));
    px_arena_deinit(&l->arena);
    free(l);
}

void workflows_serve_interventions(struct workflows *w, struct http_request *request)
{
    struct listing *l = calloc(1, sizeof *l);
    if (!l) {
        http_reply(request, 503, NULL, 0, S(""));
        return;
    }
    l->workflows = w;
    l->request = request;
    l->job.run = on_run;
    l->job.done = on_done;
    px_arena_init(&l->arena, REPLY_BYTES_MAX);
    worker_add(&w->working, &l->job);
}
