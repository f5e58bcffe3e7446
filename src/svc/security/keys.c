/* svc/security/keys.c - keys as items.
 *
 * Table "keys": partition = key id, document with the hash and what the key may. Table "tenant_keys":
 * partition = tenant, sort = key id, for listing. Both are written in one transaction; later only the
 * item of "keys" changes. States of a key: active -> revoked (final); expired is active past a time.
 *
 * A restriction stands in the document as the text that the hash is over. What is refused is hashed without it, so that it
 * costs what every refusal costs, and is looked into when the key opens, or is shown.
 */
#include "svc/security/keys.h"

#include "base/px_id.h"
#include "base/px_json.h"
#include "svc/security/key_text.h"
#include "svc/security/peppers.h"

#define PEPPER_BYTES 32
#define PEPPER_ARENA_BYTES_MAX ((size_t)256 << 10)
#define NOBODYS_DOCUMENT                                                                           \
    "{\"tenant\":\"nobody\",\"hash\":"                                                             \
    "\"0000000000000000000000000000000000000000000000000000000000000000\","                        \
    "\"pepper\":\"0000000000000000\",\"scopes\":\"ingest query\",\"status\":\"revoked\","          \
    "\"label\":\"\",\"created\":\"2026-01-01T00:00:00.000Z\"}"

static const struct {
    struct px_str name;
    enum key_scope scope;
} scope_names[] = {
    {{"ingest", 6}, KEY_INGEST},
    {{"query", 5}, KEY_QUERY},
    {{"admin", 5}, KEY_ADMIN},
};

bool key_scope_parse(struct px_str name, enum key_scope *ret_scope)
{
    for (size_t i = 0; i < PX_COUNT(scope_names); i++) {
        if (!px_str_eq(name, scope_names[i].name)) continue;
        *ret_scope = scope_names[i].scope;
        return true;
    }
    return false;
}

struct px_str key_scopes_text(unsigned scopes)
{
    static const char *const texts[] = {
        "",      "ingest",       "query",       "ingest query",
        "admin", "ingest admin", "query admin", "ingest query admin",
    };
    PX_ASSERT(scopes > 0 && scopes < PX_COUNT(texts));
    return px_str_c(texts[scopes]);
}

static bool scopes_parse(struct px_str text, unsigned *ret_scopes)
{
    unsigned scopes = 0;
    while (text.len > 0) {
        struct px_str word;
        enum key_scope scope;
        px_str_cut(&text, ' ', &word);
        if (!key_scope_parse(word, &scope)) return false;
        scopes |= scope;
    }
    *ret_scopes = scopes;
    return scopes != 0;
}

int key_restriction_take(yyjson_val *value, unsigned scopes, struct px_arena *arena,
                         struct restriction *ret_restriction, struct px_str *ret_json,
                         const char **ret_why)
{
    int r = restriction_take(value, arena, ret_restriction, ret_json, ret_why);
    if (r == RESTRICTION_INVALID) return r;
    PX_TRY(r);
    if (ret_restriction->row_count == 0 || scopes == KEY_QUERY) return 0;
    *ret_why = "rows restrict what is read: with them, scopes is [\"query\"]";
    return RESTRICTION_INVALID;
}

/* The one document format serves the table and, without the hash, the API. */
static void add_time(struct px_buf *buf, const char *name, int64_t ns)
{
    char text[32];
    px_buf_printf(buf, ",\"%s\":", name);
    px_buf_add_json_str(buf, px_time_format(ns, 3, text));
}

void key_write_members(const struct key_info *key, struct px_buf *buf)
{
    px_buf_add_c(buf, "\"id\":");
    px_buf_add_json_str(buf, key->id);
    px_buf_add_c(buf, ",\"tenant\":");
    px_buf_add_json_str(buf, key->tenant);
    px_buf_add_c(buf, ",\"scopes\":[");
    const char *comma = "";
    for (size_t i = 0; i < PX_COUNT(scope_names); i++) {
        if (!(key->scopes & scope_names[i].scope)) continue;
        px_buf_printf(buf, "%s\"%.*s\"", comma, PX_FMT(scope_names[i].name));
        comma = ",";
    }
    px_buf_printf(buf, "],\"status\":\"%s\",\"label\":", key->revoked ? "revoked" : "active");
    px_buf_add_json_str(buf, key->label);
    if (key->restriction.len > 0) {
        px_buf_add_c(buf, ",\"restriction\":");
        px_buf_add_str(buf, key->restriction);
    }
    add_time(buf, "created", key->created_ns);
    if (key->expires_ns != 0) add_time(buf, "expires", key->expires_ns);
}

