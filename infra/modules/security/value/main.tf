variable "secret_id" {
  description = "ARN of the secret that gets a value."
  type        = string
  nullable    = false
}

variable "generation" {
  description = "One more makes a new value."
  type        = number
  nullable    = false
}

# Apart from the secret itself, because Terraform's mocked providers know no ephemeral resources: tests override this module.
ephemeral "aws_secretsmanager_random_password" "value" {
  password_length     = 64
  exclude_punctuation = true # 62 characters: 381 bits
}

resource "aws_secretsmanager_secret_version" "value" {
  secret_id                = var.secret_id
  secret_string_wo         = ephemeral.aws_secretsmanager_random_password.value.random_password
  secret_string_wo_version = var.generation
}

output "arn" {
  description = "ARN of the secret, known when it has its value."
  value       = var.secret_id
  depends_on  = [aws_secretsmanager_secret_version.value]
}
