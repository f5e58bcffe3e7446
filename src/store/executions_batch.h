/* store/executions_batch.h - how turns stand in a batch. Inside store only. */
#pragma once

#include "store/executions.h"

struct batched_turn {
    struct batched_turn *next;
    struct execution_turn turn; /* all views and frames in the batch's arena */
};
