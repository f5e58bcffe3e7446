/* fleet/state.c - see state.h. */
#include "fleet/state.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/px_file.h"
#include "base/px_json.h"

#define FLEET_FORMAT 1
#define FLEET_BYTES_MAX (64u << 10)
#define NAME_BYTES_MAX 63
#define PORTS_TRIED 1000

int fleet_state_find(const struct fleet_state *state, struct px_str name)
{
    for (size_t i = 0; i < state->count; i++)
        if (px_str_eq(px_str_c(state->regions[i].name), name)) return (int)i;
    return -1;
}

/* ---- reading ---- */

static bool name_ok(struct px_str name)
{
    if (name.len == 0 || name.len > NAME_BYTES_MAX || name.ptr[0] == '-') return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        if (c != '-' && (c < 'a' || c > 'z') && (c < '0' || c > '9')) return false;
    }
    return true;
}

static int add(struct fleet_state *state, struct px_str name, struct px_arena *arena)
{
    if (!name_ok(name))
        return px_fault(PX_F_CONFIG, "a region's name is 1 to %d of a-z, 0-9 and -, not '%.*s'",
                        NAME_BYTES_MAX, PX_FMT(name));
    if (state->count == FLEET_REGIONS_MAX)
        return px_fault(PX_F_CONFIG, "at most %d regions", FLEET_REGIONS_MAX);
    const char *copy = px_arena_cstr(arena, name);
    if (!copy) return px_arena_fault(arena);
    state->regions[state->count++] = (struct fleet_region){.name = copy, .standby = -1};
    return 0;
}

static int read_names(struct fleet_state *state, yyjson_val *list, struct px_arena *arena)
{
    size_t i, n;
    yyjson_val *entry;
    px_json_arr_foreach(list, i, n, entry)
    {
        PX_TRY(add(state, px_json_str(entry, "name"), arena));
        state->regions[i].port = (uint16_t)px_json_i64(entry, "port", 0);
        state->regions[i].down = px_json_bool(entry, "down", false);
        state->regions[i].out = px_json_bool(entry, "out", false);
    }
    px_json_arr_foreach(list, i, n, entry) state->regions[i].standby = fleet_state_find(
        state, px_json_str(entry, "standby"));
    return 0;
}

static void read_cuts(struct fleet_state *state, yyjson_val *cuts)
{
    size_t i, n;
    yyjson_val *pair;
    px_json_arr_foreach(cuts, i, n, pair)
    {
        int a = fleet_state_find(state, px_json_val_str(yyjson_arr_get(pair, 0))),
            b = fleet_state_find(state, px_json_val_str(yyjson_arr_get(pair, 1)));
        if (a >= 0 && b >= 0 && a != b) state->cuts[a][b] = state->cuts[b][a] = true;
    }
}

int fleet_state_load(const char *folder, struct px_arena *arena, struct fleet_state *ret_state)
{
    struct fleet_state state = {.folder = folder};
    yyjson_val *root = NULL;
    state.path = px_arena_printf(arena, "%s/fleet.json", folder).ptr;
    if (!state.path) return px_arena_fault(arena);
    bool absent = access(state.path, F_OK) != 0;
    if (!absent) {
        PX_TRY(px_json_load(state.path, FLEET_BYTES_MAX, arena, &root));
        if (px_json_i64(root, "format", 0) != FLEET_FORMAT)
            return px_fault(PX_F_CONFIG, "%s: format %lld, this prism knows %d", state.path,
                            (long long)px_json_i64(root, "format", 0), FLEET_FORMAT);
        PX_TRY(read_names(&state, px_json_arr(root, "regions"), arena));
        read_cuts(&state, px_json_arr(root, "cuts"));
        state.port = (uint16_t)px_json_i64(root, "port", 0);
        state.lag_ms = (uint32_t)px_json_i64(root, "lag_ms", 0);
        state.scatter_ms = (uint32_t)px_json_i64(root, "scatter_ms", 0);
        state.tls = tls_memory_read(px_json_obj(root, "tls"));
    }
    *ret_state = state;
    return absent ? FLEET_NONE : 0;
}

int fleet_state_add(struct fleet_state *state, struct px_str names, struct px_arena *arena)
{
    struct fleet_state grown = *state;
    struct px_str name;
    while (names.len > 0) {
        (void)px_str_cut(&names, ',', &name);
        name = px_str_trim(name);
        if (fleet_state_find(&grown, name) < 0) PX_TRY(add(&grown, name, arena));
    }
    if (grown.count < 2)
        return px_fault(PX_F_CONFIG, "several regions are two at least; one is prism up --region");
    *state = grown;
    return 0;
}

/* ---- writing ---- */

static void write_region(const struct fleet_state *state, size_t i, struct px_buf *buf)
{
    const struct fleet_region *r = &state->regions[i];
    px_buf_printf(buf, "%s{\"name\":\"%s\",\"port\":%u", i ? "," : "", r->name, r->port);
    if (r->down) px_buf_add_c(buf, ",\"down\":true");
    if (r->out) px_buf_add_c(buf, ",\"out\":true");
    if (r->standby >= 0) px_buf_printf(buf, ",\"standby\":\"%s\"", state->regions[r->standby].name);
    px_buf_add_char(buf, '}');
}