/* The hash of a key and the pepper that made it; no id: it was made before they had any. */
struct key_hash {
    struct px_str hex, pepper_id;
};

static void write_document(const struct key_info *key, const struct key_hash *hash,
                           struct px_buf *buf)
{
    px_buf_add_c(buf, "{\"tenant\":");
    px_buf_add_json_str(buf, key->tenant);
    px_buf_add_c(buf, ",\"hash\":");
    px_buf_add_json_str(buf, hash->hex);
    if (hash->pepper_id.len > 0) {
        px_buf_add_c(buf, ",\"pepper\":");
        px_buf_add_json_str(buf, hash->pepper_id);
    }
    px_buf_add_c(buf, ",\"scopes\":");
    px_buf_add_json_str(buf, key_scopes_text(key->scopes));
    px_buf_printf(buf, ",\"status\":\"%s\",\"label\":", key->revoked ? "revoked" : "active");
    px_buf_add_json_str(buf, key->label);
    if (key->restriction.len > 0) {
        px_buf_add_c(buf, ",\"restriction\":");
        px_buf_add_json_str(buf, key->restriction);
    }
    add_time(buf, "created", key->created_ns);
    if (key->expires_ns != 0) add_time(buf, "expires", key->expires_ns);
    px_buf_add_char(buf, '}');
}

/* A key as stored. */
struct key_item {
    struct key_info info;
    struct key_hash hash;
    int64_t version;
};

/* Not there, or some text, and then without the scope admin; what the text says comes later. */
static bool read_restriction(yyjson_val *doc, struct key_info *info)
{
    yyjson_val *value = yyjson_obj_get(doc, "restriction");
    if (!value) return true;
    info->restriction = px_json_val_str(value);
    return info->restriction.len > 0 && info->restriction.len <= RESTRICTION_BYTES_MAX &&
           !(info->scopes & KEY_ADMIN);
}

static int check_restriction(const struct key_info *info, struct px_arena *arena)
{
    const struct restriction *restriction = NULL;
    PX_TRY(restriction_read(info->restriction, arena, &restriction));
    if (restriction && restriction->row_count > 0 && info->scopes != KEY_QUERY)
        return px_fault(PX_F_CORRUPT, "rows of key %.*s", PX_FMT(info->id));
    return 0;
}

static int read_document(const struct table_item *stored, struct px_arena *arena,
                         struct key_item *ret_item)
{
    yyjson_val *doc = NULL;
    int r = px_json_parse(stored->document, arena, &doc, NULL);
    if (r < 0) PX_TRY(r);
    struct key_item item = {.hash = {px_json_str(doc, "hash"), px_json_str(doc, "pepper")},
                            .version = stored->version};
    struct key_info *info = &item.info;
    info->id = stored->partition;
    info->tenant = px_json_str(doc, "tenant");
    info->label = px_json_str(doc, "label");
    struct px_str status = px_json_str(doc, "status");
    struct px_str expires = px_json_str(doc, "expires");
    info->revoked = !px_str_eq(status, S("active"));
    bool whole = r == 0 && info->tenant.len > 0 && item.hash.hex.len == KEY_HASH_LEN &&
                 (!info->revoked || px_str_eq(status, S("revoked"))) &&
                 scopes_parse(px_json_str(doc, "scopes"), &info->scopes) &&
                 read_restriction(doc, info) &&
                 px_time_parse(px_json_str(doc, "created"), &info->created_ns) &&
                 (expires.len == 0 || px_time_parse(expires, &info->expires_ns));
    if (!whole) return px_fault(PX_F_CORRUPT, "item of key %.*s", PX_FMT(stored->partition));
    *ret_item = item;
    return 0;
}

