# One image for both parts. A tag that was pushed is never pushed again, so what runs is what was built.
resource "aws_ecr_repository" "this" {
  #checkov:skip=CKV_AWS_136:ECR encrypts by itself; the image holds no secrets that a key of ours could guard
  name                 = var.name
  image_tag_mutability = "IMMUTABLE"
  force_delete         = true # images are built anew from the code, so they are no reason to keep the cluster

  image_scanning_configuration {
    scan_on_push = true
  }
}

resource "aws_ecr_lifecycle_policy" "this" {
  repository = aws_ecr_repository.this.name

  policy = jsonencode({
    rules = [
      {
        rulePriority = 1
        description  = "What lost its tag goes after a week"
        selection    = { tagStatus = "untagged", countType = "sinceImagePushed", countUnit = "days", countNumber = 7 }
        action       = { type = "expire" }
      },
      {
        rulePriority = 2
        description  = "Fifty builds to go back to"
        selection    = { tagStatus = "any", countType = "imageCountMoreThan", countNumber = 50 }
        action       = { type = "expire" }
      },
    ]
  })
}