int fleet_state_save(const struct fleet_state *state)
{
    PX_AUTO(px_buf_deinit) struct px_buf text;
    px_buf_init(&text, FLEET_BYTES_MAX);
    px_buf_printf(&text, "{\"format\":%d,\"port\":%u,\"lag_ms\":%u,\"scatter_ms\":%u,\"regions\":[",
                  FLEET_FORMAT, state->port, state->lag_ms, state->scatter_ms);
    for (size_t i = 0; i < state->count; i++) write_region(state, i, &text);
    px_buf_add_c(&text, "],\"cuts\":[");
    const char *comma = "";
    for (size_t a = 0; a < state->count; a++)
        for (size_t b = a + 1; b < state->count; b++) {
            if (!state->cuts[a][b]) continue;
            px_buf_printf(&text, "%s[\"%s\",\"%s\"]", comma, state->regions[a].name,
                          state->regions[b].name);
            comma = ",";
        }
    px_buf_add_char(&text, ']');
    tls_memory_write(&state->tls, &text);
    px_buf_add_c(&text, "}\n");
    PX_TRY(px_buf_fault(&text));
    return px_file_write_atomic(state->path, px_buf_str(&text), 0600);
}

static void write_shown(const struct fleet_state *state, const struct fleet_shown *shown,
                        struct px_buf *buf)
{
    px_buf_printf(buf, ",\"tls\":{\"port\":%u,\"certificate\":", state->tls.port);
    px_buf_add_json_str(buf, px_str_c(shown->certificate));
    px_buf_add_c(buf, ",\"key\":");
    px_buf_add_json_str(buf, px_str_c(shown->key));
    px_buf_add_char(buf, '}');
}

int fleet_state_save_router(const struct fleet_state *state, const char *host,
                            const struct fleet_shown *shown)
{
    char path[4096];
    PX_AUTO(px_buf_deinit) struct px_buf text;
    px_buf_init(&text, FLEET_BYTES_MAX);
    px_buf_printf(&text, "{\"host\":\"%s\",\"port\":%u,\"home\":\"%s\",\"regions\":[", host,
                  state->port, state->regions[0].name);
    for (size_t i = 0; i < state->count; i++) {
        const struct fleet_region *r = &state->regions[i];
        px_buf_printf(&text, "%s{\"name\":\"%s\",\"host\":\"%s\",\"port\":%u,\"active\":%s",
                      i ? "," : "", r->name, host, r->port, r->out ? "false" : "true");
        px_buf_add_c(&text, ",\"socket\":");
        (void)snprintf(path, sizeof path, "%s/regions/%s/region.sock", state->folder, r->name);
        px_buf_add_json_str(&text, px_str_c(path));
        if (r->standby >= 0)
            px_buf_printf(&text, ",\"standby\":\"%s\"", state->regions[r->standby].name);
        px_buf_add_char(&text, '}');
    }
    px_buf_add_char(&text, ']');
    if (shown) write_shown(state, shown, &text);
    px_buf_add_c(&text, "}\n");
    PX_TRY(px_buf_fault(&text));
    (void)snprintf(path, sizeof path, "%s/router.json", state->folder);
    return px_file_write_atomic(path, px_buf_str(&text), 0600);
}

void fleet_state_write_settings(const struct fleet_state *state, size_t region, struct px_buf *buf)
{
    const char *comma = "";
    px_buf_printf(buf, "{\"lag_ms\":%u,\"scatter_ms\":%u,\"cut\":[", state->lag_ms,
                  state->scatter_ms);
    for (size_t i = 0; i < state->count; i++) {
        if (!state->cuts[region][i]) continue;
        px_buf_printf(buf, "%s\"%s\"", comma, state->regions[i].name);
        comma = ",";
    }
    px_buf_add_c(buf, "]}");
}

/* ---- ports ---- */

static bool is_free(uint16_t port)
{
    const int one = 1;
    PX_AUTO(px_close) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0) return false;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    return bind(fd, (struct sockaddr *)&address, sizeof address) == 0;
}

static bool is_taken(const struct fleet_state *state, unsigned port)
{
    for (size_t i = 0; i < state->count; i++)
        if (state->regions[i].port == port) return true;
    return state->port == port || state->tls.port == port;
}

int fleet_state_choose_ports(struct fleet_state *state)
{
    unsigned next = state->port;
    for (size_t i = 0; i < state->count; i++) {
        if (state->regions[i].port) continue;
        unsigned last = next + PORTS_TRIED;
        do {
            if (++next > last || next > UINT16_MAX)
                return px_fault(PX_F_UNAVAILABLE, "no free port above %u for region %s",
                                state->port, state->regions[i].name);
        } while (is_taken(state, next) || !is_free((uint16_t)next));
        state->regions[i].port = (uint16_t)next;
    }
    return 0;
}
