/* region/connect_efs.c - aws-sdk:efs: access points, which here are a tenant's hot folder with owner and mode, and a record.
 *
 * /shards/<shard>/tenants/<tenant> of the file system is hot/<tenant> of the data folder. Owner and group are set when the region may
 * (as root), the mode always; the record says what was asked for. As on AWS, a client token makes one access point, and deleting one
 * leaves the folder. Source of shapes and errors: EFS API reference, CreateAccessPoint and others. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/px_file.h"
#include "base/px_id.h"
#include "region/workflows_internal.h"

#define TABLE "wf_access_points"
#define POINTS S("points")
#define TOKENS S("tokens")
#define PAGE_MAX 100
#define E_SERVER "Efs.InternalServerErrorException"
#define E_BAD "Efs.BadRequestException"

static bool name_ok(struct px_str name)
{
    if (name.len == 0 || name.len > 64) return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_'))
            return false;
    }
    return true;
}

/* The tenant of "/shards/<shard>/tenants/<tenant>"; ptr NULL: it is another path. */
static struct px_str tenant_of(struct px_str path)
{
    struct px_str parts[5];
    for (size_t i = 0; i < PX_COUNT(parts); i++)
        if (!px_str_cut(&path, '/', &parts[i]) && i + 1 < PX_COUNT(parts))
            return (struct px_str){0};
    bool fits = path.len == 0 && parts[0].len == 0 && px_str_eq(parts[1], S("shards")) &&
                name_ok(parts[2]) && px_str_eq(parts[3], S("tenants")) && name_ok(parts[4]);
    return fits ? parts[4] : (struct px_str){0};
}

static bool make_folder(struct connection *c, struct px_str tenant, yyjson_val *creation)
{
    struct px_str mode_text = px_json_str(creation, "Permissions");
    int64_t uid = px_json_i64(creation, "OwnerUid", -1),
            gid = px_json_i64(creation, "OwnerGid", -1);
    mode_t mode = 0;
    for (size_t i = 0; i < mode_text.len; i++) {
        if (mode_text.ptr[i] < '0' || mode_text.ptr[i] > '7' || mode_text.len > 4)
            mode_text.len = 0;
        mode = mode * 8 + (mode_t)(mode_text.ptr[i] - '0');
    }
    if (mode_text.len < 3 || uid < 0 || gid < 0 || uid > UINT32_MAX || gid > UINT32_MAX) {
        connection_fail(c, E_BAD, "CreationInfo needs OwnerUid, OwnerGid and Permissions");
        return false;
    }
    const char *folder = px_arena_printf(&c->arena, "%.*s/hot/%.*s",
                                         PX_FMT(c->workflows->options.data->path), PX_FMT(tenant))
                             .ptr;
    int r = folder ? px_dir_make(folder) : px_arena_fault(&c->arena);
    PX_AUTO(px_close)
    int fd = r == 0 && folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW) : -1;
    if (r == 0 && fd < 0) r = px_fault_errno("open %s", folder);
    if (r == 0 && geteuid() == 0 && fchown(fd, (uid_t)uid, (gid_t)gid) != 0)
        r = px_fault_errno("chown %s", folder);
    if (r == 0 && fchmod(fd, mode) != 0) r = px_fault_errno("chmod %s", folder);
    if (r == 0 && fsync(fd) != 0) r = px_fault_errno("fsync %s", folder);
    if (r != 0) connection_fault(c, E_SERVER, r);
    return r == 0;
}

static void add_member(struct px_buf *buf, const char *name, yyjson_val *val)
{
    if (!val) return;
    px_buf_printf(buf, ",\"%s\":", name);
    px_buf_add_json(buf, val);
}

static struct px_str tag_name(yyjson_val *tags)
{
    size_t i, n;
    yyjson_val *tag;
    px_json_arr_foreach(tags, i, n, tag)
    {
        if (px_str_eq(px_json_str(tag, "Key"), S("Name"))) return px_json_str(tag, "Value");
    }
    return S("");
}

static void write_point(struct connection *c, const char *id, struct px_str token)
{
    static const char *const kept[] = {"PosixUser", "RootDirectory", "Tags"};
    struct px_buf *buf = &c->output;
    px_buf_printf(buf,
                  "{\"AccessPointId\":\"%s\",\"AccessPointArn\":\"arn:aws:elasticfilesystem:"
                  "%.*s:" WORKFLOW_ACCOUNT
                  ":access-point/%s\",\"FileSystemId\":\"" WORKFLOW_FILE_SYSTEM
                  "\",\"OwnerId\":\"" WORKFLOW_ACCOUNT "\",\"LifeCycleState\":\"available\""
                  ",\"ClientToken\":",
                  id, PX_FMT(c->catalogue->region), id);
    px_buf_add_json_str(buf, token);
    px_buf_add_c(buf, ",\"Name\":");
    px_buf_add_json_str(buf, tag_name(px_json_arr(c->payload, "Tags")));
    for (size_t i = 0; i < PX_COUNT(kept); i++)
        add_member(buf, kept[i], yyjson_obj_get(c->payload, kept[i]));
    px_buf_add_char(buf, '}');
}

static bool may(struct connection *c, const char *what)
{
    struct px_str file_system = px_json_str(c->payload, "FileSystemId");
    if (!workflow_may(c->machine, "access_points", px_str_c(what))) {
        connection_fail(
            c, "Efs.EfsException",
            "The machine may not %s access points (may.access_points of workflows.json)", what);
        return false;
    }
    if (file_system.ptr && !px_str_eq(file_system, S(WORKFLOW_FILE_SYSTEM))) {
        connection_fail(c, "Efs.FileSystemNotFoundException", "File system '%.*s' does not exist.",
                        PX_FMT(file_system));
        return false;
    }
    return true;
}

