data "aws_caller_identity" "this" {}

# With the account and the region in it the name is free in all of AWS.
resource "aws_s3_bucket" "state" {
  #checkov:skip=CKV_AWS_18:who read what is CloudTrail's to tell, if the account wants its data events
  #checkov:skip=CKV2_AWS_62:nobody waits for events of the bucket
  #checkov:skip=CKV_AWS_144:S3 keeps three zones; without its region the state describes nothing
  bucket = "${var.name}-state-${data.aws_caller_identity.this.account_id}-${var.region}"

  lifecycle {
    prevent_destroy = true # without its state nothing can be changed or removed by Terraform any more
  }
}

resource "aws_s3_bucket_versioning" "state" {
  bucket = aws_s3_bucket.state.id

  versioning_configuration {
    status = "Enabled"
  }
}

# AWS's own key for S3: losing a key of ours would lose the state.
resource "aws_s3_bucket_server_side_encryption_configuration" "state" {
  bucket = aws_s3_bucket.state.id

  rule {
    bucket_key_enabled = true

    apply_server_side_encryption_by_default {
      sse_algorithm = "aws:kms"
    }
  }
}

resource "aws_s3_bucket_public_access_block" "state" {
  bucket                  = aws_s3_bucket.state.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_lifecycle_configuration" "state" {
  bucket = aws_s3_bucket.state.id

  rule {
    id     = "old-states"
    status = "Enabled"
    filter {}

    noncurrent_version_expiration {
      noncurrent_days = 90
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }
}
