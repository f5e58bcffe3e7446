/* What the PostgreSQL half parses: a name server's answer, an URL, a message with a code, a migration's text. */
// link: px_store
#include <stdlib.h>

#include "store/pg_ddl.h"
#include "store/pg_endpoint.h"
#include "store/pg_state.h"
#include "store/pg_url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) return 0;
    struct px_str text = px_str((const char *)data + 1, size - 1);
    char name[PG_HOST_BYTES], state[6];
    struct pg_target target;
    PX_AUTO(px_buf_deinit) struct px_buf buf = {0};
    switch (data[0] % 4) {
    case 0:
        pg_endpoint_read(data + 1, size - 1, "proxy.dev.prism.internal", name);
        PX_ASSERT(memchr(name, '\0', sizeof name));
        break;
    case 1:
        if (pg_target_init(text, &target) == 0)
            PX_ASSERT(target.host[0] && (target.user[0] != '\0') != (target.secret[0] != '\0') &&
                      (target.secret[0] != '\0') == (target.secrets[0] != '\0') &&
                      target.tls == (target.ca_file[0] != '\0'));
        break;
    case 2:
        if (pg_state_find(text, state))
            PX_ASSERT(strlen(state) == 5 && pg_state_meaning(state) != 0);
        break;
    default:
        px_buf_init(&buf, (size_t)1 << 20);
        pg_ddl_write(text, &buf);
        PX_ASSERT(px_buf_fault(&buf) || buf.len >= text.len + 1);
        break;
    }
    return 0;
}
