"""What a cluster of Amazon EKS needs, written with the fields that Amazon documents. No such cluster is asked."""

from typing import Any

import pytest

from tests.charts.eks import on_eks
from tests.charts.rendering import Document, one, rendered

# https://docs.aws.amazon.com/eks/latest/userguide/auto-configure-alb.html
OF_A_CLASS = {
    "scheme",
    "namespaceSelector",
    "ipAddressType",
    "subnets",
    "certificateARNs",
    "tags",
    "loadBalancerAttributes",
}
# https://kubernetes-sigs.github.io/aws-load-balancer-controller/latest/guide/ingress/annotations/
OF_AN_INGRESS = {"scheme", "target-type", "healthcheck-path", "certificate-arn", "inbound-cidrs"}
# https://docs.aws.amazon.com/eks/latest/userguide/auto-net-pol.html
ENFORCED = {"enable-network-policy-controller": "true"}


@pytest.fixture(scope="module")
def addons() -> list[Document]:
    """Everything that the chart makes."""
    return rendered("cluster-addons")


def test_volumes_are_amazons_own_encrypted_in_the_zone_of_their_pod_and_kept(addons: list[Document]) -> None:
    storage: Any = one(addons, "StorageClass").body
    assert storage["provisioner"] == "ebs.csi.eks.amazonaws.com"
    assert storage["parameters"] == {"type": "gp3", "encrypted": "true"}
    assert (storage["volumeBindingMode"], storage["reclaimPolicy"]) == ("WaitForFirstConsumer", "Retain")
    # Volumes that are kept are nothing that anybody else's claim should get without asking.
    assert "annotations" not in storage["metadata"]


def test_load_balancers_are_made_by_auto_mode(addons: list[Document]) -> None:
    ingress_class, parameters = one(addons, "IngressClass"), one(addons, "IngressClassParams")
    assert ingress_class.spec == {
        "controller": "eks.amazonaws.com/alb",
        "parameters": {"apiGroup": "eks.amazonaws.com", "kind": "IngressClassParams", "name": parameters.name},
    }
    assert "annotations" not in ingress_class.body["metadata"]
    assert parameters.body["apiVersion"] == "eks.amazonaws.com/v1"


def test_what_an_ingress_says_counts_since_its_class_says_nothing_of_it(addons: list[Document]) -> None:
    said = set(one(addons, "IngressClassParams").spec)
    assert said <= OF_A_CLASS
    assert not said & {"scheme", "certificateARNs", "subnets"}


def test_an_ingress_has_no_annotation_that_auto_mode_does_not_know() -> None:
    annotations = one(on_eks("eks-ingress"), "Ingress").body["metadata"]["annotations"]
    prefixes, names = zip(*(annotation.split("/") for annotation in annotations), strict=True)
    assert set(prefixes) == {"alb.ingress.kubernetes.io"}
    assert set(names) == OF_AN_INGRESS


def test_policies_are_enforced_by_the_one_line_that_amazon_asks_for(addons: list[Document]) -> None:
    switch = one(addons, "ConfigMap").body
    assert (switch["metadata"]["namespace"], switch["metadata"]["name"]) == ("kube-system", "amazon-vpc-cni")
    assert switch["data"] == ENFORCED


@pytest.mark.parametrize(
    ("key", "kinds"),
    [
        ("storageClass", {"StorageClass"}),
        ("ingressClass", {"IngressClass", "IngressClassParams"}),
        ("networkPolicy", {"ConfigMap"}),
    ],
)
def test_what_is_there_already_is_left_alone(key: str, kinds: set[str]) -> None:
    every = {document.kind for document in rendered("cluster-addons")}
    rest = {document.kind for document in rendered("cluster-addons", {key: {"enabled": False}})}
    assert every - rest == kinds
