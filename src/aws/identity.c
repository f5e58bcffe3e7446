/* aws/identity.c - keys out of the provider, and out of STS; docs: identity.h. */
#include "aws/identity.h"

#include <aws/auth/credentials.h>
#include <aws/common/date_time.h>

#include <stdlib.h>
#include <time.h>

#include "aws/internal.h"
#include "aws/uri.h"
#include "aws/xml.h"
#include "base/px_buf.h"

#define FETCH_MS 5000
#define REQUEST_BYTES_MAX ((size_t)64 << 10)

/* ---- this process's own ---- */

/* The provider may come back when the caller has gone; whoever lets go last frees it. */
struct fetch {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int refs;
    bool done;
    int error;
    struct aws_credentials *credentials;
};

static void fetch_unref(struct fetch **pfetch)
{
    struct fetch *fetch = *pfetch;
    if (!fetch) return;
    (void)pthread_mutex_lock(&fetch->lock);
    bool last = --fetch->refs == 0;
    (void)pthread_mutex_unlock(&fetch->lock);
    *pfetch = NULL;
    if (!last) return;
    aws_credentials_release(fetch->credentials);
    (void)pthread_cond_destroy(&fetch->changed);
    (void)pthread_mutex_destroy(&fetch->lock);
    free(fetch);
}

static void on_credentials(struct aws_credentials *credentials, int error, void *ctx)
{
    struct fetch *fetch = ctx;
    if (credentials) aws_credentials_acquire(credentials);
    (void)pthread_mutex_lock(&fetch->lock);
    fetch->credentials = credentials;
    fetch->error = error;
    fetch->done = true;
    (void)pthread_cond_signal(&fetch->changed);
    (void)pthread_mutex_unlock(&fetch->lock);
    fetch_unref(&fetch);
}

static int fetch_new(struct fetch **ret_fetch)
{
    struct fetch *fetch = calloc(1, sizeof *fetch);
    if (!fetch) return px_fault(PX_F_OOM, "credentials");
    pthread_condattr_t monotonic;
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&fetch->changed, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    (void)pthread_mutex_init(&fetch->lock, NULL);
    fetch->refs = 2;
    *ret_fetch = fetch;
    return 0;
}

static bool fetch_wait(struct fetch *fetch)
{
    int64_t until_ns = px_mono_ns(&px_clock_system) + FETCH_MS * PX_NS_PER_MS;
    struct timespec until = {until_ns / PX_NS_PER_S, until_ns % PX_NS_PER_S};
    int r = 0;
    (void)pthread_mutex_lock(&fetch->lock);
    while (!fetch->done && r == 0)
        r = pthread_cond_timedwait(&fetch->changed, &fetch->lock, &until);
    bool done = fetch->done;
    (void)pthread_mutex_unlock(&fetch->lock);
    return done;
}

static int keys_keep(struct cloud_keys keys, struct px_arena *arena, struct cloud_keys *ret_keys)
{
    keys.id = px_arena_dup(arena, keys.id);
    keys.secret = px_arena_dup(arena, keys.secret);
    keys.token = px_arena_dup(arena, keys.token);
    if (!keys.id.ptr || !keys.secret.ptr || !keys.token.ptr) return px_arena_fault(arena);
    *ret_keys = keys;
    return 0;
}

int cloud_identity(struct cloud *cloud, struct px_arena *arena, struct cloud_keys *ret_keys)
{
    PX_AUTO(fetch_unref) struct fetch *fetch = NULL;
    PX_TRY(fetch_new(&fetch));
    if (aws_credentials_provider_get_credentials(cloud->credentials, on_credentials, fetch) != 0) {
        fetch->refs--;
        return px_fault(PX_F_DENIED, "credentials: %s", aws_error_str(aws_last_error()));
    }
    if (!fetch_wait(fetch)) return px_fault(PX_F_UNAVAILABLE, "no credentials in time");
    if (!fetch->credentials)
        return px_fault(PX_F_DENIED, "credentials: %s", aws_error_str(fetch->error));
    uint64_t expires_s = aws_credentials_get_expiration_timepoint_seconds(fetch->credentials);
    struct cloud_keys keys = {
        .id = cloud_str(aws_credentials_get_access_key_id(fetch->credentials)),
        .secret = cloud_str(aws_credentials_get_secret_access_key(fetch->credentials)),
        .token = cloud_str(aws_credentials_get_session_token(fetch->credentials)),
        .expires_ns = expires_s < UINT32_MAX ? (int64_t)expires_s * PX_NS_PER_S : 0};
    PX_TRY(keys_keep(keys, arena, ret_keys));
    return 0;
}

