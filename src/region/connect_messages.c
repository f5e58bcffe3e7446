/* region/connect_messages.c - sqs:sendMessage to the queues of workflows.json, sns:publish to the topics of alerts.
 *
 * A message is a row of the region's tables, under the queue's or topic's name and in order of time, kept for the queue's retention;
 * `prism workflow list --interventions` shows the queues' messages whose task still waits. That it came is a row of
 * _system.workflow_events as well, without the task's token, which is a right. */
#include "base/px_id.h"
#include "region/workflows_internal.h"

#define TOPIC_RETENTION_S (INT64_C(14) * 86400)
#define BODY_BYTES_MAX (200u * 1024u) /* of an item's 256 KiB, and written as a JSON string */

struct message {
    struct px_str kind, place, subject, body; /* kind: "queue" or "topic" */
    int64_t retention_s;
    const char *error; /* of the service */
};

/* A JSON value as the service gets it: text as it is, anything else as JSON. */
static struct px_str text_of(struct connection *c, const char *member)
{
    yyjson_val *val = yyjson_obj_get(c->payload, member);
    if (!val || yyjson_is_str(val)) return px_json_val_str(val);
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    px_buf_init(&buf, 1u << 20);
    px_buf_add_json(&buf, val);
    return px_buf_fault(&buf) ? (struct px_str){0} : px_arena_dup(&c->arena, px_buf_str(&buf));
}

/* The body with the token's characters away. */
static struct px_str without_token(struct connection *c, struct px_str body)
{
    struct px_str copy = px_arena_dup(&c->arena, body);
    char *at = copy.ptr ? memmem(copy.ptr, copy.len, c->token.ptr, c->token.len) : NULL;
    for (; at; at = memmem(copy.ptr, copy.len, c->token.ptr, c->token.len))
        memset(at, '*', c->token.len);
    return copy;
}

static void write_event(struct connection *c, const struct message *m, struct px_str time)
{
    struct px_buf *row = &c->event;
    px_buf_printf(row, "{\"time\":\"%.*s\",\"event\":\"%s\",\"%.*s\":", PX_FMT(time),
                  px_str_eq(m->kind, S("topic")) ? "alert" : "message", PX_FMT(m->kind));
    px_buf_add_json_str(row, m->place);
    px_buf_add_c(row, ",\"subject\":");
    px_buf_add_json_str(row, m->subject);
    px_buf_add_c(row, ",\"execution\":");
    px_buf_add_json_str(row, c->execution_arn);
    px_buf_add_c(row, ",\"message\":");
    px_buf_add_json_str(row, without_token(c, m->body));
    px_buf_add_c(row, "}\n");
}

static void write_document(struct connection *c, const struct message *m, const char *id,
                           int64_t now_ms, struct px_buf *buf)
{
    px_buf_printf(buf, "{\"id\":\"%s\",\"created_ms\":%lld,\"machine\":", id, (long long)now_ms);
    px_buf_add_json_str(buf, c->machine ? c->machine->name : S(""));
    px_buf_add_c(buf, ",\"execution\":");
    px_buf_add_json_str(buf, c->execution_arn);
    if (c->pattern == ASL_TASK_TOKEN) {
        px_buf_add_c(buf, ",\"token\":");
        px_buf_add_json_str(buf, c->token);
    }
    px_buf_add_c(buf, ",\"subject\":");
    px_buf_add_json_str(buf, m->subject);
    px_buf_add_c(buf, ",\"body\":");
    px_buf_add_json_str(buf, m->body);
    px_buf_add_char(buf, '}');
}

