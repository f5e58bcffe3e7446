/* region/region_names.c - from what the data folder remembers to the gateway's names and certificates. */
#include "region/region_internal.h"

/* The operator's names, as those that use them want them. */
struct given {
    struct px_str names[CERTIFICATE_NAMES_MAX];
    size_t name_count;
    struct certificates_clients clients[CERTIFICATE_NAMES_MAX];
    size_t client_count;
};

static int read_given(struct region *region, struct given *given)
{
    const struct tls_memory *tls = &region->data.tls;
    struct px_str left = tls->names, one, name;
    while (left.len > 0 && given->name_count < CERTIFICATE_NAMES_MAX) {
        (void)px_str_cut(&left, ',', &one);
        if (one.len > 0) given->names[given->name_count++] = one;
    }
    if (left.len > 0) return px_fault(PX_F_CONFIG, "more than %d names", CERTIFICATE_NAMES_MAX);
    left = tls->clients;
    while (left.len > 0 && given->client_count < CERTIFICATE_NAMES_MAX) {
        (void)px_str_cut(&left, ',', &one);
        if (!px_str_cut(&one, '=', &name) || name.len == 0 || one.len == 0)
            return px_fault(PX_F_CONFIG, "truststores are NAME=FILE,NAME=FILE");
        given->clients[given->client_count++] = (struct certificates_clients){
            .name = name, .truststore = px_arena_cstr(&region->arena, one)};
    }
    if (left.len > 0) return px_fault(PX_F_CONFIG, "more than %d names", CERTIFICATE_NAMES_MAX);
    return px_arena_full(&region->arena) ? px_arena_fault(&region->arena) : 0;
}

static int make_names(struct region *region, const struct given *given)
{
    struct names_own own[2 * CERTIFICATE_NAMES_MAX];
    struct names_options options = {
        .contract = &region->contract.names, .code = region->data.region_name, .own = own};
    PX_TRY(function_shards(&region->catalogue, &region->arena, &options.shards));
    /* the first that fits counts */
    for (size_t i = 0; i < given->client_count; i++)
        own[options.own_count++] = (struct names_own){given->clients[i].name, true};
    for (size_t i = 0; i < given->name_count; i++)
        own[options.own_count++] = (struct names_own){given->names[i], false};
    return names_new(&options, &region->arena, &region->names);
}

static int find_certificates(struct region *region, const struct given *given)
{
    const struct tls_memory *tls = &region->data.tls;
    /* the contract's names as well: their certificate is Prism's own */
    struct px_str names[CERTIFICATE_NAMES_MAX + API_DOMAINS_MAX];
    const struct certificates_options options = {
        .folder = data_dir_sub(&region->data, &region->arena, "tls"),
        .certificate = tls->key.len ? px_arena_cstr(&region->arena, tls->certificate) : NULL,
        .key = px_arena_cstr(&region->arena, tls->key),
        .names = names,
        .name_count = names_each(region->names, names, PX_COUNT(names)),
        .clients = given->clients,
        .client_count = given->client_count,
        .clock = region->clock,
        .log = &region->log};
    if (px_arena_full(&region->arena)) return px_arena_fault(&region->arena);
    return certificates_new(&options, &region->certificates);
}

int region_find_names(struct region *region)
{
    struct given given = {0};
    PX_TRY(read_given(region, &given));
    PX_TRY(make_names(region, &given));
    return region->data.tls.port ? find_certificates(region, &given) : 0;
}
