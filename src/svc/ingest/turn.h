/* svc/ingest/turn.h - whose turn it is to take a tenant's records: the fence's word, told to the client. */
#pragma once

#include "svc/ingest/ingest.h"
#include "svc/ingest/request.h"

/* 0: they are taken here, the ordinary way. Answers: REQUEST_REFUSED with the refusal filled; TURN_SPOOL: into the spool of the
 * move *ret_spool_epoch, which is written then and only then. */
enum turn_answer { TURN_SPOOL = REQUEST_REFUSED + 1 };
PX_MUST_USE int turn_ask(const struct ingest_options *options, const struct api_caller *caller,
                         struct px_arena *arena, struct refusal *refusal, int64_t *ret_spool_epoch);
/* 503, to be repeated in a moment: REQUEST_REFUSED. */
int turn_refuse(struct refusal *refusal);
