/* cli/cli.c - what verbs say when something is wrong, and numbers for people. */
#include "cli/cli.h"

#include <stdarg.h>

#include "base/px_buf.h"
#include "cli/glyph.h"

static void say(struct cli *cli, struct px_str text)
{
    PX_AUTO(px_buf_deinit) struct px_buf json, shown;
    px_buf_init(&json, 64 * 1024);
    px_buf_init(&shown, 64 * 1024);
    glyph_add(&shown, text, true);
    (void)fflush(cli->out);
    (void)fprintf(cli->err, "prism: %.*s\n", PX_FMT(px_buf_str(&shown)));
    if (!cli->json) return;
    px_buf_add_c(&json, "{\"error\":");
    px_buf_add_json_str(&json, text);
    px_buf_add_c(&json, "}\n");
    (void)fwrite(json.ptr, 1, json.len, cli->out);
}

int cli_fail(struct cli *cli, enum cli_exit exit, const char *fmt, ...)
{
    char text[2048];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (n < 0) n = 0;
    say(cli, px_str(text, PX_MIN((size_t)n, sizeof text - 1)));
    return (int)exit;
}

int cli_fault(struct cli *cli, int fault, const char *fmt, ...)
{
    char text[1024], why[1024];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return cli_fail(cli, CLI_FAILED, "%s: %s", text, px_fault_text(fault, why, sizeof why));
}

const char *cli_bytes(uint64_t bytes, char buf[24])
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB"};
    double value = (double)bytes;
    size_t unit = 0;
    for (; value >= 999.5 && unit + 1 < PX_COUNT(units); unit++) value /= 1000;
    int digits = unit == 0 || value >= 99.95 ? 0 : 1;
    (void)snprintf(buf, 24, "%.*f %s", digits, value, units[unit]);
    return buf;
}

const char *cli_count(uint64_t n, char buf[32])
{
    char digits[24];
    int len = snprintf(digits, sizeof digits, "%llu", (unsigned long long)n);
    char *at = buf;
    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0) *at++ = ',';
        *at++ = digits[i];
    }
    *at = '\0';
    return buf;
}
