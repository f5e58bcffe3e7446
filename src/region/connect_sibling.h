/* region/connect_sibling.h - lambda:invoke of a function in another region that the same supervisor runs: a POST to that
 * region's control socket, in a thread, since it may take as long as the function may. */
#pragma once

#include "region/connect.h"
#include "region/siblings.h"

/* The sibling whose region an ARN names; NULL: the function is this region's. */
const struct sibling *connect_sibling_of(const struct connection *c, struct px_str name);
/* Sees to the connection's end. function: its catalogue name; event: in the connection's arena. */
void connect_sibling_invoke(struct connection *c, const struct sibling *sibling,
                            const char *function, struct px_str event);
