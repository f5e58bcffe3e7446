/* cli/up_detached.c - `prism up --detach`: a child in a session of its own runs the region with its output in <data>/logs/region.log
 * and says through a pipe that it is ready, or why it is not; the parent prints and leaves. The pipe's
 * end without a word means that the child died. A region of several says its word to their supervisor the same way. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/px_file.h"
#include "cli/settings.h"
#include "cli/up.h"

#define LOG_TAIL_BYTES 2000

/* ---- the child ---- */

static void write_word(struct up *up, const struct px_buf *word)
{
    if (px_buf_fault(word) == 0 && px_file_write_all(up->word_fd, word->ptr, word->len) != 0)
        return;
    px_close(&up->word_fd);
}

void up_say_ready(struct up *up, const struct guide *guide)
{
    PX_AUTO(px_buf_deinit) struct px_buf word;
    px_buf_init(&word, UP_WORD_BYTES_MAX);
    px_buf_printf(&word,
                  "{\"pid\":%lld,\"port\":%lld,\"created\":%s,\"tenant\":", (long long)guide->pid,
                  (long long)guide->port, guide->created ? "true" : "false");
    px_buf_add_json_str(&word, guide->tenant);
    px_buf_add_c(&word, ",\"key\":");
    px_buf_add_json_str(&word, guide->key);
    px_buf_printf(&word, ",\"tls_port\":%lld,\"tls_own\":%s", (long long)guide->tls_port,
                  guide->tls_own ? "true" : "false");
    if (guide->regions.len > 0) {
        px_buf_add_c(&word, ",\"regions\":");
        px_buf_add_str(&word, guide->regions);
    }
    px_buf_add_char(&word, '}');
    write_word(up, &word);
}

void up_say_failed(struct up *up, int answer)
{
    char *text = NULL;
    size_t bytes = 0;
    struct cli quiet = *up->cli;
    quiet.err = open_memstream(&text, &bytes);
    if (!quiet.err) return;
    quiet.json = false;
    struct up told = *up;
    told.cli = &quiet;
    told.word_fd = -1;
    int exit = up_report(&told, answer);
    (void)fclose(quiet.err);
    struct px_str line = px_str_trim(px_str(text, bytes));
    if (px_str_starts(line, S("prism: "))) line = px_str_skip(line, 7);
    PX_AUTO(px_buf_deinit) struct px_buf word;
    px_buf_init(&word, UP_WORD_BYTES_MAX);
    px_buf_printf(&word, "{\"exit\":%d,\"why\":", exit);
    px_buf_add_json_str(&word, line);
    px_buf_add_char(&word, '}');
    write_word(up, &word);
    free(text);
}

_Noreturn static void be_child(struct up *up, const char *log_path)
{
    (void)setsid();
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int log = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (null < 0 || log < 0 || dup2(null, 0) < 0 || dup2(log, 1) < 0 || dup2(log, 2) < 0) {
        up_say_failed(up, px_fault_errno("%s", log_path));
        _exit(CLI_FAILED);
    }
    px_close(&null);
    px_close(&log);
    int r = up_run(up);
    if (r != 0 && up->word_fd >= 0) up_say_failed(up, r);
    _exit(r == 0 ? CLI_OK : CLI_FAILED);
}

/* ---- the parent ---- */

/* All that the child says, until it closes the pipe or dies. */
static int hear(int fd, struct px_buf *word)
{
    for (;;) {
        char *at = px_buf_reserve(word, 1024);
        if (!at) return px_buf_fault(word);
        ssize_t n = read(fd, at, 1024);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return px_fault_errno("pipe");
        if (n == 0) return 0;
        word->len += (size_t)n;
    }
}

static int child_died(struct cli *cli, const char *log_path)
{
    char tail[LOG_TAIL_BYTES + 1] = "";
    FILE *log = fopen(log_path, "re");
    if (log) {
        if (fseek(log, -LOG_TAIL_BYTES, SEEK_END) != 0) rewind(log);
        tail[fread(tail, 1, LOG_TAIL_BYTES, log)] = '\0';
        (void)fclose(log);
    }
    return cli_fail(cli, CLI_FAILED, "the region ended before it was ready; %s ends with\n%s",
                    log_path, tail);
}

static int report_word(struct cli *cli, struct px_str word, const char *log_path)
{
    yyjson_val *root = NULL;
    if (word.len == 0 || px_json_parse(word, &cli->arena, &root, NULL) != 0)
        return child_died(cli, log_path);
    struct px_str why = px_json_str(root, "why");
    if (why.len > 0)
        return cli_fail(cli, (enum cli_exit)px_json_i64(root, "exit", CLI_FAILED), "%.*s",
                        PX_FMT(why));
    struct guide guide = {.pid = px_json_i64(root, "pid", 0),
                          .port = px_json_i64(root, "port", 0),
                          .created = px_json_bool(root, "created", false),
                          .tenant = px_json_str(root, "tenant"),
                          .key = px_json_str(root, "key"),
                          .tls_port = px_json_i64(root, "tls_port", 0),
                          .tls_own = px_json_bool(root, "tls_own", false),
                          .detached = true};
    yyjson_val *regions = px_json_arr(root, "regions");
    PX_AUTO(px_buf_deinit) struct px_buf list;
    px_buf_init(&list, UP_WORD_BYTES_MAX);
    if (regions) px_buf_add_json(&list, regions);
    guide.regions = px_buf_str(&list);
    guide_print(cli, &guide, cli->out);
    return CLI_OK;
}

int up_run_detached(struct up *up)
{
    struct cli *cli = up->cli;
    const char *log_path = settings_path(cli, "logs/region.log");
    int r = px_dir_make(settings_path(cli, "logs"));
    if (r != 0) return cli_fault(cli, r, "data folder");
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return cli_fault(cli, px_fault_errno("pipe"), "cannot start");
    (void)fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        px_close(&ends[0]);
        up->word_fd = ends[1];
        be_child(up, log_path);
    }
    px_close(&ends[1]);
    PX_AUTO(px_close) int from_child = ends[0];
    if (child < 0) return cli_fault(cli, px_fault_errno("fork"), "cannot start");
    PX_AUTO(px_buf_deinit) struct px_buf word;
    px_buf_init(&word, UP_WORD_BYTES_MAX);
    r = hear(from_child, &word);
    if (r != 0) return cli_fault(cli, r, "cannot start");
    return report_word(cli, px_buf_str(&word), log_path);
}
