/* package/image.c - manifests and configurations; docs: image.h. No field holds a time but the epoch, and no field holds the
 * machine, so that the same files make the same digests. */
#include "package/image.h"

#include <stdio.h>

#include "base/px_file.h"

#define TEXT_BYTES_MAX ((size_t)1 << 20)
#define EPOCH "1970-01-01T00:00:00Z"

const char *image_architecture(struct px_str lambda_name)
{
    return px_str_eq(lambda_name, S("x86_64")) ? "amd64" : "arm64";
}

static int blob_write(const char *layout, struct px_str bytes, struct image_blob *ret_blob)
{
    char path[4096];
    pack_sha256(bytes, ret_blob->sha256);
    ret_blob->bytes = bytes.len;
    int n = snprintf(path, sizeof path, "%s/blobs/sha256", layout);
    if (n < 0 || (size_t)n + PACK_HEX_BYTES + 1 >= sizeof path)
        return px_fault(PX_F_LIMIT, "%s is too long", layout);
    PX_TRY(px_dir_make(path));
    (void)snprintf(path, sizeof path, "%s/blobs/sha256/%s", layout, ret_blob->sha256);
    PX_TRY(px_file_write_atomic(path, bytes, 0644));
    return 0;
}

int image_layer_write(const char *layout, const char *what, const struct pack_list *files,
                      struct image_layer *ret_layer)
{
    PX_AUTO(px_buf_deinit) struct px_buf tar;
    PX_AUTO(px_buf_deinit) struct px_buf gzip;
    struct image_layer layer = {.what = what};
    px_buf_init(&tar, PACK_BYTES_MAX);
    px_buf_init(&gzip, PACK_BYTES_MAX + PACK_BYTES_MAX / 8);
    PX_TRY(pack_tar(files, &tar));
    PX_TRY(pack_gzip(px_buf_str(&tar), &gzip));
    pack_sha256(px_buf_str(&tar), layer.diff_sha256);
    layer.unpacked_bytes = tar.len;
    PX_TRY(blob_write(layout, px_buf_str(&gzip), &layer.blob));
    *ret_layer = layer;
    return 0;
}

/* ---- one image ---- */

static void add_field(struct px_buf *buf, const char *name, struct px_str value)
{
    px_buf_printf(buf, "\"%s\":", name);
    px_buf_add_json_str(buf, value);
}

static void add_annotations(struct px_buf *buf, const struct image *image)
{
    px_buf_add_char(buf, '{');
    add_field(buf, "org.opencontainers.image.description", image->description);
    px_buf_add_char(buf, ',');
    add_field(buf, "org.opencontainers.image.licenses", S("Apache-2.0"));
    px_buf_add_char(buf, ',');
    add_field(buf, "org.opencontainers.image.title", image->name);
    px_buf_add_char(buf, ',');
    add_field(buf, "org.opencontainers.image.version", image->version);
    px_buf_add_char(buf, '}');
}

static void add_platform(struct px_buf *buf, struct px_str architecture)
{
    const char *name = image_architecture(architecture);
    px_buf_printf(buf, "\"architecture\":\"%s\",\"os\":\"linux\"", name);
    if (strcmp(name, "arm64") == 0) px_buf_add_c(buf, ",\"variant\":\"v8\"");
}

static void config_make(const struct image *image, struct px_buf *buf)
{
    px_buf_add_c(buf, "{\"created\":\"" EPOCH "\",");
    add_platform(buf, image->architecture);
    px_buf_add_c(buf, ",\"config\":{\"Entrypoint\":[\"/" IMAGE_TASK_DIR "/bootstrap\"],"
                      "\"Env\":[\"PATH=/" IMAGE_TASK_DIR "\"],\"Labels\":");
    add_annotations(buf, image);
    px_buf_add_c(buf, ",\"WorkingDir\":\"/" IMAGE_TASK_DIR "\"},\"rootfs\":{\"type\":\"layers\","
                      "\"diff_ids\":[");
    for (size_t i = 0; i < image->layer_count; i++)
        px_buf_printf(buf, "%s\"sha256:%s\"", i > 0 ? "," : "", image->layers[i].diff_sha256);
    px_buf_add_c(buf, "]},\"history\":[");
    for (size_t i = 0; i < image->layer_count; i++)
        px_buf_printf(buf, "%s{\"created\":\"" EPOCH "\",\"created_by\":\"prism package: %s\"}",
                      i > 0 ? "," : "", image->layers[i].what);
    px_buf_add_c(buf, "]}");
}

