/* API keys: written form, verification, revocation. */
#include "support/support.h"

#include "svc/security/key_text.h"
#include "svc/security/peppers.h"
#include "svc/security/wiring.h"

struct fixture {
    struct security_stores stores;
    struct keys keys;
};

static struct fixture open_keys(struct test *t)
{
    struct fixture f = {.stores = {.clock = &t->clock}};
    struct security_urls urls = {test_path(t, "tables.db"), test_path(t, "secrets")};
    CHECK_OK(security_stores_open(&f.stores, &urls));
    f.keys = security_keys(&f.stores);
    return f;
}

struct issued {
    char text[KEY_TEXT_LEN + 1];
    struct key_info info;
};

static struct issued issue(struct test *t, const struct fixture *f, int64_t expires_ns)
{
    struct issued key;
    struct key_spec spec = {.tenant = S("acme"),
                            .scopes = KEY_INGEST | KEY_QUERY,
                            .label = S("a \"label\""),
                            .expires_ns = expires_ns};
    CHECK_OK(keys_issue(&f->keys, &spec, &t->arena, key.text, &key.info));
    return key;
}

#define NARROW "{\"datasets\":[\"logs\"],\"rows\":[{\"column\":\"it's\",\"equals\":1}]}"

static struct issued issue_restricted(struct test *t, const struct fixture *f, int64_t expires_ns)
{
    struct issued key;
    struct key_spec spec = {.tenant = S("acme"),
                            .scopes = KEY_QUERY,
                            .restriction = S(NARROW),
                            .expires_ns = expires_ns};
    CHECK_OK(keys_issue(&f->keys, &spec, &t->arena, key.text, &key.info));
    return key;
}

TEST(an_issued_key_verifies_to_what_it_may)
{
    struct fixture f = open_keys(t);
    struct issued key = issue(t, &f, 0);
    CHECK_INT(strlen(key.text), KEY_TEXT_LEN);
    CHECK(strncmp(key.text, "prism_", 6) == 0);
    struct key_info got;
    CHECK_OK(keys_verify(&f.keys, px_str_c(key.text), &t->arena, &got));
    CHECK_STR(got.tenant, S("acme"));
    CHECK_STR(got.id, px_str(key.text + 6, KEY_ID_LEN));
    CHECK_STR(got.label, S("a \"label\""));
    CHECK_INT(got.scopes, KEY_INGEST | KEY_QUERY);
    CHECK_STR(key_scopes_text(got.scopes), S("ingest query"));
    security_stores_close(&f.stores);
}

TEST(cut_changed_and_padded_keys_are_malformed)
{
    struct fixture f = open_keys(t);
    struct issued key = issue(t, &f, 0);
    struct key_info got;
    for (size_t len = 0; len < KEY_TEXT_LEN; len++)
        CHECK_INT(keys_verify(&f.keys, px_str(key.text, len), &t->arena, &got), KEYS_MALFORMED);
    for (size_t i = 0; i < KEY_TEXT_LEN; i++) {
        char changed[KEY_TEXT_LEN + 1];
        memcpy(changed, key.text, sizeof changed);
        changed[i] = changed[i] == '0' ? '1' : '0';
        CHECK_INT(keys_verify(&f.keys, px_str_c(changed), &t->arena, &got), KEYS_MALFORMED);
    }
    struct px_str padded = px_arena_printf(&t->arena, "%s ", key.text);
    CHECK_INT(keys_verify(&f.keys, padded, &t->arena, &got), KEYS_MALFORMED);
    CHECK_INT(keys_verify(&f.keys, px_str("\0\0\0", 3), &t->arena, &got), KEYS_MALFORMED);
    security_stores_close(&f.stores);
}

TEST(an_upper_case_spelling_is_another_text_and_refused)
{
    struct fixture f = open_keys(t);
    struct issued key = issue(t, &f, 0);
    for (char *c = key.text + 6; *c; c++)
        if (*c >= 'a' && *c <= 'f') *c = (char)(*c - 'a' + 'A');
    struct key_info got;
    CHECK_INT(keys_verify(&f.keys, px_str_c(key.text), &t->arena, &got), KEYS_MALFORMED);
    security_stores_close(&f.stores);
}

