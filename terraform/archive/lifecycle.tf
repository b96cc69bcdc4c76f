# Where rules overlap, S3 follows the one that removes sooner.
resource "aws_s3_bucket_lifecycle_configuration" "archive" {
  bucket = aws_s3_bucket.archive.id

  # Facts and markers stay where they are: the colder classes bill at least 128 KB for each object.
  transition_default_minimum_object_size = "all_storage_classes_128K"

  # Parts of a killed upload are in no listing, and are billed.
  rule {
    id     = "what-nobody-sees"
    status = "Enabled"
    filter {}

    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }

    noncurrent_version_expiration {
      noncurrent_days = 30 # so long can a removed image be brought back
    }

    expiration {
      expired_object_delete_marker = true
    }
  }

  # Each image leaves a marker here that is deleted within seconds.
  rule {
    id     = "outbox"
    status = "Enabled"

    filter {
      prefix = "images/outbox/"
    }

    noncurrent_version_expiration {
      noncurrent_days = 1
    }
  }

  # Written and deleted every few seconds to see that the bucket is well; a killed process leaves one over.
  rule {
    id     = "probes"
    status = "Enabled"

    filter {
      prefix = "images/.probe/"
    }

    expiration {
      days = 1
    }

    noncurrent_version_expiration {
      noncurrent_days = 1
    }
  }

  # An Idempotency-Key is remembered for a day.
  rule {
    id     = "keys"
    status = "Enabled"

    filter {
      prefix = "images/keys/"
    }

    expiration {
      days = 2
    }
  }

  # Both classes answer at once, as every image must.
  rule {
    id     = "images-nobody-asks-for"
    status = "Enabled"
    filter {}

    transition {
      days          = 30
      storage_class = "STANDARD_IA"
    }

    transition {
      days          = 120
      storage_class = "GLACIER_IR"
    }
  }

  depends_on = [aws_s3_bucket_versioning.archive] # rules for old versions need versions
}
