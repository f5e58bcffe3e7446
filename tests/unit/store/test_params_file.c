/* The parameters' file: what may stand in it, and mistakes. */
#include "support/support.h"

#include "base/px_file.h"
#include "store/params.h"

struct rig {
    struct test *t;
    struct param_store *store;
};

static void rig_open(struct test *t, struct rig *rig)
{
    rig->t = t;
    const struct param_options options = {.clock = &t->clock, .keep_ms = 6000};
    CHECK_OK(param_store_open(test_path(t, "p.json"), &options, &rig->store));
}
static void rig_close(struct rig *rig) { param_store_close(&rig->store); }

static int refresh(struct rig *rig, const char *text)
{
    CHECK_OK(px_file_write_atomic(test_path(rig->t, "p.json").ptr, px_str_c(text), 0600));
    test_advance(rig->t, 6 * PX_NS_PER_S);
    return param_refresh(rig->store, 1000);
}

TEST(numbers_and_booleans_are_their_texts)
{
    PX_AUTO(rig_close) struct rig rig;
    rig_open(t, &rig);
    CHECK_OK(refresh(&rig, "{\"a\":25000,\"b\":-7,\"c\":0.5,\"d\":true,\"e\":false,\"f\":\"\"}"));
    CHECK_STR(param_get(rig.store, S("a")), S("25000"));
    CHECK_STR(param_get(rig.store, S("b")), S("-7"));
    CHECK_STR(param_get(rig.store, S("c")), S("0.5"));
    CHECK_STR(param_get(rig.store, S("d")), S("true"));
    CHECK_STR(param_get(rig.store, S("e")), S("false"));
    CHECK(param_get(rig.store, S("f")).ptr);
    CHECK_STR(param_get(rig.store, S("f")), S(""));
}

TEST(a_mistake_is_told_with_its_place_and_changes_nothing)
{
    PX_AUTO(rig_close) struct rig rig;
    rig_open(t, &rig);
    CHECK_OK(refresh(&rig, "{\"a\":1}"));
    const struct {
        const char *text, *word;
    } bad[] = {{"", "byte"},
               {"{\"a\":2", "byte"},
               {"[]", "object"},
               {"{\"a\":2,\"b\":null}", "\"b\""},
               {"{\"a\":2,\"b\":{}}", "\"b\""},
               {"{\"a\":2,\"a\":3}", "twice"}};
    for (size_t i = 0; i < PX_COUNT(bad); i++) {
        char text[512];
        int r = refresh(&rig, bad[i].text);
        CHECK_INT(r, PX_F_CONFIG);
        CHECK(strstr(px_fault_text(r, text, sizeof text), bad[i].word));
        CHECK(strstr(text, "p.json"));
        CHECK_STR(param_get(rig.store, S("a")), S("1"));
    }
    CHECK_OK(refresh(&rig, "{\"a\":4}"));
    CHECK_STR(param_get(rig.store, S("a")), S("4"));
    CHECK_OK(px_dir_remove(test_path(t, "p.json").ptr));
    test_advance(t, 6 * PX_NS_PER_S);
    CHECK_OK(param_refresh(rig.store, 1000)); /* no file is an empty set */
    CHECK(!param_get(rig.store, S("a")).ptr);
}

TEST(after_a_fault_it_is_read_again_sooner)
{
    PX_AUTO(rig_close) struct rig rig;
    rig_open(t, &rig);
    CHECK_INT(refresh(&rig, "{"), PX_F_CONFIG);
    CHECK_OK(px_file_write_atomic(test_path(t, "p.json").ptr, S("{\"a\":1}"), 0600));
    test_advance(t, PX_NS_PER_S - 1);
    CHECK_INT(param_refresh(rig.store, 1000), PARAM_YOUNG);
    test_advance(t, 1);
    CHECK_OK(param_refresh(rig.store, 1000));
    CHECK_STR(param_get(rig.store, S("a")), S("1"));
}

TEST(a_set_has_a_ceiling)
{
    PX_AUTO(rig_close) struct rig rig;
    rig_open(t, &rig);
    PX_AUTO(px_buf_deinit) struct px_buf text;
    px_buf_init(&text, 1u << 20);
    for (unsigned i = 0; i <= PARAMS_MAX; i++)
        px_buf_printf(&text, "%s\"n%u\":%u", i ? "," : "{", i, i);
    px_buf_add_str(&text, px_str("}\0", 2));
    CHECK_OK(px_buf_fault(&text));
    CHECK_INT(refresh(&rig, text.ptr), PX_F_LIMIT);
    char *value = px_arena_alloc(&t->arena, PARAM_BYTES_MAX + 16);
    CHECK(value);
    (void)snprintf(value, 8, "{\"a\":\"");
    memset(value + 6, 'v', PARAM_BYTES_MAX + 1);
    memcpy(value + 6 + PARAM_BYTES_MAX + 1, "\"}", 3);
    CHECK_INT(refresh(&rig, value), PX_F_LIMIT);
}

TEST_MAIN
