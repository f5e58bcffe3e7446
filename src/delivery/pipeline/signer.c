/* delivery/pipeline/signer.c - see signer.h.
 *
 * Sources: AWS Signer API reference, StartSigningJob ("All calls after the first that use this token return the same response as the
 * first call"; source buckets keep versions; profile and buckets of one region) and DescribeSigningJob (InProgress, Succeeded, Failed);
 * AWS Systems Manager API reference, GetParameter. */
#include "delivery/pipeline/signer.h"

#include <stdio.h>
#include <stdlib.h>

#include "aws/client.h"
#include "aws/uri.h"
#include "base/px_buf.h"
#include "base/px_json.h"

#define DEADLINE_MS 30000
#define REQUEST_BYTES_MAX ((size_t)16 << 10)

struct signer {
    struct cloud_client *signer, *parameters;
    char why[512];
};

static int client_new(struct cloud *cloud, const char *service, struct px_str region,
                      struct cloud_client **ret_client)
{
    const struct cloud_client_options options = {.service = px_str_c(service), .region = region};
    return cloud_client_new(cloud, &options, ret_client);
}

int signer_open(struct cloud_shared *shared, struct px_str region, struct signer **ret_signer)
{
    struct cloud *cloud = NULL;
    struct signer *signer = calloc(1, sizeof *signer);
    if (!signer) return px_fault(PX_F_OOM, "a client of AWS Signer");
    int r = cloud_shared_take(shared, &cloud);
    if (r == 0) r = client_new(cloud, "signer", region, &signer->signer);
    if (r == 0) r = client_new(cloud, "ssm", region, &signer->parameters);
    if (r != 0) {
        signer_close(&signer);
        return r;
    }
    *ret_signer = signer;
    return 0;
}

void signer_close(struct signer **psigner)
{
    struct signer *signer = *psigner;
    if (!signer) return;
    cloud_client_free(&signer->signer);
    cloud_client_free(&signer->parameters);
    free(signer);
    *psigner = NULL;
}

const char *signer_why(const struct signer *signer) { return signer->why; }

/* ---- one call ---- */

static int refusal(struct signer *signer, const char *what, const struct cloud_response *response,
                   struct px_arena *arena)
{
    yyjson_val *root = NULL;
    struct px_str message = {0};
    if (px_json_parse(response->body, arena, &root, NULL) == 0) {
        message = px_json_str(root, "message");
        if (!message.ptr) message = px_json_str(root, "Message");
    }
    (void)snprintf(signer->why, sizeof signer->why, "%s: %d %.*s%s%.*s", what, response->status,
                   PX_FMT(response->error), message.len > 0 ? ": " : "", PX_FMT(message));
    return SIGNER_REFUSED;
}

static int exchange(struct signer *signer, struct cloud_client *client,
                    const struct cloud_request *request, struct px_arena *arena,
                    yyjson_val **ret_root)
{
    struct cloud_response response;
    int r = cloud_call(client, request, arena, &response);
    if (r == CLOUD_REFUSED) return refusal(signer, request->what, &response, arena);
    PX_TRY(r);
    r = px_json_parse(response.body, arena, ret_root, NULL);
    return r == PX_JSON_INVALID
               ? px_fault(PX_F_PROTOCOL, "%s: the answer is no JSON", request->what)
               : r;
}

/* ---- the region's place ---- */

/* "arn:aws:signer:<region>:<account>:/signing-profiles/<name>" */
static struct px_str behind_last(struct px_str text, char sep)
{
    for (size_t i = text.len; i > 0; i--)
        if (text.ptr[i - 1] == sep) return px_str_skip(text, i);
    return text;
}

static int read_place(struct signer *signer, struct px_str parameter, struct px_str value,
                      struct px_arena *arena, struct signer_place *ret_place)
{
    yyjson_val *root = NULL;
    int r = px_json_parse(value, arena, &root, NULL);
    if (r < 0) return px_fold(r, __FILE__, __LINE__);
    struct px_str profile = r == 0 ? px_json_str(root, "signing_profile_arn") : S("");
    struct signer_place place = {
        .bucket = px_json_str(root, "artifact_bucket"),
        .profile = behind_last(profile, '/'),
        .profile_version = px_json_str(root, "signing_profile_version_arn")};
    if (place.bucket.len > 0 && place.profile.len > 0 && place.profile_version.len > 0) {
        *ret_place = place;
        return 0;
    }
    (void)snprintf(signer->why, sizeof signer->why,
                   "parameter %.*s names no artifact bucket and signing profile",
                   PX_FMT(parameter));
    return SIGNER_REFUSED;
}

