# In Auto Mode AWS runs what a cluster needs besides its control plane: nodes that come and go with the pods, load
# balancers, disks, DNS, the network of pods and the agent that gives them their roles.
resource "aws_eks_cluster" "this" {
  name     = var.name
  version  = var.kubernetes_version
  role_arn = aws_iam_role.cluster.arn

  enabled_cluster_log_types     = ["api", "audit", "authenticator", "controllerManager", "scheduler"]
  bootstrap_self_managed_addons = false # Auto Mode has its own

  access_config {
    authentication_mode                         = "API"
    bootstrap_cluster_creator_admin_permissions = false # administrators names everybody
  }

  vpc_config {
    subnet_ids              = [for subnet in aws_subnet.private : subnet.id]
    security_group_ids      = [aws_security_group.api.id]
    endpoint_private_access = true
    endpoint_public_access  = length(var.api_public_cidrs) > 0
    public_access_cidrs     = length(var.api_public_cidrs) > 0 ? var.api_public_cidrs : null
  }

  encryption_config {
    resources = ["secrets"]

    provider {
      key_arn = aws_kms_key.cluster.arn
    }
  }

  compute_config {
    enabled       = true
    node_pools    = ["general-purpose", "system"]
    node_role_arn = aws_iam_role.node.arn
  }

  kubernetes_network_config {
    elastic_load_balancing {
      enabled = true
    }
  }

  storage_config {
    block_storage {
      enabled = true
    }
  }

  # A version that is out of support is upgraded by AWS, not billed sixfold.
  upgrade_policy {
    support_type = "STANDARD"
  }

  # Without its role's rights the cluster could not remove what it made; without the group AWS would make one of its own.
  depends_on = [
    aws_iam_role_policy_attachment.cluster,
    aws_iam_role_policy_attachment.node,
    aws_cloudwatch_log_group.cluster,
  ]
}

# EKS's own group lets nodes and pods alone reach the API inside the network.
resource "aws_security_group" "api" {
  name        = "${var.name}-api"
  description = "Who reaches the API of the cluster inside the network"
  vpc_id      = aws_vpc.this.id

  tags = { Name = "${var.name}-api" }
}

resource "aws_vpc_security_group_ingress_rule" "api" {
  description       = "From the network, and what is connected to it by way of it"
  security_group_id = aws_security_group.api.id
  cidr_ipv4         = var.vpc_cidr
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

# The HorizontalPodAutoscaler of the web servers asks it for their CPU.
resource "aws_eks_addon" "metrics_server" {
  cluster_name = aws_eks_cluster.this.name
  addon_name   = "metrics-server"
}

resource "aws_kms_key" "cluster" {
  #checkov:skip=CKV2_AWS_64:AWS's default key policy is meant, by which IAM alone decides
  description             = "Encrypts the Kubernetes Secrets of ${var.name}"
  enable_key_rotation     = true
  deletion_window_in_days = 30
}

resource "aws_kms_alias" "cluster" {
  name          = "alias/${var.name}-cluster"
  target_key_id = aws_kms_key.cluster.key_id
}

resource "aws_cloudwatch_log_group" "cluster" {
  #checkov:skip=CKV_AWS_158:CloudWatch encrypts by itself; who may read the logs is decided by IAM either way
  name              = "/aws/eks/${var.name}/cluster" # where EKS writes them
  retention_in_days = 365
}
