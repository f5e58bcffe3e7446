/* Secrets in Secrets Manager: how long a value is kept, when it is asked for anew, lost answers. What the half
 * does with a service that works: test_secrets.c. */
#include "aws/fake.h"
#include "aws/reach.h"

#include "store/secrets.h"

__attribute__((constructor)) static void reach(void) { reach_init(); }

struct rig {
    struct fake fake;
    struct secret_store *store;
};
#define RIG_START(rig, ...)                                                                        \
    static const struct fake_step steps_[] = {__VA_ARGS__};                                        \
    rig_start(t, rig, steps_, PX_COUNT(steps_))
static void rig_start(struct test *t, struct rig *rig, const struct fake_step *steps, size_t count)
{
    memset(rig, 0, sizeof *rig);
    fake_start_as_aws(&rig->fake, steps, count);
    struct secret_options options = {.clock = &t->clock, .call_ms = 2000};
    CHECK_OK(secret_store_open(S("secretsmanager://prism/dev/"), &options, &rig->store));
}
static void rig_stop(struct rig *rig)
{
    secret_store_close(&rig->store);
    fake_stop(&rig->fake);
}
static struct px_str get(struct test *t, struct rig *rig, enum secret_version version)
{
    struct px_str value = {0};
    CHECK_OK(secret_get(rig->store, S("pepper"), version, &t->arena, &value));
    return value;
}
#define VALUE(text) FAKE_OK("{\"SecretString\":\"" text "\"}")

TEST(a_value_is_kept_for_its_time_and_then_asked_for_again)
{
    struct rig rig;
    RIG_START(&rig, VALUE("one"), VALUE("two"));
    CHECK_STR(get(t, &rig, SECRET_CURRENT), S("one"));
    CHECK(strstr(rig.fake.request, "X-Amz-Target: secretsmanager.GetSecretValue\r\n"));
    CHECK(strstr(rig.fake.request,
                 "{\"SecretId\":\"prism/dev/pepper\",\"VersionStage\":\"AWSCURRENT\"}"));
    for (int i = 0; i < 4; i++) {
        test_advance(t, 60 * PX_NS_PER_S);
        CHECK_STR(get(t, &rig, SECRET_CURRENT), S("one"));
    }
    CHECK_INT(rig.fake.requests, 1);
    test_advance(t, 61 * PX_NS_PER_S);
    CHECK_STR(get(t, &rig, SECRET_CURRENT), S("two"));
    CHECK_INT(rig.fake.requests, 2);
    rig_stop(&rig);
}

TEST(a_doubted_value_is_asked_for_anew_but_not_at_once)
{
    struct rig rig;
    RIG_START(&rig, VALUE("one"), FAKE_ERROR(400, "ResourceNotFoundException"), VALUE("two"),
              VALUE("one"));
    struct px_str value;
    CHECK_STR(get(t, &rig, SECRET_CURRENT), S("one"));
    CHECK_INT(secret_get(rig.store, S("pepper"), SECRET_PREVIOUS, &t->arena, &value),
              SECRET_ABSENT);
    CHECK(strstr(rig.fake.request, "\"AWSPREVIOUS\""));
    CHECK(!secret_doubt(rig.store, S("pepper")));
    CHECK(!secret_doubt(rig.store, S("never-asked-for")));
    CHECK_STR(get(t, &rig, SECRET_CURRENT), S("one"));
    CHECK_INT(secret_get(rig.store, S("pepper"), SECRET_PREVIOUS, &t->arena, &value),
              SECRET_ABSENT);
    CHECK_INT(rig.fake.requests, 2); /* that there is none is kept, too */
    test_advance(t, 11 * PX_NS_PER_S);
    CHECK(secret_doubt(rig.store, S("pepper")));
    CHECK_STR(get(t, &rig, SECRET_CURRENT), S("two"));
    CHECK_STR(get(t, &rig, SECRET_PREVIOUS), S("one"));
    CHECK(!secret_doubt(rig.store, S("pepper")));
    CHECK_INT(rig.fake.requests, 4);
    rig_stop(&rig);
}

TEST(an_old_value_serves_while_nobody_answers_but_not_forever)
{
    struct rig rig;
    RIG_START(&rig, VALUE("one"), FAKE_ERROR(400, "ThrottlingException"));
    struct px_str value;
    CHECK_STR(get(t, &rig, SECRET_CURRENT), S("one"));
    test_advance(t, 3000 * PX_NS_PER_S);
    CHECK_STR(get(t, &rig, SECRET_CURRENT), S("one"));
    CHECK(rig.fake.requests > 1);
    test_advance(t, 601 * PX_NS_PER_S);
    CHECK_INT(secret_get(rig.store, S("pepper"), SECRET_CURRENT, &t->arena, &value), PX_F_BUSY);
    rig_stop(&rig);
}

TEST(a_value_that_may_not_be_read_any_more_does_not_serve)
{
    struct rig rig;
    RIG_START(&rig, VALUE("one"), FAKE_ERROR(400, "AccessDeniedException"));
    struct px_str value;
    CHECK_STR(get(t, &rig, SECRET_CURRENT), S("one"));
    test_advance(t, 3000 * PX_NS_PER_S);
    CHECK_INT(secret_get(rig.store, S("pepper"), SECRET_CURRENT, &t->arena, &value), PX_F_DENIED);
    rig_stop(&rig);
}