/* Answers: KEYS_ABSENT. */
static int load_unchecked(const struct keys *keys, struct px_str id, struct px_arena *arena,
                          struct key_item *ret_item)
{
    struct table_key key = {.table = S("keys"), .partition = id};
    struct table_item stored = {0};
    int r = table_get(keys->tables, &key, arena, &stored);
    if (r == TABLE_ABSENT) return KEYS_ABSENT;
    PX_TRY(r);
    PX_TRY(read_document(&stored, arena, ret_item));
    return 0;
}

static int load(const struct keys *keys, struct px_str id, struct px_arena *arena,
                struct key_item *ret_item)
{
    int r = load_unchecked(keys, id, arena, ret_item);
    if (r == KEYS_ABSENT) return r;
    PX_TRY(r);
    return check_restriction(&ret_item->info, arena);
}

/* ---- issue ---- */

static int index_items(const struct keys *keys, struct px_str tenant, struct px_arena *arena,
                       struct table_item **ret_items, size_t *ret_count)
{
    PX_ASSERT(tenant.len > 0); /* an empty partition would list every tenant's keys */
    /* some more than the ceiling: two that issue at once may both pass the check */
    struct table_query query = {.key = {.table = S("tenant_keys"), .partition = tenant},
                                .max = KEYS_PER_TENANT_MAX + 100};
    PX_TRY(table_query(keys->tables, &query, arena, ret_items, ret_count));
    return 0;
}

static int store_new(const struct keys *keys, const struct key_info *info,
                     const struct key_hash *hash)
{
    PX_AUTO(px_buf_deinit) struct px_buf doc;
    px_buf_init(&doc, 16 * 1024);
    write_document(info, hash, &doc);
    PX_TRY(px_buf_fault(&doc));
    const struct table_put puts[] = {
        {.key = {.table = S("keys"), .partition = info->id},
         .document = px_buf_str(&doc),
         .condition = TABLE_NEW},
        {.key = {.table = S("tenant_keys"), .partition = info->tenant, .sort = info->id},
         .document = S("{}"),
         .condition = TABLE_NEW},
    };
    int r = table_put_all(keys->tables, puts, PX_COUNT(puts), NULL);
    if (r == TABLE_CONDITION_FAILED) /* 2^-64 per pair of keys; the caller may repeat */
        return px_fault(PX_F_BUSY, "key id %.*s is taken", PX_FMT(info->id));
    PX_TRY(r);
    return 0;
}

/* The peppers, made if this is the first key. */
static int load_or_make(const struct keys *keys, struct peppers *ret_peppers)
{
    PX_AUTO(px_arena_deinit_wiped) struct px_arena scratch;
    px_arena_init(&scratch, PEPPER_ARENA_BYTES_MAX);
    struct px_str value;
    PX_TRY(secret_get_or_make(keys->secrets, PEPPER_SECRET, PEPPER_BYTES, &scratch, &value));
    PX_TRY(peppers_parse(value, ret_peppers));
    return 0;
}

int keys_issue(const struct keys *keys, const struct key_spec *spec, struct px_arena *arena,
               char ret_text[KEY_TEXT_LEN + 1], struct key_info *ret_key)
{
    PX_ASSERT(spec->label.len <= KEY_LABEL_BYTES_MAX);
    PX_ASSERT(spec->restriction.len == 0 || !(spec->scopes & KEY_ADMIN));
    struct table_item *items = NULL;
    size_t count = 0;
    PX_TRY(index_items(keys, spec->tenant, arena, &items, &count));
    if (count >= KEYS_PER_TENANT_MAX) return KEYS_TOO_MANY;

    struct px_str id;
    char text[KEY_TEXT_LEN + 1], hash[KEY_HASH_LEN + 1];
    key_text_make(text);
    bool parsed = key_text_parse(px_str(text, KEY_TEXT_LEN), &id);
    PX_ASSERT(parsed);
    PX_AUTO(peppers_deinit) struct peppers peppers = {0};
    PX_TRY(load_or_make(keys, &peppers));
    const struct pepper *pepper = peppers_for_new(&peppers, px_wall_ns(keys->clock));
    PX_TRY(key_text_hash(pepper->value, px_str(text, KEY_TEXT_LEN), spec->restriction, hash));

    struct key_info info = {
        .id = px_arena_dup(arena, id),
        .tenant = spec->tenant,
        .label = spec->label,
        .restriction = spec->restriction,
        .scopes = spec->scopes,
        .created_ns = px_wall_ns(keys->clock),
        .expires_ns = spec->expires_ns,
    };
    if (!info.id.ptr) return px_arena_fault(arena);
    const struct key_hash made = {px_str(hash, KEY_HASH_LEN), px_str_c(pepper->id)};
    PX_TRY(store_new(keys, &info, &made));
    memcpy(ret_text, text, sizeof text);
    secret_wipe(px_str(text, sizeof text));
    *ret_key = info;
    return 0;
}

