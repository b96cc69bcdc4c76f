# RabbitMQ as a cluster of three nodes, one in each zone: the queue outlives the loss of a zone.
resource "aws_mq_broker" "this" {
  count = var.amazon_mq ? 1 : 0

  #checkov:skip=CKV_AWS_209:Amazon MQ takes no key of the customer's for RabbitMQ; it encrypts by its own
  #checkov:skip=CKV_AWS_48:audit logs are for ActiveMQ alone
  broker_name                = var.name
  engine_type                = "RabbitMQ"
  engine_version             = "4.2"
  host_instance_type         = var.mq_instance_type
  deployment_mode            = "CLUSTER_MULTI_AZ"
  subnet_ids                 = [for subnet in aws_subnet.private : subnet.id]
  security_groups            = [aws_security_group.broker[0].id]
  publicly_accessible        = false
  auto_minor_version_upgrade = true # Amazon MQ demands it for RabbitMQ 4

  logs {
    general = true
  }

  user {
    username = var.mq_username
    password = var.mq_password
  }
}

# Amazon MQ lets no broker have another group later: whatever replaces this one has to replace the broker too.
resource "aws_security_group" "broker" {
  count = var.amazon_mq ? 1 : 0

  name        = "${var.name}-broker"
  description = "Who reaches Amazon MQ"
  vpc_id      = aws_vpc.this.id

  tags = { Name = "${var.name}-broker" }
}

# 5671 is AMQP over TLS; over 443 KEDA asks how long the queue is.
resource "aws_vpc_security_group_ingress_rule" "broker" {
  for_each = var.amazon_mq ? toset(["5671", "443"]) : []

  description       = "From the network's own pods"
  security_group_id = aws_security_group.broker[0].id
  cidr_ipv4         = var.vpc_cidr
  ip_protocol       = "tcp"
  from_port         = tonumber(each.key)
  to_port           = tonumber(each.key)
}
