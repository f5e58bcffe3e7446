# The catalog's database, its proxy, its names and its functions.
mock_provider "aws" {
  override_during = plan

  mock_resource "aws_lambda_function" {
    defaults = {
      arn     = "arn:aws:lambda:eu-west-1:111122223333:function:prism-dev-euw1-x"
      version = "1"
    }
  }
  mock_resource "aws_lambda_alias" {
    defaults = {
      arn        = "arn:aws:lambda:eu-west-1:111122223333:function:prism-dev-euw1-x:live"
      invoke_arn = "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-west-1:111122223333:function:prism-dev-euw1-x:live/invocations"
    }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::111122223333:role/prism-dev-euw1-fn-x" }
  }
  mock_resource "aws_sqs_queue" {
    defaults = {
      arn = "arn:aws:sqs:eu-west-1:111122223333:prism-dev-euw1-x-dead-letter"
      url = "https://sqs.eu-west-1.amazonaws.com/111122223333/prism-dev-euw1-x-dead-letter"
    }
  }
  mock_resource "aws_rds_cluster" {
    defaults = {
      cluster_resource_id = "cluster-ABCDEF"
      master_user_secret  = [{ kms_key_id = "k", secret_arn = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:rds!cluster-0f1e2d3c-AbCdEf", secret_status = "active" }]
      endpoint            = "prism-dev-euw1-catalog.cluster-x.eu-west-1.rds.amazonaws.com"
      reader_endpoint     = "prism-dev-euw1-catalog.cluster-ro-x.eu-west-1.rds.amazonaws.com"
      id                  = "prism-dev-euw1-catalog"
    }
  }
  mock_resource "aws_db_proxy" {
    defaults = {
      arn      = "arn:aws:rds:eu-west-1:111122223333:db-proxy:prx-0123456789abcdef0"
      endpoint = "prism-dev-euw1-catalog.proxy-x.eu-west-1.rds.amazonaws.com"
    }
  }
  mock_resource "aws_db_proxy_default_target_group" {
    defaults = { name = "default" }
  }
  mock_resource "aws_db_proxy_endpoint" {
    defaults = { endpoint = "prism-dev-euw1-catalog-reader.endpoint.proxy-x.eu-west-1.rds.amazonaws.com" }
  }
}

variables {
  platform = jsondecode(file("../../../platform/functions.json"))
  shards   = { s0 = {}, s1 = {} }

  context = {
    project     = "prism"
    environment = "dev"
    region      = "eu-west-1"
    code        = "euw1"
    partition   = "aws"
    dns_suffix  = "amazonaws.com"
    account_id  = "111122223333"
    prefix      = "prism-dev-euw1"
    path        = "/prism/dev/euw1"
    tags        = {}
  }

  artifacts = {
    ingest     = { sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", kind = "zip" }
    query      = { sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", kind = "image" }
    authorizer = { sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", kind = "zip" }
    keys       = { sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", kind = "zip" }
    audit      = { sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", kind = "zip" }
    workflows  = { sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", kind = "zip" }
    tenants    = { sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", kind = "zip" }
    catalog    = { sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", kind = "image" }
    schema     = { sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", kind = "image" }
  }

  runtime = {
    stores = {
      hot = {
        url             = "efs:///mnt/hot"
        mount_path      = "/mnt/hot"
        file_system_arn = "arn:aws:elasticfilesystem:eu-west-1:111122223333:file-system/fs-1"
        access_point_arns = {
          s0 = "arn:aws:elasticfilesystem:eu-west-1:111122223333:access-point/fsap-00000000000000000"
          s1 = "arn:aws:elasticfilesystem:eu-west-1:111122223333:access-point/fsap-11111111111111111"
        }
      }
      segments  = { url = "s3://prism-dev-euw1-segments", arn = "arn:aws:s3:::prism-dev-euw1-segments" }
      analytics = { url = "s3://prism-dev-euw1-analytics", arn = "arn:aws:s3:::prism-dev-euw1-analytics" }
      tables = {
        url = "dynamodb://prism-dev-"
        arns = {
          tenants     = "arn:aws:dynamodb:eu-west-1:111122223333:table/prism-dev-tenants"
          keys        = "arn:aws:dynamodb:eu-west-1:111122223333:table/prism-dev-keys"
          tenant_keys = "arn:aws:dynamodb:eu-west-1:111122223333:table/prism-dev-tenant_keys"
          audit       = "arn:aws:dynamodb:eu-west-1:111122223333:table/prism-dev-audit"
          audit_heads = "arn:aws:dynamodb:eu-west-1:111122223333:table/prism-dev-audit_heads"
          usage       = "arn:aws:dynamodb:eu-west-1:111122223333:table/prism-dev-usage"
          shards      = "arn:aws:dynamodb:eu-west-1:111122223333:table/prism-dev-shards"
          idempotency = "arn:aws:dynamodb:eu-west-1:111122223333:table/prism-dev-idempotency"
        }
        key_arns = ["arn:aws:kms:eu-west-1:111122223333:key/tables"]
      }
      meta = {
        url          = "postgresql://prism@proxy.euw1.dev.prism.internal:5432/prism"
        reader_url   = "postgresql://prism@reader.euw1.dev.prism.internal:5432/prism"
        connect_arns = ["arn:aws:rds-db:eu-west-1:111122223333:dbuser:prx-1/prism"]
      }
      secrets = {
        url  = "secretsmanager://prism/dev/euw1/"
        arns = { api_key_pepper = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:prism/dev/euw1/api-key-pepper-AbCdEf" }
      }
      parameters = { url = "ssm://prism/dev/euw1/config", arns = ["arn:aws:ssm:eu-west-1:111122223333:parameter/prism/dev/euw1/config", "arn:aws:ssm:eu-west-1:111122223333:parameter/prism/dev/euw1/config/*"] }
    }

    network = { subnet_ids = ["subnet-a", "subnet-b", "subnet-c"], security_group_ids = ["sg-1"] }
    keys = {
      data     = "arn:aws:kms:eu-west-1:111122223333:key/data"
      logs     = "arn:aws:kms:eu-west-1:111122223333:key/logs"
      secrets  = "arn:aws:kms:eu-west-1:111122223333:key/secrets"
      database = "arn:aws:kms:eu-west-1:111122223333:key/database"
    }
    boundary_arn            = "arn:aws:iam::111122223333:policy/prism-dev-euw1-boundary"
    tenant_access_role_arn  = "arn:aws:iam::111122223333:role/prism-dev-euw1-tenant"
    code_signing_config_arn = "arn:aws:lambda:eu-west-1:111122223333:code-signing-config:csc-0f6c334abcdea4d8b"
    artifact_bucket         = "prism-dev-euw1-artifacts-111122223333"
    image_registry          = "111122223333.dkr.ecr.eu-west-1.amazonaws.com/prism-dev"
    log_retention_days      = 30
    concurrency             = {}
    environment             = { PRISM_LOG_LEVEL = "debug" }
  }

  keys = {
    logs     = "arn:aws:kms:eu-west-1:111122223333:key/logs"
    secrets  = "arn:aws:kms:eu-west-1:111122223333:key/secrets"
    database = "arn:aws:kms:eu-west-1:111122223333:key/database"
  }
  log_retention_days = 30
  network = {
    azs                = ["eu-west-1a", "eu-west-1b", "eu-west-1c"]
    subnet_ids         = { data = ["subnet-a", "subnet-b", "subnet-c"] }
    security_group_ids = { proxy = "sg-proxy", cluster = "sg-cluster", schema = "sg-schema" }
    private_zone_id    = "Z123"
    private_zone_name  = "euw1.dev.prism.internal"
  }
}

run "the_cluster" {
  command = plan

  assert {
    condition = (
      aws_rds_cluster.catalog.storage_encrypted && aws_rds_cluster.catalog.kms_key_id == var.keys.database &&
      aws_rds_cluster.catalog.iam_database_authentication_enabled && aws_rds_cluster.catalog.manage_master_user_password &&
      aws_rds_cluster.catalog.master_user_secret_kms_key_id == var.keys.secrets && aws_rds_cluster.catalog.master_password == null &&
      !aws_rds_cluster.catalog.enable_http_endpoint
    )
    error_message = "Encrypted with its own key; IAM for users; the administrator's password is kept by RDS; no way past the network."
  }
  assert {
    condition = (
      aws_rds_cluster.catalog.backup_retention_period == 7 && aws_rds_cluster.catalog.deletion_protection && aws_rds_cluster.catalog.copy_tags_to_snapshot &&
      !aws_rds_cluster.catalog.skip_final_snapshot && aws_rds_cluster.catalog.final_snapshot_identifier == "prism-dev-euw1-catalog-last"
    )
    error_message = "It can be had back as of any second of a week, and is not deleted by mistake."
  }
  assert {
    condition     = { for key, i in aws_rds_cluster_instance.catalog : key => i.availability_zone } == { "1" = "eu-west-1a", "2" = "eu-west-1b" }
    error_message = "Writer and reader are in different zones."
  }
  assert {
    condition = alltrue([for i in aws_rds_cluster_instance.catalog :
      i.instance_class == "db.serverless" && !i.publicly_accessible && i.performance_insights_enabled && i.performance_insights_kms_key_id == var.keys.database && i.monitoring_interval == 60
    ])
    error_message = "Serverless, private, watched."
  }
  assert {
    condition     = one([for p in aws_rds_cluster_parameter_group.catalog.parameter : p.value if p.name == "rds.force_ssl"]) == "1"
    error_message = "TLS is forced."
  }
  assert {
    condition     = aws_rds_cluster.catalog.enabled_cloudwatch_logs_exports == toset([for name in keys(aws_cloudwatch_log_group.cluster) : name]) && alltrue([for g in aws_cloudwatch_log_group.cluster : g.kms_key_id == var.keys.logs && g.retention_in_days == 30])
    error_message = "Each exported log has its group, encrypted and with a retention."
  }
  assert {
    condition     = aws_rds_cluster.catalog.serverlessv2_scaling_configuration[0].min_capacity == 0.5 && aws_rds_cluster.catalog.serverlessv2_scaling_configuration[0].max_capacity == 16
    error_message = "It scales between its bounds."
  }
}

run "the_proxy" {
  command = plan

  assert {
    condition = (
      aws_db_proxy.catalog["this"].require_tls && aws_db_proxy.catalog["this"].default_auth_scheme == "IAM_AUTH" && length(aws_db_proxy.catalog["this"].auth) == 0 &&
      !aws_db_proxy.catalog["this"].debug_logging && aws_db_proxy.catalog["this"].vpc_security_group_ids == toset(["sg-proxy"]) &&
      aws_rds_cluster.catalog.vpc_security_group_ids == toset(["sg-cluster"])
    )
    error_message = "TLS and IAM from end to end, without a secret."
  }
  assert {
    condition = (
      aws_db_proxy_default_target_group.catalog["this"].connection_pool_config[0].max_connections_percent == 90 &&
      aws_db_proxy_default_target_group.catalog["this"].connection_pool_config[0].connection_borrow_timeout == 5 &&
      aws_db_proxy_endpoint.reader["this"].target_role == "READ_ONLY"
    )
    error_message = "The pool leaves connections to others, and readers have an endpoint."
  }
  assert {
    condition = jsondecode(aws_iam_role_policy.proxy["this"].policy).Statement == [{
      Sid = "Connect", Effect = "Allow", Action = ["rds-db:connect"], Resource = [for user in ["catalog", "ingest", "query", "storage"] : "arn:aws:rds-db:eu-west-1:111122223333:dbuser:cluster-ABCDEF/prism_${user}"]
    }]
    error_message = "The proxy connects as the functions' users, to one cluster."
  }
  assert {
    condition = output.meta == {
      url          = "postgresql://prism_{function}@proxy.euw1.dev.prism.internal:5432/prism?iam=1"
      reader_url   = "postgresql://prism_{function}@reader.euw1.dev.prism.internal:5432/prism?iam=1"
      connect_arns = ["arn:aws:rds-db:eu-west-1:111122223333:dbuser:prx-0123456789abcdef0/prism_{function}"]
    }
    error_message = "Functions connect to the proxy: ${jsonencode(output.meta)}"
  }
  assert {
    condition = { for key, r in aws_route53_record.catalog : r.name => r.records } == {
      "proxy.euw1.dev.prism.internal"  = toset(["prism-dev-euw1-catalog.proxy-x.eu-west-1.rds.amazonaws.com"])
      "reader.euw1.dev.prism.internal" = toset(["prism-dev-euw1-catalog-reader.endpoint.proxy-x.eu-west-1.rds.amazonaws.com"])
    }
    error_message = "The private names lead to the proxy."
  }
}

run "readers_that_scale" {
  command = plan

  assert {
    condition = (
      aws_appautoscaling_target.readers["this"].min_capacity == 1 && aws_appautoscaling_target.readers["this"].max_capacity == 4 &&
      aws_appautoscaling_target.readers["this"].resource_id == "cluster:prism-dev-euw1-catalog"
    )
    error_message = "Between one and four."
  }
  assert {
    condition = { for key, p in aws_appautoscaling_policy.readers : p.target_tracking_scaling_policy_configuration[0].predefined_metric_specification[0].predefined_metric_type => p.target_tracking_scaling_policy_configuration[0].target_value } == {
      RDSReaderAverageCPUUtilization      = 60
      RDSReaderAverageDatabaseConnections = 1200
    }
    error_message = "By CPU, and by 60 % of the 2000 connections that an instance takes whose least is 0.5 ACU."
  }
}

run "connections_follow_memory" {
  command = plan

  variables {
    database = { capacity_min = 1, capacity_max = 4 }
  }

  assert {
    condition     = aws_appautoscaling_policy.readers["connections"].target_tracking_scaling_policy_configuration[0].target_value == 540
    error_message = "4 ACU are 8 GiB: 901 connections, of which 60 % are 540."
  }
}

run "development_sleeps" {
  command = plan

  variables {
    database = { capacity_min = 0, capacity_max = 2, readers_min = 0, readers_max = 1, proxy = false, backup_days = 1, deletion_protection = false }
  }

  assert {
    condition     = aws_rds_cluster.catalog.serverlessv2_scaling_configuration[0].min_capacity == 0 && aws_rds_cluster.catalog.serverlessv2_scaling_configuration[0].seconds_until_auto_pause == 900
    error_message = "It pauses."
  }
  assert {
    condition     = length(aws_db_proxy.catalog) + length(aws_db_proxy_endpoint.reader) + length(aws_appautoscaling_target.readers) + length(aws_cloudwatch_log_group.proxy) == 0 && output.proxy_name == null && length(aws_rds_cluster_instance.catalog) == 1
    error_message = "Nothing keeps it awake."
  }
  assert {
    condition = (
      output.meta.connect_arns == ["arn:aws:rds-db:eu-west-1:111122223333:dbuser:cluster-ABCDEF/prism_{function}"] &&
      aws_route53_record.catalog["proxy"].records == toset(["prism-dev-euw1-catalog.cluster-x.eu-west-1.rds.amazonaws.com"]) &&
      aws_route53_record.catalog["reader"].records == toset(["prism-dev-euw1-catalog.cluster-ro-x.eu-west-1.rds.amazonaws.com"])
    )
    error_message = "The same names lead to the cluster."
  }
  assert {
    condition     = aws_rds_cluster.catalog.skip_final_snapshot && aws_rds_cluster.catalog.apply_immediately
    error_message = "And it can be thrown away."
  }
}

run "the_functions" {
  command = plan

  assert {
    condition     = keys(output.functions) == ["catalog", "schema"] && keys(output.functions.catalog) == ["s0", "s1"]
    error_message = "catalog exists once per shard, schema once."
  }
  assert {
    condition = local.extra.schema.environment == {
      PRISM_META_URL      = "postgresql://prism_admin@prism-dev-euw1-catalog.cluster-x.eu-west-1.rds.amazonaws.com:5432/prism?sslrootcert=/var/task/rds.pem"
      PRISM_SCHEMA_SECRET = "rds!cluster-0f1e2d3c"
      PRISM_SCHEMA_USERS  = "prism_catalog=read-write,prism_ingest=read,prism_query=read,prism_storage=read-write"
    }
    error_message = "schema signs in as the administrator, past the proxy, and makes a user for each function: ${jsonencode(local.extra.schema.environment)}"
  }
  assert {
    condition     = keys(local.extra) == ["schema"] && local.extra.schema.security_group_ids == ["sg-schema"]
    error_message = "Nobody but schema owns the database."
  }
}

run "a_proxy_over_a_cluster_that_pauses" {
  command = plan

  variables {
    database = { capacity_min = 0 }
  }

  expect_failures = [var.database]
}

run "a_capacity_in_quarters" {
  command = plan

  variables {
    database = { capacity_min = 0.75 }
  }

  expect_failures = [var.database]
}

run "a_least_above_the_most" {
  command = plan

  variables {
    database = { capacity_min = 8, capacity_max = 4 }
  }

  expect_failures = [var.database]
}

run "more_capacity_than_aurora_has" {
  command = plan

  variables {
    database = { capacity_max = 257 }
  }

  expect_failures = [var.database]
}

run "a_pause_that_is_too_short" {
  command = plan

  variables {
    database = { pause_after_s = 60 }
  }

  expect_failures = [var.database]
}

run "more_readers_than_aurora_takes" {
  command = plan

  variables {
    database = { readers_max = 16 }
  }

  expect_failures = [var.database]
}

run "fewer_readers_at_most_than_at_least" {
  command = plan

  variables {
    database = { readers_min = 3, readers_max = 2 }
  }

  expect_failures = [var.database]
}

run "no_backups" {
  command = plan

  variables {
    database = { backup_days = 0 }
  }

  expect_failures = [var.database]
}

run "another_major_version" {
  command = plan

  variables {
    database = { engine_version = "17.4" }
  }

  expect_failures = [var.database]
}

run "a_version_that_cannot_pause" {
  command = plan

  variables {
    database = { engine_version = "16.2" }
  }

  expect_failures = [var.database]
}

run "production_without_a_proxy" {
  command = plan

  variables {
    context = {
      project     = "prism"
      environment = "prod"
      region      = "eu-west-1"
      code        = "euw1"
      partition   = "aws"
      dns_suffix  = "amazonaws.com"
      account_id  = "111122223333"
      prefix      = "prism-prod-euw1"
      path        = "/prism/prod/euw1"
      tags        = {}
    }
    database = { proxy = false }
  }

  expect_failures = [var.database]
}

run "production_in_one_zone" {
  command = plan

  variables {
    context = {
      project     = "prism"
      environment = "prod"
      region      = "eu-west-1"
      code        = "euw1"
      partition   = "aws"
      dns_suffix  = "amazonaws.com"
      account_id  = "111122223333"
      prefix      = "prism-prod-euw1"
      path        = "/prism/prod/euw1"
      tags        = {}
    }
    database = { readers_min = 0 }
  }

  expect_failures = [var.database]
}

run "production_without_protection" {
  command = plan

  variables {
    context = {
      project     = "prism"
      environment = "prod"
      region      = "eu-west-1"
      code        = "euw1"
      partition   = "aws"
      dns_suffix  = "amazonaws.com"
      account_id  = "111122223333"
      prefix      = "prism-prod-euw1"
      path        = "/prism/prod/euw1"
      tags        = {}
    }
    database = { deletion_protection = false }
  }

  expect_failures = [var.database]
}

run "production_with_a_day_of_backups" {
  command = plan

  variables {
    context = {
      project     = "prism"
      environment = "prod"
      region      = "eu-west-1"
      code        = "euw1"
      partition   = "aws"
      dns_suffix  = "amazonaws.com"
      account_id  = "111122223333"
      prefix      = "prism-prod-euw1"
      path        = "/prism/prod/euw1"
      tags        = {}
    }
    database = { backup_days = 1 }
  }

  expect_failures = [var.database]
}

run "two_zones" {
  command = plan

  variables {
    network = {
      azs                = ["eu-west-1a", "eu-west-1b"]
      subnet_ids         = { data = ["subnet-a", "subnet-b"] }
      security_group_ids = { proxy = "sg-proxy", cluster = "sg-cluster", schema = "sg-schema" }
      private_zone_id    = "Z123"
      private_zone_name  = "euw1.dev.prism.internal"
    }
  }

  expect_failures = [var.network]
}

run "a_retention_that_cloudwatch_does_not_have" {
  command = plan

  variables {
    log_retention_days = 31
  }

  expect_failures = [var.log_retention_days]
}
