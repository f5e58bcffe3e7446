/* package/report.c - what was made, for programs and for people. */
#include <inttypes.h>

#include "package/package.h"

static void add_layers(const struct image *image, struct px_buf *buf)
{
    px_buf_add_c(buf, ",\n      \"layers\": [");
    for (size_t i = 0; i < image->layer_count; i++) {
        const struct image_layer *layer = &image->layers[i];
        px_buf_printf(buf,
                      "%s\n        { \"what\": \"%s\", \"sha256\": \"%s\", \"bytes\": %" PRIu64
                      ", \"unpacked_bytes\": %" PRIu64 " }",
                      i > 0 ? "," : "", layer->what, layer->blob.sha256, layer->blob.bytes,
                      layer->unpacked_bytes);
    }
    px_buf_add_c(buf, "\n      ]");
}

void package_write_json(const struct package *package, struct px_buf *buf)
{
    px_buf_add_c(buf, "{\n  \"version\": 1,\n  \"artifacts\": [");
    for (size_t i = 0; i < package->count; i++) {
        const struct package_item *item = &package->items[i];
        px_buf_printf(buf,
                      "%s\n    {\n      \"function\": \"%.*s\",\n      \"architecture\": \"%.*s\"",
                      i > 0 ? "," : "", PX_FMT(item->function->name), PX_FMT(item->architecture));
        px_buf_printf(buf, ",\n      \"kind\": \"%s\",\n      \"sha256\": \"%s\"",
                      package_kind_name(item->function->kind), item->sha256);
        px_buf_printf(buf,
                      ",\n      \"%s\": \"%.*s\",\n      \"bytes\": %" PRIu64
                      ",\n      \"unpacked_bytes\": %" PRIu64,
                      item->image.layer_count > 0 ? "reference" : "key", PX_FMT(item->path),
                      item->bytes, item->unpacked_bytes);
        if (item->pushed.len > 0)
            px_buf_printf(buf, ",\n      \"pushed\": \"%.*s\"", PX_FMT(item->pushed));
        if (item->image.layer_count > 0) add_layers(&item->image, buf);
        px_buf_add_c(buf, "\n    }");
    }
    px_buf_add_c(buf, "\n  ]\n}\n");
}

static double mb(uint64_t bytes) { return (double)bytes / 1e6; }

void package_write_text(const struct package *package, FILE *to)
{
    (void)fprintf(to, "%-12s %-7s %-6s %10s %10s  %s\n", "function", "arch", "kind", "MB",
                  "unpacked", "sha256");
    for (size_t i = 0; i < package->count; i++) {
        const struct package_item *item = &package->items[i];
        (void)fprintf(to, "%-12.*s %-7.*s %-6s %10.2f %10.2f  %s\n", PX_FMT(item->function->name),
                      PX_FMT(item->architecture), package_kind_name(item->function->kind),
                      mb(item->bytes), mb(item->unpacked_bytes), item->sha256);
        if (item->pushed.len > 0) (void)fprintf(to, "  pushed as %.*s\n", PX_FMT(item->pushed));
        for (size_t l = 0; l < item->image.layer_count; l++)
            (void)fprintf(to, "%-12s %-7s %-6s %10.2f %10.2f    %s\n", "", "", "layer",
                          mb(item->image.layers[l].blob.bytes),
                          mb(item->image.layers[l].unpacked_bytes), item->image.layers[l].what);
    }
}
