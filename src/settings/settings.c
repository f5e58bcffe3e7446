/* settings/settings.c - see settings.h. */
#include "settings/settings.h"

#include <stdio.h>
#include <stdlib.h>

static bool number_read(struct px_str text, uint64_t max, uint64_t *ret_value)
{
    return px_str_to_u64(text, ret_value) && *ret_value >= 1 && *ret_value <= max;
}

static int environment_read(const char *name, uint64_t max, uint64_t *value)
{
    struct px_str text = px_str_c(getenv(name));
    if (text.len == 0 || number_read(text, max, value)) return 0;
    return px_fault(PX_F_CONFIG, "%s is a number from 1 to %llu, not \"%.*s\"", name,
                    (unsigned long long)max, PX_FMT(text));
}

int settings_open(struct settings *settings, const char *function, const struct setting_spec *specs,
                  size_t count, const struct param_options *options)
{
    PX_ASSERT(count <= SETTINGS_MAX);
    struct param_options parameters = *options;
    struct px_str url = px_str_c(getenv("PRISM_PARAMETERS_URL"));
    uint64_t age_ms = 0;
    *settings = (struct settings){.function = function, .specs = specs, .count = count};
    for (size_t i = 0; i < count; i++) {
        PX_TRY(environment_read(specs[i].variable, specs[i].max, &settings->environment[i]));
        settings->values[i] = settings->environment[i];
    }
    PX_TRY(environment_read("PRISM_PARAMETERS_AGE_MS", 86400000, &age_ms));
    if (age_ms > 0) parameters.keep_ms = (uint32_t)age_ms;
    if (url.len > 0) PX_TRY(param_store_open(url, &parameters, &settings->params));
    return 0;
}

void settings_close(struct settings *settings) { param_store_close(&settings->params); }

static bool follow_number(struct settings *settings, size_t i, const struct px_log *log)
{
    const struct setting_spec *spec = &settings->specs[i];
    struct px_str text = param_get(settings->params, px_str_c(spec->parameter));
    unsigned long long before = settings->values[i];
    uint64_t value = settings->environment[i];
    if (text.ptr && !number_read(text, spec->max, &value)) {
        px_log(log, PX_WARN,
               "parameter %s is a number from 1 to %llu, not \"%.*s\"; %llu stays (0: the default)",
               spec->parameter, (unsigned long long)spec->max, (int)PX_MIN(text.len, 64), text.ptr,
               before);
        return false;
    }
    if (value == before) return false;
    if (settings->begun && !spec->live) {
        px_log(log, PX_INFO, "%s holds from the next start on; here %llu stays (0: the default)",
               spec->parameter, before);
        return false;
    }
    settings->values[i] = value;
    px_log(log, PX_INFO, "%s is %llu now, after %llu (0: the default)", spec->parameter,
           (unsigned long long)value, before);
    return true;
}

static void follow_level(struct settings *settings, const struct px_log *log)
{
    char own[64];
    (void)snprintf(own, sizeof own, "%s/log_level", settings->function);
    struct px_str text = param_get(settings->params, px_str_c(own));
    const char *name = text.ptr ? own : "log_level";
    if (!text.ptr) text = param_get(settings->params, px_str_c(name));
    enum px_level level = settings->level_at_start;
    if (text.ptr && !px_level_parse(text, &level))
        px_log(log, PX_WARN, "parameter %s is debug, info, warn or error, not \"%.*s\"", name,
               (int)PX_MIN(text.len, 64), text.ptr);
    else
        settings->level = level;
}

/* Once for a failure, however long it lasts. */
static void tell(struct settings *settings, const struct px_log *log, int r)
{
    char text[1024];
    if (r < 0 && !settings->failing)
        px_log(log, PX_WARN, "parameters cannot be read, what held before goes on: %s",
               px_fault_text(r, text, sizeof text));
    if (r >= 0 && r != PARAM_YOUNG && settings->failing)
        px_log(log, PX_INFO, "parameters are read again");
    if (r != PARAM_YOUNG) settings->failing = r < 0;
}

bool settings_refresh(struct settings *settings, const struct px_log *log, uint32_t within_ms)
{
    if (!settings->begun) settings->level = settings->level_at_start = log->level;
    bool changed = false;
    if (settings->params && within_ms > 0) {
        int r = param_refresh(settings->params, within_ms);
        tell(settings, log, r);
        for (size_t i = 0; r == 0 && i < settings->count; i++)
            changed = follow_number(settings, i, log) || changed;
        if (r == 0) follow_level(settings, log);
    }
    settings->begun = true;
    return changed;
}
