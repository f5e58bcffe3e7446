/* Rotation: four steps, repeated, interrupted, at once; nobody who has a key notices. */
#include "support/support.h"

#include "store/child.h"
#include "svc/security/peppers.h"
#include "svc/security/rotation.h"
#include "svc/security/token_keys.h"
#include "svc/security/wiring.h"

#define PEPPER PEPPER_SECRET
#define DAY_NS (INT64_C(86400) * PX_NS_PER_S)
static const struct px_str id_1 = {"11111111-1111-4111-8111-111111111111", 36};
static const struct px_str id_2 = {"22222222-2222-4222-8222-222222222222", 36};

struct rig {
    struct security_stores stores;
    struct keys keys;
    struct rotation_options options;
};

static struct rig open_rig(struct test *t)
{
    struct rig rig = {.stores = {.clock = &t->clock}};
    const struct security_urls urls = {test_path(t, "tables.db"), test_path(t, "secrets")};
    CHECK_OK(security_stores_open(&rig.stores, &urls));
    rig.keys = security_keys(&rig.stores);
    rig.options = (struct rotation_options){
        .secrets_url = urls.secrets, .tables_url = urls.tables, .clock = &t->clock};
    return rig;
}

static int step(const struct rig *rig, enum rotation_step which, struct px_str secret,
                struct px_str id)
{
    PX_AUTO(rotation_close) struct rotation *rotation = NULL;
    const struct rotation_request request = {which, secret, id};
    int r = rotation_open(&rig->options, &rotation);
    return r != 0 ? r : rotation_step(rotation, &request);
}

static void rotate(struct test *t, const struct rig *rig, struct px_str secret)
{
    static unsigned n;
    struct px_str id = px_arena_printf(&t->arena, "00000000-0000-4000-8000-%012u", ++n);
    for (int i = 0; i < ROTATION_STEPS; i++) CHECK_OK(step(rig, (enum rotation_step)i, secret, id));
}

struct key {
    char text[KEY_TEXT_LEN + 1];
};
static struct key issue_until(struct test *t, const struct rig *rig, int64_t expires_ns)
{
    struct key key;
    struct key_info info;
    const struct key_spec spec = {
        .tenant = S("acme"), .scopes = KEY_QUERY, .expires_ns = expires_ns};
    CHECK_OK(keys_issue(&rig->keys, &spec, &t->arena, key.text, &info));
    return key;
}
static struct key issue(struct test *t, const struct rig *rig) { return issue_until(t, rig, 0); }
static int verify(struct test *t, const struct rig *rig, const struct key *key)
{
    struct key_info info;
    return keys_verify(&rig->keys, px_str_c(key->text), &t->arena, &info);
}
static size_t pepper_count(const struct rig *rig)
{
    PX_AUTO(peppers_deinit) struct peppers peppers = {0};
    CHECK_OK(peppers_load(rig->stores.secrets, SECRET_CURRENT, &peppers));
    return peppers.count;
}
static struct rotation_report due(struct test *t, const struct rig *rig, int64_t max_age_ns)
{
    PX_AUTO(rotation_close) struct rotation *rotation = NULL;
    struct rotation_report report;
    CHECK_OK(rotation_open(&rig->options, &rotation));
    const struct px_log log = {.fd = -1, .level = PX_ERROR, .clock = &t->clock};
    CHECK_OK(rotation_due(rotation, max_age_ns, &log, &report));
    return report;
}

/* ---- the pepper ---- */

TEST(every_key_opens_after_any_number_of_rotations)
{
    struct rig rig = open_rig(t);
    struct key keys[12];
    for (size_t i = 0; i < PX_COUNT(keys); i++) {
        keys[i] = issue(t, &rig);
        rotate(t, &rig, PEPPER);
        test_advance(t, i % 2 ? 1 : PEPPER_SETTLE_NS);
        for (size_t k = 0; k <= i; k++) CHECK_OK(verify(t, &rig, &keys[k]));
    }
    CHECK_INT(pepper_count(&rig), PX_COUNT(keys) + 1);
    security_stores_close(&rig.stores);
}

TEST(keys_open_between_all_steps)
{
    struct rig rig = open_rig(t);
    struct key before = issue(t, &rig);
    for (int i = 0; i < ROTATION_STEPS; i++) {
        CHECK_OK(step(&rig, (enum rotation_step)i, PEPPER, id_1));
        struct key meanwhile = issue(t, &rig);
        CHECK_OK(verify(t, &rig, &before));
        CHECK_OK(verify(t, &rig, &meanwhile));
    }
    security_stores_close(&rig.stores);
}

