# With the real provider: apply, change and destroy. tests/infra/test_modules.py runs it against the emulator.

run "made" {
  command = apply

  assert {
    condition     = output.vpc_cidr == "10.200.0.0/16" && output.subnets == 9 && output.groups == 7
    error_message = "AWS has ${output.vpc_cidr}, ${output.subnets} subnets, ${output.groups} groups; wanted are one subnet per tier and zone, six groups and the default one."
  }
  assert {
    condition     = length(output.network.vpc_endpoint_ids.interface) == length(jsondecode(file("../../../platform/network.json")).endpoints.interface)
    error_message = "Endpoints are those of network.json."
  }
}

run "again_without_a_change" {
  command = plan

  assert {
    condition     = output.network.vpc_id == run.made.network.vpc_id
    error_message = "A second plan would make another VPC."
  }
}

run "without_a_proxy" {
  command = apply

  variables {
    proxy = false
  }

  assert {
    condition     = output.network.vpc_id == run.made.network.vpc_id && output.network.security_group_ids == run.made.network.security_group_ids
    error_message = "Taking the proxy away changes flows, neither the VPC nor its groups."
  }
}
