# The archive's own key, in a state of its own: no `destroy` of a cluster can make kept images unreadable.
resource "aws_kms_key" "archive" {
  #checkov:skip=CKV2_AWS_64:AWS's default key policy is meant, by which IAM alone decides
  description             = "Encrypts the images of ${var.name}"
  enable_key_rotation     = true
  deletion_window_in_days = 30

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_kms_alias" "archive" {
  name          = "alias/${var.name}-archive"
  target_key_id = aws_kms_key.archive.key_id
}
