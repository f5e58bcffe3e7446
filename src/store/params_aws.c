/* store/params_aws.c - parameters in SSM's Parameter Store; docs: params.h, docs/design/aws.md.
 *
 * The cloud is opened by the first reading. A page holds at most 10 parameters.
 * https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParametersByPath.html */
#include "store/params_half.h"

#include <stdlib.h>

#include "aws/client.h"
#include "aws/shared.h"
#include "base/px_buf.h"
#include "base/px_json.h"

#define PATH_BYTES_MAX 1011u /* of a parameter's whole name */
#define PAGE_MAX 10u
#define BODY_BYTES_MAX ((size_t)1 << 20) /* ten values, each byte escaped */
#define SCRATCH_BYTES_MAX ((size_t)8 << 20)

struct param_manager {
    struct param_store store;   /* first: the header's functions know only this */
    struct cloud_shared own;    /* where nobody shares */
    struct cloud_shared *cloud; /* it, or the caller's */
    struct cloud_client *client;
    char path[PATH_BYTES_MAX + 2]; /* "/a/b", or "/" */
};

static int client_of(struct param_manager *manager)
{
    struct cloud *cloud = NULL;
    if (manager->client) return 0;
    PX_TRY(cloud_shared_take(manager->cloud, &cloud));
    const struct cloud_client_options options = {.service = S("ssm")};
    PX_TRY(cloud_client_new(cloud, &options, &manager->client));
    return 0;
}

static int ask(struct param_manager *manager, struct px_str next, uint32_t within_ms,
               struct px_arena *scratch, yyjson_val **ret_root)
{
    PX_AUTO(px_buf_deinit_wiped) struct px_buf body;
    px_buf_init(&body, BODY_BYTES_MAX);
    px_buf_add_c(&body, "{\"Path\":");
    px_buf_add_json_str(&body, px_str_c(manager->path));
    px_buf_printf(&body, ",\"Recursive\":true,\"WithDecryption\":true,\"MaxResults\":%u", PAGE_MAX);
    if (next.len > 0) {
        px_buf_add_c(&body, ",\"NextToken\":");
        px_buf_add_json_str(&body, next);
    }
    px_buf_add_char(&body, '}');
    if (px_buf_fault(&body)) return px_fault(px_buf_fault(&body), "GetParametersByPath: a request");
    const struct cloud_header headers[] = {{S("X-Amz-Target"), S("AmazonSSM.GetParametersByPath")},
                                           {S("Content-Type"), S("application/x-amz-json-1.1")}};
    const struct cloud_request request = {.what = "GetParametersByPath",
                                          .method = "POST",
                                          .path = S("/"),
                                          .headers = headers,
                                          .header_count = PX_COUNT(headers),
                                          .body = px_buf_str(&body),
                                          .deadline_ms = within_ms,
                                          .body_bytes_max = BODY_BYTES_MAX,
                                          .secret = true};
    struct cloud_response response = {0};
    int r = cloud_call(manager->client, &request, scratch, &response);
    if (r == CLOUD_REFUSED)
        return px_fault(PX_F_PROTOCOL, "GetParametersByPath: %d %.*s", response.status,
                        PX_FMT(response.error));
    PX_TRY(r);
    r = px_json_parse(response.body, scratch, ret_root, NULL);
    if (r == PX_JSON_INVALID)
        return px_fault(PX_F_PROTOCOL, "GetParametersByPath: the answer is not JSON");
    PX_TRY(r);
    return 0;
}

/* "<path>/<name>" without the path; what is not below it was not asked for. */
static int add_page(const struct param_manager *manager, yyjson_val *root, struct param_set *set)
{
    size_t i, n, skip = strlen(manager->path) + (manager->path[1] != '\0');
    yyjson_val *it;
    px_json_arr_foreach(px_json_arr(root, "Parameters"), i, n, it)
    {
        struct px_str name = px_json_str(it, "Name");
        bool fine = px_str_starts(name, px_str_c(manager->path)) && name.len > skip &&
                    name.ptr[skip - 1] == '/' && yyjson_is_str(yyjson_obj_get(it, "Value"));
        if (!fine)
            return px_fault(PX_F_PROTOCOL, "GetParametersByPath: parameter %.*s", PX_FMT(name));
        PX_TRY(param_set_add(set, px_str_skip(name, skip), px_json_str(it, "Value")));
    }
    return 0;
}

/* next: of the page before, or empty; then that of this one. */
static int read_page(struct param_manager *manager, uint32_t within_ms, struct px_buf *next,
                     struct param_set *set)
{
    PX_AUTO(px_arena_deinit_wiped) struct px_arena scratch;
    px_arena_init(&scratch, SCRATCH_BYTES_MAX);
    yyjson_val *root = NULL;
    PX_TRY(ask(manager, px_buf_str(next), within_ms, &scratch, &root));
    PX_TRY(add_page(manager, root, set));
    px_buf_clear(next);
    px_buf_add_str(next, px_json_str(root, "NextToken"));
    return px_buf_fault(next);
}

static int manager_read(struct param_store *store, uint32_t within_ms, struct param_set *set)
{
    struct param_manager *manager = (struct param_manager *)store;
    int64_t until_ns = px_mono_ns(&px_clock_system) + within_ms * PX_NS_PER_MS;
    PX_TRY(client_of(manager));
    PX_AUTO(px_buf_deinit) struct px_buf next;
    px_buf_init(&next, BODY_BYTES_MAX);
    /* Pages may be empty and yet have a next one; a set that is full ends the walk. */
    for (unsigned page = 0; page < PARAMS_MAX; page++) {
        int64_t left_ms = (until_ns - px_mono_ns(&px_clock_system)) / PX_NS_PER_MS;
        if (left_ms <= 0) return px_fault(PX_F_TIMEOUT, "GetParametersByPath: page %u", page);
        PX_TRY(read_page(manager, (uint32_t)left_ms, &next, set));
        if (next.len == 0) return 0;
    }
    return px_fault(PX_F_PROTOCOL, "GetParametersByPath: pages without end");
}

static void manager_close(struct param_store *store)
{
    struct param_manager *manager = (struct param_manager *)store;
    cloud_client_free(&manager->client);
    cloud_shared_close(&manager->own);
    free(manager);
}

static const struct param_half half = {.read = manager_read, .close = manager_close};

static int path_set(struct param_manager *manager, struct px_str path)
{
    while (px_str_ends(path, S("/"))) path.len--;
    while (px_str_starts(path, S("/"))) path = px_str_skip(path, 1);
    bool valid = path.len <= PATH_BYTES_MAX;
    for (size_t i = 0; valid && i < path.len; i++) {
        char c = path.ptr[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        valid = plain || (c != '\0' && strchr("/_.-", c));
    }
    if (!valid)
        return px_fault(PX_F_CONFIG, "ssm://%.*s: not the beginning of a parameter's name",
                        PX_FMT(path));
    (void)snprintf(manager->path, sizeof manager->path, "/%.*s", PX_FMT(path));
    return 0;
}

int params_aws_open(struct px_str path, const struct param_options *options,
                    struct param_store **ret_store)
{
    struct param_manager *manager = calloc(1, sizeof *manager);
    if (!manager) return px_fault(PX_F_OOM, "the parameters");
    PX_AUTO(param_store_close) struct param_store *store = &manager->store;
    store->half = &half;
    manager->cloud = options->cloud ? options->cloud : &manager->own;
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): PX_AUTO frees it */
    PX_TRY(path_set(manager, path));
    *ret_store = PX_TAKE(store);
    return 0;
}
