/* How many instances a machine's memory holds. */
#include "support/support.h"

#include <stdlib.h>

#include "region/machine.h"

static struct function_spec spec(const char *name, uint32_t memory_mb, uint32_t min, uint32_t max)
{
    return (struct function_spec){.name = name,
                                  .memory_mb = memory_mb,
                                  .concurrency_min = min,
                                  .concurrency_max = max,
                                  .concurrency_wanted = max};
}

TEST(no_function_gets_more_than_three_quarters_of_the_memory)
{
    static const struct {
        uint64_t memory_mb;
        uint32_t query, ingest, ingest_min;
    } cases[] = {{65536, 8, 16, 2}, {24576, 6, 16, 2}, {8192, 2, 12, 2},
                 {4096, 1, 6, 2},   {1024, 1, 1, 1},   {512, 1, 1, 1}};
    for (size_t i = 0; i < PX_COUNT(cases); i++) {
        struct function_spec specs[] = {spec("query", 3008, 1, 8), spec("ingest", 512, 2, 16)};
        struct function_catalogue catalogue = {.functions = specs, .count = 2};
        machine_fit(&catalogue, cases[i].memory_mb);
        CHECK_INT(specs[0].concurrency_max, cases[i].query);
        CHECK_INT(specs[0].concurrency_min, 1);
        CHECK_INT(specs[0].concurrency_wanted, 8);
        CHECK_INT(specs[1].concurrency_max, cases[i].ingest);
        CHECK_INT(specs[1].concurrency_min, cases[i].ingest_min);
    }
}

TEST(the_machine_says_how_much_it_has_and_the_environment_may_differ)
{
    uint64_t mb = 0;
    unsetenv("PRISM_REGION_MEMORY_MB");
    CHECK_OK(machine_memory_mb(&mb));
    CHECK(mb >= 64 && mb < UINT64_C(1) << 40);
    setenv("PRISM_REGION_MEMORY_MB", "4096", 1);
    CHECK_OK(machine_memory_mb(&mb));
    CHECK_INT(mb, 4096);
    static const char *const wrong[] = {"0", "4G", "-1", "1.5"};
    for (size_t i = 0; i < PX_COUNT(wrong); i++) {
        setenv("PRISM_REGION_MEMORY_MB", wrong[i], 1);
        CHECK_INT(machine_memory_mb(&mb), PX_F_CONFIG);
    }
    unsetenv("PRISM_REGION_MEMORY_MB");
}

TEST_MAIN
