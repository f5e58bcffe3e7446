/* What is known only after apply, worked out from the modules' sources. */
#include "support/support.h"

#include <sys/stat.h>

#include "delivery/eval.h"
#include "delivery/rule.h"

static const char root_tf[] =
    "variable \"sizes\" {\n"
    "  type = map(object({ min = optional(number, 2), name = string }))\n"
    "  default = { a = { name = \"x\" } }\n"
    "}\n"
    "locals {\n"
    "  groups = { for name, id in module.net.group_ids : name => id }\n"
    "  pair = \"${local.groups.web}/${local.groups[\"db\"]}\"\n"
    "  least = var.sizes[\"a\"].min\n"
    "}\n"
    "module \"net\" {\n"
    "  source = \"../modules/net\"\n"
    "  names = toset([\"web\", \"db\"])\n"
    "}\n"
    "resource \"aws_lambda_function\" \"f\" {\n"
    "  function_name = \"f\"\n"
    "  vpc_config {\n"
    "    security_group_ids = [local.groups.web]\n"
    "    subnet_ids = module.net.subnets\n"
    "  }\n"
    "  depends_on = [module.net.ready]\n"
    "}\n"
    "resource \"aws_iam_role_policy\" \"p\" {\n"
    "  policy = jsonencode({ Statement = [{ Effect = \"Allow\", Action = [\"s3:GetObject\"], Resource = "
    "\"${aws_s3_bucket.b.arn}/*\" }] })\n"
    "}\n"
    "resource \"aws_s3_bucket\" \"b\" { bucket = \"b\" }\n"
    "data \"aws_iam_policy_document\" \"d\" {\n"
    "  dynamic \"statement\" {\n"
    "    for_each = { read = [\"s3:GetObject\"], list = [\"s3:ListBucket\"] }\n"
    "    content {\n"
    "      sid = statement.key\n"
    "      actions = statement.value\n"
    "      resources = [aws_s3_bucket.b.arn]\n"
    "    }\n"
    "  }\n"
    "}\n"
    "locals { contract = upper(\"c\") }\n"
    "resource \"aws_api_gateway_rest_api\" \"a\" { body = local.contract }\n"
    "resource \"aws_api_gateway_deployment\" \"d\" { triggers = { c = sha256(local.contract) } }\n"
    "resource \"aws_api_gateway_deployment\" \"e\" { triggers = { c = aws_api_gateway_rest_api.a.id } }\n"
    "resource \"aws_api_gateway_deployment\" \"f\" { triggers = { c = aws_api_gateway_rest_api.a.body } }\n"
    "resource \"aws_sfn_state_machine\" \"m\" {\n"
    "  definition = templatefile(\"${path.module}/m.json\", { bucket = aws_s3_bucket.b.id, n = 3 })\n"
    "}\n";
static const char net_tf[] =
    "variable \"names\" { type = set(string) }\n"
    "resource \"aws_security_group\" \"g\" {\n"
    "  for_each = var.names\n"
    "  name = each.key\n"
    "}\n"
    "resource \"aws_subnet\" \"s\" { count = 2 }\n"
    "resource \"aws_vpc_endpoint\" \"e\" { vpc_id = \"v\" }\n"
    "resource \"aws_vpc_security_group_egress_rule\" \"r\" {\n"
    "  for_each = { only = { from = \"web\", to = \"db\" } }\n"
    "  security_group_id = aws_security_group.g[each.value.from].id\n"
    "  referenced_security_group_id = aws_security_group.g[each.value.to].id\n"
    "}\n"
    "output \"group_ids\" { value = { for name, g in aws_security_group.g : name => g.id } }\n"
    "output \"subnets\" { value = aws_subnet.s[*].id }\n"
    "output \"ready\" {\n"
    "  value = true\n"
    "  depends_on = [aws_vpc_endpoint.e]\n"
    "}\n";