static void send_it(struct connection *c, const struct message *m)
{
    char id[37], when[40];
    const struct px_clock *clock = c->workflows->options.clock;
    int64_t now_ns = px_wall_ns(clock);
    PX_AUTO(px_buf_deinit) struct px_buf document;
    px_buf_init(&document, 1u << 20);
    struct table_store *store = connection_tables(c, m->error);
    if (!store) return;
    px_uuid7(now_ns, id); /* in order of time */
    write_document(c, m, id, now_ns / PX_NS_PER_MS, &document);
    write_event(c, m, px_time_format(now_ns, 6, when));
    px_buf_printf(&c->output, "{\"MessageId\":\"%s\"", id);
    connection_add_metadata(c);
    px_buf_add_char(&c->output, '}');
    struct px_str partition = px_arena_printf(&c->arena, "%.*s/%.*s", PX_FMT(m->kind),
                                              PX_FMT(m->place));
    const struct table_put put = {.key = {S("workflow_messages"), partition, px_str_c(id)},
                                  .document = px_buf_str(&document),
                                  .expires_ns = now_ns + m->retention_s * PX_NS_PER_S};
    int r = partition.ptr ? px_buf_fault(&document) : px_arena_fault(&c->arena);
    if (r == 0) r = connection_put(c, store, &put, 1);
    if (r != 0)
        connection_fault(c, m->error, r);
    else
        connection_succeed(c);
}

/* ---- sqs ---- */

static const struct workflow_queue *find_queue(const struct connection *c, struct px_str own)
{
    for (size_t i = 0; own.ptr && i < c->catalogue->queue_count; i++)
        if (px_str_eq(c->catalogue->queues[i].name, own)) return &c->catalogue->queues[i];
    return NULL;
}

static void send_message(struct connection *c)
{
    struct px_str url = px_json_str(c->payload, "QueueUrl");
    const char *slash = url.ptr ? memrchr(url.ptr, '/', url.len) : NULL;
    struct px_str name = slash ? px_str_skip(url, (size_t)(slash - url.ptr) + 1) : url;
    const struct workflow_queue *queue = find_queue(c, workflow_own_name(c->catalogue, name));
    const struct message m = {.kind = S("queue"),
                              .place = queue ? queue->name : S(""),
                              .subject = S(""),
                              .body = text_of(c, "MessageBody"),
                              .retention_s = queue ? queue->retention_s : 0,
                              .error = "SQS.SdkClientException"};
    if (!queue)
        connection_fail(c, "SQS.QueueDoesNotExistException",
                        "The specified queue does not exist: %.*s", PX_FMT(url));
    else if (!workflow_may(c->machine, "send", queue->name))
        connection_fail(c, "SQS.AccessDeniedException",
                        "The machine may not send to %.*s (may.send of workflows.json)",
                        PX_FMT(queue->name));
    else if (m.body.len == 0 || m.body.len > BODY_BYTES_MAX)
        connection_fail(c, "SQS.InvalidMessageContentsException",
                        "MessageBody has 1 to %u bytes here, not %zu", BODY_BYTES_MAX, m.body.len);
    else
        send_it(c, &m);
}

/* ---- sns ---- */

static void publish(struct connection *c)
{
    struct px_str arn = px_json_str(c->payload, "TopicArn"), prefix = S("alerts-");
    const char *colon = arn.ptr ? memrchr(arn.ptr, ':', arn.len) : NULL;
    struct px_str own = workflow_own_name(
        c->catalogue, colon ? px_str_skip(arn, (size_t)(colon - arn.ptr) + 1) : arn);
    const struct message m = {.kind = S("topic"),
                              .place = own,
                              .subject = px_json_str(c->payload, "Subject"),
                              .body = text_of(c, "Message"),
                              .retention_s = TOPIC_RETENTION_S,
                              .error = "SNS.SdkClientException"};
    if (!own.ptr || !px_str_starts(own, prefix))
        connection_fail(c, "SNS.NotFoundException", "Topic does not exist: %.*s", PX_FMT(arn));
    else if (!workflow_may(c->machine, "publish", px_str_skip(own, prefix.len)))
        connection_fail(c, "SNS.AuthorizationErrorException",
                        "The machine may not publish to %.*s (may.publish of workflows.json)",
                        PX_FMT(own));
    else if (m.body.len == 0 || m.body.len > BODY_BYTES_MAX)
        connection_fail(c, "SNS.InvalidParameterException",
                        "Invalid parameter: Message (1 to %u bytes here, not %zu)", BODY_BYTES_MAX,
                        m.body.len);
    else
        send_it(c, &m);
}

const struct connector connect_messages[] = {
    {.service = "sqs", .action = "sendMessage", .work = send_message, .notes = true},
    {.service = "sns", .action = "publish", .work = publish, .notes = true},
    {0},
};
