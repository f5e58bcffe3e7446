/* svc/query/accept.h - what a client takes best of what there is: Accept and Accept-Encoding (RFC 9110, 12.4.2, 12.5.1 and 12.5.3).
 *
 * Of an item only its name and weight count, parameters of media types do not. An item whose weight is none is passed over. */
#pragma once

#include "base/px.h"

enum accept_kind { ACCEPT_MEDIA, ACCEPT_CODING };

#define ACCEPT_UNSAID (-1)
/* How much a header wants a name: 0 (not at all) to 1000; ACCEPT_UNSAID: no item speaks of it. Of several that do, the one that is
 * most exact; ret_place is where it stands, from 0. A media type is spoken of by its kind (text and any subtype) and by any type, too; a
 * coding only by its name: who says "*" may not know all that there is, and API Gateway compresses nothing for it either. */
int accept_weight(enum accept_kind kind, struct px_str header, struct px_str name,
                  size_t *ret_place);
