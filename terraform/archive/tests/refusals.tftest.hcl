# Every validation refuses what it is there for.

mock_provider "aws" {}

variables {
  region = "eu-central-1"
}

run "a_name_that_no_bucket_may_have" {
  command = plan

  variables {
    name = "Rayhound"
  }

  expect_failures = [var.name]
}

run "a_zone_for_a_region" {
  command = plan

  variables {
    region = "eu-central-1a"
  }

  expect_failures = [var.region]
}