static const char plan_text_[] =
    "{\"variables\":{},\"configuration\":{\"root_module\":{\"resources\":["
    "{\"mode\":\"managed\",\"type\":\"aws_lambda_function\",\"name\":\"f\"}],"
    "\"module_calls\":{\"net\":{\"source\":\"../modules/net\",\"module\":{\"resources\":["
    "{\"mode\":\"managed\",\"type\":\"aws_security_group\",\"name\":\"g\"}]}}}}},"
    "\"resource_changes\":["
    "{\"address\":\"aws_lambda_function.f\",\"type\":\"aws_lambda_function\",\"name\":\"f\",\"mode\":"
    "\"managed\",\"change\":{\"actions\":[\"create\"],\"after\":{\"function_name\":\"f\",\"vpc_config\":"
    "[{\"ipv6\":false}]},\"after_unknown\":{\"arn\":true,\"tracing_config\":true,\"vpc_config\":"
    "[{\"security_group_ids\":true,\"subnet_ids\":true}]}}},"
    "{\"address\":\"aws_api_gateway_rest_api.a\",\"type\":\"aws_api_gateway_rest_api\",\"name\":\"a\",\"mode\":\"managed\",\"change\":{\"actions\":[\"create\"],\"after\":{},\"after_unknown\":{}}},"
    "{\"address\":\"aws_api_gateway_deployment.d\",\"type\":\"aws_api_gateway_deployment\",\"name\":\"d\",\"mode\":\"managed\",\"change\":{\"actions\":[\"create\"],\"after\":{},\"after_unknown\":{}}},"
    "{\"address\":\"aws_api_gateway_deployment.e\",\"type\":\"aws_api_gateway_deployment\",\"name\":\"e\",\"mode\":\"managed\",\"change\":{\"actions\":[\"create\"],\"after\":{},\"after_unknown\":{}}},"
    "{\"address\":\"aws_api_gateway_deployment.f\",\"type\":\"aws_api_gateway_deployment\",\"name\":\"f\",\"mode\":\"managed\",\"change\":{\"actions\":[\"create\"],\"after\":{},\"after_unknown\":{}}},"
    "{\"address\":\"aws_iam_role_policy.p\",\"type\":\"aws_iam_role_policy\",\"name\":\"p\",\"mode\":"
    "\"managed\",\"change\":{\"actions\":[\"create\"],\"after\":{},\"after_unknown\":{\"policy\":true}}},"
    "{\"address\":\"aws_s3_bucket.b\",\"type\":\"aws_s3_bucket\",\"name\":\"b\",\"mode\":\"managed\","
    "\"change\":{\"actions\":[\"create\"],\"after\":{\"bucket\":\"b\"},\"after_unknown\":{\"arn\":true,"
    "\"id\":true}}},"
    "{\"address\":\"aws_sfn_state_machine.m\",\"type\":\"aws_sfn_state_machine\",\"name\":\"m\",\"mode\":"
    "\"managed\",\"change\":{\"actions\":[\"create\"],\"after\":{},\"after_unknown\":{\"definition\":true}}},"
    "{\"address\":\"data.aws_iam_policy_document.d\",\"type\":\"aws_iam_policy_document\",\"name\":\"d\","
    "\"mode\":\"data\",\"change\":{\"actions\":[\"read\"],\"after\":{\"statement\":[{\"sid\":\"list\","
    "\"actions\":[\"s3:ListBucket\"]},{\"sid\":\"read\",\"actions\":[\"s3:GetObject\"]}]},"
    "\"after_unknown\":{\"json\":true,\"statement\":[{\"resources\":true},{\"resources\":true}]}}},"
    "{\"address\":\"module.net.aws_security_group.g[\\\"web\\\"]\",\"module_address\":\"module.net\","
    "\"type\":\"aws_security_group\",\"name\":\"g\",\"index\":\"web\",\"mode\":\"managed\",\"change\":{"
    "\"actions\":[\"create\"],\"after\":{\"name\":\"web\"},\"after_unknown\":{\"id\":true}}},"
    "{\"address\":\"module.net.aws_security_group.g[\\\"db\\\"]\",\"module_address\":\"module.net\","
    "\"type\":\"aws_security_group\",\"name\":\"g\",\"index\":\"db\",\"mode\":\"managed\",\"change\":{"
    "\"actions\":[\"create\"],\"after\":{\"name\":\"db\"},\"after_unknown\":{\"id\":true}}},"
    "{\"address\":\"module.net.aws_subnet.s[0]\",\"module_address\":\"module.net\",\"type\":\"aws_subnet\","
    "\"name\":\"s\",\"index\":0,\"mode\":\"managed\",\"change\":{\"actions\":[\"create\"],\"after\":{},"
    "\"after_unknown\":{\"id\":true}}},"
    "{\"address\":\"module.net.aws_subnet.s[1]\",\"module_address\":\"module.net\",\"type\":\"aws_subnet\","
    "\"name\":\"s\",\"index\":1,\"mode\":\"managed\",\"change\":{\"actions\":[\"create\"],\"after\":{},"
    "\"after_unknown\":{\"id\":true}}},"
    "{\"address\":\"module.net.aws_vpc_endpoint.e\",\"module_address\":\"module.net\",\"type\":"
    "\"aws_vpc_endpoint\",\"name\":\"e\",\"mode\":\"managed\",\"change\":{\"actions\":[\"create\"],"
    "\"after\":{},\"after_unknown\":{}}},"
    "{\"address\":\"module.net.aws_vpc_security_group_egress_rule.r[\\\"only\\\"]\",\"module_address\":"
    "\"module.net\",\"type\":\"aws_vpc_security_group_egress_rule\",\"name\":\"r\",\"index\":\"only\","
    "\"mode\":\"managed\",\"change\":{\"actions\":[\"create\"],\"after\":{},\"after_unknown\":{"
    "\"security_group_id\":true,\"referenced_security_group_id\":true}}}"
    "]}";

