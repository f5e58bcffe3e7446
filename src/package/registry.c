/* package/registry.c - blobs that are not there yet, then the manifest that names them: a manifest never stands without its
 * blobs. docs: registry.h. */
#include "package/registry.h"

#include <stdio.h>
#include <stdlib.h>

#include "package/registry_internal.h"

#define UPLOAD_MS (10u * 60 * 1000)
#define UPLOADS_MAX 3 /* of one blob: a connection that broke, a registry that was restarted */
#define SCRATCH_BYTES_MAX ((size_t)2 << 30)

/* ---- life ---- */

/* By address, or the one name that is; "127.example.com" is a host like any other. */
static bool is_loopback(struct px_str host)
{
    struct px_str name;
    if (px_str_starts(host, S("[::1]"))) return true;
    (void)px_str_cut(&host, ':', &name);
    if (px_str_eq(name, S("localhost"))) return true;
    for (size_t i = 0; i < name.len; i++)
        if (!strchr("0123456789.", name.ptr[i])) return false;
    return px_str_starts(name, S("127."));
}

static int parse_address(struct registry *registry, struct px_str address)
{
    struct px_str rest = address, scheme = S("https://");
    if (px_str_starts(rest, S("http://"))) scheme = S("http://");
    if (px_str_starts(rest, scheme)) rest = px_str_skip(rest, scheme.len);
    (void)px_str_cut(&rest, '/', &registry->host);
    while (px_str_ends(rest, S("/"))) rest.len--;
    if (registry->host.len == 0)
        return px_fault(PX_F_CONFIG, "\"%.*s\" names no registry", PX_FMT(address));
    if (scheme.len == 7 && !is_loopback(registry->host))
        return px_fault(PX_F_CONFIG, "%.*s would get credentials and images in plain text",
                        PX_FMT(registry->host));
    for (size_t i = 0; i < rest.len; i++)
        if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789._-/", rest.ptr[i]))
            return px_fault(PX_F_CONFIG, "\"%.*s\" is no name of a repository", PX_FMT(rest));
    registry->repository = rest;
    registry->origin = px_arena_printf(registry->arena, "%.*s%.*s", PX_FMT(scheme),
                                       PX_FMT(registry->host));
    return registry->origin.ptr ? 0 : px_arena_fault(registry->arena);
}

static int open_clients(struct registry *registry)
{
    struct cloud_options cloud = {.region = S("none")}; /* nothing is signed */
    struct cloud_client_options client = {
        .service = S("registry"), .endpoint = registry->origin, .attempt_ms = 30000};
    PX_TRY(cloud_open(&cloud, &registry->cloud));
    PX_TRY(cloud_client_new(registry->cloud, &client, &registry->client));
    client.attempts_max = 1;
    client.attempt_ms = UPLOAD_MS;
    return cloud_client_new(registry->cloud, &client, &registry->uploads);
}

int registry_open(const struct registry_options *options, struct px_arena *arena,
                  struct registry **ret_registry)
{
    PX_AUTO(registry_close) struct registry *registry = calloc(1, sizeof *registry);
    if (!registry) return px_fault(PX_F_OOM, "a registry");
    registry->arena = arena;
    PX_TRY(parse_address(registry, options->address));
    PX_TRY(registry_find_credentials(registry, options));
    PX_TRY(open_clients(registry));
    *ret_registry = PX_TAKE(registry);
    return 0;
}

void registry_close(struct registry **pregistry)
{
    struct registry *registry = *pregistry;
    if (!registry) return;
    cloud_client_free(&registry->uploads);
    cloud_client_free(&registry->client);
    cloud_close(&registry->cloud);
    free(registry);
    *pregistry = NULL;
}

/* ---- one request ---- */

struct ask {
    const char *what, *method;
    struct px_str path;
    struct px_str content_type; /* empty: none */
    struct px_str accept;       /* empty: none */
    struct px_str body;
    bool upload;
};

