/* package/sbom.c - source: SPDX specification 2.3, and its JSON schema. */
#include "package/sbom.h"

/* SPDX wants a time. One that differs from run to run would make two bills of one artifact. */
#define CREATED "1970-01-01T00:00:00Z"

static void add_field(struct px_buf *buf, const char *name, struct px_str value)
{
    px_buf_printf(buf, ",\"%s\":", name);
    px_buf_add_json_str(buf, value);
}

/* An identifier holds letters, digits, dots and dashes. */
static void add_id(struct px_buf *buf, const char *prefix, struct px_str name)
{
    px_buf_printf(buf, "\"SPDXRef-%s-", prefix);
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '.' || c == '-';
        px_buf_add_char(buf, plain ? c : '-');
    }
    px_buf_add_char(buf, '"');
}

static void add_checksum(struct px_buf *buf, struct px_str sha256)
{
    px_buf_printf(buf, ",\"checksums\":[{\"algorithm\":\"SHA256\",\"checksumValue\":\"%.*s\"}]",
                  PX_FMT(sha256));
}

static void add_artifact(const struct sbom *sbom, struct px_buf *buf)
{
    px_buf_add_c(buf, "{\"SPDXID\":\"SPDXRef-Artifact\"");
    add_field(buf, "name", sbom->name);
    add_field(buf, "versionInfo", sbom->version);
    px_buf_printf(buf, ",\"primaryPackagePurpose\":\"%s\"",
                  sbom->kind == PACKAGE_IMAGE ? "CONTAINER" : "APPLICATION");
    px_buf_add_c(buf, ",\"downloadLocation\":\"NOASSERTION\",\"filesAnalyzed\":false,"
                      "\"licenseConcluded\":\"NOASSERTION\",\"licenseDeclared\":\"Apache-2.0\","
                      "\"copyrightText\":\"NOASSERTION\",\"supplier\":\"Organization: Prism\"");
    add_field(buf, "comment",
              sbom->kind == PACKAGE_IMAGE ? S("The checksum is that of the image's manifest.")
                                          : S("The checksum is that of the ZIP."));
    add_checksum(buf, sbom->sha256);
    px_buf_add_char(buf, '}');
}

static void add_part(const struct package_part *part, const char *prefix, struct px_buf *buf)
{
    struct px_str sha256 = px_str_skip(part->checksum, 7);
    px_buf_add_c(buf, ",{\"SPDXID\":");
    add_id(buf, prefix, part->name);
    add_field(buf, "name", part->name);
    add_field(buf, "versionInfo", part->version);
    px_buf_add_c(buf, ",\"primaryPackagePurpose\":\"LIBRARY\",\"downloadLocation\":\"NOASSERTION\","
                      "\"filesAnalyzed\":false,\"licenseConcluded\":\"NOASSERTION\","
                      "\"copyrightText\":\"NOASSERTION\"");
    add_field(buf, "licenseDeclared", part->licence);
    if (px_str_starts(part->checksum, S("sha256:"))) {
        add_checksum(buf, sha256);
        add_field(buf, "comment", part->contents);
    } else { /* a Go module's is no plain SHA-256 of a file; Debian's archive checks its packages */
        px_buf_add_c(buf, ",\"comment\":");
        px_buf_add_char(buf, '"');
        px_buf_printf(buf, "%.*s%s%.*s\"", PX_FMT(part->contents),
                      part->checksum.len > 0 ? "; " : "", PX_FMT(part->checksum));
    }
    px_buf_add_c(buf, ",\"externalRefs\":[{\"referenceCategory\":\"PACKAGE-MANAGER\","
                      "\"referenceType\":\"purl\",\"referenceLocator\":");
    px_buf_add_json_str(buf, part->origin);
    px_buf_add_c(buf, "}]}");
}

static void add_relation(struct px_buf *buf, const char *type, const char *prefix,
                         struct px_str name)
{
    px_buf_printf(buf,
                  ",{\"spdxElementId\":\"SPDXRef-Artifact\",\"relationshipType\":\"%s\","
                  "\"relatedSpdxElement\":",
                  type);
    add_id(buf, prefix, name);
    px_buf_add_char(buf, '}');
}

void sbom_write(const struct sbom *sbom, struct px_buf *buf)
{
    static const struct package_parts none = {0};
    const struct package_parts *linked = sbom->linked;
    const struct package_parts *files[] = {sbom->beside, sbom->runtime ? sbom->runtime : &none};
    px_buf_add_c(buf, "{\"spdxVersion\":\"SPDX-2.3\",\"dataLicense\":\"CC0-1.0\","
                      "\"SPDXID\":\"SPDXRef-DOCUMENT\"");
    px_buf_printf(buf, ",\"name\":\"prism-%.*s-%.*s-%.*s\"", PX_FMT(sbom->name),
                  PX_FMT(sbom->version), PX_FMT(sbom->architecture));
    px_buf_printf(buf, ",\"documentNamespace\":\"urn:prism:sbom:%.*s:%.*s:%.*s\"",
                  PX_FMT(sbom->name), PX_FMT(sbom->architecture), PX_FMT(sbom->sha256));
    px_buf_printf(
        buf, ",\"creationInfo\":{\"created\":\"" CREATED "\",\"creators\":[\"Tool: prism-%.*s\"]}",
        PX_FMT(sbom->version));
    px_buf_add_c(buf, ",\"packages\":[");
    add_artifact(sbom, buf);
    for (size_t i = 0; i < linked->count; i++) add_part(&linked->items[i], "Linked", buf);
    for (size_t f = 0; f < PX_COUNT(files); f++)
        for (size_t i = 0; i < files[f]->count; i++) add_part(&files[f]->items[i], "File", buf);
    px_buf_add_c(buf,
                 "],\"relationships\":[{\"spdxElementId\":\"SPDXRef-DOCUMENT\","
                 "\"relationshipType\":\"DESCRIBES\",\"relatedSpdxElement\":\"SPDXRef-Artifact\"}");
    for (size_t i = 0; i < linked->count; i++)
        add_relation(buf, "STATIC_LINK", "Linked", linked->items[i].name);
    for (size_t f = 0; f < PX_COUNT(files); f++)
        for (size_t i = 0; i < files[f]->count; i++)
            add_relation(buf, "CONTAINS", "File", files[f]->items[i].name);
    px_buf_add_c(buf, "]}\n");
}
