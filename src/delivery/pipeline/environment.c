/* delivery/pipeline/environment.c - see environment.h. */
#include "delivery/pipeline/environment.h"

#include <stdio.h>

#include "base/px_json.h"
#include "delivery/pipeline/contract.h"

#define TEXT_BYTES_MAX (4u << 20)

static struct px_str key_of(struct px_str name, char key[96])
{
    (void)snprintf(key, 96, "environments/%.*s.json", PX_FMT(name));
    return px_str_c(key);
}

int environment_read(struct object_store *store, struct px_str name, struct px_arena *arena,
                     struct environment *ret_environment)
{
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    yyjson_val *root = NULL;
    char key[96];
    px_buf_init(&buf, TEXT_BYTES_MAX);
    *ret_environment = (struct environment){.run = 0};
    if (name.len == 0) return 0;
    int r = object_get(store, key_of(name, key), &buf);
    if (r == OBJECT_ABSENT) return 0;
    if (r > 0) return px_fault(PX_F_CORRUPT, "%s is too large", key);
    PX_TRY(r);
    r = px_json_parse(px_buf_str(&buf), arena, &root, NULL);
    if (r == PX_JSON_INVALID) return px_fault(PX_F_CORRUPT, "%s is no JSON", key);
    PX_TRY(r);
    yyjson_val *document = px_json_obj(root, "document");
    *ret_environment = (struct environment){
        .release = {.id = px_json_str(root, "release"),
                    .place = px_json_str(root, "place"),
                    .document = document,
                    .mixed = px_json_bool(root, "mixed", false)},
        .run = (uint32_t)px_json_i64(root, "run", 0),
        .floor = contract_floor_after(document, px_json_i64(root, "floor", 0)),
    };
    return 0;
}

int environment_write(struct object_store *store, struct px_str name,
                      const struct environment *environment)
{
    PX_AUTO(px_buf_deinit) struct px_buf text;
    char key[96];
    px_buf_init(&text, TEXT_BYTES_MAX);
    px_buf_printf(&text, "{\"run\":%u,\"release\":", environment->run);
    px_buf_add_json_str(&text, environment->release.id);
    px_buf_add_c(&text, ",\"place\":");
    px_buf_add_json_str(&text, environment->release.place);
    px_buf_printf(&text, ",\"floor\":%lld%s,\"document\":", (long long)environment->floor,
                  environment->release.mixed ? ",\"mixed\":true" : "");
    if (environment->release.document)
        px_buf_add_json(&text, environment->release.document);
    else
        px_buf_add_c(&text, "null");
    px_buf_add_c(&text, "}\n");
    PX_TRY(px_buf_fault(&text));
    return object_put(store, key_of(name, key), px_buf_str(&text));
}
