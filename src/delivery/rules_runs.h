/* delivery/rules_runs.h - the rule about the pipeline's own store. */
#pragma once

struct verify;

/* The bucket that `store` of platform/pipeline.json describes: it stands where it should, entries of the journal can be neither replaced nor
 * deleted, and the pipeline's roles use it below its prefix and nowhere else. */
void rules_runs(struct verify *v);