struct px_str cloud_region(const struct cloud *cloud) { return px_str_c(cloud->region); }

/* ---- a role's ---- */

static void add_param(struct px_buf *body, struct px_arena *arena, const char *name,
                      struct px_str value)
{
    if (value.len == 0) return;
    struct px_str encoded = cloud_uri_param(value, arena);
    if (!encoded.ptr) body->fault = px_arena_fault(arena);
    px_buf_printf(body, "&%s=%.*s", name, PX_FMT(encoded));
}

struct answer {
    struct px_arena *arena;
    struct cloud_keys keys;
};

static int leaf(void *ctx, struct px_str name, struct px_str text)
{
    struct answer *answer = ctx;
    struct px_str *to = NULL;
    if (px_str_eq(name, S("AccessKeyId"))) to = &answer->keys.id;
    if (px_str_eq(name, S("SecretAccessKey"))) to = &answer->keys.secret;
    if (px_str_eq(name, S("SessionToken"))) to = &answer->keys.token;
    if (to) {
        *to = px_arena_dup(answer->arena, text);
        return to->ptr ? 0 : px_arena_fault(answer->arena);
    }
    struct aws_byte_cursor cursor = cloud_cursor(text);
    struct aws_date_time time;
    if (px_str_eq(name, S("Expiration")) &&
        aws_date_time_init_from_str_cursor(&time, &cursor, AWS_DATE_FORMAT_ISO_8601) == 0)
        answer->keys.expires_ns = (int64_t)aws_date_time_as_epoch_secs(&time) * PX_NS_PER_S;
    return 0;
}

static int answer_read(struct px_str body, struct px_arena *arena, struct cloud_keys *ret_keys)
{
    static const char *const containers[] = {"AssumeRoleResponse", "AssumeRoleResult",
                                             "Credentials", NULL};
    struct answer answer = {.arena = arena};
    struct cloud_xml_reader reader = {containers, leaf, NULL, &answer};
    int r = cloud_xml_read(body, &reader);
    if (r < 0) PX_TRY(r);
    const struct cloud_keys *keys = &answer.keys;
    bool whole = r == 0 && keys->id.len > 0 && keys->secret.len > 0 && keys->token.len > 0 &&
                 keys->expires_ns > 0;
    if (!whole) return px_fault(PX_F_PROTOCOL, "sts AssumeRole: no credentials in the answer");
    *ret_keys = answer.keys;
    return 0;
}

static int request_make(const struct cloud_assumption *assumption, struct px_arena *scratch,
                        struct px_buf *body)
{
    px_buf_printf(body, "Action=AssumeRole&Version=2011-06-15&DurationSeconds=%u",
                  assumption->duration_s);
    add_param(body, scratch, "RoleArn", assumption->role_arn);
    add_param(body, scratch, "RoleSessionName", assumption->session);
    add_param(body, scratch, "Tags.member.1.Key", assumption->tag);
    add_param(body, scratch, "Tags.member.1.Value", assumption->tag_value);
    add_param(body, scratch, "Policy", assumption->policy);
    return px_buf_fault(body) ? px_fault(px_buf_fault(body), "sts AssumeRole: a request") : 0;
}

int cloud_assume(struct cloud_client *client, const struct cloud_assumption *assumption,
                 struct px_arena *arena, struct cloud_keys *ret_keys)
{
    PX_AUTO(px_arena_deinit_wiped) struct px_arena scratch;
    PX_AUTO(px_buf_deinit) struct px_buf body;
    px_arena_init(&scratch, 4 * REQUEST_BYTES_MAX);
    px_buf_init(&body, REQUEST_BYTES_MAX);
    PX_TRY(request_make(assumption, &scratch, &body));
    struct cloud_header type = {S("Content-Type"), S("application/x-www-form-urlencoded")};
    struct cloud_request request = {.what = "AssumeRole",
                                    .method = "POST",
                                    .path = S("/"),
                                    .headers = &type,
                                    .header_count = 1,
                                    .body = px_buf_str(&body),
                                    .body_bytes_max = REQUEST_BYTES_MAX,
                                    .secret = true};
    struct cloud_response response = {0};
    int r = cloud_call(client, &request, &scratch, &response);
    if (r == CLOUD_REFUSED)
        return px_fault(PX_F_CONFIG, "sts AssumeRole %.*s: %d %.*s", PX_FMT(assumption->role_arn),
                        response.status, PX_FMT(response.error));
    PX_TRY(r);
    struct cloud_keys keys = {0};
    PX_TRY(answer_read(response.body, &scratch, &keys));
    PX_TRY(keys_keep(keys, arena, ret_keys));
    return 0;
}