TEST(a_well_formed_key_that_nobody_issued_is_wrong)
{
    struct fixture f = open_keys(t);
    char text[KEY_TEXT_LEN + 1];
    struct key_info got;
    key_text_make(text);
    CHECK_INT(keys_verify(&f.keys, px_str_c(text), &t->arena, &got), KEYS_WRONG);
    issue(t, &f, 0);
    CHECK_INT(keys_verify(&f.keys, px_str_c(text), &t->arena, &got), KEYS_WRONG);
    security_stores_close(&f.stores);
}

TEST(a_key_opens_during_a_rotation_of_the_pepper_and_not_after_two)
{
    struct fixture f = open_keys(t);
    struct issued key = issue(t, &f, 0);
    struct key_info got;
    CHECK_OK(secret_put(f.stores.secrets, S("api-key-pepper"), S("another pepper")));
    CHECK_OK(keys_verify(&f.keys, px_str_c(key.text), &t->arena, &got));
    struct issued second = issue(t, &f, 0);
    CHECK_OK(secret_put(f.stores.secrets, S("api-key-pepper"), S("a third pepper")));
    CHECK_OK(keys_verify(&f.keys, px_str_c(second.text), &t->arena, &got));
    CHECK_INT(keys_verify(&f.keys, px_str_c(key.text), &t->arena, &got), KEYS_WRONG);
    security_stores_close(&f.stores);
}

TEST(an_item_with_the_hash_of_another_key_does_not_open)
{
    /* a thief who can write the table but has no pepper */
    struct fixture f = open_keys(t);
    struct issued first = issue(t, &f, 0), second = issue(t, &f, 0);
    struct table_key from = {.table = S("keys"), .partition = first.info.id};
    struct table_item item;
    CHECK_OK(table_get(f.stores.tables, &from, &t->arena, &item));
    struct table_put put = {.key = {.table = S("keys"), .partition = second.info.id},
                            .document = item.document};
    CHECK_OK(table_put(f.stores.tables, &put, &t->arena, NULL, NULL));
    struct key_info got;
    CHECK_INT(keys_verify(&f.keys, px_str_c(second.text), &t->arena, &got), KEYS_WRONG);
    CHECK_OK(keys_verify(&f.keys, px_str_c(first.text), &t->arena, &got));
    security_stores_close(&f.stores);
}

TEST(the_table_never_holds_the_secret)
{
    struct fixture f = open_keys(t);
    struct issued key = issue(t, &f, 0);
    struct table_key from = {.table = S("keys"), .partition = key.info.id};
    struct table_item item;
    CHECK_OK(table_get(f.stores.tables, &from, &t->arena, &item));
    char *document = px_arena_cstr(&t->arena, item.document);
    CHECK(strstr(document, "hash"));
    CHECK(!strstr(document, key.text + 6 + KEY_ID_LEN + 1));
    security_stores_close(&f.stores);
}

TEST(a_revoked_key_is_refused_at_once_and_stays_listed)
{
    struct fixture f = open_keys(t);
    struct issued key = issue(t, &f, 0), other = issue(t, &f, 0);
    struct key_info got, *list = NULL;
    size_t count = 0;
    CHECK_OK(keys_revoke(&f.keys, S("acme"), key.info.id, &t->arena, &got));
    CHECK(got.revoked);
    CHECK_OK(keys_revoke(&f.keys, S("acme"), key.info.id, &t->arena, &got)); /* again */
    CHECK_INT(keys_verify(&f.keys, px_str_c(key.text), &t->arena, &got), KEYS_REVOKED);
    CHECK_OK(keys_verify(&f.keys, px_str_c(other.text), &t->arena, &got));
    CHECK_OK(keys_list(&f.keys, S("acme"), &t->arena, &list, &count));
    CHECK_INT(count, 2);
    CHECK_INT(list[0].revoked + list[1].revoked, 1);
    security_stores_close(&f.stores);
}

TEST(a_key_of_another_tenant_is_absent)
{
    struct fixture f = open_keys(t);
    struct issued key = issue(t, &f, 0);
    struct key_info got, *list = NULL;
    size_t count = 9;
    CHECK_INT(keys_revoke(&f.keys, S("other"), key.info.id, &t->arena, &got), KEYS_ABSENT);
    CHECK_INT(keys_revoke(&f.keys, S("acme"), S("0123456789abcdef"), &t->arena, &got), KEYS_ABSENT);
    CHECK_INT(keys_revoke(&f.keys, S("acme"), S(""), &t->arena, &got), KEYS_ABSENT);
    CHECK_OK(keys_list(&f.keys, S("other"), &t->arena, &list, &count));
    CHECK_INT(count, 0);
    CHECK_OK(keys_verify(&f.keys, px_str_c(key.text), &t->arena, &got));
    security_stores_close(&f.stores);
}

