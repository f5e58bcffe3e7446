/* region/machine.h - how much memory this machine has, and what of it functions may use.
 *
 * A function's memory size is what an instance may use, not what it does use, and most use far less.
 * But all instances of one function may be at their size at once, eight queries of 3 GB say, so no
 * function gets more instances than three quarters of the memory hold. One instance is always allowed:
 * a machine too small for that runs it all the same, and may have to kill it. */
#pragma once

#include "region/functions.h"

/* The memory of the machine, or of the container when it has less. PRISM_REGION_MEMORY_MB, for tests and
 * for machines that are shared, takes its place. Faults: PX_F_CONFIG, PX_F_IO. */
PX_MUST_USE int machine_memory_mb(uint64_t *ret_mb);
/* Lower concurrency_max, and min with it, of each function that could use more than its share;
 * concurrency_wanted keeps what the catalogue says. */
void machine_fit(struct function_catalogue *catalogue, uint64_t memory_mb);
