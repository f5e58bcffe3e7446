/* store/objects_half.h - what a half of the objects implements, and what both use. Inside store only. */
#pragma once

#include "store/objects.h"

#include <sys/stat.h>

#define OBJECT_TEMP_FOLDER ".tmp" /* no key begins with it */

/* Where other programs find a store's objects. */
struct object_place {
    struct px_str host; /* "host[:port]" of an endpoint that is not AWS's own; or empty */
    bool tls, path_style;
    struct px_str bucket, prefix;
};

/* Keys have been checked. */
struct object_half {
    int (*put)(struct object_store *store, struct px_str key, struct px_str bytes);
    int (*put_file)(struct object_store *store, struct px_str key, struct px_str local_path,
                    struct px_str class);
    int (*get)(struct object_store *store, struct px_str key, struct px_buf *buf);
    int (*read)(struct object_store *store, struct px_str key, object_piece *piece, void *ctx);
    /* Both stores are this half's. */
    int (*copy)(struct object_store *from, struct px_str from_key, struct object_store *to,
                struct px_str to_key, struct px_str class);
    int (*head)(struct object_store *store, struct px_str key, struct px_arena *arena,
                struct object_info *ret_info);
    int (*delete)(struct object_store *store, struct px_str key);
    int (*list)(struct object_store *store, struct px_str prefix, struct px_str after, size_t max,
                struct px_arena *arena, struct object_info **ret_infos, size_t *ret_count);
    int (*url)(struct object_store *store, struct px_str key, struct px_arena *arena,
               struct px_str *ret_url);
    int (*presign)(struct object_store *store, struct px_str key, enum object_right right,
                   uint32_t expires_s, struct px_arena *arena, struct px_str *ret_url);
    /* NULL: it has files. */
    void (*place)(struct object_store *store, struct object_place *ret_place);
    void (*close)(struct object_store *store); /* and free */
};
/* Each half's own struct begins with one. */
struct object_store {
    const struct object_half *half;
    const char *temp_folder; /* the half's; exists */
};

PX_MUST_USE int objects_dir_open(struct px_str path, struct object_store **ret_store);
/* location: "bucket[/prefix][?kms-key=arn][&region=name]". */
PX_MUST_USE int objects_s3_open(struct px_str location, const struct object_options *options,
                                struct object_store **ret_store);

bool object_key_is_valid(struct px_str key);
/* A new name in the folder for temporary files; path has PATH_MAX bytes. */
PX_MUST_USE int object_temp_name(const struct object_store *store, char *path);
int64_t object_modified_ns(const struct stat *about);

struct object_listing {
    struct px_arena *arena;
    struct object_info *infos;
    size_t count, room;
};
/* The key is copied into the arena. */
PX_MUST_USE int object_listing_add(struct object_listing *listing, struct px_str key,
                                   uint64_t bytes, int64_t modified_ns);