/* Whoever verifies may have the value of five minutes ago. */
TEST(a_new_pepper_makes_keys_only_when_everybody_has_it)
{
    struct rig rig = open_rig(t);
    (void)issue(t, &rig);
    PX_AUTO(peppers_deinit) struct peppers before = {0};
    CHECK_OK(peppers_load(rig.stores.secrets, SECRET_CURRENT, &before));
    test_advance(t, DAY_NS);
    rotate(t, &rig, PEPPER);
    PX_AUTO(peppers_deinit) struct peppers after = {0};
    CHECK_OK(peppers_load(rig.stores.secrets, SECRET_CURRENT, &after));
    CHECK_INT(after.count, 2);
    const struct pepper *in_use = peppers_for_new(&after, px_wall_ns(&t->clock));
    CHECK_STR(px_str_c(in_use->id), px_str_c(before.list[0].id));
    test_advance(t, PEPPER_SETTLE_NS);
    in_use = peppers_for_new(&after, px_wall_ns(&t->clock));
    CHECK_STR(px_str_c(in_use->id), px_str_c(after.list[0].id));
    security_stores_close(&rig.stores);
}

TEST(a_pepper_goes_when_no_key_needs_it)
{
    struct rig rig = open_rig(t);
    struct key_info info;
    int64_t soon_ns = px_wall_ns(&t->clock) + DAY_NS / 2;
    struct key revoked = issue(t, &rig), expiring = issue_until(t, &rig, soon_ns);
    struct px_str id = px_str(revoked.text + 6, KEY_ID_LEN);
    rotate(t, &rig, PEPPER);
    test_advance(t, 2 * DAY_NS);
    struct key kept = issue(t, &rig);
    rotate(t, &rig, PEPPER);
    CHECK_INT(pepper_count(&rig), 3); /* the first one's key is not revoked yet */
    CHECK_OK(keys_revoke(&rig.keys, S("acme"), id, &t->arena, &info));
    test_advance(t, 2 * DAY_NS);
    rotate(t, &rig, PEPPER);
    CHECK_INT(pepper_count(&rig), 3);
    CHECK_OK(verify(t, &rig, &kept));
    CHECK_INT(verify(t, &rig, &expiring), KEYS_EXPIRED); /* the previous value has its pepper */
    rotate(t, &rig, PEPPER);
    CHECK_INT(verify(t, &rig, &expiring), KEYS_WRONG);
    security_stores_close(&rig.stores);
}

TEST(a_value_that_terraform_made_is_a_pepper_and_the_one_before_opens)
{
    struct rig rig = open_rig(t);
    struct key first = issue(t, &rig);
    rotate(t, &rig, PEPPER);
    CHECK_OK(secret_put(rig.stores.secrets, PEPPER, S("a new generation of 64 characters")));
    CHECK_OK(verify(t, &rig, &first));
    struct key second = issue(t, &rig);
    CHECK_OK(verify(t, &rig, &second));
    for (int i = 0; i < 3; i++) rotate(t, &rig, PEPPER);
    CHECK_OK(verify(t, &rig, &first));
    CHECK_OK(verify(t, &rig, &second));
    security_stores_close(&rig.stores);
}

TEST(more_peppers_than_fit_are_refused_and_keys_go_on_opening)
{
    struct rig rig = open_rig(t);
    struct key first = issue(t, &rig);
    for (unsigned i = 1; i < PEPPERS_MAX; i++) rotate(t, &rig, PEPPER);
    CHECK_INT(step(&rig, ROTATION_CREATE, PEPPER, id_1), PX_F_LIMIT);
    CHECK_OK(verify(t, &rig, &first));
    security_stores_close(&rig.stores);
}

/* ---- steps ---- */

TEST(steps_may_be_repeated_also_after_later_ones)
{
    struct rig rig = open_rig(t);
    struct key key = issue(t, &rig);
    for (int i = 0; i < ROTATION_STEPS; i++)
        for (int k = 0; k <= i; k++) CHECK_OK(step(&rig, (enum rotation_step)k, PEPPER, id_1));
    CHECK_OK(step(&rig, ROTATION_CREATE, PEPPER, id_1));
    CHECK_INT(pepper_count(&rig), 2);
    CHECK_OK(verify(t, &rig, &key));
    security_stores_close(&rig.stores);
}

