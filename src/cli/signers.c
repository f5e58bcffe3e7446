/* cli/signers.c - see signers.h. */
#include "cli/signers.h"

#include "base/px_json.h"
#include "cli/glyph.h"
#include "delivery/pipeline/definition.h"

void signers_warn(struct cli *cli, const char *file, struct px_str only)
{
    PX_AUTO(px_buf_deinit) struct px_buf names;
    yyjson_val *root = NULL, *key, *environment;
    size_t i, max, count = 0;
    px_buf_init(&names, 1u << 16);
    if (px_json_load(file, DEFINITION_BYTES_MAX, &cli->arena, &root) != 0) return;
    yyjson_obj_foreach(px_json_obj(root, "environments"), i, max, key, environment)
    {
        struct px_str name = px_json_val_str(key);
        if (only.len > 0 && !px_str_eq(name, only)) continue;
        if (yyjson_arr_size(yyjson_obj_get(environment, "signers")) > 0) continue;
        px_buf_add_c(&names, count++ > 0 ? ", " : "");
        glyph_add(&names, name, false);
    }
    if (count == 0 || px_buf_fault(&names) != 0) return;
    (void)fprintf(cli->err,
                  "warning: %s: no signers for %.*s: releases go there whoever made them\n"
                  "  fix: sign releases (PRISM_RELEASE_KEY) and list the public keys in "
                  "environments.<name>.signers\n",
                  file, PX_FMT(px_buf_str(&names)));
}

/* ---- signed code ---- */

/* Steps, or the name of a list of them. */
static bool plans_unsigned(yyjson_val *root, yyjson_val *steps)
{
    size_t i, max;
    yyjson_val *step;
    const char *name = yyjson_get_str(steps);
    if (name) steps = px_json_arr(px_json_obj(root, "lists"), name);
    px_json_arr_foreach(yyjson_is_arr(steps) ? steps : NULL, i, max, step)
    {
        struct px_str action = px_json_str(step, "action");
        struct px_str stack = px_json_str(px_json_obj(step, "with"), "stack");
        if (px_str_eq(action, S("sign"))) return false;
        if (px_str_eq(action, S("terraform-plan")) && px_str_eq(stack, S("region"))) return true;
    }
    return false;
}

static bool stage_plans_unsigned(yyjson_val *root, yyjson_val *stage)
{
    size_t i, max;
    yyjson_val *wave, *usual = yyjson_obj_get(stage, "region_steps");
    px_json_arr_foreach(px_json_arr(stage, "waves"), i, max, wave)
    {
        yyjson_val *own = yyjson_obj_get(wave, "region_steps");
        if (plans_unsigned(root, own ? own : usual)) return true;
    }
    return false;
}

void signing_warn(struct cli *cli, const char *file, struct px_str environment)
{
    yyjson_val *root = NULL, *stage;
    size_t i, max;
    if (px_json_load(file, DEFINITION_BYTES_MAX, &cli->arena, &root) != 0) return;
    px_json_arr_foreach(px_json_arr(root, "stages"), i, max, stage)
    {
        if (!px_str_eq(px_json_str(stage, "environment"), environment)) continue;
        if (!stage_plans_unsigned(root, stage)) continue;
        (void)fprintf(
            cli->err,
            "warning: %s: %.*s takes signed code only (code_signing), and its regions are "
            "planned without a step `sign`: that is refused\n"
            "  fix: a step with action sign before the region's terraform-plan\n",
            file, PX_FMT(environment));
        return;
    }
}
