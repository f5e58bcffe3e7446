/* aws/error_text.c - error bodies; docs: error_text.h. */
#include "aws/error_text.h"

#include "aws/xml.h"
#include "base/px_json.h"

static int leaf(void *ctx, struct px_str name, struct px_str text)
{
    struct error_text *error = ctx;
    struct px_str *to = px_str_eq(name, S("Code"))      ? &error->code
                        : px_str_eq(name, S("Message")) ? &error->message
                                                        : NULL;
    if (!to) return 0;
    *to = px_arena_dup(error->arena, text);
    return to->ptr ? 0 : px_arena_fault(error->arena);
}

int error_text_read(struct px_str body, struct error_text *error)
{
    static const char *const containers[] = {"ErrorResponse", "Error", NULL};
    struct cloud_xml_reader reader = {containers, leaf, NULL, error};
    yyjson_val *root = NULL;
    if (px_str_starts(body, S("<"))) {
        int r = cloud_xml_read(body, &reader);
        if (r < 0) PX_TRY(r);
        return 0;
    }
    int r = px_json_parse(body, error->arena, &root, NULL);
    if (r < 0) PX_TRY(r);
    if (r == PX_JSON_INVALID) return 0;
    error->code = px_json_str(root, "__type");
    error->message = px_json_str(root, "message");
    if (error->message.len == 0) error->message = px_json_str(root, "Message");
    return 0;
}
