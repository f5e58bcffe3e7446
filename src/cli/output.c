/* cli/output.c - see output.h; `prism query`, which streams, does the same piece by piece. */
#include "cli/output.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/px_file.h"

static int write_through(struct cli *cli, const char *path, struct px_str bytes)
{
    FILE *to = fopen(path, "we");
    bool written = to && fwrite(bytes.ptr, 1, bytes.len, to) == bytes.len;
    int error = errno;
    if (to && fclose(to) != 0 && written) {
        written = false;
        error = errno;
    }
    return written ? CLI_OK : cli_fail(cli, CLI_FAILED, "%s: %s", path, strerror(error));
}

int output_write(struct cli *cli, const char *path, struct px_str bytes)
{
    char real[PATH_MAX];
    struct stat st;
    bool exists = stat(path, &st) == 0;
    if (exists && S_ISDIR(st.st_mode)) return cli_fail(cli, CLI_FAILED, "%s is a folder", path);
    if (exists && !S_ISREG(st.st_mode)) return write_through(cli, path, bytes);
    int r = px_file_write_atomic(exists && realpath(path, real) ? real : path, bytes, 0644);
    return r == 0 ? CLI_OK : cli_fault(cli, r, "%s", path);
}
