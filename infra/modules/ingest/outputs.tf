output "functions" {
  description = "Output `functions` of module service."
  value       = module.service.functions
}
