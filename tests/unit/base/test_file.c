/* Files and folders. */
#include "support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

TEST(what_was_written_is_read_back_with_its_mode)
{
    struct px_str path = test_path(t, "file");
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    px_buf_init(&buf, 100);
    CHECK_INT(px_file_read(path.ptr, &buf), PX_FILE_ABSENT);
    mode_t mask = umask(0077);
    CHECK_OK(px_file_write_atomic(path.ptr, S("one"), 0644));
    umask(mask);
    CHECK_OK(px_file_write_atomic(path.ptr, S("two!"), 0644));
    px_buf_add_c(&buf, "> ");
    CHECK_OK(px_file_read(path.ptr, &buf));
    CHECK_STR(px_buf_str(&buf), S("> two!"));
    struct stat about;
    CHECK_INT(stat(path.ptr, &about), 0);
    CHECK_INT(about.st_mode & 0777, 0644);
}

TEST(the_ceiling_of_a_read_is_exact_and_leaves_the_buffer)
{
    struct px_str path = test_path(t, "file");
    CHECK_OK(px_file_write_atomic(path.ptr, S("12345678"), 0600));
    struct px_buf buf;
    px_buf_init(&buf, 10);
    px_buf_add_c(&buf, "ab");
    CHECK_OK(px_file_read(path.ptr, &buf));
    CHECK_INT(buf.len, 10);
    px_buf_clear(&buf);
    px_buf_add_c(&buf, "abc");
    CHECK_INT(px_file_read(path.ptr, &buf), PX_FILE_TOO_LARGE);
    CHECK_STR(px_buf_str(&buf), S("abc"));
    px_buf_deinit(&buf);
}

TEST(files_without_a_size_are_read_to_their_end)
{
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    px_buf_init(&buf, 1u << 20);
    CHECK_OK(px_file_read("/proc/self/status", &buf));
    CHECK(px_str_starts(px_buf_str(&buf), S("Name:")));
}

/* Run in a child: no file may grow over 4 KiB, so the write fails half-way. */
static int write_with_little_room(const char *path)
{
    static char large[100000];
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit = {4096, 4096};
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0) return 1;
    return px_file_write_atomic(path, px_str(large, sizeof large), 0600) == PX_F_NO_SPACE ? 0 : 2;
}
static int count_entries(void *ctx, const char *name, bool is_dir)
{
    (void)name, (void)is_dir;
    ++*(int *)ctx;
    return 0;
}
TEST(a_write_that_fails_leaves_the_old_content_and_no_litter)
{
    struct px_str path = test_path(t, "file");
    CHECK_OK(px_file_write_atomic(path.ptr, S("old"), 0600));
    pid_t child = fork();
    if (child == 0) _exit(write_with_little_room(path.ptr));
    int status = -1;
    CHECK_INT(waitpid(child, &status, 0), child);
    CHECK_INT(status, 0);
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    px_buf_init(&buf, 100);
    CHECK_OK(px_file_read(path.ptr, &buf));
    CHECK_STR(px_buf_str(&buf), S("old"));
    int entries = 0;
    CHECK_OK(px_dir_each(t->dir, count_entries, &entries));
    CHECK_INT(entries, 1);
}

TEST(folders_are_made_private_and_removed_as_a_tree)
{
    struct px_str leaf = test_path(t, "a/b//c/"), top = test_path(t, "a");
    CHECK_OK(px_dir_make(leaf.ptr));
    CHECK_OK(px_dir_make(leaf.ptr));
    struct stat about;
    CHECK_INT(stat(leaf.ptr, &about), 0);
    CHECK_INT(about.st_mode & 0777, 0700);
    CHECK_OK(px_file_write_atomic(test_path(t, "a/b/file").ptr, S("x"), 0600));
    CHECK_INT(symlink("/", test_path(t, "a/b/link").ptr), 0); /* must not be followed */
    CHECK_INT(px_dir_make(test_path(t, "a/b/file").ptr), PX_F_IO);
    CHECK(px_dir_make(test_path(t, "a/b/file/x").ptr) < 0);
    CHECK_OK(px_dir_remove(top.ptr));
    CHECK_OK(px_dir_remove(top.ptr));
    CHECK_INT(px_dir_each(top.ptr, count_entries, NULL), PX_FILE_ABSENT);
}

static int stop_at_folder(void *ctx, const char *name, bool is_dir)
{
    (void)ctx, (void)name;
    return is_dir ? 7 : 0;
}
TEST(a_walk_ends_where_its_function_says)
{
    CHECK_OK(px_dir_make(test_path(t, "x/sub").ptr));
    CHECK_OK(px_file_write_atomic(test_path(t, "x/file").ptr, S(""), 0600));
    CHECK_INT(px_dir_each(test_path(t, "x").ptr, stop_at_folder, NULL), 7);
}

TEST_MAIN
