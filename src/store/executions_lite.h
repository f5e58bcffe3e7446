/* store/executions_lite.h - what the files of the workflows' journal share. Inside store only. */
#pragma once

#include "store/executions.h"
#include "store/lite.h"

struct execution_store {
    struct lite lite;
};
