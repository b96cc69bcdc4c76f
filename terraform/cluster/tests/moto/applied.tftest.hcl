# Everything but EKS is really made, in moto's server that plays AWS, and removed again. What moto does not know of EKS is
# overridden, and so is the budget, whose subscribers moto does not tell.

# Where moto listens is told by AWS_ENDPOINT_URL, as any program that speaks to AWS is told. Without it AWS itself is
# asked, and knows no such keys.
provider "aws" {
  region      = "eu-central-1"
  access_key  = "nobody"
  secret_key  = "nobody"
  max_retries = 1
}

override_resource {
  target = aws_eks_cluster.this
}

override_resource {
  target = aws_eks_addon.metrics_server
}

override_resource {
  target = aws_eks_access_entry.administrator
}

override_resource {
  target = aws_eks_access_policy_association.administrator
}

override_resource {
  target = aws_eks_pod_identity_association.part
}

override_resource {
  target = aws_budgets_budget.this
}

variables {
  region          = "eu-central-1"
  administrators  = ["arn:aws:iam::123456789012:role/operators"]
  archive_bucket  = "rayhound-archive-123456789012-eu-central-1"
  archive_key_arn = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"
  image_tag       = "4f2a9c1"
  budget_email    = "operators@example.com"
}

run "applied" {
  # Exactly what the parts need, on exactly this bucket and this key.
  assert {
    condition = alltrue([for part in ["web-server", "consumer"] : jsondecode(aws_iam_role_policy.archive[part].policy) == {
      Version = "2012-10-17"
      Statement = [
        {
          Sid      = "TellWhatIsThere"
          Effect   = "Allow"
          Action   = "s3:ListBucket"
          Resource = "arn:aws:s3:::rayhound-archive-123456789012-eu-central-1"
        },
        {
          Sid      = "KeepAndRead"
          Effect   = "Allow"
          Action   = ["s3:PutObject", "s3:GetObject", "s3:DeleteObject", "s3:AbortMultipartUpload"]
          Resource = "arn:aws:s3:::rayhound-archive-123456789012-eu-central-1/images/*"
        },
        {
          Sid      = "EncryptAndDecrypt"
          Effect   = "Allow"
          Action   = ["kms:GenerateDataKey", "kms:Decrypt"]
          Resource = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"
        },
      ]
    }])
    error_message = "The parts may do something else with the archive:\n${aws_iam_role_policy.archive["consumer"].policy}"
  }

  assert {
    condition = alltrue([for part in ["web-server", "consumer"] : jsondecode(aws_iam_role.part[part].assume_role_policy) == {
      Version = "2012-10-17"
      Statement = [{
        Effect    = "Allow"
        Action    = ["sts:TagSession", "sts:AssumeRole"]
        Principal = { Service = "pods.eks.amazonaws.com" }
      }]
    }])
    error_message = "Others than pods can take the parts' roles:\n${aws_iam_role.part["consumer"].assume_role_policy}"
  }

  assert {
    condition = {
      for part, association in aws_eks_pod_identity_association.part :
      part => [association.namespace, association.service_account, association.role_arn]
      } == {
      for part, role in aws_iam_role.part : part => ["rayhound", part, role.arn]
    }
    error_message = "A service account has another's role."
  }

  assert {
    condition     = length(aws_default_security_group.empty.ingress) == 0 && length(aws_default_security_group.empty.egress) == 0
    error_message = "The default security group lets something through."
  }

  assert {
    condition     = aws_eks_cluster.this.vpc_config[0].endpoint_public_access == false
    error_message = "The cluster's API answers on the internet without having been told to."
  }

  assert {
    condition     = length(aws_nat_gateway.this) == 1 && length(distinct([for route in aws_route.nat : route.nat_gateway_id])) == 1
    error_message = "The zones do not share one NAT gateway."
  }
}

run "with_everything" {
  variables {
    nat_per_zone     = true
    amazon_mq        = true
    mq_password      = "correct-horse-battery"
    api_public_cidrs = ["203.0.113.7/32"]
  }

  assert {
    condition     = length(distinct([for route in aws_route.nat : route.nat_gateway_id])) == 3
    error_message = "The zones do not have a NAT gateway each."
  }

  assert {
    condition     = length(aws_mq_broker.this[0].subnet_ids) == 3 && !aws_mq_broker.this[0].publicly_accessible
    error_message = "Amazon MQ is not in three zones, or not in them alone."
  }

  assert {
    condition = (
      [for port, rule in aws_vpc_security_group_ingress_rule.broker : rule.cidr_ipv4] == ["10.0.0.0/16", "10.0.0.0/16"] &&
      keys(aws_vpc_security_group_ingress_rule.broker) == ["443", "5671"]
    )
    error_message = "Amazon MQ lets in others than the network, or at other ports than 443 and 5671."
  }

  assert {
    condition     = aws_eks_cluster.this.vpc_config[0].public_access_cidrs == toset(["203.0.113.7/32"])
    error_message = "The cluster's API answers elsewhere than where it was told to."
  }
}
