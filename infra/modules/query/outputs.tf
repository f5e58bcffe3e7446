output "functions" {
  description = "Output `functions` of module service."
  value       = module.service.functions
}

output "results" {
  description = "The bucket of large answers."
  value = {
    url    = "s3://${aws_s3_bucket.results.bucket}"
    bucket = aws_s3_bucket.results.bucket
    arn    = aws_s3_bucket.results.arn
  }
}
