# What Helm has to know, each part below the key of its chart: the seam between the two tools, as one document.
locals {
  network     = [{ ipBlock = { cidr = var.vpc_cidr } }]
  broker_host = var.amazon_mq ? regex("^amqps://([^:/]+)", aws_mq_broker.this[0].instances[0].endpoints[0])[0] : "rabbitmq"

  part = {
    image   = { repository = aws_ecr_repository.this.repository_url, tag = var.image_tag }
    archive = { url = "s3://${var.archive_bucket}/images", region = var.region }

    rabbitmq = {
      host           = local.broker_host
      port           = var.amazon_mq ? 5671 : 5672
      tls            = var.amazon_mq
      existingSecret = "rabbitmq-auth"
    }
  }

  brokers    = var.amazon_mq ? { brokers = local.network } : {}
  management = var.amazon_mq ? { managementUrl = "https://${local.broker_host}:443" } : {}

  annotations = {
    certificate-arn = var.certificate_arn
    scheme          = var.ingress_scheme
    inbound-cidrs   = join(",", var.inbound_cidrs)
  }

  ingress = {
    enabled     = true
    hosts       = var.hosts
    annotations = { for key, value in local.annotations : "alb.ingress.kubernetes.io/${key}" => value if value != "" }
  }

  web_server = merge(
    local.part,
    {
      serviceAccount = { name = "web-server" }
      networkPolicy  = merge({ from = local.network }, local.brokers) # the load balancer calls from the network
    },
    var.certificate_arn == "" ? {} : { ingress = local.ingress },
  )

  consumer = merge(
    local.part,
    {
      rabbitmq       = merge(local.part.rabbitmq, local.management)
      serviceAccount = { name = "consumer" }
    },
    var.amazon_mq ? { networkPolicy = local.brokers } : {},
    var.amazon_mq ? { keda = { pollingSeconds = 60 } } : {}, # Amazon MQ is not to be asked more often
  )

  helm_values = {
    rabbitmq   = { enabled = !var.amazon_mq }
    web-server = local.web_server
    consumer   = local.consumer
  }
}
