terraform {
  required_version = ">= 1.11"

  # Nothing here is of this provider's itself; but only through a module that names it does `terraform test` hand a mocked one down.
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.34.0, < 7.0.0"
    }
  }
}