static int ask_once(struct registry *registry, const struct ask *ask,
                    struct cloud_response *ret_response)
{
    struct cloud_header headers[4];
    size_t count = 0;
    if (registry->authorization.len > 0)
        headers[count++] = (struct cloud_header){S("Authorization"), registry->authorization};
    if (ask->content_type.len > 0)
        headers[count++] = (struct cloud_header){S("Content-Type"), ask->content_type};
    if (ask->accept.len > 0) headers[count++] = (struct cloud_header){S("Accept"), ask->accept};
    bool empty = ask->body.len == 0 && strcmp(ask->method, "HEAD") != 0;
    if (empty) headers[count++] = (struct cloud_header){S("Content-Length"), S("0")};
    struct cloud_request request = {.what = ask->what,
                                    .method = ask->method,
                                    .path = ask->path,
                                    .headers = headers,
                                    .header_count = count,
                                    .body = ask->body,
                                    .anonymous = true,
                                    .deadline_ms = ask->upload ? UPLOAD_MS : 60000};
    return cloud_call(ask->upload ? registry->uploads : registry->client, &request, registry->arena,
                      ret_response);
}

/* Answers as cloud_call() does; asked for credentials it shows them, once. */
static int exchange(struct registry *registry, const struct ask *ask,
                    struct cloud_response *ret_response)
{
    int r = ask_once(registry, ask, ret_response);
    if (r != CLOUD_REFUSED || ret_response->status != 401) return r;
    PX_TRY(registry_authorize(registry, ret_response));
    r = ask_once(registry, ask, ret_response);
    if (r == CLOUD_REFUSED && (ret_response->status == 401 || ret_response->status == 403))
        return px_fault(PX_F_DENIED, "%.*s refuses the credentials for %s (%d)",
                        PX_FMT(registry->host), ask->what, ret_response->status);
    return r;
}

static int refused(const struct registry *registry, const char *what,
                   const struct cloud_response *response)
{
    return px_fault(PX_F_PROTOCOL, "%.*s refuses %s: %d %.*s", PX_FMT(registry->host), what,
                    response->status, (int)PX_MIN(response->body.len, 200), response->body.ptr);
}

static int path_of(struct registry *registry, struct px_str name, const char *tail,
                   struct px_str *ret_path)
{
    *ret_path = px_arena_printf(registry->arena, "/v2/%.*s%s%.*s/%s", PX_FMT(registry->repository),
                                registry->repository.len > 0 ? "/" : "", PX_FMT(name), tail);
    return ret_path->ptr ? 0 : px_arena_fault(registry->arena);
}

/* ---- blobs ---- */

enum { IS_THERE = 1, IS_ABSENT };

static int look(struct registry *registry, const struct ask *question,
                struct cloud_response *ret_response)
{
    int r = exchange(registry, question, ret_response);
    if (r == 0) return IS_THERE;
    if (r == CLOUD_REFUSED && ret_response->status == 404) return IS_ABSENT;
    return r == CLOUD_REFUSED ? refused(registry, question->what, ret_response) : r;
}

static int blob_is_there(struct registry *registry, struct px_str name, const char *sha256)
{
    struct ask question = {.what = "a look for a blob", .method = "HEAD"};
    struct cloud_response response;
    char tail[96];
    (void)snprintf(tail, sizeof tail, "blobs/sha256:%s", sha256);
    PX_TRY(path_of(registry, name, tail, &question.path));
    return look(registry, &question, &response);
}

/* Where the upload goes on: an address or a path, on the same host. */
static int location(struct registry *registry, const struct cloud_response *response,
                    struct px_str *ret_path)
{
    struct px_str place = cloud_response_header(response, S("Location"));
    if (px_str_starts(place, registry->origin)) place = px_str_skip(place, registry->origin.len);
    if (!px_str_starts(place, S("/")))
        return px_fault(PX_F_PROTOCOL, "%.*s sends an upload elsewhere", PX_FMT(registry->host));
    *ret_path = place;
    return 0;
}

