/* aws/xml.h - the XML of answers, as far as AWS uses it: elements, some of which hold others and the
 * rest text. The parser is the Common Runtime's. */
#pragma once

#include "base/px.h"

enum cloud_xml_answer { CLOUD_XML_INVALID = 1 };

struct cloud_xml_reader {
    const char *const
        *containers; /* names of the elements to look into, then NULL; the root's too */
    /* Any other element: its name and text, valid during the call. */
    int (*leaf)(void *ctx, struct px_str name, struct px_str text);
    int (*leave)(void *ctx, struct px_str name); /* the end of a container; or NULL */
    void *ctx;
};
/* Calls come in the document's order. A non-zero result of a call ends the reading and is returned,
 * so that it must not be 1.
 * Answers: CLOUD_XML_INVALID: not XML, too deep, or another root than a container. */
PX_MUST_USE int cloud_xml_read(struct px_str document, const struct cloud_xml_reader *reader);