TEST(a_secret_that_another_makes_first_is_taken)
{
    struct rig rig;
    RIG_START(&rig, FAKE_ERROR(400, "ResourceNotFoundException"),
              FAKE_ERROR(400, "ResourceExistsException"), VALUE("another's"));
    struct px_str value;
    CHECK_OK(secret_get_or_make(rig.store, S("pepper"), 16, &t->arena, &value));
    CHECK_STR(value, S("another's"));
    CHECK_INT(rig.fake.requests, 3);
    rig_stop(&rig);
}

TEST(a_made_secret_is_known_without_asking_and_made_once_when_an_answer_is_lost)
{
    struct rig rig;
    RIG_START(&rig, FAKE_ERROR(400, "ResourceNotFoundException"), {.kind = FAKE_RESET},
              FAKE_OK("{}"));
    struct px_str value, again;
    CHECK_OK(secret_get_or_make(rig.store, S("pepper"), 16, &t->arena, &value));
    CHECK_INT(value.len, 32);
    CHECK(strstr(rig.fake.request, value.ptr) &&
          strstr(rig.fake.request, "\"ClientRequestToken\""));
    CHECK_OK(secret_get_or_make(rig.store, S("pepper"), 16, &t->arena, &again));
    CHECK_STR(again, value);
    CHECK_INT(rig.fake.requests, 3);
    rig_stop(&rig);
}

TEST(a_secret_without_a_value_is_told)
{
    struct rig rig;
    RIG_START(&rig, FAKE_ERROR(400, "ResourceNotFoundException"),
              FAKE_ERROR(400, "ResourceExistsException"),
              FAKE_ERROR(400, "ResourceNotFoundException"));
    struct px_str value;
    CHECK_INT(secret_get_or_make(rig.store, S("pepper"), 16, &t->arena, &value), PX_F_CONFIG);
    rig_stop(&rig);
}

TEST(answers_that_are_none_are_faults_and_say_no_value)
{
    static const char *const bodies[] = {"{}", "no JSON hunter2", "{\"SecretBinary\":\"hunter2!\"}",
                                         "{\"SecretString\":7}"};
    for (size_t i = 0; i < PX_COUNT(bodies); i++) {
        struct rig rig;
        struct fake_step step = FAKE_OK(bodies[i]);
        rig_start(t, &rig, &step, 1);
        struct px_str value;
        char text[512];
        int r = secret_get(rig.store, S("pepper"), SECRET_CURRENT, &t->arena, &value);
        CHECK_INT(r, PX_F_PROTOCOL);
        CHECK(!strstr(px_fault_text(r, text, sizeof text), "hunter2"));
        rig_stop(&rig);
    }
}

TEST(an_url_that_is_no_name_is_refused)
{
    static const char *const urls[] = {"secretsmanager:///a", "secretsmanager://a b",
                                       "secretsmanager://a?b"};
    for (size_t i = 0; i < PX_COUNT(urls); i++) {
        struct secret_store *store = NULL;
        CHECK_INT(secret_store_open(px_str_c(urls[i]), NULL, &store), PX_F_CONFIG);
        CHECK(!store);
    }
}

/* As Secrets Manager documents PutSecretValue: an id that has another value is refused. */
TEST(an_id_that_has_another_value_is_taken)
{
    struct rig rig;
    RIG_START(&rig, FAKE_OK("{}"), FAKE_ERROR(400, "ResourceExistsException"),
              FAKE_ERROR(400, "ResourceNotFoundException"));
    const struct px_str id = S("11111111-1111-4111-8111-111111111111");
    CHECK_OK(secret_put_pending(rig.store, S("pepper"), id, S("v")));
    CHECK(strstr(rig.fake.request, "X-Amz-Target: secretsmanager.PutSecretValue\r\n"));
    CHECK(strstr(rig.fake.request,
                 "{\"SecretId\":\"prism/dev/pepper\",\"ClientRequestToken\":\"11111111-1111-4111-"
                 "8111-111111111111\",\"SecretString\":\"v\",\"VersionStages\":[\"AWSPENDING\"]}"));
    CHECK_INT(secret_put_pending(rig.store, S("pepper"), id, S("w")), SECRET_TAKEN);
    CHECK_INT(secret_put_pending(rig.store, S("pepper"), id, S("w")), SECRET_ABSENT);
    rig_stop(&rig);
}

TEST(promoting_moves_the_label_from_whoever_has_it)
{
    struct rig rig;
    RIG_START(
        &rig,
        FAKE_OK("{\"VersionIdsToStages\":{\"one\":[\"AWSCURRENT\"],\"two\":[\"AWSPENDING\"]}}"),
        FAKE_OK("{}"), FAKE_OK("{}"),
        FAKE_OK("{\"VersionIdsToStages\":{\"one\":[\"AWSPREVIOUS\"],\"two\":[\"AWSCURRENT\"]}}"));
    CHECK_OK(secret_promote(rig.store, S("pepper"), S("two")));
    CHECK_INT(rig.fake.requests, 3);
    CHECK(strstr(rig.fake.request,
                 "\"VersionStage\":\"AWSPENDING\",\"RemoveFromVersionId\":\"two\"}"));
    CHECK_OK(secret_promote(rig.store, S("pepper"), S("two"))); /* again: nothing to move */
    CHECK_INT(rig.fake.requests, 4);
    rig_stop(&rig);
}

TEST_MAIN