TEST(a_step_out_of_turn_changes_nothing)
{
    struct rig rig = open_rig(t);
    (void)issue(t, &rig);
    for (int i = ROTATION_SET; i < ROTATION_STEPS; i++)
        CHECK_INT(step(&rig, (enum rotation_step)i, PEPPER, id_1), ROTATION_NO_VERSION);
    CHECK_OK(step(&rig, ROTATION_CREATE, PEPPER, id_1));
    for (int i = 0; i < ROTATION_STEPS; i++)
        CHECK_INT(step(&rig, (enum rotation_step)i, PEPPER, id_2), ROTATION_OTHER);
    CHECK_INT(step(&rig, ROTATION_CREATE, S("db/nothing"), id_1), ROTATION_UNKNOWN);
    CHECK_INT(step(&rig, ROTATION_CREATE, TOKEN_SECRET, id_1), ROTATION_ABSENT);
    CHECK_INT(step(&rig, ROTATION_CREATE, S("not a name"), id_1), ROTATION_ABSENT);
    CHECK_INT(pepper_count(&rig), 1);
    rig.options.primary = S("eu-1");
    CHECK_INT(step(&rig, ROTATION_CREATE, PEPPER, id_1), ROTATION_ELSEWHERE);
    security_stores_close(&rig.stores);
}

TEST(a_rotation_that_was_left_behind_is_ended_by_the_next)
{
    for (int done = 1; done < ROTATION_STEPS; done++) {
        struct rig rig = open_rig(t);
        struct key key = issue(t, &rig);
        struct px_str id = px_arena_printf(&t->arena, "33333333-3333-4333-8333-33333333333%d",
                                           done);
        size_t before = pepper_count(&rig);
        for (int i = 0; i < done; i++) CHECK_OK(step(&rig, (enum rotation_step)i, PEPPER, id));
        struct rotation_report report = due(t, &rig, 90 * DAY_NS);
        CHECK_INT(report.ended, 1);
        CHECK_INT(report.failed, 0);
        CHECK_INT(pepper_count(&rig), before + 1);
        struct secret_info info;
        CHECK_OK(secret_describe(rig.stores.secrets, PEPPER, SECRET_STAGES, &t->arena, &info));
        CHECK_STR(secret_at(&info, SECRET_CURRENT)->id, id);
        CHECK_OK(verify(t, &rig, &key));
        security_stores_close(&rig.stores);
    }
}

TEST(a_value_that_was_changed_meanwhile_is_not_undone)
{
    struct rig rig = open_rig(t);
    (void)issue(t, &rig);
    CHECK_OK(step(&rig, ROTATION_CREATE, PEPPER, id_1));
    CHECK_OK(secret_put(rig.stores.secrets, PEPPER, S("somebody else's pepper, long enough")));
    struct key key = issue(t, &rig);
    CHECK_INT(step(&rig, ROTATION_TEST, PEPPER, id_1), ROTATION_OVERTAKEN);
    CHECK_INT(step(&rig, ROTATION_FINISH, PEPPER, id_1), ROTATION_OVERTAKEN);
    struct rotation_report report = due(t, &rig, 90 * DAY_NS);
    CHECK_INT(report.ended, 1);
    CHECK_OK(verify(t, &rig, &key));
    CHECK_INT(pepper_count(&rig), 3); /* the first one's key is still there */
    security_stores_close(&rig.stores);
}

/* How Secrets Manager tries a schedule that has just been made: testSecret alone, on the current value. */
TEST(the_trial_of_a_schedule_passes_and_changes_nothing)
{
    struct rig rig = open_rig(t);
    (void)issue(t, &rig);
    struct px_str value;
    CHECK_OK(secret_get(rig.stores.secrets, PEPPER, SECRET_CURRENT, &t->arena, &value));
    CHECK_OK(secret_put_pending(rig.stores.secrets, PEPPER, id_1, value));
    CHECK_OK(step(&rig, ROTATION_TEST, PEPPER, id_1));
    CHECK_OK(secret_abandon(rig.stores.secrets, PEPPER, id_1));
    CHECK_INT(pepper_count(&rig), 1);
    security_stores_close(&rig.stores);
}

static int rotate_in_child(struct test *t, int i)
{
    struct rig rig = open_rig(t);
    int bad = 0;
    (void)i;
    for (int k = 0; k < ROTATION_STEPS; k++)
        if (step(&rig, (enum rotation_step)k, PEPPER, id_1) != 0) bad = 1;
    security_stores_close(&rig.stores);
    return bad;
}
TEST(many_that_rotate_at_once_rotate_once)
{
    struct rig rig = open_rig(t);
    struct key key = issue(t, &rig);
    int status[8];
    in_children(t, 8, rotate_in_child, status);
    for (int i = 0; i < 8; i++) CHECK_INT(status[i], 0);
    CHECK_INT(pepper_count(&rig), 2);
    CHECK_OK(verify(t, &rig, &key));
    security_stores_close(&rig.stores);
}

