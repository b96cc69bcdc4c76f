# The document for Helm, in each of its three shapes.

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

run "plain" {
  assert {
    condition = yamldecode(output.helm_values) == {
      rabbitmq = { enabled = true }
      web-server = {
        image          = { repository = output.registry, tag = "4f2a9c1" }
        archive        = { url = "s3://rayhound-archive-123456789012-eu-central-1/images", region = "eu-central-1" }
        rabbitmq       = { host = "rabbitmq", port = 5672, tls = false, existingSecret = "rabbitmq-auth" }
        serviceAccount = { name = "web-server" }
        networkPolicy  = { from = [{ ipBlock = { cidr = "10.0.0.0/16" } }] }
      }
      consumer = {
        image          = { repository = output.registry, tag = "4f2a9c1" }
        archive        = { url = "s3://rayhound-archive-123456789012-eu-central-1/images", region = "eu-central-1" }
        rabbitmq       = { host = "rabbitmq", port = 5672, tls = false, existingSecret = "rabbitmq-auth" }
        serviceAccount = { name = "consumer" }
      }
    }
    error_message = "Helm is told something else:\n${output.helm_values}"
  }
}

run "amazon_mq" {
  variables {
    amazon_mq   = true
    mq_password = "correct-horse-battery"
  }

  assert {
    condition     = yamldecode(output.helm_values).rabbitmq == { enabled = false }
    error_message = "With Amazon MQ there is no RabbitMQ in the cluster."
  }

  assert {
    condition = yamldecode(output.helm_values).web-server.rabbitmq == {
      host = "b-1234.mq.eu-central-1.on.aws", port = 5671, tls = true, existingSecret = "rabbitmq-auth"
    }
    error_message = "The web server is not told where Amazon MQ is:\n${output.helm_values}"
  }

  assert {
    condition = yamldecode(output.helm_values).consumer.rabbitmq == {
      host          = "b-1234.mq.eu-central-1.on.aws", port = 5671, tls = true, existingSecret = "rabbitmq-auth"
      managementUrl = "https://b-1234.mq.eu-central-1.on.aws:443"
    }
    error_message = "The consumer is not told where Amazon MQ is:\n${output.helm_values}"
  }

  assert {
    condition     = yamldecode(output.helm_values).consumer.keda == { pollingSeconds = 60 }
    error_message = "KEDA asks Amazon MQ more often than it counts."
  }

  assert {
    condition = (
      yamldecode(output.helm_values).web-server.networkPolicy.brokers == [{ ipBlock = { cidr = "10.0.0.0/16" } }] &&
      yamldecode(output.helm_values).consumer.networkPolicy == { brokers = [{ ipBlock = { cidr = "10.0.0.0/16" } }] }
    )
    error_message = "The parts are not let out to Amazon MQ:\n${output.helm_values}"
  }

  assert {
    condition     = !strcontains(output.helm_values, "correct-horse-battery")
    error_message = "The password is in the document for Helm."
  }
}

run "ingress" {
  variables {
    certificate_arn = "arn:aws:acm:eu-central-1:123456789012:certificate/1234"
    hosts           = ["images.example.com"]
    ingress_scheme  = "internet-facing"
    inbound_cidrs   = ["192.0.2.0/24", "198.51.100.0/24"]
  }

  assert {
    condition = yamldecode(output.helm_values).web-server.ingress == {
      enabled = true
      hosts   = ["images.example.com"]
      annotations = {
        "alb.ingress.kubernetes.io/certificate-arn" = "arn:aws:acm:eu-central-1:123456789012:certificate/1234"
        "alb.ingress.kubernetes.io/scheme"          = "internet-facing"
        "alb.ingress.kubernetes.io/inbound-cidrs"   = "192.0.2.0/24,198.51.100.0/24"
      }
    }
    error_message = "The load balancer is described otherwise:\n${output.helm_values}"
  }
}