static void create(struct connection *c)
{
    char id[32], random[17];
    uint8_t bytes[8];
    yyjson_val *root = px_json_obj(c->payload, "RootDirectory");
    struct px_str token = px_json_str(c->payload, "ClientToken"),
                  tenant = tenant_of(px_json_str(root, "Path"));
    struct table_store *store = may(c, "create") ? connection_tables(c, E_SERVER) : NULL;
    if (!store) return;
    if (token.len == 0 || token.len > 64 || !tenant.ptr) {
        connection_fail(
            c, E_BAD,
            "ClientToken, and a RootDirectory /shards/<shard>/tenants/<tenant>, are needed");
        return;
    }
    if (!make_folder(c, tenant, px_json_obj(root, "CreationInfo"))) return;
    px_random(bytes, sizeof bytes);
    px_hex(bytes, sizeof bytes, random);
    (void)snprintf(id, sizeof id, "fsap-0%s", random);
    write_point(c, id, token);
    if (px_buf_fault(&c->output)) {
        connection_fault(c, E_SERVER, px_buf_fault(&c->output));
        return;
    }
    struct px_str quoted = px_arena_printf(&c->arena, "\"%s\"", id);
    const struct table_put puts[] = {
        {.key = {S(TABLE), TOKENS, token}, .document = quoted, .condition = TABLE_NEW},
        {.key = {S(TABLE), POINTS, px_str_c(id)},
         .document = px_buf_str(&c->output),
         .condition = TABLE_NEW},
    };
    int r = quoted.ptr ? connection_put(c, store, puts, PX_COUNT(puts)) : px_arena_fault(&c->arena);
    if (r == TABLE_CONDITION_FAILED)
        connection_fail(c, "Efs.AccessPointAlreadyExistsException",
                        "An access point with the client token '%.*s' exists already",
                        PX_FMT(token));
    else if (r != 0)
        connection_fault(c, E_SERVER, r);
    else
        connection_succeed(c);
}

static void describe(struct connection *c)
{
    struct table_item *items = NULL, one;
    size_t count = 0;
    int64_t most = px_json_i64(c->payload, "MaxResults", PAGE_MAX);
    struct px_str id = px_json_str(c->payload, "AccessPointId");
    struct table_store *store = may(c, "describe") ? connection_tables(c, E_SERVER) : NULL;
    if (!store) return;
    if (most < 1 || most > PAGE_MAX) most = PAGE_MAX;
    int r;
    if (id.len) {
        const struct table_key key = {S(TABLE), POINTS, id};
        r = table_get(store, &key, &c->arena, &one);
        items = &one;
        count = r == 0;
    } else {
        const struct table_query query = {
            .key = {S(TABLE), POINTS, S("")},
            .after_sort = px_json_str(c->payload, "NextToken"),
            .max = (size_t)most + 1,
        };
        r = table_query(store, &query, &c->arena, &items, &count);
    }
    if (r == TABLE_ABSENT) {
        connection_fail(c, "Efs.AccessPointNotFoundException", "Access point %.*s does not exist.",
                        PX_FMT(id));
        return;
    }
    if (r != 0) {
        connection_fault(c, E_SERVER, r);
        return;
    }
    bool more = count > (size_t)most;
    if (more) count = (size_t)most;
    px_buf_add_c(&c->output, "{\"AccessPoints\":[");
    for (size_t i = 0; i < count; i++) {
        if (i > 0) px_buf_add_char(&c->output, ',');
        px_buf_add_str(&c->output, items[i].document);
    }
    px_buf_add_char(&c->output, ']');
    if (more) {
        px_buf_add_c(&c->output, ",\"NextToken\":");
        px_buf_add_json_str(&c->output, items[count - 1].sort);
    }
    px_buf_add_char(&c->output, '}');
    connection_succeed(c);
}

static void delete (struct connection *c)
{
    struct px_str id = px_json_str(c->payload, "AccessPointId"), token;
    struct table_item item;
    yyjson_val *point = NULL;
    struct table_store *store = may(c, "delete") ? connection_tables(c, E_SERVER) : NULL;
    if (!store) return;
    const struct table_key key = {S(TABLE), POINTS, id.len ? id : S("-")};
    int r = table_get(store, &key, &c->arena, &item);
    if (r == 0 && px_json_parse(item.document, &c->arena, &point, NULL) != 0)
        r = px_fault(PX_F_CORRUPT, "access point %.*s", PX_FMT(id));
    px_buf_add_c(&c->output, "{}");
    token = px_json_str(point, "ClientToken");
    const struct table_put puts[] = {{.key = key}, {.key = {S(TABLE), TOKENS, token}}};
    if (r == 0) r = connection_put(c, store, puts, PX_COUNT(puts));
    if (r == TABLE_ABSENT)
        connection_fail(c, "Efs.AccessPointNotFoundException", "Access point %.*s does not exist.",
                        PX_FMT(id));
    else if (r != 0)
        connection_fault(c, E_SERVER, r);
    else
        connection_succeed(c);
}

const struct connector connect_efs[] = {
    {.service = "aws-sdk:efs", .action = "createAccessPoint", .work = create, .notes = true},
    {.service = "aws-sdk:efs", .action = "describeAccessPoints", .work = describe},
    {.service = "aws-sdk:efs", .action = "deleteAccessPoint", .work = delete, .notes = true},
    {0},
};
