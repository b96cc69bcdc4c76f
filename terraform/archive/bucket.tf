data "aws_caller_identity" "this" {}

# With the account and the region in it the name is free in all of AWS.
resource "aws_s3_bucket" "archive" {
  #checkov:skip=CKV_AWS_18:who read what is CloudTrail's to tell, if the account wants its data events
  #checkov:skip=CKV2_AWS_62:nobody waits for events of the bucket: RabbitMQ carries the requests
  #checkov:skip=CKV_AWS_144:S3 keeps three zones; a copy in another region is another archive, to be wanted and paid for
  bucket = "${var.name}-archive-${data.aws_caller_identity.this.account_id}-${var.region}"

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_s3_bucket_versioning" "archive" {
  bucket = aws_s3_bucket.archive.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "archive" {
  bucket = aws_s3_bucket.archive.id

  rule {
    bucket_key_enabled = true # one call to KMS for many objects, not one for each

    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = aws_kms_key.archive.arn
    }
  }
}

resource "aws_s3_bucket_public_access_block" "archive" {
  bucket                  = aws_s3_bucket.archive.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}
