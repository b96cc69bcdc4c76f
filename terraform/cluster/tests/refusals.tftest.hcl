# Every validation refuses what it is there for.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  region          = "eu-central-1"
  administrators  = ["arn:aws:iam::123456789012:role/operators"]
  archive_bucket  = "rayhound-archive-123456789012-eu-central-1"
  archive_key_arn = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"
  image_tag       = "4f2a9c1"
  budget_email    = "operators@example.com"
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

run "a_namespace_with_capitals" {
  command = plan

  variables {
    namespace = "Rayhound"
  }

  expect_failures = [var.namespace]
}

run "a_network_too_small_for_pods" {
  command = plan

  variables {
    vpc_cidr = "10.0.0.0/20"
  }

  expect_failures = [var.vpc_cidr]
}

run "a_patch_version" {
  command = plan

  variables {
    kubernetes_version = "1.35.2"
  }

  expect_failures = [var.kubernetes_version]
}

run "an_api_for_the_whole_internet" {
  command = plan

  variables {
    api_public_cidrs = ["203.0.113.7/32", "0.0.0.0/0"]
  }

  expect_failures = [var.api_public_cidrs]
}

run "an_api_for_half_of_the_internet" {
  command = plan

  variables {
    api_public_cidrs = ["0.0.0.0/1"]
  }

  expect_failures = [var.api_public_cidrs]
}

run "no_administrator" {
  command = plan

  variables {
    administrators = []
  }

  expect_failures = [var.administrators]
}

run "a_session_as_administrator" {
  command = plan

  variables {
    administrators = ["arn:aws:sts::123456789012:assumed-role/operators/ada"]
  }

  expect_failures = [var.administrators]
}

run "a_bucket_with_its_scheme" {
  command = plan

  variables {
    archive_bucket = "s3://rayhound-archive"
  }

  expect_failures = [var.archive_bucket]
}

run "an_alias_for_a_key" {
  command = plan

  variables {
    archive_key_arn = "arn:aws:kms:eu-central-1:123456789012:alias/rayhound-archive"
  }

  expect_failures = [var.archive_key_arn]
}

run "the_tag_latest" {
  command = plan

  variables {
    image_tag = "latest"
  }

  expect_failures = [var.image_tag]
}

run "the_user_guest" {
  command = plan

  variables {
    mq_username = "guest"
  }

  expect_failures = [var.mq_username]
}

run "no_password_for_amazon_mq" {
  command = plan

  variables {
    amazon_mq = true
  }

  expect_failures = [var.mq_password]
}

run "a_password_of_three_characters" {
  command = plan

  variables {
    amazon_mq   = true
    mq_password = "abcabcabcabc"
  }

  expect_failures = [var.mq_password]
}

run "a_password_with_a_colon" {
  command = plan

  variables {
    amazon_mq   = true
    mq_password = "correct:horse:battery"
  }

  expect_failures = [var.mq_password]
}

run "a_machine_on_which_rabbitmq_4_does_not_run" {
  command = plan

  variables {
    mq_instance_type = "mq.m5.large"
  }

  expect_failures = [var.mq_instance_type]
}

run "a_certificate_by_its_name" {
  command = plan

  variables {
    certificate_arn = "images.example.com"
    hosts           = ["images.example.com"]
  }

  expect_failures = [var.certificate_arn]
}

run "hosts_without_a_certificate" {
  command = plan

  variables {
    hosts = ["images.example.com"]
  }

  expect_failures = [var.hosts]
}

run "a_certificate_without_hosts" {
  command = plan

  variables {
    certificate_arn = "arn:aws:acm:eu-central-1:123456789012:certificate/1234"
  }

  expect_failures = [var.hosts]
}

run "a_scheme_that_is_none" {
  command = plan

  variables {
    ingress_scheme = "public"
    inbound_cidrs  = ["192.0.2.0/24"]
  }

  expect_failures = [var.ingress_scheme]
}

run "uploads_from_the_whole_internet" {
  command = plan

  variables {
    ingress_scheme = "internet-facing"
    inbound_cidrs  = ["0.0.0.0/0"]
  }

  expect_failures = [var.inbound_cidrs]
}

run "uploads_from_anybody" {
  command = plan

  variables {
    ingress_scheme = "internet-facing"
  }

  expect_failures = [var.inbound_cidrs]
}

run "a_budget_of_nothing" {
  command = plan

  variables {
    budget_usd = 0
  }

  expect_failures = [var.budget_usd]
}

run "nobody_to_tell_of_costs" {
  command = plan

  variables {
    budget_email = "operators"
  }

  expect_failures = [var.budget_email]
}
