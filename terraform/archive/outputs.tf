output "bucket" {
  description = "The bucket's name: the cluster's variable archive_bucket."
  value       = aws_s3_bucket.archive.bucket
}

output "key_arn" {
  description = "The ARN of the bucket's key: the cluster's variable archive_key_arn."
  value       = aws_kms_key.archive.arn
}
