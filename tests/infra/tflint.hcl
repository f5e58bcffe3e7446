# tflint with its rules for the language, all of them. Those for AWS are a plugin that no package registry carries; the provider itself,
# checkov and prism verify look at what they would.
plugin "terraform" {
  enabled = true
  preset  = "all"
}

# A module says what it holds by the names of its files, not by main.tf alone.
rule "terraform_standard_module_structure" {
  enabled = false
}

# A module says which provider it was written for, also where only the module that it is built on has resources.
rule "terraform_unused_required_providers" {
  enabled = false
}
