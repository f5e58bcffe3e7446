/* http/tls_memory.c - see tls_memory.h. */
#include "http/tls_memory.h"

struct tls_memory tls_memory_read(yyjson_val *tls)
{
    return (struct tls_memory){.port = (uint16_t)px_json_i64(tls, "port", 0),
                               .certificate = px_json_str(tls, "certificate"),
                               .key = px_json_str(tls, "key"),
                               .names = px_json_str(tls, "names"),
                               .clients = px_json_str(tls, "clients")};
}

static bool replace(struct px_str *remembered, const char *wish, struct px_arena *arena)
{
    if (!wish || px_str_eq(*remembered, px_str_c(wish))) return false;
    *remembered = px_arena_dup(arena, px_str_c(wish));
    return true;
}

bool tls_memory_settle(struct tls_memory *memory, const struct tls_wish *wish,
                       struct px_arena *arena)
{
    bool changed = false;
    if (wish->off) {
        changed = memory->port != 0;
        *memory = (struct tls_memory){0};
    }
    if (!wish->on) return changed;
    uint16_t port = wish->port ? wish->port : memory->port ? memory->port : TLS_PORT_DEFAULT;
    changed |= memory->port != port;
    memory->port = port;
    changed |= replace(&memory->certificate, wish->certificate, arena);
    changed |= replace(&memory->key, wish->key, arena);
    changed |= replace(&memory->names, wish->names, arena);
    changed |= replace(&memory->clients, wish->clients, arena);
    return changed;
}

void tls_memory_write(const struct tls_memory *memory, struct px_buf *text)
{
    if (memory->port == 0) return;
    px_buf_printf(text, ",\"tls\":{\"port\":%u", memory->port);
    const struct {
        const char *name;
        struct px_str value;
    } fields[] = {{"certificate", memory->certificate},
                  {"key", memory->key},
                  {"names", memory->names},
                  {"clients", memory->clients}};
    for (size_t i = 0; i < PX_COUNT(fields); i++) {
        if (fields[i].value.len == 0) continue;
        px_buf_printf(text, ",\"%s\":", fields[i].name);
        px_buf_add_json_str(text, fields[i].value);
    }
    px_buf_add_char(text, '}');
}