static void put(struct test *t, const char *name, const char *text)
{
    CHECK_OK(px_file_write_atomic(test_path(t, "%s", name).ptr, px_str_c(text), 0600));
}

static struct plan *open_plan(struct test *t)
{
    struct plan *plan = NULL;
    struct px_where where = {0};
    CHECK_OK(px_dir_make(test_path(t, "region").ptr));
    CHECK_OK(px_dir_make(test_path(t, "modules/net").ptr));
    put(t, "region/main.tf", root_tf);
    put(t, "modules/net/main.tf", net_tf);
    put(t, "region/m.json", "{\"bucket\": \"${bucket}\", \"n\": ${n}, \"keep\": \"$${x}\"}");
    int r = plan_open(px_str_c(plan_text_), "p.json", t->dir, &t->arena, &plan, &where);
    if (r != 0) TEST_FAIL("no plan: %s", where.expected);
    CHECK(plan->config->from_sources);
    return plan;
}

static struct plan_resource *at(struct plan *plan, const char *address)
{
    struct plan_resource *found = plan_at(plan, px_str_c(address));
    if (!found) TEST_FAIL("%s is not there", address);
    return found;
}

static void check_target(struct plan *plan, const struct value *value, const char *address)
{
    struct plan_resource *found = plan_target(plan, value);
    if (!found) TEST_FAIL("leads nowhere instead of to %s", address);
    CHECK_STR(found->address, px_str_c(address));
}

TEST(references_are_followed_through_locals_outputs_and_each)
{
    struct plan *plan = open_plan(t);
    struct plan_resource *f = at(plan, "aws_lambda_function.f");
    check_target(plan, plan_get(f, "vpc_config.security_group_ids"),
                 "module.net.aws_security_group.g[\"web\"]");
    struct plan_resource *found[4];
    CHECK_INT(plan_targets(plan, plan_get(f, "vpc_config.subnet_ids"), found, 4), 2);
    CHECK_STR(found[1]->address, S("module.net.aws_subnet.s[1]"));
    struct plan_resource *r = at(plan, "module.net.aws_vpc_security_group_egress_rule.r[\"only\"]");
    check_target(plan, plan_get(r, "security_group_id"),
                 "module.net.aws_security_group.g[\"web\"]");
    check_target(plan, plan_get(r, "referenced_security_group_id"),
                 "module.net.aws_security_group.g[\"db\"]");
    CHECK_STR(text_shown(&t->arena, value_str(eval_local(plan->module, S("pair")))),
              S("${module.net.aws_security_group.g[\"web\"].id}/"
                "${module.net.aws_security_group.g[\"db\"].id}"));
}

