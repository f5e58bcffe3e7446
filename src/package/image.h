/* package/image.h - container images as an OCI image layout: one folder of blobs by digest, shared by all images in it.
 *
 * Lambda takes single images, no index of several architectures, and layers whose every folder is listed before what is in
 * it; so an image here is one manifest of OCI media types with gzip layers.
 * Sources: OCI image specification 1.0.2; AWS Lambda developer guide, "Create a Lambda function using a container image". */
#pragma once

#include "package/pack.h"

#define IMAGE_LAYERS_MAX 4

struct image_blob {
    char sha256[PACK_HEX_BYTES];
    uint64_t bytes;
};
struct image_layer {
    const char *what; /* for people and for the image's history: "runtime" */
    struct image_blob blob;
    char diff_sha256[PACK_HEX_BYTES]; /* of the tar */
    uint64_t unpacked_bytes;
};
struct image {
    struct px_str name, architecture, version, description; /* architecture: Lambda's name */
    const struct image_layer *layers;                       /* lowest first */
    size_t layer_count;
    struct image_blob manifest, config;
};

/* Media types. */
#define IMAGE_MANIFEST_TYPE "application/vnd.oci.image.manifest.v1+json"
#define IMAGE_CONFIG_TYPE "application/vnd.oci.image.config.v1+json"
#define IMAGE_LAYER_TYPE "application/vnd.oci.image.layer.v1.tar+gzip"
#define IMAGE_INDEX_TYPE "application/vnd.oci.image.index.v1+json"

/* Entry point and working folder, where Lambda expects functions. */
#define IMAGE_TASK_DIR "var/task"

/* layout: the folder, which exists. Write one layer's blob into it. */
PX_MUST_USE int image_layer_write(const char *layout, const char *what,
                                  const struct pack_list *files, struct image_layer *ret_layer);
/* Write the image's configuration and manifest; fills image->manifest. */
PX_MUST_USE int image_write(const char *layout, struct image *image);
/* The text of an index; `named`: with each image's reference in a layout. Initialises buf; the caller asks for its fault. */
void image_index_make(const struct image *images, size_t count, bool named, struct px_buf *buf);
/* Write index.json and oci-layout. The reference of an image is "<name>-<architecture>". */
PX_MUST_USE int image_index_write(const char *layout, const struct image *images, size_t count);
/* "amd64", "arm64": OCI's names, which are Go's. */
const char *image_architecture(struct px_str lambda_name);
