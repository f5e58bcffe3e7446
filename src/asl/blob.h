/* asl/blob.h - JSON text that many may hold: an output is the next state's input, a Map's input is every item's. Never changed. */
#pragma once

#include "base/px.h"

struct asl_blob {
    uint32_t refs;
    uint32_t len;
    char text[]; /* and a NUL behind it */
};
/* NULL: out of memory. */
struct asl_blob *asl_blob_new(struct px_str text);
struct asl_blob *asl_blob_ref(struct asl_blob *blob); /* NULL stays NULL */
void asl_blob_unref(struct asl_blob **blob);
static inline struct px_str asl_blob_str(const struct asl_blob *blob)
{
    return blob ? px_str(blob->text, blob->len) : (struct px_str){0};
}
