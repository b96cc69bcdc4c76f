variable "name" {
  description = "What everything is called, or begins with."
  type        = string
  default     = "rayhound"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,18}[a-z0-9]$", var.name))
    error_message = "name must be 3 to 20 lower-case letters, digits and hyphens, since names of buckets and roles begin with it; take one such as rayhound."
  }
}

variable "region" {
  description = "The AWS region, such as eu-central-1: the one of the archive."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must be a region's own name; take one such as eu-central-1, not a zone such as eu-central-1a."
  }
}

variable "namespace" {
  description = "The Kubernetes namespace into which Helm installs Rayhound; only its service accounts may use the archive."
  type        = string
  default     = "rayhound"

  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", var.namespace))
    error_message = "namespace must be the name of a Kubernetes namespace: at most 63 lower-case letters, digits and hyphens; take one such as rayhound."
  }
}

# Network

variable "vpc_cidr" {
  description = "The addresses of the network, /16 to /19: each of the three zones gets a sixteenth for pods. Must not overlap with networks that are to be connected."
  type        = string
  default     = "10.0.0.0/16"

  validation {
    condition     = can(cidrnetmask(var.vpc_cidr)) && try(tonumber(split("/", var.vpc_cidr)[1]) >= 16 && tonumber(split("/", var.vpc_cidr)[1]) <= 19, false)
    error_message = "vpc_cidr must be a range of IPv4 addresses from /16 to /19; take one such as 10.0.0.0/16."
  }
}

variable "nat_per_zone" {
  description = "Whether each zone gets a NAT gateway of its own. With one for all, the loss of its zone cuts the others off from what lies outside the network, S3 excepted."
  type        = bool
  default     = false
}

# The cluster, and who may use it

variable "kubernetes_version" {
  description = "The cluster's version; it goes up by one minor version at a time."
  type        = string
  default     = "1.35"

  validation {
    condition     = can(regex("^1\\.(3[3-9]|[4-9][0-9])$", var.kubernetes_version))
    error_message = "kubernetes_version must be 1.33 or newer, without a patch version; take one such as 1.35."
  }
}

variable "api_public_cidrs" {
  description = "From where on the internet the cluster's API answers, such as [\"203.0.113.7/32\"]. Empty: only inside the network."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for cidr in var.api_public_cidrs : can(cidrnetmask(cidr)) && try(tonumber(split("/", cidr)[1]) >= 8, false)])
    error_message = "api_public_cidrs must be ranges of IPv4 addresses, none wider than /8: the cluster's API is not for the whole internet; name your own address with /32."
  }
}

variable "administrators" {
  description = "The ARNs of the IAM roles and users that may do everything in the cluster. Nobody else can, not even whoever runs Terraform."
  type        = set(string)

  validation {
    condition     = length(var.administrators) > 0
    error_message = "administrators must name at least one IAM role or user, or nobody could use the cluster; name yours (aws sts get-caller-identity)."
  }

  validation {
    condition     = alltrue([for arn in var.administrators : can(regex("^arn:aws:iam::[0-9]{12}:(role|user)/", arn))])
    error_message = "administrators must be ARNs such as arn:aws:iam::123456789012:role/operators; a session (arn:aws:sts::…:assumed-role/operators/…) is named by its role."
  }
}

# The archive, from the outputs of terraform/archive

variable "archive_bucket" {
  description = "The bucket that keeps the images: output bucket of terraform/archive."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.archive_bucket))
    error_message = "archive_bucket must be a bucket's name alone, without s3:// and folder; take it from: terraform -chdir=terraform/archive output -raw bucket."
  }
}

variable "archive_key_arn" {
  description = "The key with which the bucket is encrypted: output key_arn of terraform/archive."
  type        = string

  validation {
    condition     = can(regex("^arn:aws:kms:[a-z0-9-]+:[0-9]{12}:key/", var.archive_key_arn))
    error_message = "archive_key_arn must be the ARN of a key, not of an alias; take it from: terraform -chdir=terraform/archive output -raw key_arn."
  }
}

# The image

variable "image_tag" {
  description = "The tag of the image that Helm installs: one of its own for each build, such as the commit's."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$", var.image_tag)) && var.image_tag != "latest"
    error_message = "image_tag must be a tag of its own for each build, not latest: the registry lets no tag be pushed twice; take one such as the commit's (git rev-parse --short HEAD)."
  }
}

# Amazon MQ, instead of the chart's single RabbitMQ

