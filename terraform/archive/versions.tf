terraform {
  required_version = ">= 1.10"

  # Which bucket, and in which region, is told by backend.hcl, an output of terraform/bootstrap.
  backend "s3" {
    key          = "archive.tfstate"
    encrypt      = true
    use_lockfile = true
  }

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}

provider "aws" {
  region = var.region

  default_tags {
    tags = { project = var.name }
  }
}
