output "backend" {
  description = "The file backend.hcl, with which the other roots find their state."
  value       = <<-EOT
    bucket = "${aws_s3_bucket.state.bucket}"
    region = "${var.region}"
  EOT
}
