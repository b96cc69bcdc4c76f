output "helm_values" {
  description = "The values for Helm that follow from all this: one YAML document, with no secret in it."
  value       = yamlencode(local.helm_values)
}

output "registry" {
  description = "Where the image is pushed to."
  value       = aws_ecr_repository.this.repository_url
}

output "cluster_name" {
  description = "The cluster's name, for aws eks update-kubeconfig."
  value       = var.name
}