int signer_place_read(struct signer *signer, struct px_str parameter, struct px_arena *arena,
                      struct signer_place *ret_place)
{
    PX_AUTO(px_buf_deinit) struct px_buf body;
    yyjson_val *root = NULL;
    px_buf_init(&body, REQUEST_BYTES_MAX);
    px_buf_add_c(&body, "{\"Name\":");
    px_buf_add_json_str(&body, parameter);
    px_buf_add_char(&body, '}');
    PX_TRY(px_buf_fault(&body));
    const struct cloud_header headers[] = {{S("X-Amz-Target"), S("AmazonSSM.GetParameter")},
                                           {S("Content-Type"), S("application/x-amz-json-1.1")}};
    const struct cloud_request request = {.what = "GetParameter",
                                          .method = "POST",
                                          .path = S("/"),
                                          .headers = headers,
                                          .header_count = PX_COUNT(headers),
                                          .body = px_buf_str(&body),
                                          .deadline_ms = DEADLINE_MS};
    int r = exchange(signer, signer->parameters, &request, arena, &root);
    if (r != 0) return r;
    struct px_str value = px_json_str(px_json_obj(root, "Parameter"), "Value");
    return read_place(signer, parameter, value, arena, ret_place);
}

/* ---- jobs ---- */

static void add_member(struct px_buf *buf, const char *before, struct px_str value)
{
    px_buf_add_c(buf, before);
    px_buf_add_json_str(buf, value);
}

int signer_start(struct signer *signer, const struct signer_job *job, struct px_arena *arena,
                 struct px_str *ret_id)
{
    static const struct cloud_header json = {{"Content-Type", 12}, {"application/json", 16}};
    PX_AUTO(px_buf_deinit) struct px_buf body;
    yyjson_val *root = NULL;
    px_buf_init(&body, REQUEST_BYTES_MAX);
    add_member(&body, "{\"source\":{\"s3\":{\"bucketName\":", job->place->bucket);
    add_member(&body, ",\"key\":", job->key);
    add_member(&body, ",\"version\":", job->version);
    add_member(&body, "}},\"destination\":{\"s3\":{\"bucketName\":", job->place->bucket);
    add_member(&body, ",\"prefix\":", job->prefix);
    add_member(&body, "}},\"profileName\":", job->place->profile);
    add_member(&body, ",\"clientRequestToken\":", job->token);
    px_buf_add_char(&body, '}');
    PX_TRY(px_buf_fault(&body));
    const struct cloud_request request = {.what = "StartSigningJob",
                                          .method = "POST",
                                          .path = S("/signing-jobs"),
                                          .headers = &json,
                                          .header_count = 1,
                                          .body = px_buf_str(&body),
                                          .deadline_ms = DEADLINE_MS};
    int r = exchange(signer, signer->signer, &request, arena, &root);
    if (r != 0) return r;
    *ret_id = px_json_str(root, "jobId");
    return ret_id->len > 0 ? 0 : px_fault(PX_F_PROTOCOL, "StartSigningJob: no jobId");
}

static int read_look(yyjson_val *root, struct signer_look *ret_look)
{
    struct px_str state = px_json_str(root, "status");
    yyjson_val *copy = px_json_obj(px_json_obj(root, "signedObject"), "s3");
    struct signer_look look = {.state = SIGNER_RUNS,
                               .reason = px_json_str(root, "statusReason"),
                               .profile_version = px_json_str(root, "profileVersion"),
                               .bucket = px_json_str(copy, "bucketName"),
                               .key = px_json_str(copy, "key")};
    if (px_str_eq(state, S("Failed")))
        look.state = SIGNER_FAILED;
    else if (px_str_eq(state, S("Succeeded")))
        look.state = SIGNER_DONE;
    else if (!px_str_eq(state, S("InProgress")))
        return px_fault(PX_F_PROTOCOL, "DescribeSigningJob: status %.*s", PX_FMT(state));
    if (look.state == SIGNER_DONE && look.key.len == 0)
        return px_fault(PX_F_PROTOCOL, "DescribeSigningJob: a job that succeeded has no object");
    *ret_look = look;
    return 0;
}

int signer_look(struct signer *signer, struct px_str id, struct px_arena *arena,
                struct signer_look *ret_look)
{
    yyjson_val *root = NULL;
    struct px_str encoded = cloud_uri_param(id, arena);
    struct px_str path = px_arena_printf(arena, "/signing-jobs/%.*s", PX_FMT(encoded));
    if (!encoded.ptr || !path.ptr) return px_arena_fault(arena);
    const struct cloud_request request = {
        .what = "DescribeSigningJob", .method = "GET", .path = path, .deadline_ms = DEADLINE_MS};
    int r = exchange(signer, signer->signer, &request, arena, &root);
    return r != 0 ? r : read_look(root, ret_look);
}