/* Answers: CLOUD_REFUSED. */
static int upload_once(struct registry *registry, struct px_str name, const char *sha256,
                       struct px_str content, struct cloud_response *response)
{
    struct ask begin = {.what = "an upload", .method = "POST", .upload = true};
    PX_TRY(path_of(registry, name, "blobs/uploads/", &begin.path));
    int r = exchange(registry, &begin, response);
    if (r != 0) return r;
    struct ask piece = {.what = "a layer",
                        .method = "PATCH",
                        .content_type = S("application/octet-stream"),
                        .body = content,
                        .upload = true};
    PX_TRY(location(registry, response, &piece.path));
    r = exchange(registry, &piece, response);
    if (r != 0) return r;
    struct ask end = {.what = "an upload's end", .method = "PUT", .upload = true};
    PX_TRY(location(registry, response, &end.path));
    bool has_query = memchr(end.path.ptr, '?', end.path.len) != NULL;
    end.path = px_arena_printf(registry->arena, "%.*s%sdigest=sha256%%3A%s", PX_FMT(end.path),
                               has_query ? "&" : "?", sha256);
    if (!end.path.ptr) return px_arena_fault(registry->arena);
    return exchange(registry, &end, response);
}

static bool may_pass(int r)
{
    return r == PX_F_UNAVAILABLE || r == PX_F_BUSY || r == PX_F_TIMEOUT || r == CLOUD_REFUSED;
}

static int upload(struct registry *registry, struct px_str name, const char *sha256,
                  struct px_str content)
{
    struct cloud_response response = {0};
    int r = 0;
    for (int i = 0; i < UPLOADS_MAX; i++) {
        r = upload_once(registry, name, sha256, content, &response);
        if (!may_pass(r)) break;
    }
    return r == CLOUD_REFUSED ? refused(registry, "a layer", &response) : r;
}

static int read_blob(const char *layout, const char *sha256, struct px_arena *arena,
                     struct px_str *ret_content)
{
    char found[PACK_HEX_BYTES];
    struct px_str path = px_arena_printf(arena, "%s/blobs/sha256/%s", layout, sha256);
    if (!path.ptr) return px_arena_fault(arena);
    PX_TRY(pack_read(path.ptr, arena, ret_content));
    pack_sha256(*ret_content, found);
    if (strcmp(found, sha256) != 0)
        return px_fault(PX_F_CORRUPT, "%s is not what its name says", path.ptr);
    return 0;
}

static int push_blob(struct registry *registry, const char *layout, struct px_str name,
                     const char *sha256, struct registry_pushed *pushed)
{
    PX_AUTO(px_arena_deinit) struct px_arena scratch;
    struct px_str content = {0};
    px_arena_init(&scratch, SCRATCH_BYTES_MAX);
    int r = blob_is_there(registry, name, sha256);
    if (r == IS_THERE) {
        pushed->blobs_there++;
        return 0;
    }
    if (r != IS_ABSENT) return r;
    PX_TRY(read_blob(layout, sha256, &scratch, &content));
    PX_TRY(upload(registry, name, sha256, content));
    pushed->blobs_sent++;
    return 0;
}

/* ---- manifests ---- */

/* Where tags are immutable, the same image under the same tag once more would be refused. */
static int tag_is_free(struct registry *registry, struct px_str name, struct px_str tag,
                       const char *sha256, struct px_str accept)
{
    struct ask question = {.what = "a look for a tag", .method = "HEAD", .accept = accept};
    struct cloud_response response;
    struct px_str tail = px_arena_printf(registry->arena, "manifests/%.*s", PX_FMT(tag));
    if (!tail.ptr) return px_arena_fault(registry->arena);
    PX_TRY(path_of(registry, name, tail.ptr, &question.path));
    int r = look(registry, &question, &response);
    if (r != IS_THERE) return r;
    struct px_str digest = cloud_response_header(&response, S("Docker-Content-Digest"));
    bool same = px_str_starts(digest, S("sha256:")) &&
                px_str_eq(px_str_skip(digest, 7), px_str_c(sha256));
    return same ? IS_THERE
                : IS_ABSENT; /* a tag that is another's is moved, if the registry lets it */
}