TEST(only_old_secrets_are_due_and_the_signing_key_is_made)
{
    struct rig rig = open_rig(t);
    (void)issue(t, &rig);
    struct rotation_report report = due(t, &rig, 90 * DAY_NS);
    CHECK_INT(report.made, 1);
    CHECK_INT(report.rotated, 0);
    test_advance(t, 91 * DAY_NS);
    report = due(t, &rig, 90 * DAY_NS);
    CHECK_INT(report.secrets, 2);
    CHECK_INT(report.rotated, 2);
    CHECK_INT(due(t, &rig, 90 * DAY_NS).rotated, 0);
    security_stores_close(&rig.stores);
}

/* ---- the signing key ---- */

/* RFC 8037, appendix A: a key pair and its thumbprint. */
TEST(keys_have_the_ids_of_the_standard)
{
    PX_AUTO(token_keys_wipe) struct token_keys keys = {0};
    CHECK_OK(token_keys_parse(S("{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\","
                                "\"d\":\"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A\","
                                "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\","
                                "\"kid\":\"kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k\","
                                "\"since\":\"2026-01-01T00:00:00Z\"}]}"),
                              &keys));
    CHECK_INT(keys.count, 1);
    PX_AUTO(px_buf_deinit) struct px_buf json;
    px_buf_init(&json, 4096);
    token_keys_write_public(&keys, &json);
    px_buf_add_char(&json, '\0');
    CHECK(strstr(json.ptr, "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\""));
    CHECK(!strstr(json.ptr, "\"d\"") && !strstr(json.ptr, "nWGxne"));
}

TEST(what_was_signed_before_a_rotation_verifies_after_it)
{
    struct rig rig = open_rig(t);
    uint8_t bytes[TOKEN_SIGNATURE_BYTES];
    struct px_str signature = px_str((const char *)bytes, sizeof bytes);
    CHECK_OK(secret_create(rig.stores.secrets, TOKEN_SECRET, S("what Terraform made, 64 long")));
    PX_AUTO(token_keys_wipe) struct token_keys keys = {0};
    CHECK_OK(token_keys_load(rig.stores.secrets, TOKEN_SECRET, &keys));
    const struct token_key *signing = token_keys_signing(&keys, px_wall_ns(&t->clock));
    struct px_str id = px_arena_dup(&t->arena, px_str_c(signing->id));
    CHECK_OK(token_key_sign(signing, S("a token"), bytes));
    for (int i = 0; i < 5; i++) {
        rotate(t, &rig, TOKEN_SECRET);
        CHECK_OK(token_keys_load(rig.stores.secrets, TOKEN_SECRET, &keys));
        const struct token_key *key = token_keys_find(&keys, id);
        CHECK(key && token_key_verify(key, S("a token"), signature));
        CHECK(!token_key_verify(key, S("another"), signature));
        signing = token_keys_signing(&keys, px_wall_ns(&t->clock));
        CHECK_STR(px_str_c(signing->id), id); /* the new ones are too fresh */
    }
    test_advance(t, TOKEN_KEY_SETTLE_NS);
    signing = token_keys_signing(&keys, px_wall_ns(&t->clock));
    CHECK_STR(px_str_c(signing->id), px_str_c(keys.list[0].id));
    test_advance(t, 3 * DAY_NS);
    for (int i = 0; i < 2; i++) rotate(t, &rig, TOKEN_SECRET); /* the previous value counts, too */
    CHECK_OK(token_keys_load(rig.stores.secrets, TOKEN_SECRET, &keys));
    CHECK(!token_keys_find(&keys, id)); /* long superseded */
    security_stores_close(&rig.stores);
}

TEST(a_torn_value_is_corrupt_and_nothing_is_built_on_it)
{
    struct rig rig = open_rig(t);
    static const char *const torn[] = {"{", "{}", "{\"keys\":[{}]}",
                                       "{\"peppers\":[{\"value\":\"\"}]}"};
    CHECK_OK(secret_create(rig.stores.secrets, TOKEN_SECRET, S("first")));
    CHECK_OK(secret_create(rig.stores.secrets, PEPPER, S("first")));
    for (size_t i = 0; i < PX_COUNT(torn); i++) {
        CHECK_OK(secret_put(rig.stores.secrets, TOKEN_SECRET, px_str_c(torn[i])));
        CHECK_OK(secret_put(rig.stores.secrets, PEPPER, px_str_c(torn[i])));
        CHECK_INT(step(&rig, ROTATION_CREATE, TOKEN_SECRET, id_1), PX_F_CORRUPT);
        CHECK_INT(step(&rig, ROTATION_CREATE, PEPPER, id_1), PX_F_CORRUPT);
    }
    security_stores_close(&rig.stores);
}

TEST_MAIN
