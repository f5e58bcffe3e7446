/* delivery/terraform/view.c - a folder in which Terraform may write beside a stack's sources. */
#include <errno.h>
#include <unistd.h>

#include "base/px_file.h"
#include "delivery/terraform/terraform.h"

#define LOCK_FILE ".terraform.lock.hcl"
#define LOCK_BYTES_MAX (1u << 20)

struct view {
    struct px_arena *arena;
    const char *from, *to; /* folders */
    const char *except;    /* a name; NULL: none */
};

static const char *joined(struct px_arena *arena, const char *dir, const char *name)
{
    return px_arena_printf(arena, "%s/%s", dir, name).ptr;
}

static int link_one(void *ctx, const char *name, bool is_dir)
{
    struct view *view = ctx;
    (void)is_dir;
    if (name[0] == '.' || (view->except && strcmp(name, view->except) == 0)) return 0;
    if (strstr(name, ".tfstate")) return 0; /* of somebody who worked in the sources */
    const char *target = joined(view->arena, view->from, name);
    const char *path = joined(view->arena, view->to, name);
    if (!target || !path) return px_arena_fault(view->arena);
    if (unlink(path) != 0 && errno != ENOENT) return px_fault_errno("%s", path);
    return symlink(target, path) == 0 ? 0 : px_fault_errno("%s", path);
}

static int link_all(struct px_arena *arena, const char *from, const char *to, const char *except)
{
    struct view view = {.arena = arena, .from = from, .to = to, .except = except};
    int r = px_dir_each(from, link_one, &view);
    return r > 0 ? px_fault(PX_F_CONFIG, "%s does not exist", from) : r;
}

/* Which providers were agreed on, where the sources say it. */
static int copy_lock(struct px_arena *arena, const char *from, const char *to)
{
    PX_AUTO(px_buf_deinit) struct px_buf lock = {0};
    const char *source = joined(arena, from, LOCK_FILE), *path = joined(arena, to, LOCK_FILE);
    if (!source || !path) return px_arena_fault(arena);
    px_buf_init(&lock, LOCK_BYTES_MAX);
    int r = px_file_read(source, &lock);
    if (r == PX_FILE_ABSENT) return 0;
    if (r == PX_FILE_TOO_LARGE) return px_fault(PX_F_CONFIG, "%s is too large", source);
    PX_TRY(r);
    return px_file_write_atomic(path, px_buf_str(&lock), 0600);
}

int terraform_view(const char *infra_dir, const char *stack, const char *work_dir,
                   struct px_arena *arena, const char **ret_dir)
{
    const char *from = joined(arena, infra_dir, stack), *beside = joined(arena, infra_dir, "..");
    const char *infra = joined(arena, work_dir, "infra");
    const char *to = infra ? joined(arena, infra, stack) : NULL;
    if (!from || !beside || !to) return px_arena_fault(arena);
    const char *name = strrchr(infra_dir, '/');
    PX_TRY(px_dir_make(to));
    PX_TRY(link_all(arena, beside, work_dir, name ? name + 1 : NULL));
    PX_TRY(link_all(arena, infra_dir, infra, stack));
    PX_TRY(link_all(arena, from, to, NULL));
    PX_TRY(copy_lock(arena, from, to));
    *ret_dir = to;
    return 0;
}
