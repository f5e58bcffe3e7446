"""Ways to break the stacks, and the rule of `prism verify` that must catch each.

A mutation replaces text that occurs exactly once in its file, or adds a file. Those of one stack are planned together, a batch at a time, so two
in a batch must not touch the same lines or be caught by the same rule at the same address. Fields: name; stack; rule; a regular expression for
the finding's address ("" for what is missing: the finding then names no resource); edits."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Edit:
    file: str  # below the repository
    old: str | None  # None: the file is added
    new: str


@dataclasses.dataclass(frozen=True)
class Mutation:
    name: str
    stack: str
    rule: str
    address: str
    edits: tuple


ALL = []

# Rules that no change of one stack's sources breaks; tests/unit/delivery/rules.json breaks them all the same.
UNBROKEN = {
    "PV-IAM-09": "looks at plans of both kinds of stack together",
    "PV-NAM-05": "compares plans, and a prefix without its region changes every name of a plan",
    "PV-WF-05": "the provider lets AWS look at definitions while it plans, and AWS refuses them",
    "PV-GLB-16": "validation of variable `regions` refuses it (test_variables), and it compares plans",
}


def region(name, rule, address, *edits):
    ALL.append(Mutation(name, "region", rule, address, edits))


def globally(name, rule, address, *edits):
    ALL.append(Mutation(name, "global", rule, address, edits))


def edit(file, old, new):
    return Edit(file if file.startswith("platform/") else f"infra/{file}", old, new)


def add(file, text):
    return Edit(f"infra/{file}", None, text)


NETWORK, FUNCTION, STORAGE, CATALOG, SECURITY, API, WORKFLOWS, OBSERVABILITY = (
    f"modules/{name}" for name in ("network", "function", "storage", "catalog", "security", "api", "workflows", "observability"))

# ---- network ----

region("an internet gateway", "PV-NET-01", r"aws_internet_gateway\.way", add(f"{NETWORK}/mutation_igw.tf", """
resource "aws_internet_gateway" "way" {
  vpc_id = aws_vpc.this.id
}
"""))
region("a NAT gateway", "PV-NET-01", r"aws_nat_gateway\.way", add(f"{NETWORK}/mutation_nat.tf", """
resource "aws_nat_gateway" "way" {
  subnet_id         = aws_subnet.this["function/${var.azs[0]}"].id
  connectivity_type = "private"
}
"""))
region("subnets give public addresses", "PV-NET-02", r"aws_subnet\.this",
       edit(f"{NETWORK}/vpc.tf", "map_public_ip_on_launch = false", "map_public_ip_on_launch = true"))
region("a route to everywhere", "PV-NET-03", r"aws_route\.out", add(f"{NETWORK}/mutation_route.tf", """
resource "aws_route" "out" {
  route_table_id         = aws_route_table.this["function"].id
  destination_cidr_block = "0.0.0.0/0"
  transit_gateway_id     = "tgw-0123456789abcdef0"
}
"""))
region("a group takes everybody in", "PV-NET-04", r"aws_vpc_security_group_ingress_rule\.world", add(f"{NETWORK}/mutation_world.tf", """
resource "aws_vpc_security_group_ingress_rule" "world" {
  security_group_id = aws_security_group.this["endpoint"].id
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  description       = "everybody"
  tags              = local.tags
}
"""))
region("a group lets out to an address range", "PV-NET-05", r"aws_vpc_security_group_egress_rule\.range", add(f"{NETWORK}/mutation_range.tf", """
resource "aws_vpc_security_group_egress_rule" "range" {
  security_group_id = aws_security_group.this["function"].id
  cidr_ipv4         = "10.0.0.0/8"
  ip_protocol       = "tcp"
  from_port         = 8443
  to_port           = 8443
  description       = "a range"
  tags              = local.tags
}
"""))
region("the default security group lets out", "PV-NET-06", r"aws_default_security_group\.this",
       edit(f"{NETWORK}/vpc.tf", """resource "aws_default_security_group" "this" {
  vpc_id = aws_vpc.this.id
""", """resource "aws_default_security_group" "this" {
  vpc_id = aws_vpc.this.id

  egress {
    protocol    = "-1"
    from_port   = 0
    to_port     = 0
    cidr_blocks = ["10.0.0.0/8"]
  }
"""))
region("functions reach the cluster past the proxy", "PV-NET-07", "", add(f"{NETWORK}/mutation_past.tf", """
resource "aws_vpc_security_group_egress_rule" "past" {
  security_group_id            = aws_security_group.this["function"].id
  referenced_security_group_id = aws_security_group.this["cluster"].id
  ip_protocol                  = "tcp"
  from_port                    = 5432
  to_port                      = 5432
  description                  = "past"
  tags                         = local.tags
}

resource "aws_vpc_security_group_ingress_rule" "past" {
  security_group_id            = aws_security_group.this["cluster"].id
  referenced_security_group_id = aws_security_group.this["function"].id
  ip_protocol                  = "tcp"
  from_port                    = 5432
  to_port                      = 5432
  description                  = "past"
  tags                         = local.tags
}
"""))
region("answers do not come back through the ACLs", "PV-NET-08", "",
       edit(f"{NETWORK}/flows.tf", "answer_ports = { from = 1024, to = 65535 }", "answer_ports = { from = 1024, to = 32767 }"))
region("an endpoint is forgotten", "PV-NET-10", "",
       edit("platform/network.json", '''      "kms": {
        "actions": ["kms:Decrypt"''', '''      "kms-fips": {
        "actions": ["kms:Decrypt"'''))
region("no way to the objects of the other region", "PV-NET-10", "",
       edit(f"{NETWORK}/endpoints.tf", "  for_each = local.peer_endpoints\n", "  for_each = { for key, peer in local.peer_endpoints : key => peer if key == \"\" }\n"))
region("an endpoint's policy allows everything", "PV-NET-11", r"aws_vpc_endpoint\.",
       edit(f"{NETWORK}/endpoints.tf", "      Action    = endpoint.actions\n", '      Action    = ["*"]\n'))
region("an endpoint stands in one zone only", "PV-NET-12", r"aws_vpc_endpoint\.interface",
       edit(f"{NETWORK}/endpoints.tf", """  private_dns_enabled = each.value.private_dns != "false"
  subnet_ids          = [for az in var.azs : aws_subnet.this["endpoint/${az}"].id]
""", """  private_dns_enabled = each.value.private_dns != "false"
  subnet_ids          = [aws_subnet.this["endpoint/${var.azs[0]}"].id]
"""))
region("flow logs hold refusals only", "PV-NET-13", r"aws_flow_log|aws_vpc",
       edit(f"{NETWORK}/flow_logs.tf", 'traffic_type             = "ALL"', 'traffic_type             = "REJECT"'))
region("the file system has another name", "PV-NET-14", "",
       edit(f"{STORAGE}/files.tf", 'name    = "files.${var.network.private_zone_name}"', 'name    = "nfs.${var.network.private_zone_name}"'))
region("an elastic address", "PV-NET-15", r"aws_eip\.way", add(f"{NETWORK}/mutation_eip.tf", """
resource "aws_eip" "way" {
  domain = "vpc"
  tags   = local.tags
}
"""))
region("the database is public", "PV-NET-17", r"aws_rds_cluster_instance\.catalog",
       edit(f"{CATALOG}/cluster.tf", "publicly_accessible        = false", "publicly_accessible        = true"))
region("the API answers past its domain", "PV-NET-18", r"aws_api_gateway_rest_api\.this",
       edit(f"{API}/api.tf", "disable_execute_api_endpoint = true", "disable_execute_api_endpoint = false"))
region("the proxy stands in the cluster's group", "PV-NET-19", r"aws_db_proxy\.catalog",
       edit(f"{CATALOG}/proxy.tf", """  vpc_security_group_ids = [var.network.security_group_ids.proxy]
  tags                   = local.tags

  depends_on = [aws_cloudwatch_log_group.proxy""", """  vpc_security_group_ids = [var.network.security_group_ids.cluster]
  tags                   = local.tags

  depends_on = [aws_cloudwatch_log_group.proxy"""))
region("subnets share another tier's routes", "PV-NET-20", r"aws_(route_table_association|subnet)\.this",
       edit(f"{NETWORK}/vpc.tf", "route_table_id = aws_route_table.this[each.value.tier].id", 'route_table_id = aws_route_table.this["function"].id'))
region("a security group that nobody planned", "PV-NET-21", r"aws_security_group\.extra", add(f"{NETWORK}/mutation_group.tf", """
resource "aws_security_group" "extra" {
  name        = "${var.context.prefix}-extra"
  description = "extra"
  vpc_id      = aws_vpc.this.id
  tags        = local.tags
}
"""))
region("names do not resolve", "PV-NET-22", r"aws_vpc\.this", edit(f"{NETWORK}/vpc.tf", "enable_dns_hostnames = true", "enable_dns_hostnames = false"))

region("all subnets in one zone", "PV-NET-09", "",
       edit(f"{NETWORK}/vpc.tf", "  availability_zone       = each.value.az\n", "  availability_zone       = var.azs[0]\n"))
region("a second network in the same range", "PV-NET-16", r"aws_vpc\.(second|this)", add(f"{NETWORK}/mutation_vpc.tf", """
resource "aws_vpc" "second" {
  cidr_block           = cidrsubnet(var.cidr, 2, 3)
  enable_dns_hostnames = true
  tags                 = local.tags
}
"""))

# ---- encryption ----

region("buckets under S3's own key", "PV-ENC-01", r"aws_s3_bucket(_server_side_encryption_configuration)?\.this",
       edit(f"{STORAGE}/buckets.tf", 'sse_algorithm     = each.value.log_to != null ? "aws:kms" : "AES256"\n      kms_master_key_id = each.value.key_arn',
            'sse_algorithm     = "AES256"'))
region("the file system is in the clear", "PV-ENC-02", r"aws_efs_file_system\.hot",
       edit(f"{STORAGE}/files.tf", "encrypted                       = true\n  kms_key_id                      = var.keys.data\n",
            "encrypted                       = false\n"))
region("the database is under Amazon's key", "PV-ENC-03", r"aws_rds_cluster\.catalog",
       edit(f"{CATALOG}/cluster.tf", "  kms_key_id        = var.keys.database\n", ""))
globally("tables under Amazon's key", "PV-ENC-04", r"aws_dynamodb_table\.this",
         edit("global/tables.tf", '    enabled     = true\n    kms_key_arn = aws_kms_key.this["registry"].arn\n', "    enabled = false\n"))
region("dead letters in the clear", "PV-ENC-05", r"aws_sqs_queue\.dead_letter",
       edit(f"{FUNCTION}/asynchronous.tf", "  kms_master_key_id                 = var.runtime.keys.data\n  kms_data_key_reuse_period_seconds = 300\n", ""))
globally("alarms in the clear", "PV-ENC-06", r"aws_sns_topic\.alarms",
         edit("global/alarms.tf", '  kms_master_key_id = aws_kms_key.this["logs"].arn\n', ""))
region("logs of functions without a key", "PV-ENC-07", r"aws_cloudwatch_log_group\.function",
       edit(f"{FUNCTION}/main.tf", "  kms_key_id        = var.runtime.keys.logs\n", ""))
region("secrets under Amazon's key", "PV-ENC-08", r"aws_secretsmanager_secret\.this",
       edit(f"{SECURITY}/secrets.tf", '  kms_key_id              = aws_kms_key.this["secrets"].arn\n', ""))
globally("images under Amazon's key", "PV-ENC-09", r"aws_ecr_repository\.this",
         edit("global/registry.tf", '    encryption_type = "KMS"\n    kms_key         = local.key_arns[each.value.region].artifacts\n', '    encryption_type = "AES256"\n'))
region("backups under Amazon's key", "PV-ENC-10", r"aws_backup_vault\.hot",
       edit(f"{STORAGE}/backup.tf", 'name          = "${var.context.prefix}-hot"\n  kms_key_arn   = var.keys.data\n', 'name          = "${var.context.prefix}-hot"\n'))
region("environments under Amazon's key", "PV-ENC-11", r"aws_lambda_function\.function",
       edit(f"{FUNCTION}/main.tf", "  kms_key_arn                    = var.runtime.keys.data\n", ""))
region("queries may leave their results unsealed", "PV-ENC-12", r"aws_athena_workgroup\.analytics",
       edit(f"{STORAGE}/tables.tf", "enforce_workgroup_configuration    = true", "enforce_workgroup_configuration    = false"))
region("keys never rotate", "PV-ENC-14", r"aws_kms_key\.this", edit(f"{SECURITY}/keys.tf", "enable_key_rotation     = true", "enable_key_rotation     = false"))
region("buckets answer without TLS", "PV-ENC-15", r"aws_s3_bucket(_policy)?\.this",
       edit(f"{STORAGE}/buckets.tf", 'Condition = { Bool = { "aws:SecureTransport" = "false" } }', 'Condition = { Bool = { "aws:SecureTransport" = "true" } }'))
region("the file system may be mounted without TLS", "PV-ENC-16", r"aws_efs_file_system(_policy)?\.hot",
       edit(f"{STORAGE}/files.tf", 'Condition = { Bool = { "aws:SecureTransport" = "false" } }', 'Condition = { Bool = { "aws:SecureTransport" = "true" } }'))
region("the database takes connections in the clear", "PV-ENC-17", r"aws_rds_cluster_parameter_group\.catalog|aws_rds_cluster\.catalog",
       edit(f"{CATALOG}/cluster.tf", '"rds.force_ssl"                       = "1"', '"rds.force_ssl"                       = "0"'))
globally("the edge speaks TLS 1.0", "PV-ENC-18", r"aws_cloudfront_distribution\.this",
         edit("global/edge.tf", 'minimum_protocol_version = "TLSv1.2_2021"', 'minimum_protocol_version = "TLSv1"'))
region("the API's domain speaks TLS 1.0", "PV-ENC-19", r"aws_api_gateway_domain_name\.this",
       edit(f"{API}/domain.tf", 'security_policy          = "TLS_1_2"', 'security_policy          = "TLS_1_0"'))

region("workflows under Amazon's key", "PV-ENC-13", r"aws_sfn_state_machine\.this",
       edit(f"{WORKFLOWS}/machines.tf", "    kms_key_id                        = var.keys.data\n", '    kms_key_id                        = "alias/aws/dynamodb"\n'))

# ---- functions ----

region("more memory than the catalogue says", "PV-FN-02", r"aws_lambda_function\.function",
       edit(f"{FUNCTION}/main.tf", "memory_size                    = var.spec.memory_mb", "memory_size                    = var.spec.memory_mb + 1"))
region("an artifact by name", "PV-FN-04", r"aws_lambda_function\.function",
       edit(f"{FUNCTION}/main.tf", '"functions/${var.name}/${var.artifact.sha256}.zip"', '"functions/${var.name}/latest.zip"'))
region("a function may run before its log group", "PV-FN-05", r"aws_lambda_function\.function",
       edit(f"{FUNCTION}/main.tf", "log_group             = aws_cloudwatch_log_group.function.name", "log_group             = local.log_group"))
region("the alias has another name", "PV-FN-06", r"aws_lambda_(alias\.live|function\.function)",
       edit(f"{FUNCTION}/main.tf", 'name             = "live"', 'name             = "current"'))
region("what should scale from zero is kept warm", "PV-FN-07", r"module\.(tenants|keys|catalog|storage|security|sharding).*",
       edit(f"{FUNCTION}/concurrency.tf", 'var.spec.concurrency.class == "warm" ? coalesce(local.override.provisioned_min, var.spec.concurrency.min) : 0', '1'))
region("provisioned concurrency does not follow demand", "PV-FN-08", r"aws_(lambda_function|appautoscaling_target|lambda_provisioned_concurrency_config)",
       edit(f"{FUNCTION}/concurrency.tf", """resource "aws_appautoscaling_policy" "live" {
  for_each = aws_appautoscaling_target.live
""", """resource "aws_appautoscaling_policy" "live" {
  for_each = {}
"""))
region("no limit for a function", "PV-FN-09", r"aws_lambda_function\.function",
       edit(f"{FUNCTION}/main.tf", "  reserved_concurrent_executions = local.reserved\n", ""))
region("events that fail are lost", "PV-FN-10", r"module\.storage.*aws_lambda_function(\.function|_event_invoke_config\.live)",
       edit(f"{FUNCTION}/asynchronous.tf", "  maximum_retry_attempts       = var.spec.asynchronous.retries\n", "  maximum_retry_attempts       = 0\n"))
region("functions are not traced", "PV-FN-11", r"aws_lambda_function\.function",
       edit(f"{FUNCTION}/main.tf", '== "active" ? "Active" : "PassThrough"', '== "active" ? "PassThrough" : "Active"'))
region("unsigned code only warns", "PV-FN-12", r"aws_lambda_(code_signing_config\.zips|function\.function)",
       edit(f"{SECURITY}/main.tf", 'untrusted_artifact_on_deployment = "Enforce"', 'untrusted_artifact_on_deployment = "Warn"'))
region("functions outside of the VPC", "PV-FN-13", r"aws_lambda_function\.function",
       edit(f"{FUNCTION}/main.tf", "for_each = var.spec.vpc ? local.this : toset([])", "for_each = toset([])"))
region("the hot store is not mounted", "PV-FN-14", r"aws_lambda_function\.function",
       edit(f"{FUNCTION}/main.tf", "for_each = var.spec.hot_mount ? local.this : toset([])", "for_each = toset([])"))
region("a setting is missing", "PV-FN-15", r"aws_lambda_function\.function",
       edit(f"{FUNCTION}/environment.tf", "      PRISM_REGION      = var.context.region\n", ""))
region("a password in the environment", "PV-FN-17", r"aws_lambda_function\.function",
       edit(f"{FUNCTION}/environment.tf", "      PRISM_FUNCTION    = var.name\n", '      PRISM_FUNCTION    = var.name\n      PRISM_META_PASSWORD = "correct-horse-battery"\n'))

region("a function that no catalogue knows", "PV-FN-01", r"aws_lambda_function\.extra", add("modules/sharding/mutation_extra.tf", """
resource "aws_lambda_function" "extra" {
  function_name = "${var.context.prefix}-extra"
  role          = module.service.functions["tenants"].role_arn
  package_type  = "Image"
  image_uri     = "${var.runtime.image_registry}/extra@sha256:${var.artifacts["tenants"].sha256}"
}
"""))
region("packages on a runtime of old", "PV-FN-03", r"aws_lambda_function\.function",
       edit(f"{FUNCTION}/main.tf", "coalesce(var.spec.runtime, var.catalogue.defaults.runtime)", '"provided.al2"'))
region("an environment that Lambda does not take", "PV-FN-16", r"aws_lambda_function\.function",
       edit(f"{FUNCTION}/main.tf", "condition     = local.environment_bytes < 4096", "condition     = local.environment_bytes < 40960"),
       edit(f"{FUNCTION}/environment.tf", "      PRISM_TMP       =", '      PRISM_PADDING   = join("  ", range(1000))\n      PRISM_TMP       ='))

# ---- identity ----

region("a wildcard in an action", "PV-IAM-01", r"aws_iam_role(_policy)?\.function",
       edit(f"{FUNCTION}/role.tf", 'actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]', 'actions   = ["logs:*"]'))
region("rights over every key", "PV-IAM-02", r"aws_iam_role(_policy)?\.function",
       edit(f"{FUNCTION}/role.tf", """        resources = [var.runtime.keys.data]
        condition = { StringEquals = { "kms:EncryptionContext:aws:lambda:FunctionArn" = [local.function_arn] } }""", """        resources = ["*"]
        condition = {}"""))
region("no ceiling for functions", "PV-IAM-03", r"aws_iam_role\.function",
       edit(f"{FUNCTION}/role.tf", "  permissions_boundary = var.runtime.boundary_arn\n", ""))
region("anybody becomes a function", "PV-IAM-04", r"aws_iam_role\.function",
       edit(f"{FUNCTION}/role.tf", 'Principal = { Service = "lambda.amazonaws.com" }', 'Principal = { AWS = "*" }'))
globally("any branch may deploy", "PV-IAM-05", r"aws_iam_role\.delivery",
         edit("global/delivery.tf", 'values   = ["repo:${var.delivery.repository}:environment:${each.value.environment}"]', 'values   = ["repo:${var.delivery.repository}:*"]'),
         edit("global/delivery.tf", '''      test     = "StringEquals"
      variable = "${local.github_host}:sub"''', '''      test     = "StringLike"
      variable = "${local.github_host}:sub"'''))
globally("a user with lasting credentials", "PV-IAM-06", r"aws_iam_(user|access_key)\.robot", add("global/mutation_user.tf", """
resource "aws_iam_user" "robot" {
  name = "${local.context.prefix}-robot"
  tags = { Service = "delivery" }
}

resource "aws_iam_access_key" "robot" {
  user = aws_iam_user.robot.name
}
"""))
region("a function writes a table that it may only read", "PV-IAM-07", r"module\.(security|keys|authorizer).*aws_",
       edit("platform/functions.json", """      "stores": {
        "tables.keys": "read",
        "tables.tenants": "read",
        "secrets": "read"
      },""", """      "stores": {
        "tables.keys": "read-write",
        "tables.tenants": "read",
        "secrets": "read"
      },"""))
region("the audit log can be deleted from", "PV-IAM-07", r"module\.(security|sharding|catalog).*aws_iam_role_policy\.function",
       edit("modules/function/access.tf", '{ on = "self", actions = ["dynamodb:GetItem", "dynamodb:PutItem"] }',
            '{ on = "self", actions = ["dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem"] }'))
region("another function owns the database as well", "PV-IAM-07", r"module\.catalog.*aws_iam_role(_policy)?\.function",
       edit(f"{CATALOG}/functions.tf", 'if f.service == "catalog" && try(f.stores.meta, "") == "own"]', 'if f.service == "catalog"]'))
region("a bucket lets anybody read", "PV-IAM-10", r"aws_s3_bucket(_policy)?\.this",
       edit(f"{STORAGE}/buckets.tf", """        Effect    = "Allow"
        Principal = { Service = "logging.s3.amazonaws.com" }
        Action    = "s3:PutObject"
        Resource  = ["${local.bucket_arns[name]}/*"]
        Condition = {
          StringEquals = { "aws:SourceAccount" = var.context.account_id }
          ArnLike      = { "aws:SourceArn" = "arn:${var.context.partition}:s3:::${var.context.prefix}-*" }
        }""", """        Effect    = "Allow"
        Principal = { AWS = "*" }
        Action    = "s3:GetObject"
        Resource  = ["${local.bucket_arns[name]}/*"]
        Condition = {}"""))
region("functions are administrators", "PV-IAM-11", r"aws_iam_role_policy_attachment\.all", add(f"{FUNCTION}/mutation_admin.tf", """
resource "aws_iam_role_policy_attachment" "all" {
  role       = aws_iam_role.function.name
  policy_arn = "arn:aws:iam::aws:policy/AdministratorAccess"
}
"""))

globally("the pipeline hands its roles to anybody", "PV-IAM-08", r"aws_iam_policy\.delivery",
         edit("global/delivery_policies.tf", 'StringEquals = { "iam:PassedToService" =', 'StringEquals = { "aws:PrincipalAccount" ='))
region("functions share a role", "PV-IAM-12", r"aws_lambda_function\.function",
       edit(f"{FUNCTION}/main.tf", "  role          = aws_iam_role.function.arn\n", '  role          = "${local.aws}:iam::${var.context.account_id}:role/${var.context.prefix}-fn-tenants"\n'))

region("the bridge calls any function of another region", "PV-IAM-13", r"module\.sharding.*aws_iam_role_policy\.function",
       edit("modules/sharding/functions.tf", ':function:${full}:live"]', ':function:*"]'))
region("storage reads whole buckets of another region", "PV-IAM-14", r"module\.storage.*aws_iam_role_policy\.function",
       edit(f"{STORAGE}/peers.tf", '"${bucket.arn}/${keys}"]', '"${bucket.arn}/*"]'))
region("storage opens any key of another region", "PV-IAM-14", r"module\.storage.*aws_iam_role_policy\.function",
       edit(f"{STORAGE}/peers.tf", '          "ForAnyValue:StringEquals" = { "kms:ResourceAliases" = ["alias/${var.peers[region]}-data"] }\n', ""))
region("operators run any machine", "PV-IAM-15", r"module\.sharding.*aws_iam_role_policy\.function",
       edit("modules/sharding/functions.tf", '[for m in sort(f.operates) : "${local.machine_arn}${m}"]', '["${local.machine_arn}*"]'))
region("operators stop executions of any machine", "PV-IAM-15", r"module\.sharding.*aws_iam_role_policy\.function",
       edit("modules/sharding/functions.tf", '${replace(local.machine_arn, ":stateMachine:", ":execution:")}${m}:*', '${replace(local.machine_arn, ":stateMachine:", ":execution:")}*:*'))

# ---- order ----

region("functions before the database", "PV-ORD-01", r"aws_lambda_function\.function",
       edit(f"{CATALOG}/outputs.tf", """    aws_db_proxy_endpoint.reader,
    aws_db_proxy_target.catalog,
    aws_rds_cluster_instance.catalog,
    aws_route53_record.catalog,
""", ""))
region("readers scale before there are instances", "PV-ORD-04", r"aws_appautoscaling_target\.readers",
       edit(f"{CATALOG}/readers.tf", "\n  depends_on = [aws_rds_cluster_instance.catalog]\n", ""))
region("replication before versioning", "PV-ORD-05", r"aws_s3_bucket_replication_configuration\.this",
       edit(f"{STORAGE}/replication.tf", "  depends_on = [aws_s3_bucket_versioning.this, aws_iam_role_policy.replication]", "  depends_on = [aws_iam_role_policy.replication]"))
region("functions before what they may do", "PV-ORD-06", r"aws_lambda_function\.function",
       edit(f"{FUNCTION}/main.tf", "\n  depends_on = [aws_iam_role_policy.function]\n", ""))

region("functions before the file system", "PV-ORD-02", r"aws_lambda_function\.function",
       edit(f"{STORAGE}/outputs.tf", "\n  depends_on = [aws_efs_mount_target.hot, aws_efs_file_system_policy.hot]\n", ""))
region("the API before the permissions to call", "PV-ORD-03", r"aws_api_gateway_stage\.shard",
       edit(f"{API}/api.tf", "    aws_lambda_permission.route,\n    aws_lambda_permission.authorizer,\n", ""))
region("functions before their ways to AWS", "PV-ORD-07", r"aws_lambda_function\.function",
       edit(f"{NETWORK}/outputs.tf", "    aws_vpc_security_group_ingress_rule.group,\n    aws_vpc_endpoint.interface,\n", "    aws_vpc_security_group_ingress_rule.group,\n"))
region("workflows before what they may do", "PV-ORD-08", r"aws_sfn_state_machine\.this",
       edit(f"{WORKFLOWS}/machines.tf", "  depends_on = [aws_iam_role_policy.machine]\n", ""))
region("a module waits for another as a whole", "PV-ORD-09", "",
       edit("region/main.tf", '  source = "../modules/sharding"\n', '  source     = "../modules/sharding"\n  depends_on = [module.query]\n'))

# ---- storage ----

region("buckets forget", "PV-STO-01", r"aws_s3_bucket(_versioning)?\.this",
       edit(f"{STORAGE}/buckets.tf", '''  versioning_configuration {
    status = "Enabled"''', '''  versioning_configuration {
    status = "Suspended"'''))
region("buckets may be made public", "PV-STO-02", r"aws_s3_bucket(_public_access_block)?\.this",
       edit(f"{STORAGE}/buckets.tf", "restrict_public_buckets = true", "restrict_public_buckets = false"))
region("objects belong to whoever wrote them", "PV-STO-03", r"aws_s3_bucket(_ownership_controls)?\.this",
       edit(f"{STORAGE}/buckets.tf", 'object_ownership = "BucketOwnerEnforced"', 'object_ownership = "ObjectWriter"'))
region("objects move before S3 takes them", "PV-STO-04", r"aws_s3_bucket_lifecycle_configuration\.this",
       edit(f"{STORAGE}/lifecycle.tf", "days          = transition.value.after_days", "days          = transition.value.after_days - 20"))
region("incomplete uploads stay for ever", "PV-STO-06", r"aws_s3_bucket(_lifecycle_configuration)?\.this",
       edit(f"{STORAGE}/lifecycle.tf", """    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
""", ""))
region("copies are switched off", "PV-STO-07", r"aws_s3_bucket(_replication_configuration)?\.this",
       edit(f"{STORAGE}/replication.tf", '''    id       = "all"
    priority = 1
    status   = "Enabled"''', '''    id       = "all"
    priority = 1
    status   = "Disabled"'''))
region("buckets in prod go with their data", "PV-STO-08", r"aws_s3_bucket\.this",
       edit(f"{STORAGE}/buckets.tf", "  force_destroy = local.disposable\n", "  force_destroy = true\n"))
region("throughput by chance", "PV-STO-09", r"aws_efs_file_system\.hot",
       edit(f"{STORAGE}/files.tf", '''throughput_mode                 = "provisioned"
  provisioned_throughput_in_mibps = local.hot_provisioned_mib_per_s''', '''throughput_mode                 = "bursting"'''))
region("a mount target in one zone only", "PV-STO-10", r"aws_efs_(mount_target|file_system)\.hot",
       edit(f"{STORAGE}/files.tf", "tostring(place) => subnet_id }", "tostring(place) => subnet_id if place == 0 }"))
region("shards share a user", "PV-STO-11", r"aws_efs_access_point\.shard",
       edit(f"{STORAGE}/files.tf", 'shard => 10000 + tonumber(regex("[0-9]+$", shard))', "shard => 10000"))

region("objects age by a tag that nobody sets", "PV-STO-05", r"aws_s3_bucket_lifecycle_configuration\.this",
       edit(f"{STORAGE}/lifecycle.tf", '          key   = "class"\n', '          key   = "kind"\n'))
region("backups of the hot store for three days", "PV-STO-12", r"aws_backup_plan\.hot|aws_efs_file_system\.hot",
       edit(f"{STORAGE}/backup.tf", "backup_days = 35", "backup_days = 3"))
region("a hot store that is slow to answer", "PV-STO-13", r"aws_efs_file_system\.hot",
       edit(f"{STORAGE}/files.tf", '"generalPurpose"', '"maxIO"'))

# ---- database ----

region("one instance only", "PV-DB-01", r"aws_rds_cluster(_instance)?\.catalog",
       edit(f"{CATALOG}/cluster.tf", "range(1 + var.database.readers_min)", "range(1)"))
region("backups of a day", "PV-DB-02", r"aws_rds_cluster\.catalog",
       edit(f"{CATALOG}/cluster.tf", "backup_retention_period      = var.database.backup_days", "backup_retention_period      = 1"))
region("passwords instead of identities", "PV-DB-03", r"aws_rds_cluster\.catalog",
       edit(f"{CATALOG}/cluster.tf", "iam_database_authentication_enabled = true", "iam_database_authentication_enabled = false"))
region("prod falls asleep", "PV-DB-05", r"aws_rds_cluster\.catalog",
       edit(f"{CATALOG}/cluster.tf", "min_capacity             = var.database.capacity_min", "min_capacity             = 0"))
region("readers follow the CPU only", "PV-DB-07", r"aws_(appautoscaling_target\.readers|rds_cluster\.catalog)",
       edit(f"{CATALOG}/readers.tf", '    connections = { metric = "RDSReaderAverageDatabaseConnections", value = floor(0.6 * local.connections_max) }\n', ""))
region("prod can be deleted", "PV-DB-08", r"aws_rds_cluster\.catalog",
       edit(f"{CATALOG}/cluster.tf", "deletion_protection          = var.database.deletion_protection", "deletion_protection          = false"))

region("the administrator's password under Amazon's key", "PV-DB-04", r"aws_rds_cluster\.catalog",
       edit(f"{CATALOG}/cluster.tf", "  master_user_secret_kms_key_id       = var.keys.secrets\n", ""))
region("capacity that AWS does not offer", "PV-DB-06", r"aws_rds_cluster\.catalog",
       edit(f"{CATALOG}/cluster.tf", "max_capacity             = var.database.capacity_max", "max_capacity             = 8.25"))
region("the proxy opens what it likes", "PV-DB-09", r"aws_db_proxy\.catalog",
       edit(f"{CATALOG}/proxy.tf", """  connection_pool_config {
    max_connections_percent      = 90
    max_idle_connections_percent = 30
    connection_borrow_timeout    = 5
  }
""", ""))
region("the database leaves no log", "PV-DB-10", r"aws_rds_cluster\.catalog",
       edit(f"{CATALOG}/cluster.tf", "  enabled_cloudwatch_logs_exports = local.log_kinds\n", ""))

# ---- API ----

region("stages without limits", "PV-API-03", r"aws_api_gateway_(stage|method_settings)\.",
       edit(f"{API}/stages.tf", "    throttling_rate_limit  = local.throttling.system.rate\n    throttling_burst_limit = local.throttling.system.burst\n", ""))
region("a tier with limits of its own", "PV-API-06", r"aws_api_gateway_usage_plan\.tier",
       edit(f"{API}/usage.tf", "    rate_limit  = each.value.rate\n", "    rate_limit  = 100000\n"))
region("traces begin behind the API", "PV-API-10", r"aws_api_gateway_stage\.shard",
       edit(f"{API}/stages.tf", "xray_tracing_enabled = true", "xray_tracing_enabled = false"))
region("a new contract is not deployed", "PV-API-08", r"aws_api_gateway_deployment\.this",
       edit(f"{API}/api.tf", "    contract = sha256(local.body)\n", ""))

region("keys in the access log", "PV-API-02", r"aws_api_gateway_stage\.shard",
       edit(f"{API}/logs.tf", '    firewall       = "$context.waf.status"\n', '    firewall       = "$context.waf.status"\n    api_key        = "$context.identity.apiKey"\n'))
region("no firewall before the stages", "PV-API-04", r"aws_api_gateway_stage\.shard|^$",
       edit(f"{API}/firewall.tf", """resource "aws_wafv2_web_acl_association" "stage" {
  for_each = var.shards
""", """resource "aws_wafv2_web_acl_association" "stage" {
  for_each = {}
"""))
region("the API's firewall only counts", "PV-API-04", r"aws_wafv2_web_acl\.this",
       edit(f"{API}/firewall.tf", """        block {
          custom_response {
            response_code = 429
          }
        }""", "        count {}"))
region("bodies in the execution log", "PV-API-14", r"aws_api_gateway_(stage|method_settings)\.",
       edit(f"{API}/stages.tf", "data_trace_enabled     = false # would write", "data_trace_enabled     = true # would write"))

region("stages have names of their own", "PV-API-01", "",
       edit(f"{API}/stages.tf", "  stage_name    = each.key\n", '  stage_name    = "live-${each.key}"\n'))
region("answers of the authorizer are kept for hours", "PV-API-05", r"aws_api_gateway_rest_api\.this",
       edit("platform/api.openapi.json", '"authorizerResultTtlInSeconds": 60', '"authorizerResultTtlInSeconds": 7200'))
region("no name leads to the API", "PV-API-07", r"^$",
       edit(f"{API}/domain.tf", """resource "aws_route53_record" "api" {
  for_each = local.domain_targets
""", """resource "aws_route53_record" "api" {
  for_each = {}
"""))
region("stages do not name their shard", "PV-API-09", r"aws_api_gateway_stage\.shard",
       edit(f"{API}/stages.tf", '{ for name, text in local.names.variables : name => replace(text, "{shard}", each.key) }', "{ part = each.key }"))
region("a function that answers after the API has gone", "PV-API-11", r"aws_api_gateway_rest_api\.this",
       edit("platform/api.openapi.json", '"timeoutInMillis": 29000,\n          "responseTransferMode"', '"timeoutInMillis": 960000,\n          "responseTransferMode"'))
region("a route is renamed", "PV-API-12", r"aws_api_gateway_rest_api\.this",
       edit("platform/api.openapi.json", '"/v1/traces": {', '"/v1/spans": {'))
region("functions that the API may not call", "PV-API-13", r"aws_(api_gateway_|lambda_function)",
       edit(f"{API}/api.tf", "  for_each = local.targets\n", "  for_each = {}\n"))
region("a route that asks for no key", "PV-API-15", r"aws_api_gateway_rest_api\.this",
       edit("platform/api.openapi.json", '''    "/v1/traces": {
      "post": {
''', '''    "/v1/traces-of-everybody": {
      "get": {
        "operationId": "getEverybodysTraces",
        "security": [],
        "responses": {},
        "x-amazon-apigateway-integration": {
          "type": "aws_proxy",
          "httpMethod": "POST",
          "uri": "arn:${partition}:apigateway:${region}:lambda:path/2015-03-31/functions/arn:${partition}:lambda:${region}:${account}:function:${prefix}-keys:live/invocations"
        }
      }
    },
    "/v1/traces": {
      "post": {
'''))
region("refusals in AWS's words", "PV-API-16", r"aws_api_gateway_rest_api\.this",
       edit("platform/api.openapi.json", '    "THROTTLED": {\n', '    "THROTTLED_ONCE": {\n'))
region("the API starts any machine", "PV-API-17", r"aws_iam_role\.start",
       edit(f"{API}/direct.tf", "    resources = local.started\n", '    resources = ["arn:aws:states:*:*:stateMachine:*"]\n'))

# ---- workflows ----

region("workflows are not traced", "PV-WF-03", r"aws_sfn_state_machine\.this",
       edit(f"{WORKFLOWS}/machines.tf", """  tracing_configuration {
    enabled = true""", """  tracing_configuration {
    enabled = false"""))

region("workflows leave no log", "PV-WF-02", r"aws_sfn_state_machine\.this",
       edit(f"{WORKFLOWS}/machines.tf", "    level                  = each.value.log_level\n", '    level                  = "OFF"\n'))

region("every workflow is of one kind", "PV-WF-01", r"aws_sfn_state_machine\.this",
       edit(f"{WORKFLOWS}/machines.tf", "  type       = each.value.type\n", '  type       = "STANDARD"\n'))
region("workflows have no versions", "PV-WF-04", r"aws_sfn_state_machine\.this",
       edit(f"{WORKFLOWS}/machines.tf", "  publish    = true\n", "  publish    = false\n"))
region("callers that pass by the alias", "PV-WF-11", r"aws_iam_role\.machine",
       edit(f"{WORKFLOWS}/roles.tf", "Condition = local.by_alias }", "Condition = {} }"))
region("a task that gives up at once", "PV-WF-06", r"aws_sfn_state_machine\.this",
       edit("platform/workflows/tenant-offboarding.asl.json", """      "ResultPath": "$.decision",
      "Retry": [
        {
          "ErrorEquals": [
            "SQS.SdkClientException"
          ],
          "IntervalSeconds": 2,
          "BackoffRate": 2.0,
          "MaxDelaySeconds": 30,
          "MaxAttempts": 4,
          "JitterStrategy": "FULL"
        }
      ],
""", """      "ResultPath": "$.decision",
"""))
region("a workflow that may take for ever", "PV-WF-07", r"aws_sfn_state_machine\.this",
       edit("platform/workflows/tenant-onboarding.asl.json", '  "TimeoutSeconds": 240,\n', ""))
region("workflows may not call their functions", "PV-WF-08", r"aws_sfn_state_machine\.this",
       edit(f"{WORKFLOWS}/roles.tf", '["lambda:InvokeFunction"]', '["lambda:GetFunction"]'))
region("an express workflow waits for people", "PV-WF-09", r"aws_sfn_state_machine\.this",
       edit(f"{WORKFLOWS}/machines.tf", '      condition     = each.value.type == "STANDARD" ||', '      condition     = each.value.type != "" ||'),
       edit(f"{WORKFLOWS}/machines.tf", "  type       = each.value.type\n", '  type       = "EXPRESS"\n'))
region("upkeep once a day", "PV-WF-10", r"aws_sfn_state_machine\.this",
       edit(f"{WORKFLOWS}/schedules.tf", "schedule_expression          = each.value.expression", 'schedule_expression          = "rate(1 day)"'))

# ---- observability ----

region("an alarm is taken out", "PV-OBS-02", r".",
       edit("platform/alarms.json", """      "id": "function-throttles",
      "scope": "function",
      "namespace": "AWS/Lambda",
      "metric": "Throttles",""", """      "id": "function-throttles",
      "scope": "function",
      "namespace": "AWS/Lambda",
      "metric": "Invocations","""))
region("alarms tell nobody", "PV-OBS-03", r"aws_cloudwatch_metric_alarm\.(simple|math)",
       edit(f"{OBSERVABILITY}/alarms.tf", """  treat_missing_data  = each.value.alarm.missing

  alarm_actions = [aws_sns_topic.severity[each.value.alarm.severity].arn]
""", """  treat_missing_data  = each.value.alarm.missing
"""))
region("logs of functions are kept for a week", "PV-OBS-07", r"aws_cloudwatch_log_group\.function",
       edit(f"{FUNCTION}/main.tf", "  retention_in_days = var.runtime.log_retention_days\n", "  retention_in_days = 7\n"))
region("nothing escalates", "PV-OBS-05", r".",
       edit(f"{OBSERVABILITY}/escalation.tf", """resource "aws_cloudwatch_composite_alarm" "escalated" {
  for_each = local.escalations
""", """resource "aws_cloudwatch_composite_alarm" "escalated" {
  for_each = {}
"""))
region("a composite alarm is taken out", "PV-OBS-05", r"^$",
       edit("platform/alarms.json", '"id": "ingest-impaired"', '"id": "ingest-ailing"'))

region("nobody is told of functions that take too long", "PV-OBS-01", r"aws_lambda_function\.function",
       edit("platform/alarms.json", '      "metric": "Duration",\n      "statistic": "Maximum",', '      "metric": "Invocations",\n      "statistic": "Maximum",'))
region("alarms that never go off", "PV-OBS-04", r"aws_cloudwatch_metric_alarm\.simple",
       edit(f"{OBSERVABILITY}/alarms.tf", """  period              = each.value.alarm.period_s
  evaluation_periods  = each.value.alarm.periods
""", """  period              = each.value.alarm.period_s
  evaluation_periods  = 1
"""))
region("alerts end in their topics", "PV-OBS-06", r"aws_sns_topic\.severity",
       edit(f"{OBSERVABILITY}/topics.tf", """resource "aws_sns_topic_subscription" "queue" {
  for_each = local.queued
""", """resource "aws_sns_topic_subscription" "queue" {
  for_each = {}
"""))
region("no dashboards", "PV-OBS-08", r"^$",
       edit(f"{OBSERVABILITY}/dashboards.tf", "  for_each = local.dashboards\n", "  for_each = {}\n"))
region("no saved queries", "PV-OBS-09", r"^$",
       edit(f"{OBSERVABILITY}/dashboards.tf", "  for_each = { for q in var.alarms.queries : q.name => q }\n", "  for_each = {}\n"))
region("no sampling of traces", "PV-OBS-10", r"^$",
       edit(f"{OBSERVABILITY}/tracing.tf", "  for_each = var.alarms.tracing.sampling\n", "  for_each = {}\n"))

# ---- what spans regions ----

globally("tables stay at home", "PV-GLB-01", r"aws_dynamodb_table\.this",
         edit("global/tables.tf", """resource "aws_dynamodb_table_replica" "this" {
  for_each = local.table_replicas
""", """resource "aws_dynamodb_table_replica" "this" {
  for_each = {}
"""))
globally("tables cannot be set back", "PV-GLB-02", r"aws_dynamodb_table\.this",
         edit("global/tables.tf", """  point_in_time_recovery {
    enabled                 = true
    recovery_period_in_days = var.tables.recovery_days
""", """  point_in_time_recovery {
    enabled = false
"""))
globally("tables without a ceiling", "PV-GLB-03", r"aws_dynamodb_table\.this",
         edit("global/tables.tf", "for_each = contains(keys(local.provisioned), each.key) ? {} : { this = var.tables.ceiling }", "for_each = {}"))
globally("claims never expire", "PV-GLB-04", r"aws_dynamodb_table\.this",
         edit("global/tables.tf", """    attribute_name = "expires_at"
    enabled        = true""", """    attribute_name = "expires_at"
    enabled        = false"""))
globally("images may be replaced", "PV-GLB-05", r"aws_ecr_repository\.this",
         edit("global/registry.tf", 'image_tag_mutability = "IMMUTABLE"', 'image_tag_mutability = "MUTABLE"'))
globally("the edge's firewall has no limit", "PV-GLB-10", r"aws_wafv2_web_acl\.edge",
         edit("global/waf.tf", """      block {
        custom_response {
          response_code            = 429
          custom_response_body_key = "rate"
          response_header {
            name  = "retry-after"
            value = "60"
          }
        }
      }""", "      count {}"))
globally("the edge's firewall does not count what one address sends", "PV-GLB-10", r"aws_wafv2_web_acl\.edge",
         edit("global/waf.tf", """      rate_based_statement {
        limit                 = var.edge.requests_per_5_min
        evaluation_window_sec = 300
        aggregate_key_type    = "IP"
      }""", """      geo_match_statement {
        country_codes = ["AQ"]
      }"""))
globally("names lead to regions that are down", "PV-GLB-11", r"aws_route53_record\.(origin|failover)",
         edit("global/dns.tf", """  set_identifier  = each.key
  health_check_id = aws_route53_health_check.region[each.key].id

  latency_routing_policy {""", """  set_identifier  = each.key

  latency_routing_policy {"""))

globally("images stay at home", "PV-GLB-06", r"^$",
         edit("global/registry.tf", "  for_each = var.account_settings && length(local.remote_regions) > 0 ? { this = true } : {}\n", "  for_each = {}\n"))
globally("one region's profile signs for all", "PV-GLB-07", r"^$",
         edit("global/signing.tf", "  region      = each.key\n", "  region      = var.home_region\n"))
globally("tokens for anybody open the pipeline", "PV-GLB-08", r"aws_iam_openid_connect_provider\.github",
         edit("global/delivery.tf", 'client_id_list = ["sts.amazonaws.com"]', 'client_id_list = ["https://example.com"]'))
globally("no firewall before the edge", "PV-GLB-09", r"aws_cloudfront_distribution\.this",
         edit("global/edge.tf", "  web_acl_id          = aws_wafv2_web_acl.edge.arn\n", ""))
globally("regions are watched without TLS", "PV-GLB-12", r"aws_route53_health_check\.region|^$",
         edit("global/dns.tf", '  type              = "HTTPS"\n', '  type              = "HTTP"\n'))
globally("nobody waits for the certificate", "PV-GLB-13", r"aws_acm_certificate\.edge",
         edit("global/certificates.tf", """resource "aws_acm_certificate_validation" "edge" {
  for_each = local.distribution
""", """resource "aws_acm_certificate_validation" "edge" {
  for_each = {}
"""),
         edit("global/edge.tf", 'aws_acm_certificate_validation.edge["this"].certificate_arn', "aws_acm_certificate.edge.arn"))
globally("nobody is told of the bill", "PV-GLB-14", r"^$", edit("global/budgets.tf", "  for_each = var.budgets\n", "  for_each = {}\n"))
globally("other regions do not find the global stack", "PV-GLB-15", r"^$",
         edit("global/publish.tf", "  region         = each.key\n", "  region         = var.home_region\n"))
globally("entries of the pipeline's journal may be replaced", "PV-GLB-17", r"aws_s3_bucket\.runs",
         edit("global/runs.tf", 'resources = ["${local.runs_arn}/${local.runs.prefix}/runs/??????/??????.json"]',
              'resources = ["${local.runs_arn}/other/runs/??????/??????.json"]'))
globally("the pipeline writes beyond its prefix", "PV-GLB-17", r"aws_iam_policy\.delivery",
         edit("global/delivery_policies.tf", 'Action = ["s3:AbortMultipartUpload", "s3:PutObject"], Resource = ["${local.runs_arn}/${local.runs.prefix}/*"]',
              'Action = ["s3:AbortMultipartUpload", "s3:PutObject"], Resource = ["${local.runs_arn}/*"]'))

# ---- names ----

globally("nothing is tagged", "PV-NAM-03", r".",
         edit("global/providers.tf", """  default_tags {
    tags = module.naming.tags
  }
""", ""))
region("functions do not tell their service", "PV-NAM-04", r"aws_lambda_function\.function",
       edit(f"{FUNCTION}/main.tf", "  tags = { Service = var.spec.service }\n", "  tags = {}\n"))
region("a name that any installation could have", "PV-NAM-01", r"aws_api_gateway_rest_api\.this",
       edit(f"{API}/api.tf", '  name        = "${var.context.prefix}-api"\n', '  name        = "api"\n'))
region("a name that is too long", "PV-NAM-02", r"aws_api_gateway_usage_plan\.",
       add(f"{API}/mutation_long.tf", """
resource "aws_api_gateway_usage_plan" "long" {
  name = "${var.context.prefix}-${join("-", range(400))}"
  tags = { Service = "api" }
}
"""))
region("a tenant in the plan", "PV-NAM-06", r"aws_api_gateway_api_key\.tenant", add(f"{API}/mutation_tenant.tf", """
resource "aws_api_gateway_api_key" "tenant" {
  name = "${var.context.prefix}-acme"
  tags = { Service = "api" }
}
"""))

# ---- secrets ----

region("a secret's value in the plan", "PV-SEC-01", r"aws_secretsmanager_secret_version\.plain", add(f"{SECURITY}/mutation_value.tf", """
resource "aws_secretsmanager_secret_version" "plain" {
  secret_id     = aws_secretsmanager_secret.this["token-signing-key"].id
  secret_string = "correct-horse-battery"
}
"""))
region("the administrator's password in the plan", "PV-SEC-02", r"aws_rds_cluster\.catalog",
       edit(f"{CATALOG}/cluster.tf", "  manage_master_user_password         = true\n  master_user_secret_kms_key_id       = var.keys.secrets\n",
            '  master_password                     = "correct-horse-battery"\n'))
region("a key of AWS in the plan", "PV-SEC-03", r"aws_ssm_parameter\.left", add(f"{SECURITY}/mutation_left.tf", """
resource "aws_ssm_parameter" "left" {
  name           = "${var.context.path}/left"
  type           = "String"
  insecure_value = "AKIAIOSFODNN7EXAMPLE"
  tags           = local.tags
}
"""))
region("an output prints a password", "PV-SEC-04", r"", add("region/mutation_output.tf", """
output "administrator_password" {
  value = "see the safe"
}
"""))
globally("the pepper stays at home", "PV-SEC-06", r"aws_secretsmanager_secret\.this",
         edit("global/secrets.tf", "    for_each = local.remote_regions\n\n    content {\n      region     = replica.key", "    for_each = []\n\n    content {\n      region     = replica.key"))
region("the signing key never rotates", "PV-SEC-07", r"aws_secretsmanager_secret\.this",
       edit(f"{SECURITY}/variables.tf", '    secrets      = optional(set(string), ["token-signing-key"])\n', "    secrets      = optional(set(string), [])\n"))
region("nobody says who reads a secret", "PV-SEC-05", r"aws_secretsmanager_secret\.this",
       edit(f"{SECURITY}/secrets.tf", """resource "aws_secretsmanager_secret_policy" "this" {
  for_each = local.secrets
""", """resource "aws_secretsmanager_secret_policy" "this" {
  for_each = {}
"""))
