/* package/sbom.h - the bill of materials of one artifact, as SPDX 2.3 in JSON. */
#pragma once

#include "package/source.h"

struct sbom {
    struct px_str name, version, architecture;
    enum package_kind kind;
    struct px_str sha256;                /* of the artifact: the ZIP, or the image's manifest */
    const struct package_parts *linked;  /* into the executable */
    const struct package_parts *beside;  /* it in the image */
    const struct package_parts *runtime; /* below it in the image; NULL of a ZIP */
};
/* Appended to buf, whose fault the caller asks for. The same artifact makes the same text. */
void sbom_write(const struct sbom *sbom, struct px_buf *buf);
