/* delivery/cidr.h - ranges of IPv4 addresses. */
#pragma once

#include "base/px.h"

struct cidr {
    uint32_t base;
    unsigned bits;
    bool valid;
};
struct cidr cidr_parse(struct px_str text); /* "10.0.0.0/16"; anything else is not valid */
bool cidr_holds(struct cidr outer, struct cidr inner);
bool cidr_overlaps(struct cidr a, struct cidr b);
bool cidr_is_world(struct px_str text); /* every address, of IPv4 or of IPv6 */
