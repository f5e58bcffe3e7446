/* What the supervisor of several regions remembers. */
#include "support/support.h"

#include "fleet/state.h"

static struct fleet_state two(struct test *t)
{
    struct fleet_state state;
    CHECK_INT(fleet_state_load(t->dir, &t->arena, &state), FLEET_NONE);
    CHECK_OK(fleet_state_add(&state, S("us-east-1, eu-west-1"), &t->arena));
    return state;
}

TEST(what_is_saved_is_loaded)
{
    struct fleet_state state = two(t), loaded;
    state.port = 4318;
    state.lag_ms = 200;
    state.scatter_ms = 300;
    CHECK_OK(fleet_state_choose_ports(&state));
    state.regions[1].down = state.regions[0].out = true;
    state.regions[0].standby = 1;
    state.cuts[0][1] = state.cuts[1][0] = true;
    CHECK_OK(fleet_state_save(&state));
    CHECK_OK(fleet_state_load(t->dir, &t->arena, &loaded));
    CHECK_INT(loaded.count, 2);
    CHECK_INT(loaded.port, 4318);
    CHECK_INT(loaded.lag_ms, 200);
    CHECK_INT(loaded.scatter_ms, 300);
    for (int i = 0; i < 2; i++) {
        CHECK_STR(px_str_c(loaded.regions[i].name), px_str_c(state.regions[i].name));
        CHECK_INT(loaded.regions[i].port, state.regions[i].port);
        CHECK_INT(loaded.regions[i].down, i == 1);
        CHECK_INT(loaded.regions[i].out, i == 0);
        CHECK_INT(loaded.regions[i].standby, i == 0 ? 1 : -1);
    }
    CHECK(loaded.cuts[0][1] && loaded.cuts[1][0] && !loaded.cuts[0][0]);
}

TEST(the_tls_of_the_router_is_remembered_and_told_to_it)
{
    struct fleet_state state = two(t), loaded;
    struct tls_wish wish = {.on = true, .names = "a.example,b.example"};
    CHECK(tls_memory_settle(&state.tls, &wish, &t->arena));
    CHECK_INT(state.tls.port, TLS_PORT_DEFAULT);
    state.port = TLS_PORT_DEFAULT - 1;
    CHECK_OK(fleet_state_choose_ports(&state));
    CHECK(state.regions[0].port > TLS_PORT_DEFAULT); /* the router's own two are nobody's */
    CHECK_OK(fleet_state_save(&state));
    CHECK_OK(fleet_state_load(t->dir, &t->arena, &loaded));
    CHECK_INT(loaded.tls.port, TLS_PORT_DEFAULT);
    CHECK_STR(loaded.tls.names, S("a.example,b.example"));
    CHECK(!tls_memory_settle(&loaded.tls, &wish, &t->arena));

    yyjson_val *router = NULL;
    const struct fleet_shown shown = {"/x/server.pem", "/x/server.key"};
    const char *path = px_arena_printf(&t->arena, "%s/router.json", t->dir).ptr;
    CHECK_OK(fleet_state_save_router(&loaded, "127.0.0.1", &shown));
    CHECK_OK(px_json_load(path, 64 * 1024, &t->arena, &router));
    CHECK_INT(px_json_i64(px_json_obj(router, "tls"), "port", 0), TLS_PORT_DEFAULT);
    CHECK_STR(px_json_str(px_json_obj(router, "tls"), "key"), S("/x/server.key"));

    wish = (struct tls_wish){.off = true};
    CHECK(tls_memory_settle(&loaded.tls, &wish, &t->arena));
    CHECK_OK(fleet_state_save(&loaded));
    CHECK_OK(fleet_state_save_router(&loaded, "127.0.0.1", NULL));
    CHECK_OK(px_json_load(path, 64 * 1024, &t->arena, &router));
    CHECK(!px_json_obj(router, "tls"));
    CHECK_OK(fleet_state_load(t->dir, &t->arena, &loaded));
    CHECK_INT(loaded.tls.port, 0);
}

TEST(regions_are_added_and_none_is_forgotten)
{
    struct fleet_state state = two(t);
    CHECK_OK(fleet_state_add(&state, S("ap-south-1,us-east-1"), &t->arena));
    CHECK_INT(state.count, 3);
    CHECK_INT(fleet_state_find(&state, S("ap-south-1")), 2);
    CHECK_INT(fleet_state_find(&state, S("nowhere")), -1);
}

TEST(names_that_are_none_are_refused_and_change_nothing)
{
    static const char *const wrong[] = {"a,B", "a,../b", "a,,b", "a,-b", "a,b c"};
    struct fleet_state state;
    CHECK_INT(fleet_state_load(t->dir, &t->arena, &state), FLEET_NONE);
    for (size_t i = 0; i < PX_COUNT(wrong); i++) {
        CHECK_INT(fleet_state_add(&state, px_str_c(wrong[i]), &t->arena), PX_F_CONFIG);
        CHECK_INT(state.count, 0);
    }
    CHECK_INT(fleet_state_add(&state, S("alone"), &t->arena), PX_F_CONFIG);
    struct px_str many = S("r0");
    for (int i = 1; i <= FLEET_REGIONS_MAX; i++)
        many = px_arena_printf(&t->arena, "%.*s,r%d", PX_FMT(many), i);
    CHECK_INT(fleet_state_add(&state, many, &t->arena), PX_F_CONFIG);
}

TEST(ports_are_apart)
{
    struct fleet_state state = two(t);
    state.port = 20000;
    state.regions[0].port = 20001;
    CHECK_OK(fleet_state_choose_ports(&state));
    CHECK_INT(state.regions[0].port, 20001);
    CHECK(state.regions[1].port > 20001);
}

TEST(a_file_of_another_format_is_refused)
{
    struct fleet_state state;
    CHECK_OK(px_file_write_atomic(test_path(t, "fleet.json").ptr, S("{\"format\":99}"), 0600));
    CHECK_INT(fleet_state_load(t->dir, &t->arena, &state), PX_F_CONFIG);
}

TEST(a_region_is_told_the_lag_and_whom_it_is_cut_from)
{
    struct fleet_state state = two(t);
    PX_AUTO(px_buf_deinit) struct px_buf buf;
    px_buf_init(&buf, 4096);
    state.lag_ms = 5;
    state.cuts[0][1] = state.cuts[1][0] = true;
    fleet_state_write_settings(&state, 0, &buf);
    CHECK_STR(px_buf_str(&buf), S("{\"lag_ms\":5,\"scatter_ms\":0,\"cut\":[\"eu-west-1\"]}"));
}

TEST_MAIN
