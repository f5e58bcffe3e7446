/* What of HCL is read, and that what cannot be read is refused where it stands. */
#include "support/support.h"

#include "hcl/hcl.h"

static struct hcl_body body_of(struct test *t, const char *text)
{
    struct hcl_body body = {0};
    struct px_where where = {0};
    int r = hcl_parse(px_str_c(text), &t->arena, &body, &where);
    if (r != 0) TEST_FAIL("%s: at %zu: %s", text, where.offset, where.expected);
    return body;
}

static struct hcl_expr *expr_of(struct test *t, const char *text)
{
    struct hcl_expr *e = NULL;
    struct px_where where = {0};
    int r = hcl_parse_expr(px_str_c(text), &t->arena, &e, &where);
    if (r != 0) TEST_FAIL("%s: at %zu: %s", text, where.offset, where.expected);
    return e;
}

TEST(blocks_attributes_and_comments)
{
    struct hcl_body body = body_of(
        t, "# one\n// two\n/* three\n*/ resource \"aws_vpc\" \"this\" {\n"
           "  cidr = \"10.0.0.0/16\" # tail\n  tags = {\n    a = 1, b: 2\n"
           "    \"c d\" = 3\n  }\n  lifecycle { prevent_destroy = true }\n}\n"
           "locals {\n  x = 1\n}\n");
    struct hcl_block *vpc = hcl_block_of(&body, S("resource"), S("aws_vpc"), S("this"));
    CHECK(vpc);
    CHECK_STR(value_str(hcl_attr_of(&vpc->body, S("cidr"))->value), S("10.0.0.0/16"));
    CHECK_INT(hcl_attr_of(&vpc->body, S("tags"))->kind, HCL_OBJECT);
    CHECK(hcl_block_of(&vpc->body, S("lifecycle"), S(""), S("")));
    CHECK(hcl_block_of(&body, S("locals"), S(""), S("")));
    CHECK(!hcl_block_of(&body, S("resource"), S("aws_vpc"), S("other")));
}

TEST(operators_bind_as_they_should)
{
    struct hcl_expr *e = expr_of(t, "a || b && c == 1 + 2 * -3");
    CHECK_INT(e->op, HCL_OR);
    CHECK_INT(e->b->op, HCL_AND);
    CHECK_INT(e->b->b->op, HCL_EQ);
    CHECK_INT(e->b->b->b->op, HCL_ADD);
    CHECK_INT(e->b->b->b->b->op, HCL_MUL);
    CHECK_INT(e->b->b->b->b->b->op, HCL_NEG);
    e = expr_of(t, "10 - 3 - 2"); /* from the left */
    CHECK_INT(e->a->op, HCL_SUB);
    e = expr_of(t, "x ? y : z ? 1 : 2");
    CHECK_INT(e->c->kind, HCL_COND);
}

TEST(references_have_steps)
{
    struct hcl_expr *e = expr_of(t, "module.net[\"a\"].ids[0].x");
    CHECK_STR(e->name, S("x"));
    CHECK_INT(e->a->kind, HCL_INDEX);
    CHECK_STR(e->a->a->name, S("ids"));
    CHECK_INT(e->a->a->a->kind, HCL_INDEX);
    e = expr_of(t, "aws_x.y[*].id");
    CHECK_INT(e->kind, HCL_SPLAT);
    CHECK_STR(e->b->name, S("id"));
    CHECK_INT(expr_of(t, "a.b.*.c")->kind, HCL_SPLAT);
    CHECK_INT(expr_of(t, "list.0")->kind, HCL_INDEX);
}

TEST(collections_and_for)
{
    struct hcl_expr *e = expr_of(t, "[for k, v in m : v if k != \"x\"]");
    CHECK_INT(e->kind, HCL_FOR);
    CHECK_STR(e->key_name, S("k"));
    CHECK_STR(e->name, S("v"));
    CHECK(e->first && !e->b);
    e = expr_of(t, "{ for v in l : v.name => v.id... }");
    CHECK(e->b && e->expand);
    e = expr_of(t, "merge([1, 2,\n 3,]...)");
    CHECK(e->expand);
    CHECK_INT(expr_of(t, "{\n  a = 1\n  (b) = 2\n}")->kind, HCL_OBJECT);
    CHECK_STR(expr_of(t, "provider::aws::arn_parse(x)")->name, S("provider::aws::arn_parse"));
}

TEST(templates_keep_what_is_doubled)
{
    struct hcl_expr *e = expr_of(t, "\"a-${var.x}-$${not.this}-\\n\"");
    CHECK_INT(e->kind, HCL_TEMPLATE);
    CHECK_STR(value_str(e->first->value), S("a-"));
    CHECK_STR(value_str(e->first->next->next->value), S("-${not.this}-\n"));
    CHECK_STR(value_str(expr_of(t, "\"plain\"")->value), S("plain"));
    CHECK_STR(value_str(expr_of(t, "\"\"")->value), S(""));
    struct hcl_body body = body_of(t, "x = <<-EOT\n    one\n      two\n    EOT\ny = 1\n");
    CHECK_STR(value_str(hcl_attr_of(&body, S("x"))->value), S("one\n  two\n"));
    CHECK(hcl_attr_of(&body, S("y")));
}

TEST(mistakes_are_refused_where_they_stand)
{
    static const char *const wrong[] = {
        "x = ",
        "x = [1",
        "x = \"open",
        "block {",
        "x = 1 y = 2",
        "= 1",
        "x = (1",
        "x = {a 1}",
        "x = <<EOT\nno",
        "x = ${1}",
        "x = [for a]",
        "x = a ? b",
        "x = \"${1\"",
        "x = f(1",
        "x = a[1",
        "block \"a {}",
        "x = {for a in b : c}",
    };
    for (size_t i = 0; i < PX_COUNT(wrong); i++) {
        struct hcl_body body = {0};
        struct px_where where = {0};
        if (hcl_parse(px_str_c(wrong[i]), &t->arena, &body, &where) != HCL_INVALID)
            TEST_FAIL("%s was taken", wrong[i]);
        CHECK(where.expected[0] && where.offset <= strlen(wrong[i]));
    }
}

TEST(nesting_has_a_bound)
{
    static char text[40000];
    struct hcl_expr *e = NULL;
    memset(text, '(', sizeof text - 1);
    CHECK_INT(hcl_parse_expr(px_str_c(text), &t->arena, &e, NULL), HCL_INVALID);
    memset(text, '!', sizeof text - 1);
    CHECK_INT(hcl_parse_expr(px_str_c(text), &t->arena, &e, NULL), HCL_INVALID);
    for (size_t i = 0; i + 1 < sizeof text; i++) text[i] = i % 2 == 0 ? 'a' : '.';
    CHECK_INT(hcl_parse_expr(px_str_c(text), &t->arena, &e, NULL), HCL_INVALID);
}

TEST_MAIN
