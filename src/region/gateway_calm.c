/* region/gateway_calm.c - memory that a flood of bodies took goes back to the system when it is over.
 *
 * glibc keeps what was freed: once a block that it had mapped is freed, blocks of that size come from its heap (mallopt(3), M_MMAP_THRESHOLD), and of that
 * only the end goes back by itself. A threshold of our own would cost each large body its page faults; so the heap is trimmed, once, when nothing is held. */
#include <malloc.h>

#include "region/gateway_internal.h"

#define FLOOD_BYTES ((size_t)32 << 20)
#define CALM_BYTES ((size_t)1 << 20)
#define CALM_SWEEPS 8u /* two seconds */

void gateway_give_back(struct gateway *gw)
{
    struct gateway_calm *calm = &gw->calm;
    size_t most = http_server_held_most(gw->server);
    calm->flood_bytes = PX_MAX(calm->flood_bytes, most);
    calm->sweeps = most < CALM_BYTES ? PX_MIN(calm->sweeps + 1, CALM_SWEEPS) : 0;
    if (calm->flood_bytes < FLOOD_BYTES || calm->sweeps < CALM_SWEEPS) return;
    calm->flood_bytes = 0;
    (void)malloc_trim(0);
}
