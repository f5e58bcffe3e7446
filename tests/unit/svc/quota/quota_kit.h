/* tests/unit/svc/quota/quota_kit.h - table `usage` for those who count in it, and one that is away. */
#pragma once

#include "store/tables_kit.h"

#include "svc/quota/days.h"

struct ctx {
    struct table_store *tables;
    bool away;
    int opened, alone;
};

static int open_it(void *ctx, struct table_store **ret_tables)
{
    struct ctx *it = ctx;
    it->opened++;
    if (it->away) return px_fault(PX_F_UNAVAILABLE, "away");
    *ret_tables = it->tables;
    return 0;
}

static void count_alone(void *ctx, int fault)
{
    CHECK(fault < 0);
    ((struct ctx *)ctx)->alone++;
}

static void start_tables(struct test *t, struct ctx *ctx)
{
    static const char *const names[] = {DAYS_TABLE};
    const struct table_options options = {.busy_ms = 20000};
    tables_prepare(t, names, PX_COUNT(names));
    CHECK_OK(table_store_open(tables_url(t), &options, &ctx->tables));
    t->now_ns = px_wall_ns(&px_clock_system); /* items expire by the machine's clock */
}
