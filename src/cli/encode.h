/* cli/encode.h - a request body compressed for the wire (Content-Encoding). */
#pragma once

#include "base/px_buf.h"

enum encoding { ENCODING_NONE, ENCODING_ZSTD, ENCODING_GZIP };
struct encoder {
    enum encoding encoding;
    void *zstd;        /* ZSTD_CCtx */
    struct px_buf out; /* the last body */
};
PX_MUST_USE bool encoding_parse(struct px_str name, enum encoding *ret_encoding);
void encoder_init(struct encoder *encoder, enum encoding encoding);
void encoder_deinit(struct encoder *encoder);
/* ret_body lives until the next call. ret_name: the header's value, empty for none. */
PX_MUST_USE int encoder_run(struct encoder *encoder, struct px_str text, struct px_str *ret_body,
                            struct px_str *ret_name);