/* ---- verify ---- */

/* What somebody shows: a key, and what the item of its id binds it to. */
struct key_claim {
    struct px_str text, bound;
};

/* Answers: KEYS_WRONG. */
static int fits_pepper(const struct pepper *pepper, const struct key_claim *claim,
                       struct px_str hash)
{
    char own[KEY_HASH_LEN + 1];
    PX_TRY(key_text_hash(pepper->value, claim->text, claim->bound, own));
    return px_secret_eq(px_str(own, KEY_HASH_LEN), hash) ? 0 : KEYS_WRONG;
}

/* What a key that is not there is held against: the same work as for one that is there and refused, and no key has this hash. */
static const struct table_item nobodys = {
    .document = {NOBODYS_DOCUMENT, sizeof NOBODYS_DOCUMENT - 1}};

/* One HMAC in any case for what names its pepper. Answers: KEYS_WRONG: no pepper of that value made the hash of it, or there is no such value. */
static int fits_version(const struct keys *keys, enum secret_version version,
                        const struct key_claim *claim, const struct key_hash *hash)
{
    PX_AUTO(peppers_deinit) struct peppers peppers = {0};
    int r = peppers_load(keys->secrets, version, &peppers);
    if (r == SECRET_ABSENT) return KEYS_WRONG; /* no key was ever issued here, or none rotated */
    PX_TRY(r);
    if (hash->pepper_id.len > 0) {
        const struct pepper *named = peppers_find(&peppers, hash->pepper_id);
        r = fits_pepper(named ? named : &peppers.list[0], claim, hash->hex);
        return r == 0 && !named ? KEYS_WRONG : r;
    }
    r = KEYS_WRONG;
    for (size_t i = 0; i < peppers.count && r == KEYS_WRONG; i++)
        r = fits_pepper(&peppers.list[i], claim, hash->hex);
    return r;
}

/* The current value has every pepper that keys need, unless somebody put another there than a rotation: then the
 * previous one has them. What is refused whatever fits is held against both, like what fits neither. Answers: KEYS_WRONG. */
static int hash_fits_any(const struct keys *keys, const struct key_claim *claim,
                         const struct key_hash *hash, bool refused)
{
    int r = fits_version(keys, SECRET_CURRENT, claim, hash);
    if (r < 0 || (r == 0 && !refused)) return r;
    int before = fits_version(keys, SECRET_PREVIOUS, claim, hash);
    return r == KEYS_WRONG || before < 0 ? before : r;
}

/* Answers: KEYS_REVOKED, KEYS_EXPIRED. */
static int opens(const struct keys *keys, const struct key_info *info)
{
    bool over = px_wall_ns(keys->clock) >= info->expires_ns && info->expires_ns != 0;
    if (info->revoked) return KEYS_REVOKED;
    return over ? KEYS_EXPIRED : 0;
}

int keys_find(const struct keys *keys, struct px_str id, struct px_arena *arena,
              struct key_info *ret_key)
{
    struct key_item item;
    int r = load(keys, id, arena, &item);
    if (r == 0) r = opens(keys, &item.info);
    if (r > 0) return r;
    PX_TRY(r);
    *ret_key = item.info;
    return 0;
}

