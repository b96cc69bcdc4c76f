# The parts that keep and read images, named as their service accounts are.
locals {
  parts = toset(["web-server", "consumer"])
}

data "aws_iam_policy_document" "pod_trust" {
  statement {
    actions = ["sts:AssumeRole", "sts:TagSession"]

    principals {
      type        = "Service"
      identifiers = ["pods.eks.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "archive" {
  # On the whole bucket, with no condition on a prefix: without this right S3 answers 403 for a missing key, not 404.
  statement {
    sid       = "TellWhatIsThere"
    actions   = ["s3:ListBucket"]
    resources = ["arn:aws:s3:::${var.archive_bucket}"]
  }

  statement {
    sid       = "KeepAndRead"
    actions   = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"]
    resources = ["arn:aws:s3:::${var.archive_bucket}/images/*"]
  }

  statement {
    sid       = "EncryptAndDecrypt"
    actions   = ["kms:GenerateDataKey", "kms:Decrypt"]
    resources = [var.archive_key_arn]
  }
}

resource "aws_iam_role" "part" {
  for_each = local.parts

  name               = "${var.name}-${each.key}"
  assume_role_policy = data.aws_iam_policy_document.pod_trust.json
}

resource "aws_iam_role_policy" "archive" {
  for_each = local.parts

  name   = "archive"
  role   = aws_iam_role.part[each.key].id
  policy = data.aws_iam_policy_document.archive.json
}
