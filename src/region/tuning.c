/* region/tuning.c - see tuning.h. */
#include "region/tuning.h"

#include <stdlib.h>

#define DAY_MS 86400000
#define COUNT_MAX 1000000

static int read_ms(const char *name, uint32_t otherwise, uint32_t *ret_ms)
{
    const char *text = getenv(name);
    int64_t ms = otherwise;
    if (text && text[0] && (!px_str_to_i64(px_str_c(text), &ms) || ms < 1 || ms > DAY_MS))
        return px_fault(PX_F_CONFIG, "%s is milliseconds from 1 to %d, not '%s'", name, DAY_MS,
                        text);
    *ret_ms = (uint32_t)ms;
    return 0;
}

static int read_count(const char *name, uint32_t otherwise, uint32_t *ret_count)
{
    const char *text = getenv(name);
    int64_t count = otherwise;
    if (text && text[0] &&
        (!px_str_to_i64(px_str_c(text), &count) || count < 0 || count > COUNT_MAX))
        return px_fault(PX_F_CONFIG, "%s is a number from 0 to %d, not '%s'", name, COUNT_MAX,
                        text);
    *ret_count = (uint32_t)count;
    return 0;
}

static int read_limits(struct region_tuning *tuning)
{
    const char *text = getenv("PRISM_AWS_LIMITS");
    struct px_str word = text && text[0] ? px_str_c(text) : S("on");
    tuning->aws_pace = px_str_eq(word, S("paced"));
    tuning->aws_limits = tuning->aws_pace || px_str_eq(word, S("on"));
    if (tuning->aws_limits || px_str_eq(word, S("off"))) return 0;
    return px_fault(PX_F_CONFIG, "PRISM_AWS_LIMITS is on, off or paced, not '%s'", text);
}

static int read_quotas(bool *ret_tiers)
{
    const char *text = getenv("PRISM_REGION_QUOTAS");
    struct px_str word = text && text[0] ? px_str_c(text) : S("own");
    *ret_tiers = px_str_eq(word, S("tier"));
    if (*ret_tiers || px_str_eq(word, S("own"))) return 0;
    return px_fault(PX_F_CONFIG, "PRISM_REGION_QUOTAS is own or tier, not '%s'", text);
}

static int read_rates(bool *ret_functions)
{
    const char *text = getenv("PRISM_REGION_RATES");
    struct px_str word = text && text[0] ? px_str_c(text) : S("gateway");
    *ret_functions = px_str_eq(word, S("functions"));
    if (*ret_functions || px_str_eq(word, S("gateway"))) return 0;
    return px_fault(PX_F_CONFIG, "PRISM_REGION_RATES is gateway or functions, not '%s'", text);
}

int region_tuning_read(struct region_tuning *ret_tuning)
{
    PX_TRY(read_limits(ret_tuning));
    PX_TRY(read_quotas(&ret_tuning->quota_tiers));
    PX_TRY(read_rates(&ret_tuning->functions_hold_rates));
    PX_TRY(read_ms("PRISM_REGION_IDLE_MS", 60000, &ret_tuning->idle_ms));
    PX_TRY(read_ms("PRISM_REGION_RETRY_MS", 60000, &ret_tuning->retry_ms));
    PX_TRY(read_ms("PRISM_REGION_METRICS_MS", 60000, &ret_tuning->metrics_ms));
    PX_TRY(read_ms("PRISM_REGION_COPY_MS", 5000, &ret_tuning->copy_ms));
    PX_TRY(read_count("PRISM_REGION_WRONG_KEYS_MAX", 1000, &ret_tuning->wrong_keys_max));
    PX_TRY(read_ms("PRISM_REGION_SLOW_MS", 5000, &ret_tuning->slow_ms));
    return read_ms("PRISM_REGION_DRAIN_MS", 30000, &ret_tuning->drain_ms);
}
