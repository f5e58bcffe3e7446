/* region/openapi_route.c - match a request path against the contract's routes. */
#include "base/px_file.h"
#include "region/openapi.h"

#define CONTRACT_BYTES_MAX (4 << 20)

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool url_decode(struct px_str text, bool plus_is_space, struct px_arena *arena,
                struct px_str *ret_text)
{
    char *out = px_arena_alloc(arena, text.len);
    if (!out) return false;
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '+' && plus_is_space) {
            c = ' ';
        } else if (c == '%') {
            int hi = i + 2 < text.len ? hex_value(text.ptr[i + 1]) : -1;
            int lo = i + 2 < text.len ? hex_value(text.ptr[i + 2]) : -1;
            if (hi < 0 || lo < 0 || (hi == 0 && lo == 0)) return false;
            c = (char)(hi * 16 + lo);
            i += 2;
        }
        out[n++] = c;
    }
    *ret_text = px_str(out, n);
    return true;
}

static size_t split_path(struct px_str path, struct px_str *parts)
{
    size_t n = 0;
    struct px_str rest = px_str_skip(path, 1);
    bool more = px_str_starts(path, S("/"));
    while (more) {
        if (n == API_PATH_PARTS_MAX) return 0;
        more = px_str_cut(&rest, '/', &parts[n++]);
    }
    return n;
}

/* Literal parts that match, plus one; 0 when the route does not fit. */
static size_t fit(const struct api_route *route, const struct px_str *parts, size_t count)
{
    size_t score = 1;
    if (route->part_count != count) return 0;
    for (size_t i = 0; i < count; i++) {
        if (route->parts[i].param ? parts[i].len == 0 : !px_str_eq(route->parts[i].text, parts[i]))
            return 0;
        score += !route->parts[i].param;
    }
    return score;
}

int api_route_find(const struct api_contract *contract, struct px_str method, struct px_str path,
                   struct px_arena *arena, struct api_match *ret_match)
{
    struct px_str parts[API_PATH_PARTS_MAX];
    size_t count = split_path(path, parts), best = 0;
    ret_match->route = NULL;
    ret_match->param_count = 0;
    ret_match->path_known = false;
    for (size_t i = 0; i < contract->route_count && count; i++) {
        size_t score = fit(&contract->routes[i], parts, count);
        if (score == 0) continue;
        ret_match->path_known = true;
        if (score > best && px_str_eq(contract->routes[i].method, method)) {
            best = score;
            ret_match->route = &contract->routes[i];
        }
    }
    if (!ret_match->route) return 0;
    for (size_t i = 0; i < count; i++) {
        if (!ret_match->route->parts[i].param) continue;
        struct http_header *param = &ret_match->params[ret_match->param_count++];
        param->name = ret_match->route->parts[i].text;
        if (!url_decode(parts[i], false, arena, &param->value)) {
            ret_match->route = NULL;
            return 0;
        }
    }
    return 0;
}

int api_contract_load(const char *path, struct px_arena *arena, struct api_contract *ret_contract)
{
    PX_AUTO(px_buf_deinit) struct px_buf text;
    px_buf_init(&text, CONTRACT_BYTES_MAX);
    struct px_where where = {0};
    int r = px_file_read(path, &text);
    if (r == PX_FILE_ABSENT) return px_fault(PX_F_CONFIG, "%s is missing", path);
    if (r == PX_FILE_TOO_LARGE)
        return px_fault(PX_F_CONFIG, "%s is over %d bytes", path, CONTRACT_BYTES_MAX);
    PX_TRY(r);
    struct px_str kept = px_arena_dup(arena, px_buf_str(&text));
    if (!kept.ptr) return px_arena_fault(arena);
    r = api_contract_parse(kept, arena, ret_contract, &where);
    if (r == API_CONTRACT_INVALID)
        return px_fault(PX_F_CONFIG, "%s: %s: %s", path, where.path, where.expected);
    PX_TRY(r);
    return 0;
}
