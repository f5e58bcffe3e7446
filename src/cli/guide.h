/* cli/guide.h - what `prism up` prints: where the region is and how to use it. */
#pragma once

#include "cli/cli.h"

struct guide {
    int64_t pid;
    int64_t port;
    int64_t tls_port; /* 0: no TLS */
    bool tls_own;     /* with a certificate that the data folder's authority signed */
    bool created;     /* the data folder is new */
    struct px_str tenant;
    struct px_str key; /* shown when it was made now; empty: it stands in <data>/tenant.key */
    struct px_str
        regions; /* of several behind a router: [{"name":...,"endpoint":...},...]; empty: one */
    bool detached, already_running;
};
/* For people, or with --json one object. */
void guide_print(struct cli *cli, const struct guide *guide, FILE *to);