variable "amazon_mq" {
  description = "Whether the queue is an Amazon MQ cluster over three zones, in place of one RabbitMQ pod in one zone."
  type        = bool
  default     = false
}

variable "mq_username" {
  description = "The user of Amazon MQ."
  type        = string
  default     = "rayhound"

  validation {
    condition     = can(regex("^[A-Za-z0-9._-]{2,100}$", var.mq_username)) && var.mq_username != "guest"
    error_message = "mq_username must be 2 to 100 letters, digits, dots, underscores and hyphens, and not guest; take one such as rayhound."
  }
}

variable "mq_password" {
  description = "The password of Amazon MQ, which then lies in Terraform's state. Give it by TF_VAR_mq_password. It counts when the broker is made; later RabbitMQ's own page changes it."
  type        = string
  default     = ""
  sensitive   = true

  validation {
    condition     = !var.amazon_mq || (length(var.mq_password) >= 12 && length(var.mq_password) <= 250)
    error_message = "mq_password must have 12 to 250 characters with amazon_mq; make one by: openssl rand -hex 24."
  }

  validation {
    condition     = !var.amazon_mq || length(distinct(split("", var.mq_password))) >= 4
    error_message = "mq_password must have at least four different characters; make one by: openssl rand -hex 24."
  }

  validation {
    condition     = !can(regex("[,:=[:space:]]", var.mq_password))
    error_message = "mq_password must hold no comma, colon, equals sign or space, which Amazon MQ refuses; make one by: openssl rand -hex 24."
  }
}

variable "mq_instance_type" {
  description = "The machine of each of Amazon MQ's three nodes."
  type        = string
  default     = "mq.m7g.large"

  validation {
    condition     = can(regex("^mq\\.m7g\\.(medium|large|(2|4|8|12|16)?xlarge)$", var.mq_instance_type))
    error_message = "mq_instance_type must be of the family mq.m7g, the only one on which Amazon MQ runs RabbitMQ 4; take mq.m7g.large."
  }
}

# How it is reached from outside the cluster

variable "certificate_arn" {
  description = "A certificate of AWS Certificate Manager; with it a load balancer speaks HTTPS for the web servers. Empty: there is none."
  type        = string
  default     = ""

  validation {
    condition     = var.certificate_arn == "" || can(regex("^arn:aws:acm:[a-z0-9-]+:[0-9]{12}:certificate/", var.certificate_arn))
    error_message = "certificate_arn must be the ARN of a certificate of AWS Certificate Manager in this region; list them by: aws acm list-certificates."
  }
}

variable "hosts" {
  description = "The names under which the load balancer answers, those of the certificate."
  type        = list(string)
  default     = []

  validation {
    condition     = (var.certificate_arn == "") == (length(var.hosts) == 0)
    error_message = "hosts and certificate_arn go together: a load balancer answers under the names of its certificate; set both, or neither."
  }
}

variable "ingress_scheme" {
  description = "Where the load balancer is reached: internal (the network and what is connected to it) or internet-facing."
  type        = string
  default     = "internal"

  validation {
    condition     = contains(["internal", "internet-facing"], var.ingress_scheme)
    error_message = "ingress_scheme must be internal or internet-facing."
  }
}

variable "inbound_cidrs" {
  description = "From which addresses the load balancer takes calls. Empty: from wherever it is reached."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for cidr in var.inbound_cidrs : can(cidrnetmask(cidr)) && try(tonumber(split("/", cidr)[1]) >= 8, false)])
    error_message = "inbound_cidrs must be ranges of IPv4 addresses, none wider than /8: Rayhound has no API keys yet, so whoever reaches it may upload; name the addresses of its users."
  }

  validation {
    condition     = var.ingress_scheme == "internal" || length(var.inbound_cidrs) > 0
    error_message = "inbound_cidrs must name who may call an internet-facing load balancer, since Rayhound has no API keys yet; name the addresses of its users, or set ingress_scheme to internal."
  }
}

# What it may cost

variable "budget_usd" {
  description = "US dollars a month; at 80 % of them, or when more than all is forecast, AWS writes to budget_email. It stops nothing."
  type        = number
  default     = 500

  validation {
    condition     = var.budget_usd > 0
    error_message = "budget_usd must be more than 0; take what a month may cost."
  }
}

variable "budget_email" {
  description = "Who is told about the costs."
  type        = string

  validation {
    condition     = can(regex("^[^@[:space:]]+@[^@[:space:]]+$", var.budget_email))
    error_message = "budget_email must be an email address, such as operators@example.com."
  }
}