TEST(a_key_ends_at_the_instant_of_its_expiry)
{
    struct fixture f = open_keys(t);
    struct issued key = issue(t, &f, t->now_ns + PX_NS_PER_S);
    struct key_info got;
    test_advance(t, PX_NS_PER_S - 1);
    CHECK_OK(keys_verify(&f.keys, px_str_c(key.text), &t->arena, &got));
    test_advance(t, 1);
    CHECK_INT(keys_verify(&f.keys, px_str_c(key.text), &t->arena, &got), KEYS_EXPIRED);
    security_stores_close(&f.stores);
}

TEST(revoke_all_ends_every_key_of_the_tenant_only)
{
    struct fixture f = open_keys(t);
    struct issued a = issue(t, &f, 0), b = issue(t, &f, 0), other;
    struct key_spec spec = {.tenant = S("other"), .scopes = KEY_ADMIN};
    struct key_info got;
    size_t count = 0;
    CHECK_OK(keys_issue(&f.keys, &spec, &t->arena, other.text, &other.info));
    CHECK_OK(keys_revoke_all(&f.keys, S("acme"), &t->arena, &count));
    CHECK_INT(count, 2);
    CHECK_INT(keys_verify(&f.keys, px_str_c(a.text), &t->arena, &got), KEYS_REVOKED);
    CHECK_INT(keys_verify(&f.keys, px_str_c(b.text), &t->arena, &got), KEYS_REVOKED);
    CHECK_OK(keys_verify(&f.keys, px_str_c(other.text), &t->arena, &got));
    security_stores_close(&f.stores);
}

TEST(a_damaged_item_is_a_fault_and_opens_nothing)
{
    struct fixture f = open_keys(t);
    struct issued key = issue(t, &f, 0);
    const char *const damaged[] = {"", "{}", "{\"tenant\":\"acme\",\"hash\":\"\"}", "nonsense"};
    for (size_t i = 1; i < PX_COUNT(damaged); i++) {
        struct table_put put = {.key = {.table = S("keys"), .partition = key.info.id},
                                .document = px_str_c(damaged[i])};
        CHECK_OK(table_put(f.stores.tables, &put, &t->arena, NULL, NULL));
        struct key_info got;
        CHECK_INT(keys_verify(&f.keys, px_str_c(key.text), &t->arena, &got), PX_F_CORRUPT);
    }
    security_stores_close(&f.stores);
}

TEST(the_hash_is_hmac_sha_256)
{
    /* RFC 4231 test case 2 */
    char hex[KEY_HASH_LEN + 1];
    CHECK_OK(key_text_hash(S("Jefe"), S("what do ya want for nothing?"), S(""), hex));
    CHECK_STR(px_str_c(hex), S("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"));
}

TEST(the_hash_of_a_key_with_a_restriction_is_of_both)
{
    /* RFC 4231 test case 2, cut at a line feed */
    char both[KEY_HASH_LEN + 1], whole[KEY_HASH_LEN + 1];
    CHECK_OK(key_text_hash(S("Jefe"), S("what do ya want"), S("for nothing?"), both));
    CHECK_OK(key_text_hash(S("Jefe"), S("what do ya want\nfor nothing?"), S(""), whole));
    CHECK_STR(px_str_c(both), px_str_c(whole));
}

/* The document of a key, changed: the first `from` in it becomes `to`. */
static void change(struct test *t, const struct fixture *f, struct px_str id, const char *from,
                   const char *to)
{
    struct table_item item = {0};
    const struct table_key key = {.table = S("keys"), .partition = id};
    CHECK_OK(table_get(f->keys.tables, &key, &t->arena, &item));
    char *document = px_arena_cstr(&t->arena, item.document), *at = strstr(document, from);
    CHECK(at);
    struct px_str changed = px_arena_printf(&t->arena, "%.*s%s%s", (int)(at - document), document,
                                            to, at + strlen(from));
    const struct table_put put = {.key = key, .document = changed};
    CHECK_OK(table_put(f->keys.tables, &put, &t->arena, NULL, NULL));
}

