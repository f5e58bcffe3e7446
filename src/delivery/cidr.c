/* delivery/cidr.c - see cidr.h. */
#include "delivery/cidr.h"

struct cidr cidr_parse(struct px_str text)
{
    struct cidr cidr = {0};
    struct px_str rest = text, address, part;
    uint64_t number = 0;
    if (!px_str_cut(&rest, '/', &address) || !px_str_to_u64(rest, &number) || number > 32)
        return (struct cidr){0};
    cidr.bits = (unsigned)number;
    for (int i = 0; i < 4; i++) {
        bool more = px_str_cut(&address, '.', &part);
        if (more != (i < 3) || !px_str_to_u64(part, &number) || number > 255)
            return (struct cidr){0};
        cidr.base = cidr.base << 8 | (uint32_t)number;
    }
    cidr.valid = true;
    return cidr;
}

static uint32_t mask_of(unsigned bits) { return bits == 0 ? 0 : UINT32_MAX << (32 - bits); }

bool cidr_holds(struct cidr outer, struct cidr inner)
{
    return outer.valid && inner.valid && outer.bits <= inner.bits &&
           ((outer.base ^ inner.base) & mask_of(outer.bits)) == 0;
}

bool cidr_overlaps(struct cidr a, struct cidr b)
{
    return a.valid && b.valid && ((a.base ^ b.base) & mask_of(PX_MIN(a.bits, b.bits))) == 0;
}

bool cidr_is_world(struct px_str text) { return px_str_ends(text, S("/0")); }
