/* asl/blob.c - counted references, one thread. */
#include "asl/blob.h"

#include <stdlib.h>

struct asl_blob *asl_blob_new(struct px_str text)
{
    PX_ASSERT(text.len < UINT32_MAX);
    struct asl_blob *blob = malloc(sizeof(*blob) + text.len + 1);
    if (!blob) return NULL;
    blob->refs = 1;
    blob->len = (uint32_t)text.len;
    if (text.len) memcpy(blob->text, text.ptr, text.len);
    blob->text[text.len] = '\0';
    return blob;
}

struct asl_blob *asl_blob_ref(struct asl_blob *blob)
{
    if (blob) blob->refs++;
    return blob;
}

void asl_blob_unref(struct asl_blob **blob)
{
    if (!*blob) return;
    if (--(*blob)->refs == 0) free(*blob);
    *blob = NULL;
}