static int verify(struct test *t, const struct fixture *f, const struct issued *key)
{
    struct key_info got;
    return keys_verify(&f->keys, px_str_c(key->text), &t->arena, &got);
}

TEST(a_key_keeps_its_restriction)
{
    struct fixture f = open_keys(t);
    struct issued key = issue_restricted(t, &f, 0);
    struct key_info got, *list = NULL;
    size_t count = 0;
    CHECK_OK(keys_verify(&f.keys, px_str_c(key.text), &t->arena, &got));
    CHECK_STR(got.restriction, S(NARROW));
    CHECK_OK(keys_find(&f.keys, key.info.id, &t->arena, &got));
    CHECK_STR(got.restriction, S(NARROW));
    CHECK_OK(keys_revoke(&f.keys, S("acme"), key.info.id, &t->arena, &got));
    CHECK_OK(keys_list(&f.keys, S("acme"), &t->arena, &list, &count));
    CHECK_INT(count, 1);
    CHECK_STR(list[0].restriction, S(NARROW));
    CHECK_INT(verify(t, &f, &key), KEYS_WRONG);
    security_stores_close(&f.stores);
}

/* The first is what an older release reads of it: the hash of the key alone is another. The rest is what somebody makes who can
 * write the table and has no pepper. */
TEST(whoever_leaves_the_restriction_out_or_makes_another_opens_nothing)
{
    static const char *const others[][2] = {
        {",\"restriction\":\"{\\\"datasets\\\":[\\\"logs\\\"],\\\"rows\\\":[{\\\"column\\\":"
         "\\\"it's\\\",\\\"equals\\\":1}]}\"",
         ""},
        {"\\\"logs\\\"", "\\\"logs\\\",\\\"more\\\""},
        {",\\\"rows\\\":[{\\\"column\\\":\\\"it's\\\",\\\"equals\\\":1}]", ""}};
    struct fixture f = open_keys(t);
    for (size_t i = 0; i < PX_COUNT(others); i++) {
        struct issued key = issue_restricted(t, &f, 0);
        CHECK_OK(verify(t, &f, &key));
        change(t, &f, key.info.id, others[i][0], others[i][1]);
        CHECK_INT(verify(t, &f, &key), KEYS_WRONG);
    }
    struct issued plain = issue(t, &f, 0); /* nor can somebody else's key be restricted */
    change(t, &f, plain.info.id, ",\"label\"", ",\"restriction\":\"{}\",\"label\"");
    CHECK_INT(verify(t, &f, &plain), KEYS_WRONG);
    security_stores_close(&f.stores);
}

TEST(an_item_whose_restriction_is_none_is_a_fault)
{
    static const char *const damaged[] = {
        "\"\"", "null", "7", "{\"datasets\":[\"logs\"]}", "\"nonsense\"", "[]", "\"{}\""};
    struct fixture f = open_keys(t);
    struct key_info got;
    for (size_t i = 0; i < PX_COUNT(damaged); i++) {
        struct issued key = issue(t, &f, 0);
        struct px_str member = px_arena_printf(&t->arena, ",\"restriction\":%s,\"label\"",
                                               damaged[i]);
        change(t, &f, key.info.id, ",\"label\"", px_arena_cstr(&t->arena, member));
        CHECK_INT(keys_find(&f.keys, key.info.id, &t->arena, &got), PX_F_CORRUPT);
        CHECK(verify(t, &f, &key) != 0);
    }
    struct issued key = issue_restricted(t, &f, 0); /* what could make a key without one */
    change(t, &f, key.info.id, "\"scopes\":\"query\"", "\"scopes\":\"query admin\"");
    CHECK_INT(verify(t, &f, &key), PX_F_CORRUPT);
    struct issued sender = issue_restricted(t, &f, 0); /* rows are for reading */
    change(t, &f, sender.info.id, "\"scopes\":\"query\"", "\"scopes\":\"ingest query\"");
    CHECK_INT(verify(t, &f, &sender), PX_F_CORRUPT);
    security_stores_close(&f.stores);
}

