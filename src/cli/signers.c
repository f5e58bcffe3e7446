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
