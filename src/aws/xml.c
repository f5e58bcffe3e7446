/* aws/xml.c - elements to calls; docs: xml.h. */
#include "aws/xml.h"

#include <aws/common/xml_parser.h>

#include "aws/internal.h"

#define DEPTH_MAX 16

struct reading {
    const struct cloud_xml_reader *reader;
    int result; /* of the call that ended it */
};

static bool is_container(const struct cloud_xml_reader *reader, struct px_str name)
{
    for (const char *const *at = reader->containers; *at; at++)
        if (px_str_eq(name, px_str_c(*at))) return true;
    return false;
}

static int stop(struct reading *reading, int result)
{
    reading->result = result;
    return result == 0 ? AWS_OP_SUCCESS : aws_raise_error(AWS_ERROR_INVALID_STATE);
}

static int leaf(struct reading *reading, struct aws_xml_node *node, struct px_str name)
{
    struct aws_byte_cursor body;
    if (aws_xml_node_as_body(node, &body) != 0) return AWS_OP_ERR;
    const struct cloud_xml_reader *reader = reading->reader;
    struct px_str text = cloud_str(body);
    if (!text.len || !memchr(text.ptr, '&', text.len))
        return stop(reading, reader->leaf(reader->ctx, name, text));
    struct aws_byte_buf plain;
    (void)aws_byte_buf_init(&plain, aws_default_allocator(), text.len);
    int r = aws_byte_buf_append_unescaped_xml(aws_default_allocator(), body, &plain);
    if (r == 0)
        r = stop(reading,
                 reader->leaf(reader->ctx, name, cloud_str(aws_byte_cursor_from_buf(&plain))));
    aws_byte_buf_clean_up(&plain);
    return r;
}

static int visit(struct aws_xml_node *node, void *ctx)
{
    struct reading *reading = ctx;
    const struct cloud_xml_reader *reader = reading->reader;
    struct px_str name = cloud_str(aws_xml_node_get_name(node));
    if (!is_container(reader, name)) return leaf(reading, node, name);
    if (aws_xml_node_traverse(node, visit, reading) != 0) return AWS_OP_ERR;
    return reader->leave ? stop(reading, reader->leave(reader->ctx, name)) : AWS_OP_SUCCESS;
}

static int visit_root(struct aws_xml_node *node, void *ctx)
{
    struct reading *reading = ctx;
    bool known = is_container(reading->reader, cloud_str(aws_xml_node_get_name(node)));
    return known ? visit(node, ctx) : aws_raise_error(AWS_ERROR_INVALID_XML);
}

int cloud_xml_read(struct px_str document, const struct cloud_xml_reader *reader)
{
    struct reading reading = {.reader = reader};
    struct aws_xml_parser_options options = {.doc = cloud_cursor(document),
                                             .max_depth = DEPTH_MAX,
                                             .on_root_encountered = visit_root,
                                             .user_data = &reading};
    if (document.len == 0) return CLOUD_XML_INVALID;
    int r = aws_xml_parse(aws_default_allocator(), &options);
    if (reading.result != 0) return reading.result;
    return r == 0 ? 0 : CLOUD_XML_INVALID;
}