static void add_descriptor(struct px_buf *buf, const char *type, const struct image_blob *blob)
{
    px_buf_printf(buf, "\"mediaType\":\"%s\",\"digest\":\"sha256:%s\",\"size\":%llu", type,
                  blob->sha256, (unsigned long long)blob->bytes);
}

static void manifest_make(const struct image *image, struct px_buf *buf)
{
    px_buf_add_c(buf,
                 "{\"schemaVersion\":2,\"mediaType\":\"" IMAGE_MANIFEST_TYPE "\",\"config\":{");
    add_descriptor(buf, IMAGE_CONFIG_TYPE, &image->config);
    px_buf_add_c(buf, "},\"layers\":[");
    for (size_t i = 0; i < image->layer_count; i++) {
        px_buf_add_c(buf, i > 0 ? ",{" : "{");
        add_descriptor(buf, IMAGE_LAYER_TYPE, &image->layers[i].blob);
        px_buf_add_char(buf, '}');
    }
    px_buf_add_c(buf, "],\"annotations\":");
    add_annotations(buf, image);
    px_buf_add_char(buf, '}');
}

int image_write(const char *layout, struct image *image)
{
    PX_AUTO(px_buf_deinit) struct px_buf config;
    PX_AUTO(px_buf_deinit) struct px_buf manifest;
    px_buf_init(&config, TEXT_BYTES_MAX);
    px_buf_init(&manifest, TEXT_BYTES_MAX);
    config_make(image, &config);
    if (px_buf_fault(&config)) return px_fault(px_buf_fault(&config), "an image's configuration");
    PX_TRY(blob_write(layout, px_buf_str(&config), &image->config));
    manifest_make(image, &manifest);
    if (px_buf_fault(&manifest)) return px_fault(px_buf_fault(&manifest), "an image's manifest");
    return blob_write(layout, px_buf_str(&manifest), &image->manifest);
}

/* ---- all of them ---- */

static int layout_file_write(const char *layout, const char *name, struct px_str text)
{
    char path[4096];
    int n = snprintf(path, sizeof path, "%s/%s", layout, name);
    if (n < 0 || (size_t)n >= sizeof path) return px_fault(PX_F_LIMIT, "%s is too long", layout);
    return px_file_write_atomic(path, text, 0644);
}

void image_index_make(const struct image *images, size_t count, bool named, struct px_buf *buf)
{
    px_buf_init(buf, TEXT_BYTES_MAX);
    px_buf_add_c(buf,
                 "{\"schemaVersion\":2,\"mediaType\":\"" IMAGE_INDEX_TYPE "\",\"manifests\":[");
    for (size_t i = 0; i < count; i++) {
        px_buf_add_c(buf, i > 0 ? ",{" : "{");
        add_descriptor(buf, IMAGE_MANIFEST_TYPE, &images[i].manifest);
        px_buf_add_c(buf, ",\"platform\":{");
        add_platform(buf, images[i].architecture);
        px_buf_add_char(buf, '}');
        if (named)
            px_buf_printf(buf,
                          ",\"annotations\":{\"org.opencontainers.image.ref.name\":\"%.*s-%.*s\"}",
                          PX_FMT(images[i].name), PX_FMT(images[i].architecture));
        px_buf_add_char(buf, '}');
    }
    px_buf_add_c(buf, "]}");
}

int image_index_write(const char *layout, const struct image *images, size_t count)
{
    PX_AUTO(px_buf_deinit) struct px_buf index;
    image_index_make(images, count, true, &index);
    if (px_buf_fault(&index)) return px_fault(px_buf_fault(&index), "the index of images");
    PX_TRY(layout_file_write(layout, "index.json", px_buf_str(&index)));
    return layout_file_write(layout, "oci-layout", S("{\"imageLayoutVersion\":\"1.0.0\"}"));
}