int keys_verify(const struct keys *keys, struct px_str text, struct px_arena *arena,
                struct key_info *ret_key)
{
    struct px_str id;
    if (!key_text_parse(text, &id)) return KEYS_MALFORMED;
    struct key_item item;
    int r = load_unchecked(keys, id, arena, &item);
    bool absent = r == KEYS_ABSENT;
    if (absent) r = read_document(&nobodys, arena, &item);
    PX_TRY(r);
    int state = opens(keys, &item.info);
    struct key_claim claim = {.text = text};
    if (state == 0) claim.bound = item.info.restriction;
    r = hash_fits_any(keys, &claim, &item.hash, state != 0);
    if ((r == KEYS_WRONG || (r == 0 && state != 0)) && secret_doubt(keys->secrets, PEPPER_SECRET))
        r = hash_fits_any(keys, &claim, &item.hash, state != 0); /* a pepper not seen here yet */
    if (r == KEYS_WRONG) return r;
    PX_TRY(r);
    if (absent) return KEYS_WRONG; /* a hash of zeros was met */
    if (state != 0) return state;
    PX_TRY(check_restriction(&item.info, arena));
    *ret_key = item.info;
    return 0;
}

/* ---- list and revoke ---- */

int keys_list(const struct keys *keys, struct px_str tenant, struct px_arena *arena,
              struct key_info **ret_keys, size_t *ret_count)
{
    struct table_item *items = NULL;
    size_t count = 0;
    PX_TRY(index_items(keys, tenant, arena, &items, &count));
    struct key_info *list = px_arena_array(arena, struct key_info, count);
    if (!list) return px_arena_fault(arena);
    for (size_t i = 0; i < count; i++) {
        struct key_item item;
        int r = load(keys, items[i].sort, arena, &item);
        if (r == KEYS_ABSENT)
            return px_fault(PX_F_CORRUPT, "key %.*s is listed but absent", PX_FMT(items[i].sort));
        PX_TRY(r);
        list[i] = item.info;
    }
    *ret_keys = list;
    *ret_count = count;
    return 0;
}

int keys_get(const struct keys *keys, struct px_str tenant, struct px_str id,
             struct px_arena *arena, struct key_info *ret_key)
{
    struct key_item item;
    if (id.len != KEY_ID_LEN) return KEYS_ABSENT;
    int r = load(keys, id, arena, &item);
    if (r == KEYS_ABSENT) return r;
    PX_TRY(r);
    if (!px_str_eq(item.info.tenant, tenant)) return KEYS_ABSENT;
    *ret_key = item.info;
    return 0;
}

/* Answers: TABLE_CONDITION_FAILED when somebody changed the key meanwhile. */
static int store_revoked(const struct keys *keys, const struct key_item *item,
                         struct px_arena *arena)
{
    PX_AUTO(px_buf_deinit) struct px_buf doc;
    px_buf_init(&doc, 16 * 1024);
    write_document(&item->info, &item->hash, &doc);
    PX_TRY(px_buf_fault(&doc));
    struct table_put put = {
        .key = {.table = S("keys"), .partition = item->info.id},
        .document = px_buf_str(&doc),
        .condition = TABLE_VERSION,
        .version = item->version,
    };
    return table_put(keys->tables, &put, arena, NULL, NULL);
}

int keys_revoke(const struct keys *keys, struct px_str tenant, struct px_str id,
                struct px_arena *arena, struct key_info *ret_key)
{
    if (id.len != KEY_ID_LEN) return KEYS_ABSENT;
    for (;;) { /* the only change a key knows is to be revoked, so the second round ends it */
        struct key_item item;
        int r = load(keys, id, arena, &item);
        if (r == KEYS_ABSENT) return r;
        PX_TRY(r);
        if (!px_str_eq(item.info.tenant, tenant)) return KEYS_ABSENT;
        r = 0;
        if (!item.info.revoked) {
            item.info.revoked = true;
            r = store_revoked(keys, &item, arena);
        }
        if (r == TABLE_CONDITION_FAILED) continue;
        PX_TRY(r);
        *ret_key = item.info;
        return 0;
    }
}

int keys_revoke_all(const struct keys *keys, struct px_str tenant, struct px_arena *arena,
                    size_t *ret_revoked)
{
    struct table_item *items = NULL;
    size_t count = 0;
    PX_TRY(index_items(keys, tenant, arena, &items, &count));
    for (size_t i = 0; i < count; i++) {
        struct key_info revoked;
        int r = keys_revoke(keys, tenant, items[i].sort, arena, &revoked);
        if (r == KEYS_ABSENT) continue;
        PX_TRY(r);
    }
    *ret_revoked = count;
    return 0;
}
