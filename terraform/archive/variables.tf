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
  description = "The AWS region, such as eu-central-1."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must be a region's own name; take one such as eu-central-1, not a zone such as eu-central-1a."
  }
}