static int put_manifest(struct registry *registry, struct px_str name, struct px_str tag,
                        const char *type, struct px_str text)
{
    struct ask put = {
        .what = "a manifest", .method = "PUT", .content_type = px_str_c(type), .body = text};
    struct cloud_response response;
    char sha256[PACK_HEX_BYTES];
    pack_sha256(text, sha256);
    int r = tag_is_free(registry, name, tag, sha256, put.content_type);
    if (r == IS_THERE) return 0;
    if (r != IS_ABSENT) return r;
    struct px_str tail = px_arena_printf(registry->arena, "manifests/%.*s", PX_FMT(tag));
    if (!tail.ptr) return px_arena_fault(registry->arena);
    PX_TRY(path_of(registry, name, tail.ptr, &put.path));
    r = exchange(registry, &put, &response);
    if (r == CLOUD_REFUSED) return refused(registry, "a manifest", &response);
    PX_TRY(r);
    struct px_str digest = cloud_response_header(&response, S("Docker-Content-Digest"));
    if (digest.len > 0 && !px_str_eq(px_str_skip(digest, 7), px_str_c(sha256)))
        return px_fault(PX_F_PROTOCOL, "%.*s keeps the manifest under another digest",
                        PX_FMT(registry->host));
    return 0;
}

static bool tag_is_fine(struct px_str tag)
{
    if (tag.len == 0 || tag.len > 128 || tag.ptr[0] == '.' || tag.ptr[0] == '-') return false;
    for (size_t i = 0; i < tag.len; i++) {
        char c = tag.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '.' || c == '-' || c == '_'))
            return false;
    }
    return true;
}

/* The digest is in it, so that every image has a tag of its own and is no leftover to a rule that removes untagged ones. */
static int own_tag(struct registry *registry, const struct image *image, struct px_str *ret_tag)
{
    *ret_tag = px_arena_printf(registry->arena, "%.*s-%.*s-%.12s", PX_FMT(image->version),
                               PX_FMT(image->architecture), image->manifest.sha256);
    if (!ret_tag->ptr) return px_arena_fault(registry->arena);
    return tag_is_fine(*ret_tag) ? 0
                                 : px_fault(PX_F_CONFIG, "\"%.*s\" is no tag", PX_FMT(*ret_tag));
}

static int push_blobs(struct registry *registry, const char *layout, const struct image *image,
                      struct registry_pushed *pushed)
{
    for (size_t i = 0; i < image->layer_count; i++)
        PX_TRY(push_blob(registry, layout, image->name, image->layers[i].blob.sha256, pushed));
    return push_blob(registry, layout, image->name, image->config.sha256, pushed);
}

int registry_push(struct registry *registry, const char *layout, const struct image *image,
                  struct registry_pushed *ret_pushed)
{
    struct registry_pushed pushed = {0};
    struct px_str text = {0};
    PX_TRY(own_tag(registry, image, &pushed.tag));
    PX_TRY(read_blob(layout, image->manifest.sha256, registry->arena, &text));
    PX_TRY(push_blobs(registry, layout, image, &pushed));
    PX_TRY(put_manifest(registry, image->name, pushed.tag, IMAGE_MANIFEST_TYPE, text));
    pushed.reference = px_arena_printf(registry->arena, "%.*s/%.*s%s%.*s@sha256:%s",
                                       PX_FMT(registry->host), PX_FMT(registry->repository),
                                       registry->repository.len > 0 ? "/" : "", PX_FMT(image->name),
                                       image->manifest.sha256);
    if (!pushed.reference.ptr) return px_arena_fault(registry->arena);
    *ret_pushed = pushed;
    return 0;
}

int registry_push_index(struct registry *registry, const struct image *images, size_t count,
                        struct px_str tag)
{
    PX_AUTO(px_buf_deinit) struct px_buf text;
    image_index_make(images, count, false, &text);
    if (!tag_is_fine(tag)) return px_fault(PX_F_CONFIG, "\"%.*s\" is no tag", PX_FMT(tag));
    if (px_buf_fault(&text)) return px_fault(px_buf_fault(&text), "an index");
    return put_manifest(registry, images[0].name, tag, IMAGE_INDEX_TYPE, px_buf_str(&text));
}
