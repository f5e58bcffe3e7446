/* svc/security/rotation_event.c - events of function `rotation`: Secrets Manager's, and Prism's own. No answer and no line has a value. */
#include "base/px_json.h"
#include "svc/security/rotation.h"
#include "svc/security/token_keys.h"

#define DAYS_MAX 1000 /* Secrets Manager's own limit */

static int refuse(const struct lambda_event *event, const char *type, struct px_str why)
{
    event->reply->error_type = px_str_c(type);
    event->reply->error_message = why;
    return LAMBDA_ERROR;
}

static bool find_step(struct px_str name, enum rotation_step *ret_step)
{
    for (int i = 0; i < ROTATION_STEPS; i++) {
        if (!px_str_eq(name, px_str_c(rotation_step_names[i]))) continue;
        *ret_step = (enum rotation_step)i;
        return true;
    }
    return false;
}

static int handle_step(struct rotation *rotation, const struct lambda_event *event,
                       yyjson_val *root)
{
    struct rotation_request request = {.secret = px_json_str(root, "SecretId"),
                                       .id = px_json_str(root, "ClientRequestToken")};
    if (!find_step(px_json_str(root, "Step"), &request.step) || request.secret.len == 0 ||
        request.id.len == 0 || request.id.len > SECRET_ID_MAX)
        return refuse(event, "BadRequest",
                      S("Step is createSecret, setSecret, testSecret or finishSecret; SecretId and "
                        "ClientRequestToken go with it"));
    int r = rotation_step(rotation, &request);
    if (r > 0) {
        static const char *const types[] = {
            [ROTATION_ABSENT] = "NotFound",       [ROTATION_UNKNOWN] = "BadRequest",
            [ROTATION_ELSEWHERE] = "Misdirected", [ROTATION_NO_VERSION] = "Conflict",
            [ROTATION_OTHER] = "Conflict",        [ROTATION_OVERTAKEN] = "Overtaken",
            [ROTATION_REFUSED] = "Refused"};
        px_log(event->log, PX_WARN, "secret %.*s: %s refused: %s", PX_FMT(request.secret),
               rotation_step_names[request.step], rotation_answer_text(r));
        return refuse(event, types[r], px_str_c(rotation_answer_text(r)));
    }
    PX_TRY(r);
    px_log(event->log, PX_INFO, "secret %.*s: %s done for version %.*s", PX_FMT(request.secret),
           rotation_step_names[request.step], PX_FMT(request.id));
    px_buf_printf(event->reply->body, "{\"step\":\"%s\",\"done\":true}",
                  rotation_step_names[request.step]);
    return px_buf_fault(event->reply->body);
}

static int handle_due(struct rotation *rotation, const struct lambda_event *event, yyjson_val *root)
{
    struct rotation_report report;
    int64_t days = px_json_i64(root, "days", -1), begun_ns = px_mono_ns(&px_clock_system);
    if (days < 0 || days > DAYS_MAX)
        return refuse(event, "BadRequest", S("days is 0 to 1000: how old a value may become"));
    PX_TRY(rotation_due(rotation, days * 86400 * PX_NS_PER_S, event->log, &report));
    px_buf_printf(event->reply->body,
                  "{\"op\":\"due\",\"secrets\":%zu,\"made\":%zu,\"rotated\":%zu,\"ended\":%zu,"
                  "\"failed\":%zu,\"ms\":%lld}",
                  report.secrets, report.made, report.rotated, report.ended, report.failed,
                  (long long)((px_mono_ns(&px_clock_system) - begun_ns) / PX_NS_PER_MS));
    return px_buf_fault(event->reply->body);
}

static int handle_public(const struct rotation_options *options, const struct lambda_event *event)
{
    PX_AUTO(secret_store_close) struct secret_store *secrets = NULL;
    PX_AUTO(token_keys_wipe) struct token_keys keys = {0};
    const struct secret_options how = {.clock = options->clock, .cloud = options->cloud};
    PX_TRY(secret_store_open(options->secrets_url, &how, &secrets));
    int r = token_keys_load(
        secrets, options->token_secret.len > 0 ? options->token_secret : TOKEN_SECRET, &keys);
    if (r != SECRET_ABSENT) PX_TRY(r);
    token_keys_write_public(&keys, event->reply->body);
    return px_buf_fault(event->reply->body);
}

int rotation_handle(const struct rotation_options *options, const struct lambda_event *event)
{
    PX_AUTO(rotation_close) struct rotation *rotation = NULL;
    yyjson_val *root = NULL;
    int r = px_json_parse(event->payload, event->arena, &root, NULL);
    if (r < 0) PX_TRY(r);
    struct px_str op = r == 0 ? px_json_str(root, "op") : (struct px_str){0};
    bool step = r == 0 && yyjson_obj_get(root, "Step"), due = px_str_eq(op, S("due"));
    if (px_str_eq(op, S("public-keys"))) return handle_public(options, event);
    if (!step && !due)
        return refuse(event, "BadRequest",
                      S("an event is {\"Step\",\"SecretId\",\"ClientRequestToken\"}, "
                        "{\"op\":\"due\",\"days\":N} or {\"op\":\"public-keys\"}"));
    PX_TRY(rotation_open(options, &rotation));
    return step ? handle_step(rotation, event, root) : handle_due(rotation, event, root);
}
