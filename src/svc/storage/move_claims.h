/* svc/storage/move_claims.h - the claims of what is sealed, for the target of a move.
 *
 * A repeat in the target is told by its claim, which the tables' replication brings: each item by itself, in no order. So
 * the source writes down which claims belong to what is sealed, and the target waits until it has each of them:
 *
 *   pack, once   those that stand when the move has been announced by the fence, of frames that are sealed
 *   each seal    from then on, whoever makes it, before the catalog says that its frames are sealed
 *
 * docs/design/migration.md ("What the barrier proves") says why none is missing. */
#pragma once

#include "store/hot_fence.h"
#include "svc/storage/manifest.h"
#include "svc/storage/move.h"
#include "svc/storage/seal_gather.h"

/* Behind the gathering of the batch and before its frames count as sealed. Nothing unless the tenant is leaving. */
PX_MUST_USE int move_claims_note(struct storage *storage, struct px_str tenant,
                                 struct px_str dataset, const struct seal_batch *batch);
/* Whether move_claims_list() was done for every dataset. */
PX_MUST_USE int move_claims_listed(struct storage *storage, const struct storage_move *move,
                                   bool *ret_listed);
/* Those of one dataset that stand now and whose frames are sealed up to these marks, which were read before. */
PX_MUST_USE int move_claims_list(struct storage *storage, const struct storage_move *move,
                                 struct px_str dataset, const struct writer_mark *marks,
                                 size_t mark_count);
PX_MUST_USE int move_claims_set_listed(struct storage *storage, const struct storage_move *move);
/* Names of what was written down, behind the catalog's reading: whatever that reading has, they have. */
PX_MUST_USE int move_claims_names(struct storage *storage, const struct storage_move *move,
                                  struct px_arena *arena, struct manifest *manifest);
/* In the target: wait for the claims of a manifest, a few seconds at most. What was found complete is remembered. */
PX_MUST_USE int move_claims_wait(struct storage *storage, const struct storage_move *move,
                                 const struct manifest *manifest, struct px_arena *arena,
                                 bool *ret_all);
