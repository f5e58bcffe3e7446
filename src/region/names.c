/* region/names.c - see names.h. All tables are made at the start; a request costs a few comparisons. */
#include "region/names.h"

#define STAGES_MAX 16 /* API Gateway has 10 */

struct names {
    struct names_own domains[API_DOMAINS_MAX + NAMES_OWN_MAX];
    size_t domain_count;
    bool strict; /* no other name is answered to */
    struct names_stage stages[STAGES_MAX];
    size_t stage_count;
};

/* ---- at the start ---- */

/* {key} by its value, everywhere. */
static int fill(struct px_str text, struct px_str key, struct px_str value, struct px_arena *arena,
                struct px_str *ret)
{
    PX_AUTO(px_buf_deinit) struct px_buf out;
    px_buf_init(&out, 1024);
    while (text.len > 0) {
        bool here = px_str_starts(text, key);
        px_buf_add_str(&out, here ? value : px_str(text.ptr, 1));
        text = px_str_skip(text, here ? key.len : 1);
    }
    PX_TRY(px_buf_fault(&out));
    *ret = px_arena_dup(arena, px_buf_str(&out));
    return px_arena_full(arena) ? px_arena_fault(arena) : 0;
}

static bool is_name(struct px_str text)
{
    static const char good[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    if (px_str_starts(text, S("*."))) text = px_str_skip(text, 2);
    for (size_t i = 0; i < text.len; i++)
        if (!memchr(good, text.ptr[i], sizeof good - 1)) return false;
    return text.len > 0 && text.len < 254;
}

static int add_domains(struct names *names, const struct names_options *options,
                       struct px_arena *arena)
{
    for (size_t i = 0; i < options->contract->domain_count; i++) {
        struct names_own *domain = &names->domains[names->domain_count++];
        PX_TRY(
            fill(options->contract->domains[i], S("{code}"), options->code, arena, &domain->name));
        PX_TRY(fill(domain->name, S("{domain}"), S(NAMES_DOMAIN), arena, &domain->name));
    }
    if (options->own_count > NAMES_OWN_MAX)
        return px_fault(PX_F_CONFIG, "more than %d names", NAMES_OWN_MAX);
    for (size_t i = 0; i < options->own_count; i++) {
        if (!is_name(options->own[i].name))
            return px_fault(PX_F_CONFIG, "%.*s is no name of a domain",
                            PX_FMT(options->own[i].name));
        names->domains[names->domain_count] = options->own[i];
        names->domains[names->domain_count++].name = px_arena_dup(arena, options->own[i].name);
    }
    names->strict = options->own_count > 0;
    return px_arena_full(arena) ? px_arena_fault(arena) : 0;
}

static int add_stage(struct names *names, const struct api_names *contract, struct px_str shard,
                     struct px_arena *arena)
{
    if (names->stage_count == STAGES_MAX)
        return px_fault(PX_F_CONFIG, "more than %d shards", STAGES_MAX);
    struct names_stage *stage = &names->stages[names->stage_count++];
    *stage = (struct names_stage){.name = px_arena_dup(arena, shard),
                                  .variable_count = contract->variable_count};
    PX_TRY(fill(contract->base_path, S("{shard}"), shard, arena, &stage->base_path));
    for (size_t i = 0; i < contract->variable_count; i++) {
        stage->variables[i].name = contract->variables[i].name;
        PX_TRY(fill(contract->variables[i].value, S("{shard}"), shard, arena,
                    &stage->variables[i].value));
    }
    return 0;
}

int names_new(const struct names_options *options, struct px_arena *arena,
              const struct names **ret_names)
{
    struct names *names = px_arena_new(arena, struct names);
    if (!names) return px_arena_fault(arena);
    PX_TRY(add_domains(names, options, arena));
    for (const char *const *shard = options->shards; *shard; shard++)
        PX_TRY(add_stage(names, options->contract, px_str_c(*shard), arena));
    PX_ASSERT(names->stage_count > 0);
    *ret_names = names;
    return 0;
}

size_t names_each(const struct names *names, struct px_str *ret_names, size_t max)
{
    size_t count = 0;
    for (size_t i = 0; i < names->domain_count && count < max; i++)
        if (!names->domains[i].asks_client) ret_names[count++] = names->domains[i].name;
    return count;
}

/* ---- a request ---- */

/* "name:port", "[::1]:port", "name." */
static struct px_str without_port(struct px_str authority)
{
    const char *end = authority.len ? memchr(authority.ptr, ']', authority.len) : NULL;
    if (end) return px_str(authority.ptr, (size_t)(end + 1 - authority.ptr));
    struct px_str name;
    (void)px_str_cut(&authority, ':', &name);
    if (px_str_ends(name, S("."))) name.len--;
    return name;
}

/* What stands for the endpoint that AWS gives every API. */
static bool is_endpoint(struct px_str name)
{
    if (name.len == 0 || name.ptr[0] == '[' || px_str_ieq(name, S("localhost"))) return true;
    for (size_t i = 0; i < name.len; i++)
        if ((name.ptr[i] < '0' || name.ptr[i] > '9') && name.ptr[i] != '.') return false;
    return true;
}

/* A star is one label, as at API Gateway and in certificates. */
static bool fits(struct px_str pattern, struct px_str name)
{
    if (!px_str_starts(pattern, S("*."))) return px_str_ieq(pattern, name);
    const char *dot = memchr(name.ptr, '.', name.len);
    return dot && dot > name.ptr &&
           px_str_ieq(px_str_skip(pattern, 1), px_str_skip(name, (size_t)(dot - name.ptr)));
}

static const struct names_own *domain_of(const struct names *names, struct px_str name)
{
    const struct names_own *found = NULL;
    for (size_t i = 0; i < names->domain_count && name.len > 0; i++) {
        if (!fits(names->domains[i].name, name)) continue;
        found = &names->domains[i];
        if (found->name.ptr[0] != '*') break; /* what names it in full counts for more */
    }
    return found;
}

/* TLS asked this client for a certificate because of this very name. */
static bool has_shown(const struct http_request *request, struct px_str name)
{
    return request->client && px_str_ieq(request->server_name, name);
}

static bool may_call(const struct names *names, const struct http_request *request,
                     struct px_str name)
{
    const struct names_own *domain = domain_of(names, name);
    if (domain) return !domain->asks_client || has_shown(request, domain->name);
    return !names->strict || is_endpoint(name);
}

static const struct names_stage *stage_of(const struct names *names, struct px_str *path)
{
    for (size_t i = 0; i < names->stage_count; i++) {
        struct px_str base = names->stages[i].base_path, rest = px_str_skip(*path, 1);
        if (base.len == 0 || !px_str_starts(rest, base)) continue;
        rest = px_str_skip(rest, base.len);
        if (rest.len > 0 && rest.ptr[0] != '/') continue;
        *path = rest.len > 0 ? rest : S("/");
        return &names->stages[i];
    }
    return &names->stages[0];
}

int names_find(const struct names *names, const struct http_request *request,
               struct names_place *ret_place)
{
    struct names_place place = {.path = request->path};
    place.domain = without_port(request->authority.len ? request->authority
                                                       : http_header_get(request, S("Host")));
    if (!may_call(names, request, place.domain)) return NAMES_FORBIDDEN;
    place.stage = stage_of(names, &place.path);
    *ret_place = place;
    return 0;
}
