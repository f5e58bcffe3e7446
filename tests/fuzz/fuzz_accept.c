/* Accept and Accept-Encoding, which anybody may send: a weight is one of those that there are, and stands somewhere in the header. */
// link: px_svc_query
#include "svc/query/accept.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct {
        enum accept_kind kind;
        const char *name;
    } asked[] = {{ACCEPT_MEDIA, "application/json"},
                 {ACCEPT_MEDIA, "text/csv"},
                 {ACCEPT_CODING, "gzip"},
                 {ACCEPT_CODING, "zstd"}};
    struct px_str header = px_str((const char *)data, size);
    for (size_t i = 0; i < PX_COUNT(asked); i++) {
        size_t place = SIZE_MAX;
        int weight = accept_weight(asked[i].kind, header, px_str_c(asked[i].name), &place);
        PX_ASSERT(weight == ACCEPT_UNSAID || (weight >= 0 && weight <= 1000));
        PX_ASSERT(weight == ACCEPT_UNSAID || place < size);
    }
    return 0;
}
