/* region/versions_internal.h - what the files of versions share. */
#pragma once

#include "region/version_code.h"
#include "region/versions.h"

#define ALIASES_MAX 8
#define ALIAS_NAME_BYTES 65
#define DESCRIPTION_BYTES 257
#define REVISION_BYTES 37

struct version {
    struct function_versions *owner;
    uint32_t number;
    char text[12];                     /* the number */
    char digest[VERSION_DIGEST_BYTES]; /* empty: what was built, kept nowhere */
    uint64_t bytes;
    char description[DESCRIPTION_BYTES];
    int64_t created_ns;
    uint32_t provisioned; /* by its own number */
    char executable[4096];
    struct lambda_pool *pool; /* NULL: nobody asked for it */
    bool stopped;             /* its pool has */
    bool leaving;             /* deleted; its pool ends */
    struct figures *figures;
    struct version *next;
};
struct version_alias {
    char name[ALIAS_NAME_BYTES];
    uint32_t main, other; /* other 0: none */
    double weight;        /* of other */
    uint32_t provisioned;
    char revision[REVISION_BYTES];
    char description[DESCRIPTION_BYTES];
};
struct function_versions {
    struct versions *all;
    const struct function_spec *spec;
    bool stored;                       /* state.json is there */
    bool busy;                         /* code is being taken in */
    char latest[VERSION_DIGEST_BYTES]; /* $LATEST; empty: what was built */
    uint64_t latest_bytes;
    uint32_t next;            /* number of the next version */
    struct version *versions; /* ascending, and those that leave */
    struct version_alias aliases[ALIASES_MAX];
    size_t alias_count;
    uint32_t reserved;
    struct version *live, *live_other; /* of alias live */
    double live_weight;
};
struct versions {
    struct versions_options options;
    struct px_arena arena;
    size_t running; /* pools */
    void (*on_stopped)(void *ctx);
    void *stopped_ctx;
    bool stopping;
    struct function_versions functions[]; /* by index of the catalogue */
};

/* versions.c */
struct version *version_find(const struct function_versions *f, uint32_t number);
struct version_alias *alias_find(struct function_versions *f, struct px_str name);
/* A new one at the end of the list. NULL: memory is out. */
struct version *version_add(struct function_versions *f, uint32_t number, const char *digest);
/* After aliases, provisioned or reserved concurrency changed: pools and their minima follow. Faults: PX_F_OOM, PX_F_IO. */
PX_MUST_USE int versions_apply(struct function_versions *f);
void version_leave(struct version *version); /* deleted */
/* How many warm instances a version should have. */
uint32_t version_warm(const struct function_versions *f, const struct version *v);
void version_place(const struct function_versions *f, const char *digest, char *path,
                   size_t bytes); /* of its folder */

/* versions_state.c */
PX_MUST_USE int versions_load(struct function_versions *f);
PX_MUST_USE int versions_save(struct function_versions *f);