/* Its hash becomes another: what the table has for a key whose secret is wrong. */
static void spoil(struct test *t, const struct fixture *f, struct px_str id)
{
    struct table_item item = {0};
    const struct table_key key = {.table = S("keys"), .partition = id};
    CHECK_OK(table_get(f->keys.tables, &key, &t->arena, &item));
    char *document = px_arena_cstr(&t->arena, item.document);
    char *hash = strstr(document, "\"hash\":\"") + 8;
    hash[7] = hash[7] == '0' ? '1' : '0';
    const struct table_put put = {.key = key,
                                  .document = px_str_c(document),
                                  .condition = TABLE_VERSION,
                                  .version = item.version};
    CHECK_OK(table_put(f->keys.tables, &put, &t->arena, NULL, NULL));
}

static uint64_t hashes_of(struct test *t, const struct fixture *f, const char *text, int answer)
{
    struct key_info got;
    uint64_t before = key_text_hashes, bytes = key_text_bytes;
    CHECK_INT(keys_verify(&f->keys, px_str_c(text), &t->arena, &got), answer);
    if (answer != 0) /* nothing but the key was hashed */
        CHECK_INT(key_text_bytes - bytes, (key_text_hashes - before) * KEY_TEXT_LEN);
    return key_text_hashes - before;
}

/* Of a pepper that joins those of before, as a rotation does. */
static void rotate(const struct fixture *f)
{
    PX_AUTO(peppers_deinit) struct peppers before = {0};
    struct px_buf value;
    px_buf_init(&value, 64 * 1024);
    CHECK_OK(peppers_load(f->stores.secrets, SECRET_CURRENT, &before));
    CHECK_OK(peppers_add(&before, f->stores.tables, px_wall_ns(f->keys.clock), &value));
    CHECK_OK(secret_put(f->stores.secrets, PEPPER_SECRET, px_buf_str(&value)));
    px_buf_deinit(&value);
}

TEST(whatever_is_wrong_with_a_key_its_refusal_costs_the_same)
{
    struct fixture f = open_keys(t);
    struct issued good = issue(t, &f, 0), spoilt = issue(t, &f, 0), revoked = issue(t, &f, 0),
                  expired = issue(t, &f, t->now_ns), narrow = issue_restricted(t, &f, 0),
                  narrow_revoked = issue_restricted(t, &f, 0),
                  narrow_expired = issue_restricted(t, &f, t->now_ns);
    char unknown[KEY_TEXT_LEN + 1];
    struct key_info got;
    key_text_make(unknown);
    spoil(t, &f, spoilt.info.id);
    CHECK_OK(keys_revoke(&f.keys, S("acme"), revoked.info.id, &t->arena, &got));
    CHECK_OK(keys_revoke(&f.keys, S("acme"), narrow_revoked.info.id, &t->arena, &got));
    for (int rotations = 0; rotations < 3; rotations++) {
        uint64_t versions = rotations == 0 ? 1 : 2; /* of the peppers: the current, the previous */
        CHECK_INT(hashes_of(t, &f, good.text, 0), 1);
        CHECK_INT(hashes_of(t, &f, unknown, KEYS_WRONG), versions);
        CHECK_INT(hashes_of(t, &f, spoilt.text, KEYS_WRONG), versions);
        CHECK_INT(hashes_of(t, &f, revoked.text, KEYS_REVOKED), versions);
        CHECK_INT(hashes_of(t, &f, expired.text, KEYS_EXPIRED), versions);
        CHECK_INT(hashes_of(t, &f, narrow.text, 0), 1);
        CHECK_INT(hashes_of(t, &f, narrow_revoked.text, KEYS_WRONG), versions);
        CHECK_INT(hashes_of(t, &f, narrow_expired.text, KEYS_WRONG), versions);
        CHECK_INT(hashes_of(t, &f, "prism_no", KEYS_MALFORMED), 0);
        rotate(&f);
        test_advance(t, PEPPER_SETTLE_NS);
    }
    struct issued late = issue(t, &f,
                               0); /* with a pepper that the previous value has, too, or not */
    CHECK_OK(keys_revoke(&f.keys, S("acme"), late.info.id, &t->arena, &got));
    CHECK_INT(hashes_of(t, &f, late.text, KEYS_REVOKED), 2);
    rotate(&f);
    test_advance(t, PEPPER_SETTLE_NS);
    struct issued newest = issue(t, &f, 0);
    CHECK_OK(keys_revoke(&f.keys, S("acme"), newest.info.id, &t->arena, &got));
    CHECK_INT(hashes_of(t, &f, newest.text, KEYS_REVOKED), 2);
    security_stores_close(&f.stores);
}

TEST_MAIN
