/* store/secrets_aws_request.c - one request to Secrets Manager: its body, what came, and that nothing secret stays. */
#include "store/secrets_aws.h"

void secrets_aws_begin(struct px_buf *body, const struct secret_manager *manager, const char *field,
                       struct px_str name)
{
    char full[2 * SECRETS_AWS_NAME_BYTES_MAX];
    int n = snprintf(full, sizeof full, "%s%.*s", manager->prefix, PX_FMT(name));
    PX_ASSERT(n > 0 && (size_t)n < sizeof full);
    px_buf_printf(body, "{\"%s\":", field);
    px_buf_add_json_str(body, px_str(full, (size_t)n));
}

void secrets_aws_add_value(struct px_buf *body, struct px_str value)
{
    px_buf_add_char(body, ',');
    if (px_utf8_ok(value)) {
        px_buf_add_c(body, "\"SecretString\":");
        px_buf_add_json_str(body, value);
    } else {
        px_buf_add_c(body, "\"SecretBinary\":\"");
        px_buf_add_base64(body, value);
        px_buf_add_char(body, '"');
    }
}

int secrets_aws_exchange(struct secret_manager *manager, const char *what,
                         const struct px_buf *body, struct px_arena *scratch, yyjson_val **ret_root)
{
    char target[64];
    (void)snprintf(target, sizeof target, "secretsmanager.%s", what);
    struct cloud_header headers[] = {{S("X-Amz-Target"), px_str_c(target)},
                                     {S("Content-Type"), S("application/x-amz-json-1.1")}};
    struct cloud_request request = {.what = what,
                                    .method = "POST",
                                    .path = S("/"),
                                    .headers = headers,
                                    .header_count = PX_COUNT(headers),
                                    .body = px_buf_str(body),
                                    .deadline_ms = manager->options.call_ms,
                                    .body_bytes_max = SECRETS_AWS_BODY_BYTES_MAX,
                                    .secret = true};
    struct cloud_response response = {0};
    if (px_buf_fault(body)) return px_fault(px_buf_fault(body), "%s: a request", what);
    int r = cloud_call(manager->client, &request, scratch, &response);
    if (r == CLOUD_REFUSED && px_str_eq(response.error, S("ResourceNotFoundException")))
        return SECRET_ABSENT;
    if (r == CLOUD_REFUSED && px_str_eq(response.error, S("ResourceExistsException")))
        return SECRET_EXISTS;
    if (r == CLOUD_REFUSED)
        return px_fault(PX_F_PROTOCOL, "%s: %d %.*s", what, response.status,
                        PX_FMT(response.error));
    PX_TRY(r);
    r = px_json_parse(response.body, scratch, ret_root, NULL);
    if (r == PX_JSON_INVALID) return px_fault(PX_F_PROTOCOL, "%s: the answer is not JSON", what);
    PX_TRY(r);
    return 0;
}
