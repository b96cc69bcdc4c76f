"""Rayhound on Amazon EKS: `values-eks.yaml`, and over it what Terraform may write."""

from typing import Any

import pytest
import yaml

from tests.charts.rendering import CHARTS, NOT_RANDOM, Document, Loader, Values, merged, rendered, tried

FILE = CHARTS / "values-eks.yaml"
SHAPES = ("eks", "eks-amazon-mq", "eks-ingress")

every_shape = pytest.mark.parametrize("shape", SHAPES)


def values(shape: str = "eks") -> dict[str, Any]:
    """Both files together, with a password that stays the same."""
    return merged(merged({"rabbitmq": NOT_RANDOM}, yaml.load(FILE.read_text(), Loader)), tried("rayhound", shape))


def on_eks(shape: str = "eks", more: Values | None = None, *, program: str = "helm") -> list[Document]:
    """What the umbrella makes of both files."""
    return rendered("rayhound", merged(values(shape), more or {}), program=program)