TEST(what_the_provider_decides_is_not_set)
{
    struct plan *plan = open_plan(t);
    struct plan_resource *f = at(plan, "aws_lambda_function.f");
    CHECK(!plan_is_set(f, "tracing_config"));
    CHECK(!plan_is_set(f, "tracing_config.mode"));
    CHECK(!plan_is_set(f, "nothing.of.it"));
    CHECK(plan_is_set(f, "vpc_config.subnet_ids"));
    CHECK_STR(plan_text(f, "function_name"), S("f"));
}

TEST(defaults_of_optional_attributes_hold)
{
    struct plan *plan = open_plan(t);
    CHECK_INT(value_num(eval_local(plan->module, S("least")), 0), 2);
}

TEST(policies_are_read_before_apply)
{
    struct plan *plan = open_plan(t);
    struct verify v = {.arena = &t->arena, .plan = plan};
    struct rule_statement *s = NULL;
    CHECK_INT(rule_statements(&v, plan_get(at(plan, "aws_iam_role_policy.p"), "policy"), &s), 1);
    CHECK(s[0].allow && rule_in_list(s[0].actions, "s3:GetObject"));
    check_target(plan, s[0].resources, "aws_s3_bucket.b");
    CHECK_INT(
        rule_statements(&v, value_symbol(&t->arena, S("data.aws_iam_policy_document.d.json")), &s),
        2);
    CHECK(rule_in_list(s[1].actions, "s3:GetObject"));
    check_target(plan, s[1].resources, "aws_s3_bucket.b");
}

TEST(template_files_are_filled_in)
{
    struct plan *plan = open_plan(t);
    const struct value *text = plan_get(at(plan, "aws_sfn_state_machine.m"), "definition");
    const struct value *machine = value_parse(&t->arena, value_str(text));
    CHECK_INT(value_num(value_get(machine, S("n")), 0), 3);
    CHECK_STR(value_str(value_get(machine, S("keep"))), S("${x}"));
    check_target(plan, value_get(machine, S("bucket")), "aws_s3_bucket.b");
}

TEST(order_goes_through_outputs)
{
    struct plan *plan = open_plan(t);
    struct plan_resource *f = at(plan, "aws_lambda_function.f"),
                         *e = at(plan, "module.net.aws_vpc_endpoint.e"),
                         *r = at(plan, "module.net.aws_vpc_security_group_egress_rule.r[\"only\"]");
    CHECK(rule_comes_after(plan, f, e));
    CHECK(!rule_comes_after(plan, e, f));
    CHECK(!rule_comes_after(plan, f, r)); /* no output speaks of it */
    CHECK(rule_comes_after(plan, f, at(plan, "module.net.aws_security_group.g[\"db\"]")));
}

TEST(an_attribute_is_made_of_what_another_is_made_of)
{
    struct plan *plan = open_plan(t);
    struct plan_resource *api = at(plan, "aws_api_gateway_rest_api.a");
    CHECK(rule_made_of(plan, at(plan, "aws_api_gateway_deployment.d"), "triggers", api, "body"));
    CHECK(!rule_made_of(plan, at(plan, "aws_api_gateway_deployment.e"), "triggers", api, "body"));
    CHECK(rule_made_of(plan, at(plan, "aws_api_gateway_deployment.f"), "triggers", api, "body"));
}

TEST(sources_of_another_version_are_not_used)
{
    struct plan *plan = NULL;
    struct px_where where = {0};
    (void)open_plan(t);
    put(t, "region/main.tf", "resource \"aws_vpc\" \"other\" {}\n");
    CHECK_OK(plan_open(px_str_c(plan_text_), "p.json", t->dir, &t->arena, &plan, &where));
    CHECK(!plan->config->from_sources && plan->note.len > 0);
    put(t, "region/main.tf", "resource {\n");
    CHECK_INT(plan_open(px_str_c(plan_text_), "p.json", t->dir, &t->arena, &plan, &where),
              PX_F_CONFIG);
}

TEST(what_is_no_plan_is_refused)
{
    static const char *const wrong[] = {"", "[]", "{}", "{\"resource_changes\":[]}", "nonsense"};
    for (size_t i = 0; i < PX_COUNT(wrong); i++) {
        struct plan *plan = NULL;
        struct px_where where = {0};
        CHECK_INT(plan_open(px_str_c(wrong[i]), "p", NULL, &t->arena, &plan, &where), PLAN_INVALID);
        CHECK(where.expected[0]);
    }
}

static void check_call(struct test *t, const char *text, const char *want)
{
    struct plan *plan = NULL;
    struct hcl_expr *e = NULL;
    CHECK_OK(plan_open(S("{\"configuration\":{\"root_module\":{}},\"resource_changes\":[]}"), "p",
                       NULL, &t->arena, &plan, NULL));
    CHECK_OK(hcl_parse_expr(px_str_c(text), &t->arena, &e, NULL));
    PX_AUTO(px_buf_deinit) struct px_buf got;
    px_buf_init(&got, 4096);
    const struct value *v = eval(&(struct eval_scope){.module = plan->module}, e);
    if (!v)
        px_buf_add_c(&got, "error");
    else
        value_write_json(&got, v);
    if (!px_str_eq(px_buf_str(&got), px_str_c(want)))
        TEST_FAIL("%s is %.*s, not %s", text, PX_FMT(px_buf_str(&got)), want);
}

TEST(functions_do_what_terraforms_do)
{
    static const char *const cases[][2] = {
        {"join(\"-\", [\"a\", 1, true])", "\"a-1-true\""},
        {"format(\"%s-%03d-%%\", \"x\", 7)", "\"x-007-%\""},
        {"split(\",\", \"a,b,,c\")", "[\"a\",\"b\",\"\",\"c\"]"},
        {"replace(\"a.b.c\", \".\", \"-\")", "\"a-b-c\""},
        {"replace(\"PRISM_META_URL\", \"/_URL$/\", \"_READER_URL\")", "\"PRISM_META_READER_URL\""},
        {"regex(\"[0-9]+$\", \"shard-12\")", "\"12\""},
        {"regex(\":f:([^:]+):\", \"a:f:name:x\")", "[\"name\"]"},
        {"can(regex(\"z\", \"a\"))", "false"},
        {"regexall(\"[ab]+|[cd]\", \"abcxd\")", "[\"ab\",\"c\",\"d\"]"},
        {"cidrsubnet(\"10.17.0.0/16\", 4, 5)", "\"10.17.80.0/20\""},
        {"merge({a = 1, b = 2}, {b = 3})", "{\"a\":1,\"b\":3}"},
        {"merge([{a = 1}, {b = 2}]...)", "{\"a\":1,\"b\":2}"},
        {"{for k, v in {a = 1, b = 2} : v => k}", "{\"1\":\"a\",\"2\":\"b\"}"},
        {"{for v in [\"x\", \"y\", \"x\"] : v => v...}", "{\"x\":[\"x\",\"x\"],\"y\":[\"y\"]}"},
        {"[for i, v in [\"a\", \"b\"] : \"${i}${v}\" if v != \"a\"]", "[\"1b\"]"},
        {"flatten([[1], [[2, 3]], 4])", "[1,2,3,4]"},
        {"setproduct([1, 2], [\"a\"])", "[[1,\"a\"],[2,\"a\"]]"},
        {"toset([\"b\", \"a\", \"b\"])", "[\"a\",\"b\"]"},
        {"try({a = 1}.b, \"none\")", "\"none\""},
        {"lookup({a = 1}, \"b\", 2)", "2"},
        {"coalesce(null, \"\", \"x\")", "\"x\""},
        {"one([])", "null"},
        {"slice([1, 2, 3], 1, 3)", "[2,3]"},
        {"contains([\"a\"], \"a\") && !contains([\"a\"], \"b\")", "true"},
        {"length({a = 1}) + length([1, 2]) * length(\"abc\")", "7"},
        {"jsondecode(jsonencode({a = [1, null, \"x\"]}))", "{\"a\":[1,null,\"x\"]}"},
        {"trimprefix(\"prefix:s3\", \"prefix:\")", "\"s3\""},
        {"upper(substr(\"hello\", 1, 3))", "\"ELL\""},
        {"7 % 4 == 3 ? \"yes\" : \"no\"", "\"yes\""},
        {"[1, 2][5]", "error"},
        {"{a = {b = 1}}.a.b", "1"},
        {"\"1\" == 1", "true"},
    };
    for (size_t i = 0; i < PX_COUNT(cases); i++) check_call(t, cases[i][0], cases[i][1]);
}

TEST_MAIN
